/*
 * custom.c - executors of a user's own: what the library asks of them, and what they may do with a call.
 */
#include "../support/shelf.h"

static struct shelf shelf;

static void open_shelf(void)
{
    shelf_open(&shelf, &shelf_class);
}
static void close_shelf(void)
{
    shelf_close(&shelf);
}

TestSuite(custom, .init = open_shelf, .fini = close_shelf);
TestSuite(custom_class);

/*
 * The class
 */

Test(custom_class, must_have_a_size_a_submit_and_a_shutdown)
{
    soon_executor_class small = shelf_class, mute = shelf_class, endless = shelf_class;
    soon_executor *executor = NULL;

    small.size = offsetof(soon_executor_class, shutdown);
    mute.submit = NULL;
    endless.shutdown = NULL;
    cr_assert_eq(soon_executor_new(NULL, &shelf_class, &shelf), -EINVAL);
    cr_assert_eq(soon_executor_new(&executor, NULL, &shelf), -EINVAL);
    cr_assert_eq(soon_executor_new(&executor, &small, &shelf), -EINVAL);
    cr_assert_eq(soon_executor_new(&executor, &mute, &shelf), -EINVAL);
    cr_assert_eq(soon_executor_new(&executor, &endless, &shelf), -EINVAL);
    cr_assert_null(executor);
    cr_assert_eq(shelf.frees, 0);
}

struct newer_class {
    soon_executor_class known;
    void (*unknown)(void);
};

/* One of a newer header; it is copied. */
Test(custom_class, may_be_larger_than_the_library_knows)
{
    struct newer_class klass = {.known = shelf_class};

    klass.known.size = sizeof klass;
    shelf_open(&shelf, &klass.known);
    memset(&klass, 0xff, sizeof klass);
    soon_future_unref(soon_submit(shelf.executor, nothing));
    shelf_close(&shelf);
}

Test(custom_class, may_have_no_more_than_it_must)
{
    static const soon_executor_class least = {
        .size = sizeof least, .submit = shelf__submit, .shutdown = shelf__shutdown};
    soon_future *f;
    soon_stats stats;

    shelf_open(&shelf, &least);
    f = soon_submit(shelf.executor, nothing);
    memset(&stats, 0xff, sizeof stats);
    soon_executor_stats(shelf.executor, &stats);
    cr_assert_eq(stats.pending, 0);
    cr_assert_eq(stats.submitted, 0);
    cr_assert_eq(soon_future_kill(f), -ENOTSUP);
    cr_assert_eq(soon_executor_boot(shelf.executor, SOON_FOREVER), 0);
    soon_call_run(shelf_first(&shelf));
    cr_assert_eq(outcome_of(f), 0);
    cr_assert_eq(soon_executor_free(shelf.executor), 0);
}

static void count_without_end(void *self, soon_stats *ret)
{
    (void)self;
    ret->workers = SIZE_MAX / 4 + 1; /* four times that is 0 */
}

static int run_at_once(void *self, soon_call *call, bool may_block)
{
    (void)self;
    (void)may_block;
    soon_call_run(call);
    return 0;
}

static int three(void *arg, void *data)
{
    *(int *)arg = *(int *)data;
    return (*(int *)data)++ < 3;
}

/* How many calls an imap has under way is a product with that. */
Test(custom_class, may_count_more_workers_than_there_are)
{
    soon_executor_class klass = shelf_class;
    soon_future *f;
    soon_imap *imap;
    int next = 0, result;

    klass.stats = count_without_end;
    klass.submit = run_at_once;
    shelf_open(&shelf, &klass);
    cr_assert_eq(soon_imap_new(&imap, shelf.executor, &twice_task, NULL, three, &next), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &f, NULL), 0);
        cr_assert_eq(soon_take(f, &result), 0);
        cr_assert_eq(result, 2 * i);
    }
    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &f, NULL), SOON_EEND);
    soon_imap_free(imap);
    shelf_close(&shelf);
}

/*
 * Submitting
 */

Test(custom, gets_what_was_submitted)
{
    soon_buffer *payload;
    soon_call *call;
    soon_future *f;
    int arg = 21, data;

    cr_assert_eq(soon_buffer_new(&payload, 10), 0);
    f = twice_submit(shelf.executor, &arg,
                     &(soon_submit_options){.label = "label",
                                            .data = &data,
                                            .priority = 3,
                                            .retries = 2,
                                            .time_limit_ms = 4,
                                            .queue_limit_ms = 5000,
                                            .payload = payload});
    call = shelf_first(&shelf);
    cr_assert_eq(soon_call_function(call), &twice_task);
    cr_assert_eq(soon_call_arg(call).size, sizeof arg);
    cr_assert_arr_eq(soon_call_arg(call).data, &arg, sizeof arg);
    cr_assert_eq(soon_call_payload(call), payload);
    cr_assert_str_eq(soon_call_options(call)->label, "label");
    cr_assert_eq(soon_call_options(call)->data, &data);
    cr_assert_eq(soon_call_options(call)->priority, 3);
    cr_assert_eq(soon_call_options(call)->retries, 2);
    cr_assert_eq(soon_call_options(call)->time_limit_ms, 4);
    cr_assert_eq(soon_call_options(call)->queue_limit_ms, 5000);

    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    soon_call_run(call);
    cr_assert_eq(soon_take(f, &arg), 0);
    cr_assert_eq(arg, 42);
}

Test(custom, gets_what_goes_beside_the_argument)
{
    soon_buffer *payloads[3], *of_input;
    soon_promise *promise;
    soon_future *input, *f;
    soon_call *call;
    int arg = 21;

    for (int i = 0; i < 3; i++)
        cr_assert_eq(soon_buffer_new(&payloads[i], 10), 0);
    cr_assert_eq(soon_buffer_new(&of_input, 10), 0);
    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    input = soon_promise_future(promise);
    f = twice_submit(shelf.executor, &arg,
                     &(soon_submit_options){.extra = soon_string("extra"),
                                            .payloads = payloads,
                                            .payload_count = 3,
                                            .after = &input,
                                            .after_count = 1});
    cr_assert_eq(shelf.count, 0, "it waits");
    cr_assert_eq(soon_promise_set_payload(promise, of_input), 0);
    cr_assert_eq(soon_promise_set_result(promise, "result", 7), 0);
    soon_promise_free(promise);
    soon_future_unref(input);

    call = shelf_first(&shelf);
    cr_assert_str_eq(soon_call_extra_bytes(call).data, "extra");
    cr_assert_eq(soon_call_payload_count(call), 3);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(soon_call_payload_at(call, i), payloads[i]);
    cr_assert_null(soon_call_payload_at(call, 3));
    cr_assert_eq(soon_call_payload(call), payloads[0]);
    cr_assert_eq(soon_call_input_count(call), 1);
    cr_assert_str_eq(soon_call_input(call, 0).data, "result");
    cr_assert_eq(soon_call_input_payload(call, 0), of_input);
    cr_assert(soon_call_input(call, 1).size == 0 && !soon_call_input_payload(call, 1));
    cr_assert_null(soon_call_options(call)->after);
    soon_call_run(call);
    cr_assert_eq(soon_take(f, &arg), 0);
    cr_assert_eq(arg, 42);
}

Test(custom, gets_defaults_where_nothing_was_said)
{
    soon_future *f = twice_submit(shelf.executor, NULL, NULL);
    soon_call *call = shelf_first(&shelf);

    cr_assert_null(soon_call_payload(call));
    cr_assert_not_null(soon_call_options(call));
    cr_assert_null(soon_call_options(call)->label);
    cr_assert_eq(soon_call_options(call)->priority, 0);
    cr_assert_eq(*(const int *)soon_call_arg(call).data, 0);
    soon_call_run(call);
    soon_future_unref(f);
}

Test(custom, is_told_whether_it_may_block)
{
    soon_submit_options block = {.when_full = SOON_FULL_BLOCK}, fail = {.when_full = SOON_FULL_FAIL},
                        here = {.when_full = SOON_FULL_RUN_HERE};
    soon_future *f;

    soon_future_unref(twice_submit(shelf.executor, NULL, NULL));
    soon_future_unref(twice_submit(shelf.executor, NULL, &block));
    cr_assert_eq(shelf.blocking_submits, 2);
    soon_future_unref(twice_submit(shelf.executor, NULL, &fail));
    soon_future_unref(twice_submit(shelf.executor, NULL, &here));
    cr_assert_eq(soon_try_submit_bytes(&f, shelf.executor, &nothing_task, NULL, 0, &block), 0);
    soon_future_unref(f);
    cr_assert_eq(shelf.blocking_submits, 2);
    cr_assert_eq(shelf.submits, 5);
}

Test(custom, may_refuse_with_any_code)
{
    static const int codes[] = {SOON_EFULL, SOON_ESHUTDOWN, SOON_EBROKEN, SOON_ELOCAL, SOON_ENOFUNCTION, -ENOMEM, -EIO};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        soon_future *f, *none = NULL;

        shelf.submit_code = codes[i];
        f = soon_submit_with(shelf.executor, (.label = "refused"), twice, 1);
        cr_assert(soon_future_done(f));
        cr_assert_eq(soon_result(f, &(int){0}), codes[i]);
        cr_assert_not(soon_future_error(f)->started);
        cr_assert_str_eq(soon_future_error(f)->label, "refused");
        cr_assert_str_eq(soon_future_error(f)->function, "twice");
        soon_future_unref(f);
        cr_assert_eq(soon_try_submit_bytes(&none, shelf.executor, &nothing_task, NULL, 0, NULL), codes[i]);
        cr_assert_null(none);
    }
    cr_assert_eq(shelf.count, 0);
}

Test(custom, that_is_full_has_tasks_run_here_if_they_shall)
{
    int result;

    shelf.submit_code = SOON_EFULL;
    cr_assert_eq(soon_take(soon_submit_with(shelf.executor, (.when_full = SOON_FULL_RUN_HERE), twice, 4), &result), 0);
    cr_assert_eq(result, 8);
    shelf.submit_code = -EIO;
    cr_assert_eq(soon_take(soon_submit_with(shelf.executor, (.when_full = SOON_FULL_RUN_HERE), twice, 4), &result),
                 -EIO);
}

Test(custom, is_not_asked_any_more_once_it_is_shut_down)
{
    shelf.downs = false;
    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(outcome_of(soon_submit(shelf.executor, nothing)), SOON_ESHUTDOWN);
    cr_assert_eq(shelf.submits, 0);
    soon_promise_set_result(shelf.down, NULL, 0);
}

/*
 * Resolving the promise itself
 */

Test(custom, may_resolve_a_call_by_its_promise)
{
    soon_future *f = soon_submit(shelf.executor, twice, 3);
    soon_call *call = shelf_first(&shelf);
    soon_promise *promise = soon_call_promise(call);
    int result = 6;

    cr_assert_eq(soon_promise_set_running(promise), 0);
    cr_assert(soon_future_running(f));
    soon_promise_set_progress(promise, 1, 2);
    cr_assert_eq(soon_future_progress(f).done, 1);
    cr_assert_eq(soon_promise_set_result(promise, &result, sizeof result), 0);
    cr_assert_eq(soon_promise_set_result(promise, &result, sizeof result), SOON_EINVALIDSTATE);
    soon_call_free(call);

    result = 0;
    cr_assert_eq(twice_get(f, 0, &result), 0);
    cr_assert_eq(result, 6);
    soon_future_unref(f);
}

Test(custom, may_fail_a_call_by_its_promise)
{
    soon_future *killed = twice_submit(shelf.executor, NULL, NULL), *raised = twice_submit(shelf.executor, NULL, NULL);
    soon_future *died = twice_submit(shelf.executor, NULL, NULL), *cancelled = twice_submit(shelf.executor, NULL, NULL);
    soon_error death = {
        .code = SOON_EWORKERDIED, .started = true, .worker_pid = 7, .worker_signal = 9, .message = "gone"};

    cr_assert_eq(soon_promise_set_exception(soon_call_promise(shelf.calls[0]), SOON_EKILLED, NULL), 0);
    cr_assert_eq(soon_promise_set_exception(soon_call_promise(shelf.calls[1]), -EIO, "no %s", "disk"), 0);
    cr_assert_eq(soon_promise_set_error(soon_call_promise(shelf.calls[2]), &death), 0);
    cr_assert_eq(soon_promise_set_cancelled(soon_call_promise(shelf.calls[3])), 0);
    while (shelf.count)
        soon_call_free(shelf_first(&shelf));

    cr_assert_eq(soon_future_error(killed)->code, SOON_EKILLED);
    cr_assert_eq(soon_future_error(raised)->raised, -EIO);
    cr_assert_str_eq(soon_future_error(raised)->message, "no disk");
    cr_assert_eq(soon_future_error(died)->worker_signal, 9);
    cr_assert(soon_future_cancelled(cancelled));
    soon_futures_unref((soon_future *[]){killed, raised, died, cancelled}, 4);
}

/* By force, since it did not heed the cancel: the item ran, and says so. */
Test(custom, may_end_an_item_of_a_cancelled_map_by_force)
{
    int args[2] = {1, 2};
    soon_future *map = soon_map_async_with(shelf.executor, (.chunk = 1), twice, args, 2);
    soon_call *first = shelf_first(&shelf);

    cr_assert_eq(soon_promise_set_running(soon_call_promise(first)), 0);
    cr_assert_not(soon_future_cancel(map)); /* a request, for what runs */
    cr_assert_eq(soon_promise_set_exception(soon_call_promise(first), SOON_EKILLED, NULL), 0);
    soon_call_free(first);
    while (shelf.count)
        soon_call_run(shelf_first(&shelf));

    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert_eq(soon_map_item_error(map, 0)->code, SOON_EKILLED);
    cr_assert(soon_map_item_error(map, 0)->started);
    cr_assert_eq(soon_map_item_error(map, 1)->code, -ECANCELED);
    cr_assert_not(soon_map_item_error(map, 1)->started);
    soon_future_unref(map);
}

Test(custom, that_drops_a_call_leaves_it_abandoned)
{
    soon_future *f = twice_submit(shelf.executor, NULL, NULL);

    soon_call_free(shelf_first(&shelf));
    cr_assert_eq(outcome_of(f), SOON_EABANDONED);
}

Test(custom, that_drops_a_call_which_runs_says_that_it_began)
{
    soon_future *f = twice_submit(shelf.executor, NULL, NULL);
    soon_call *call = shelf_first(&shelf);

    cr_assert_eq(soon_promise_set_running(soon_call_promise(call)), 0);
    soon_call_free(call);
    cr_assert(soon_future_error(f)->started);
    cr_assert_eq(outcome_of(f), SOON_EABANDONED);
}

Test(custom, may_be_wrong_about_the_size_of_a_result)
{
    soon_future *f = twice_submit(shelf.executor, NULL, NULL);
    soon_call *call = shelf_first(&shelf);

    cr_assert_eq(soon_promise_set_result(soon_call_promise(call), "abc", 3), 0);
    soon_call_free(call);

    cr_assert_eq(twice_get(f, 0, &(int){0}), SOON_ETYPE);
    soon_future_unref(f);
}

Test(custom, may_send_a_payload_with_the_result)
{
    soon_future *f = soon_submit(shelf.executor, nothing);
    soon_call *call = shelf_first(&shelf);
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_new(&buffer, 3), 0);
    cr_assert_eq(soon_promise_set_payload(soon_call_promise(call), buffer), 0);
    cr_assert_eq(soon_promise_set_result(soon_call_promise(call), "", 1), 0);
    soon_call_free(call);

    cr_assert_eq(soon_future_payload(f), buffer);
    soon_future_unref(f);
}

static atomic_int released;

static void count_release(void *arg)
{
    (void)arg;
    released++;
}

SOON_TASK_LOCAL(counted, int, int, count_release, NULL)
{
    return 0;
}

Test(custom, has_arguments_released_once_however_a_call_ends)
{
    for (int way = 0; way < 5; way++) {
        soon_future *f = counted_submit(shelf.executor, NULL, NULL);
        soon_call *call = shelf.calls[0];

        released = 0;
        if (way == 0)
            cr_assert(soon_future_cancel(f));
        else
            shelf_first(&shelf);
        if (way == 1)
            soon_call_run(call);
        if (way == 2)
            cr_assert_eq(soon_promise_set_result(soon_call_promise(call), &(int){0}, sizeof(int)), 0);
        if (way == 3)
            cr_assert_eq(soon_promise_set_cancelled(soon_call_promise(call)), 0);
        cr_assert_eq(released, way < 2);
        if (way >= 2)
            soon_call_free(call);
        cr_assert_eq(released, 1);
        soon_future_unref(f);
    }
}

#ifndef NDEBUG
Test(custom, must_not_free_the_promise_of_a_call, .signal = SIGABRT)
{
    soon_future_unref(soon_submit(shelf.executor, nothing));
    soon_promise_free(soon_call_promise(shelf_first(&shelf)));
}
#endif

/*
 * imap_shutdown.c - imaps whose executor is shut down, or breaks, under them: what is in flight is handed out, then they
 * say so once, and nothing more is taken from the source.
 */
#include "imap_fixture.h"

TestSuite(imap_shutdown);

/* Until it hands nothing out any more; returns that code. The same once is all: then comes the end. */
static int drain(soon_imap *imap, int *ret_handed_out)
{
    soon_future *future;
    int rc;

    for (*ret_handed_out = 0; (rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0; ++*ret_handed_out)
        soon_future_unref(future);
    assert_end(imap);
    return rc;
}

/* Of chunks and of single items, ordered and not. */
static soon_map_options variant(int i)
{
    return (soon_map_options){.in_flight_max = 6, .chunk = i & 1 ? 3 : 1, .unordered = i & 2};
}
enum { VARIANTS = 4 };

/* As the imaps of one executor can: all are under way when that is shut down. */
TestOnEach(imap_shutdown, hands_out_what_is_in_flight_and_leaves_the_source_alone)
{
    struct counter counters[VARIANTS] = {{0}};
    int taken[VARIANTS], handed_out;
    soon_imap *imaps[VARIANTS];
    soon_future *future;

    for (int i = 0; i < VARIANTS; i++) {
        soon_map_options options = variant(i);

        imaps[i] = start(executor, &square_task, &options, &counters[i]);
        cr_assert_eq(soon_imap_next(imaps[i], SOON_FOREVER, &future, NULL), 0);
        soon_future_unref(future);
        taken[i] = counters[i].next;
    }

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    for (int i = 0; i < VARIANTS; i++) {
        for (int j = 1; j < taken[i]; j++) {
            cr_assert_eq(soon_imap_next(imaps[i], SOON_FOREVER, &future, NULL), 0);
            cr_assert(soon_future_succeeded(future));
            soon_future_unref(future);
        }
        cr_assert_eq(drain(imaps[i], &handed_out), SOON_ESHUTDOWN);
        cr_assert_eq(handed_out, 0);
        cr_assert_eq(counters[i].next, taken[i]);
        cr_assert_eq(soon_imap_error(imaps[i])->code, SOON_ESHUTDOWN);
        soon_imap_free(imaps[i]);
    }
}

TestOnEach(imap_shutdown, that_cancels_hands_out_the_cancelled)
{
    struct counter counter = {.list = (int[]){-1, 1, 2, 3, 4, 5}};
    soon_map_options options = variant(0);
    soon_imap *imap = start(executor, &at_gate_task, &options, &counter);
    soon_future *future;
    int cancelled = 0, handed_out;

    cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
    cr_assert_eq(counter.next, 6);
    await_arrivals(1);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
    open_gate();
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
        cr_assert(soon_future_succeeded(future) || soon_future_cancelled(future));
        cancelled += soon_future_cancelled(future);
        soon_future_unref(future);
    }

    cr_assert_eq(drain(imap, &handed_out), SOON_ESHUTDOWN);
    cr_assert(handed_out == 0 && cancelled < 6 && counter.next == 6);
    soon_imap_free(imap);
}

TestOnEach(imap_shutdown, before_the_first_item_takes_nothing)
{
    int handed_out;

    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    for (int i = 0; i < VARIANTS; i++) {
        struct counter counter = {.end = 5};
        soon_map_options options = variant(i);
        soon_imap *imap = start(executor, &square_task, &options, &counter);

        cr_assert_eq(drain(imap, &handed_out), SOON_ESHUTDOWN);
        cr_assert(handed_out == 0 && counter.next == 0);
        soon_imap_free(imap);
    }
}

TestOnEach(imap_shutdown, of_an_input_that_is_through_is_not_told)
{
    int handed_out;

    for (int i = 0; i < VARIANTS; i++) {
        struct counter counter = {.end = 5};
        soon_map_options options = variant(i);
        soon_imap *imap = start(executor, &square_task, &options, &counter);
        soon_future *future;

        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
        soon_future_unref(future);
        if (i == VARIANTS - 1)
            soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);

        cr_assert_eq(drain(imap, &handed_out), SOON_EEND);
        cr_assert_eq(handed_out, 4);
        cr_assert_eq(soon_imap_error(imap)->code, 0);
        soon_imap_free(imap);
    }
}

/*
 * What was taken and is not run
 */

static _Atomic int released;

static void release(void *arg)
{
    (void)arg;
    released++;
}

static int local_body(soon_task *task, const void *arg, void *result)
{
    (void)task;
    *(int *)result = *(const int *)arg;
    return 0;
}

static const soon_function local = {.name = "local",
                                    .body = local_body,
                                    .arg_size = sizeof(int),
                                    .result_size = sizeof(int),
                                    .flags = SOON_FUNCTION_LOCAL,
                                    .free_arg = release};

struct closer {
    soon_executor *executor;
    int calls, at;
};

/* It shuts the executor down, and gives one more all the same. */
static int close_and_go_on(void *arg, void *data)
{
    struct closer *closer = data;

    *(int *)arg = closer->calls++;
    if (closer->calls == closer->at)
        cr_assert_neq(soon_executor_shutdown(closer->executor, SOON_DRAIN, 0), -EINVAL);
    return 1;
}

Test(imap_shutdown, by_the_source_itself_is_the_last_that_it_is_asked_for)
{
    for (int i = 0; i < VARIANTS * 8; i++) {
        struct closer closer = {.executor = i & 4 ? make_own() : make_four_threads(), .at = i / 4 + 1};
        soon_map_options options = variant(i);
        soon_imap *imap;
        int handed_out;

        released = 0;
        cr_assert_eq(soon_imap_new(&imap, closer.executor, &local, &options, close_and_go_on, &closer), 0);
        cr_assert_eq(drain(imap, &handed_out), SOON_ESHUTDOWN);
        cr_assert_eq(closer.calls, closer.at);
        cr_assert_lt(handed_out, closer.at);
        soon_imap_free(imap);
        cr_assert_eq(soon_executor_free(closer.executor), 0);
        cr_assert_eq(released, closer.calls);
    }
}

/* An argument that waits for a place is lost with the executor: that is said even where the input is at its end. */
Test(imap_shutdown, while_an_argument_waits_for_a_place_is_told)
{
    for (int i = 0; i < VARIANTS; i++) {
        struct counter counter = {.list = (int[]){-1, 1, 2, 3, 4}, .end = 5};
        soon_map_options options = {.in_flight_max = 8, .chunk = i & 1 ? 2 : 1, .unordered = i & 2};
        soon_executor *pool;
        soon_future *future;
        soon_imap *imap;
        int handed_out;

        cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1, .queue_max = 1}), 0);
        close_gate();
        imap = start(pool, &at_gate_task, &options, &counter);
        test_wait_until(soon_imap_next(imap, 0, &future, NULL) == -ETIMEDOUT && arrivals() == 1 &&
                        counter.next == (i & 1 ? 5 : 3));
        cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 0), -ETIMEDOUT);
        open_gate();

        cr_assert_eq(drain(imap, &handed_out), SOON_ESHUTDOWN);
        cr_assert_eq(handed_out, i & 1 ? 4 : 2);
        soon_imap_free(imap);
        cr_assert_eq(soon_executor_free(pool), 0);
    }
}

/*
 * Broken pools
 */

SOON_TASK(bad_start, int, soon_none)
{
    (void)arg;
    (void)result;
    return soon_raise(task, EIO, "no such tape");
}

static soon_executor *make_broken(bool processes)
{
    soon_executor *pool;
    int rc = processes ? soon_process_pool_new(&pool, &(soon_process_pool_options){.initializer = &bad_start_task})
                       : soon_thread_pool_new(&pool, &(soon_thread_pool_options){.initializer = &bad_start_task});

    cr_assert_eq(rc, 0);
    return pool;
}

Test(imap_shutdown, of_a_broken_pool_says_why_once)
{
    for (int i = 0; i < 2 * VARIANTS && (i < VARIANTS || test_has_processes()); i++) {
        struct counter counter = {.end = 0}, second = {.end = 0};
        soon_map_options options = variant(i);
        soon_executor *pool = make_broken(i >= VARIANTS);
        soon_imap *imap = start(pool, &square_task, &options, &counter);
        soon_future *future;
        int handed_out = 0, rc, taken = -1;

        while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0) {
            cr_assert_eq(soon_future_error(future)->code, SOON_EBROKEN);
            soon_future_unref(future);
            taken = handed_out++ ? taken : counter.next;
        }
        cr_assert_eq(rc, SOON_EBROKEN);
        cr_assert(strstr(soon_imap_error(imap)->message, "no such tape"));
        cr_assert_eq(counter.next, taken); /* what was broken with the first was so before more was taken */
        assert_end(imap);
        soon_imap_free(imap);

        imap = start(pool, &square_task, &options, &second);
        cr_assert_eq(drain(imap, &handed_out), SOON_EBROKEN);
        cr_assert(handed_out == 0 && second.next == 0);
        soon_imap_free(imap);
        cr_assert_eq(soon_executor_free(pool), 0);
    }
}

SOON_TASK(crash_at_three, int, int)
{
    if (*arg == 3)
        abort();
    *result = *arg;
    return 0;
}

Test(imap_shutdown, of_a_pool_that_one_death_breaks_is_the_same)
{
    for (int i = 0; i < VARIANTS && test_has_processes(); i++) {
        struct counter counter = {.end = 0};
        soon_map_options options = variant(i);
        soon_executor *pool;
        soon_imap *imap;
        int handed_out;

        cr_assert_eq(
            soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = 1, .on_worker_death = SOON_BREAK}), 0);
        imap = start(pool, &crash_at_three_task, &options, &counter);
        cr_assert_eq(drain(imap, &handed_out), SOON_EBROKEN);
        cr_assert_leq(counter.next, 3 + 6 + 3);
        cr_assert_geq(handed_out, 4);
        cr_assert_str_not_empty(soon_imap_error(imap)->message);
        soon_imap_free(imap);
        cr_assert_eq(soon_executor_free(pool), 0);
    }
}

/*
 * progress.c - progress that is pushed: to a loop, to the callback thread, at a rate, the last before on_done.
 */
#include "../support/executors.h"
#include "../support/loop_fixture.h"

TestSuite(progress, .init = open_loop, .fini = close_loop);

/* Listeners with a loop and without one are called on two threads. */
static struct heard {
    _Atomic uint64_t values[1024];
    _Atomic size_t count;
    atomic_bool done; /* on_done has run */
    _Atomic pthread_t on;
} heard;
static atomic_int calls, dones, releases;

static void hear(soon_future *future, soon_progress progress, void *data)
{
    (void)future;
    cr_assert_eq(data, &heard);
    cr_assert_not(heard.done);
    cr_assert_eq(progress.total, 100);
    heard.values[heard.count++ % 1024] = progress.done;
    heard.on = pthread_self();
    calls++;
}

static void note_done(soon_future *future, void *data)
{
    (void)future, (void)data;
    heard.done = true;
    dones++;
}

static void note_release(void *data)
{
    cr_assert_eq(data, &heard);
    releases++;
}

static int listen_to(soon_future *future, soon_loop *loop, int64_t every_ms)
{
    return soon_future_add_progress_callback(future, loop, every_ms, hear, &heard, note_release);
}

static uint64_t last_heard(void)
{
    return heard.values[heard.count - 1];
}

/* Of a promise */

Test(progress, of_a_promise_comes_to_the_loop_as_it_is_set)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 1), 0);
    for (uint64_t i = 1; i <= 3; i++) {
        soon_promise_set_progress(made.promise, i, 100);
        while (calls < (int)i)
            uv_run(&uv, UV_RUN_ONCE);
        cr_assert_eq(last_heard(), i);
    }
    cr_assert_eq(heard.count, 3);
    cr_assert(pthread_equal(heard.on, pthread_self()));
    cr_assert(soon_future_remove_progress_callback(made.future, hear, &heard));
    cr_assert_eq(releases, 1);
    release(made);
}

Test(progress, without_a_loop_comes_on_the_callback_thread)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, NULL, 1), 0);
    soon_promise_set_progress(made.promise, 7, 100);
    test_wait_until(calls == 1);
    cr_assert_not(pthread_equal(heard.on, pthread_self()));
    soon_promise_set_result(made.promise, NULL, 0);
    test_wait_until(releases == 1);
    cr_assert(calls == 1 && last_heard() == 7); /* there was nothing more to tell */
    release(made);
}

/* An hour is not over in between. */
Test(progress, is_coalesced_to_its_rate_and_the_last_is_told)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 3600000), 0);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, note_done, NULL), 0);
    soon_promise_set_progress(made.promise, 1, 100);
    while (calls < 1)
        uv_run(&uv, UV_RUN_ONCE);
    for (uint64_t i = 2; i <= 1000; i++)
        soon_promise_set_progress(made.promise, i, 100);
    uv_run(&uv, UV_RUN_NOWAIT);
    cr_assert_eq(calls, 1);
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();

    cr_assert(calls == 2 && heard.values[0] == 1 && heard.values[1] == 1000);
    cr_assert(dones == 1 && releases == 1);
    release(made);
}

/* It was registered before the listener was. */
Test(progress, the_last_comes_before_callbacks_that_were_there_first)
{
    for (int with_loop = 0; with_loop < 2; with_loop++) {
        struct halves made = pending();
        soon_loop *loop = with_loop ? on : NULL;

        heard = (struct heard){.count = 0};
        calls = dones = releases = 0;
        cr_assert_eq(soon_future_add_done_callback_owned(made.future, loop, note_done, NULL, NULL), 0);
        soon_promise_set_progress(made.promise, 42, 100);
        cr_assert_eq(listen_to(made.future, loop, 3600000), 0);
        soon_promise_set_progress(made.promise, 43, 100);
        soon_promise_set_result(made.promise, NULL, 0);
        run_to_the_end();
        test_wait_until(dones == 1);
        cr_assert(calls >= 1 && last_heard() == 43);
        cr_assert_eq(releases, 1);
        release(made);
    }
}

Test(progress, nothing_is_heard_of_a_future_that_is_done)
{
    struct halves made = pending();

    soon_promise_set_progress(made.promise, 42, 100);
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert_eq(listen_to(made.future, on, 1), 0);
    cr_assert_eq(releases, 1);
    cr_assert_not(soon_future_remove_progress_callback(made.future, hear, &heard));
    run_to_the_end();
    cr_assert_eq(calls, 0);
    release(made);
}

Test(progress, each_of_several_has_its_own_rate_and_loop)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 3600000), 0);
    cr_assert_eq(listen_to(made.future, NULL, 3600000), 0);
    cr_assert_eq(listen_to(made.future, on, 1), 0);
    soon_promise_set_progress(made.promise, 1, 100);
    while (calls < 3)
        uv_run(&uv, UV_RUN_NOWAIT);
    soon_promise_set_progress(made.promise, 2, 100);
    while (calls < 4)
        uv_run(&uv, UV_RUN_ONCE);
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    test_wait_until(releases == 3);
    cr_assert_eq(calls, 6);
    release(made);
}

static _Atomic uint64_t heard_by_other;

static void hear_other(soon_future *future, soon_progress progress, void *data)
{
    (void)future, (void)data;
    heard_by_other = progress.done;
}

/* What is looked at for the one is not told to the other, whose hour is not over. */
Test(progress, a_quick_listener_does_not_hurry_a_slow_one)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 3600000), 0);
    cr_assert_eq(soon_future_add_progress_callback(made.future, on, 1, hear_other, NULL, NULL), 0);
    for (uint64_t i = 1; i <= 3; i++) {
        soon_promise_set_progress(made.promise, i, 100);
        while (heard_by_other < i)
            uv_run(&uv, UV_RUN_ONCE);
        cr_assert(calls == 1 && last_heard() == 1);
    }
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert(calls == 2 && last_heard() == 3);
    release(made);
}

/* One look finds that the quick one has been told, and the slow one has not. What is set after it is heard all the same. */
Test(progress, a_slow_listener_does_not_hold_up_a_quick_one)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 3600000), 0);
    cr_assert_eq(soon_future_add_progress_callback(made.future, NULL, 1, hear_other, NULL, NULL), 0);
    for (uint64_t i = 1; i <= 5; i++) {
        soon_promise_set_progress(made.promise, i, 100);
        test_wait_until(heard_by_other == i);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); /* for that look */
    }
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_eq(last_heard(), 5);
    release(made);
}

/* The timer is set for the slow one all the time, while looks are posted for the quick one. */
Test(progress, looks_by_the_timer_and_looks_that_are_posted_do_not_meet)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 2), 0); /* its loop does not run: it is never told */
    cr_assert_eq(soon_future_add_progress_callback(made.future, NULL, 1, hear_other, NULL, NULL), 0);
    for (uint64_t i = 1; i <= 300000; i++)
        soon_promise_set_progress(made.promise, i, 100);
    test_wait_until(heard_by_other == 300000);
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_eq(last_heard(), 300000);
    release(made);
}

/*
 * Taken back
 */

static struct halves self;

static void hear_once(soon_future *future, soon_progress progress, void *data)
{
    hear(future, progress, data);
    cr_assert(soon_future_remove_progress_callback(self.future, hear_once, data));
    cr_assert_eq(releases, 0); /* it is still running */
}

Test(progress, may_be_taken_back_by_the_callback_itself)
{
    for (int with_loop = 0; with_loop < 2; with_loop++) {
        self = pending();
        calls = releases = 0;
        cr_assert_eq(
            soon_future_add_progress_callback(self.future, with_loop ? on : NULL, 1, hear_once, &heard, note_release),
            0);
        soon_promise_set_progress(self.promise, 1, 100);
        while (releases < 1)
            uv_run(&uv, UV_RUN_NOWAIT);
        soon_promise_set_progress(self.promise, 2, 100);
        soon_promise_set_result(self.promise, NULL, 0);
        run_to_the_end();
        cr_assert(calls == 1 && releases == 1);
        release(self);
    }
}

Test(progress, taken_back_on_the_loops_thread_is_not_heard_though_it_was_on_its_way)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 1), 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    soon_promise_set_progress(made.promise, 1, 100);
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert(soon_future_remove_progress_callback(made.future, hear, &heard));
    cr_assert_eq(releases, 1);
    run_to_the_end();
    cr_assert(calls == 0 && releases == 1);
    release(made);
}

/*
 * The loop goes
 */

Test(progress, comes_until_the_end_to_a_loop_that_is_detached)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 1), 0);
    detach_saying("closed");
    soon_promise_set_progress(made.promise, 1, 100);
    while (calls < 1)
        uv_run(&uv, UV_RUN_ONCE);
    cr_assert_str_empty(said);
    soon_promise_set_progress(made.promise, 2, 100);
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_eq(last_heard(), 2);
    cr_assert_str_eq(said, "closed");
    release(made);
}

Test(progress, is_dropped_with_a_loop_that_somebody_has_closed)
{
    struct halves made = pending();

    cr_assert_eq(listen_to(made.future, on, 1), 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    uv_walk(&uv, (uv_walk_cb)uv_close, NULL);
    uv_run(&uv, UV_RUN_NOWAIT);
    soon_loop_detach(on, NULL, NULL);
    on = NULL;
    soon_promise_set_progress(made.promise, 1, 100);
    test_wait_until(releases == 1);
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert_eq(calls, 0);
    release(made);
}

/*
 * Of tasks, everywhere
 */

SOON_TASK(count_up, int, int)
{
    int rc = 0;

    for (int i = 1; i <= *arg; i++) {
        soon_task_set_progress(task, (uint64_t)i, 100);
        if (i == *arg - 1)
            rc = wait_at_gate(task);
        if (rc < 0)
            break;
    }
    *result = *arg;
    return rc;
}

static soon_future *submit_heard(soon_executor *executor, soon_loop *loop)
{
    return soon_submit_with(executor,
                            (.on_done = note_done, .on_done_loop = loop, .on_progress = hear,
                             .on_progress_data = &heard, .progress_every_ms = 1, .on_progress_release = note_release),
                            count_up, 50);
}

static void hear_task(soon_executor *executor, soon_loop *loop)
{
    soon_future *future;

    heard = (struct heard){.count = 0};
    calls = dones = releases = 0;
    future = submit_heard(executor, loop);
    while (calls == 0 || last_heard() != 49)
        uv_run(&uv, UV_RUN_NOWAIT);
    open_gate();
    while (dones == 0)
        uv_run(&uv, UV_RUN_NOWAIT);
    test_wait_until(releases == 1);
    cr_assert_eq(last_heard(), 50);
    for (size_t i = 1; i < heard.count; i++)
        cr_assert_gt(heard.values[i], heard.values[i - 1]);
    soon_future_unref(future);
}

TestOnEach(progress, of_a_task_is_pushed_and_its_last_comes_before_on_done)
{
    hear_task(executor, NULL);
    close_gate();
    hear_task(executor, on);
}

TestOnEach(progress, of_a_task_that_is_done_at_once_is_told_all_the_same)
{
    for (int with_loop = 0; with_loop < 2; with_loop++) {
        heard = (struct heard){.count = 0};
        calls = dones = releases = 0;
        open_gate();
        soon_future_unref(submit_heard(executor, with_loop ? on : NULL));
        run_to_the_end();
        test_wait_until(dones == 1 && releases == 1);
        cr_assert_eq(last_heard(), 50);
    }
}

TestOnEach(progress, of_a_cancelled_task_ends_with_it)
{
    soon_future *future;

    heard = (struct heard){.count = 0};
    calls = dones = releases = 0;
    future = submit_heard(executor, on);
    await_arrivals(1);
    soon_future_cancel(future);
    run_to_the_end();
    test_wait_until(dones == 1 && releases == 1);
    cr_assert_eq(last_heard(), 49);
    soon_future_unref(future);
}

SOON_TASK(one_item, int, int)
{
    *result = *arg;
    return wait_at_gate(task);
}

static void hear_map(soon_executor *executor)
{
    static int args[100];
    soon_future *map;

    heard = (struct heard){.count = 0};
    calls = dones = releases = 0;
    map = soon_map_async(executor, one_item, args, 100);
    cr_assert_eq(listen_to(map, on, 1), 0);
    cr_assert_eq(soon_future_add_done_callback_on(map, on, note_done, NULL), 0);
    open_gate();
    run_to_the_end();
    cr_assert(calls >= 1 && last_heard() == 100);
    cr_assert(dones == 1 && releases == 1);
    soon_future_unref(map);

    heard = (struct heard){.count = 0}; /* the gate is open: it may be done at once */
    calls = 0;
    map = soon_map_async_with(executor, (.on_progress = hear, .on_progress_data = &heard, .on_progress_loop = on),
                              one_item, args, 100);
    run_to_the_end();
    cr_assert(calls >= 1 && last_heard() == 100);
    soon_future_unref(map);
}

TestOnEach(progress, of_a_map_counts_its_items)
{
    hear_map(executor);
}

/*
 * What makes no sense
 */

Test(progress, arguments_that_make_no_sense_are_refused_and_the_data_released)
{
    struct halves made = pending();
    soon_executor *executor = make_one_thread();
    soon_submit_options rate = {.progress_every_ms = 5}, undo = {.on_progress_release = note_release},
                        negative = {.on_progress = hear, .progress_every_ms = -1};
    int arg = 1, result;
    soon_future *future = NULL;

    cr_assert_eq(listen_to(NULL, on, 1), -EINVAL);
    cr_assert_eq(listen_to(made.future, on, -1), -EINVAL);
    cr_assert_str_eq(soon_last_error()->message, "soon_future_add_progress_callback: every_ms = -1 is negative");
    cr_assert_eq(soon_future_add_progress_callback(made.future, on, 1, NULL, &heard, note_release), -EINVAL);
    cr_assert_eq(releases, 3);
    cr_assert_eq(soon_try_submit_bytes(&future, executor, &count_up_task, NULL, 0, &rate), -EINVAL);
    cr_assert_eq(soon_try_submit_bytes(&future, executor, &count_up_task, NULL, 0, &undo), -EINVAL);
    cr_assert_eq(soon_try_submit_bytes(&future, executor, &count_up_task, NULL, 0, &negative), -EINVAL);
    negative.progress_every_ms = 0;
    cr_assert_eq(soon_map_with(executor, (.each = &negative), count_up, &arg, 1, &result, NULL), -EINVAL);
    cr_assert_eq(soon_map_with(executor, (.on_progress = hear), count_up, &arg, 1, &result, NULL), -EINVAL);
    cr_assert_eq(soon_map_with(executor, (.progress_every_ms = 1), count_up, &arg, 1, &result, NULL), -EINVAL);
    cr_assert_eq(releases, 3);
    cr_assert_eq(soon_executor_free(executor), 0);
    release(made);
}

Test(progress, of_a_submit_that_is_refused_only_the_data_is_released)
{
    soon_executor *executor = make_one_thread();
    soon_submit_options options = {
        .on_progress = hear, .on_progress_data = &heard, .on_progress_release = note_release, .on_done_loop = on};
    soon_future *future = NULL;

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_try_submit_bytes(&future, executor, &count_up_task, NULL, 0, &options), SOON_ESHUTDOWN);
    run_to_the_end();
    cr_assert_eq(releases, 0);
    soon_future_unref(soon_submit_bytes(executor, &count_up_task, NULL, 0, &options));
    run_to_the_end();
    cr_assert(calls == 0 && releases == 1);
    cr_assert_eq(soon_executor_free(executor), 0);
}

/*
 * wait.c - soon_wait() in its three modes.
 */
#include "../support/executors.h"
#include "../support/futures.h"

TestSuite(wait, .init = close_gate);

SOON_TASK(
    multiply,
    struct {
        int x;
        int y;
    },
    int)
{
    *result = arg->x * arg->y;
    return 0;
}

SOON_TASK(fail, int, int)
{
    return soon_raise(task, EDOM, "%d", *arg);
}

SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return wait_at_gate(task);
}

SOON_TASK(fail_at_gate, int, int)
{
    (void)wait_at_gate(task);
    return soon_raise(task, EDOM, NULL);
}

/* Waits for ever for all, with the answer checked. */
static void wait_all(soon_future *const *futures, size_t count)
{
    cr_assert_eq(soon_wait(futures, count, SOON_ALL_COMPLETED, SOON_FOREVER, NULL), (int64_t)count);
}

static void open_and_release(soon_future *const *futures, size_t count)
{
    open_gate();
    wait_all(futures, count);
    soon_futures_unref(futures, count);
}

/* CPython: test_20369 */
TestOnEach(wait, counts_a_duplicate_once)
{
    soon_future *future = at_gate_submit(executor, NULL, NULL);
    soon_future *const futures[] = {future, future};
    bool done[] = {true, true};

    cr_assert_eq(soon_wait(futures, 2, SOON_ALL_COMPLETED, 0, done), 0);
    cr_assert(!done[0] && !done[1]);
    open_gate();
    cr_assert_eq(soon_wait(futures, 2, SOON_ALL_COMPLETED, SOON_FOREVER, done), 1);
    cr_assert(done[0] && done[1]);

    soon_future_unref(future);
}

/* CPython: test_first_completed, where the cancelled one does not count */
TestOnEach(wait, first_completed_counts_a_cancelled_one)
{
    struct halves cancelled_one = cancelled();
    soon_future *stuck = at_gate_submit(executor, NULL, NULL), *futures[] = {stuck, cancelled_one.future};
    bool done[2];

    cr_assert_eq(soon_wait(futures, 2, SOON_FIRST_COMPLETED, SOON_FOREVER, done), 1);
    cr_assert(!done[0] && done[1]);

    open_and_release(&stuck, 1);
    release(cancelled_one);
    close_gate();
}

TestOnEach(wait, first_completed)
{
    soon_future *futures[] = {soon_submit(executor, multiply, 21, 2), at_gate_submit(executor, NULL, NULL)};
    bool done[2];

    cr_assert_eq(soon_wait(futures, 2, SOON_FIRST_COMPLETED, SOON_FOREVER, done), 1);
    cr_assert(done[0] && !done[1]);

    open_and_release(futures, 2);
    close_gate();
}

/* CPython: test_first_completed_some_already_completed */
TestOnEach(wait, first_completed_when_some_are_already)
{
    struct halves a = cancelled(), b = successful();
    soon_future *stuck = at_gate_submit(executor, NULL, NULL), *futures[] = {a.future, b.future, stuck};
    bool done[3];

    cr_assert_eq(soon_wait(futures, 3, SOON_FIRST_COMPLETED, SOON_FOREVER, done), 2);
    cr_assert(done[0] && done[1] && !done[2]);

    open_and_release(&stuck, 1);
    release(a);
    release(b);
    close_gate();
}

/* CPython: test_first_exception */
Test(wait, first_exception)
{
    soon_executor *executor = make_four_threads();
    struct halves unfinished = pending();
    soon_future *futures[] = {soon_submit(executor, multiply, 2, 21), fail_at_gate_submit(executor, NULL, NULL),
                              unfinished.future};
    bool done[3];

    cr_assert_eq(soon_future_wait(futures[0], SOON_FOREVER), 0);
    open_gate();
    cr_assert_eq(soon_wait(futures, 3, SOON_FIRST_EXCEPTION, SOON_FOREVER, done), 2);
    cr_assert(done[0] && done[1] && !done[2]);

    soon_futures_unref(futures, 2);
    release(unfinished);
    cr_assert_eq(soon_executor_free(executor), 0);
}

/* CPython: test_first_exception_some_already_complete, where the cancelled one does not count as done */
TestOnEach(wait, first_exception_does_not_count_a_cancelled_one)
{
    struct halves a = successful(), b = cancelled(), unfinished = pending();
    soon_future *failing = fail_submit(executor, NULL, NULL),
                *futures[] = {a.future, b.future, failing, unfinished.future};
    bool done[4];

    cr_assert_eq(soon_wait(futures, 4, SOON_FIRST_EXCEPTION, SOON_FOREVER, done), 3);
    cr_assert(done[0] && done[1] && done[2] && !done[3]);

    soon_future_unref(failing);
    release(a);
    release(b);
    release(unfinished);
}

/* CPython: test_first_exception_one_already_failed */
TestOnEach(wait, first_exception_when_one_has_failed_already)
{
    struct halves a = failed();
    soon_future *stuck = at_gate_submit(executor, NULL, NULL), *futures[] = {stuck, a.future};
    bool done[2];

    cr_assert_eq(soon_wait(futures, 2, SOON_FIRST_EXCEPTION, SOON_FOREVER, done), 1);
    cr_assert(!done[0] && done[1]);

    open_and_release(&stuck, 1);
    release(a);
    close_gate();
}

/* CPython: test_all_completed */
TestOnEach(wait, all_completed)
{
    struct halves a = successful(), b = cancelled(), c = failed();
    soon_future *futures[] = {a.future, b.future, c.future, fail_submit(executor, NULL, NULL),
                              soon_submit(executor, multiply, 2, 21)};
    bool done[COUNT(futures)];

    cr_assert_eq(soon_wait(futures, COUNT(futures), SOON_ALL_COMPLETED, SOON_FOREVER, done), COUNT(futures));
    for (size_t i = 0; i < COUNT(futures); i++)
        cr_assert(done[i]);

    soon_futures_unref(futures + 3, 2);
    release(a);
    release(b);
    release(c);
}

/* CPython: test_timeout */
TestOnEach(wait, a_timeout_is_no_failure)
{
    static const soon_when modes[] = {SOON_ALL_COMPLETED, SOON_FIRST_EXCEPTION};
    struct halves a = successful(), b = cancelled();
    soon_future *stuck = at_gate_submit(executor, NULL, NULL), *futures[] = {a.future, b.future, stuck};
    bool done[3];

    for (size_t i = 0; i < COUNT(modes); i++) {
        for (int64_t timeout_ms = 0; timeout_ms < 2; timeout_ms++) {
            cr_assert_eq(soon_wait(futures, 3, modes[i], timeout_ms, done), 2);
            cr_assert(done[0] && done[1] && !done[2]);
        }
    }
    for (int64_t timeout_ms = 0; timeout_ms < 2; timeout_ms++)
        cr_assert_eq(soon_wait(&stuck, 1, SOON_FIRST_COMPLETED, timeout_ms, done), 0);

    open_and_release(&stuck, 1);
    release(a);
    release(b);
    close_gate();
}

/* CPython: test_pending_calls_race */
TestOnEach(wait, loses_no_wake_up_when_all_end_at_once)
{
    soon_future *futures[100];

    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < COUNT(futures); i++)
            futures[i] = at_gate_submit(executor, NULL, NULL);
        open_gate();
        wait_all(futures, COUNT(futures));
        soon_futures_unref(futures, COUNT(futures));
        close_gate();
    }
}

/*
 * Arguments
 */

Test(wait, an_empty_set_returns_at_once)
{
    soon_future *none[1] = {NULL};

    for (soon_when when = SOON_ALL_COMPLETED; when <= SOON_FIRST_EXCEPTION; when++) {
        cr_assert_eq(soon_wait(NULL, 0, when, SOON_FOREVER, NULL), 0);
        cr_assert_eq(soon_wait(none, 0, when, SOON_FOREVER, NULL), 0);
    }
}

Test(wait, refuses_what_makes_no_sense)
{
    struct halves both = successful();
    soon_future *futures[] = {both.future, NULL};
    bool done[2] = {true, true};

    cr_assert_eq(soon_wait(NULL, 1, SOON_ALL_COMPLETED, 0, done), -EINVAL);
    cr_assert_eq(soon_wait(futures, 2, SOON_ALL_COMPLETED, 0, done), -EINVAL);
    cr_assert_eq(soon_wait(futures, 1, SOON_ALL_COMPLETED, -2, done), -EINVAL);
    cr_assert_eq(soon_wait(futures, 1, (soon_when)3, 0, done), -EINVAL);
    cr_assert_eq(soon_wait(futures, 1, (soon_when)-1, 0, done), -EINVAL);
    cr_assert_eq(soon_wait(NULL, 0, SOON_ALL_COMPLETED, -2, done), -EINVAL);
    cr_assert(done[0] && done[1], "left alone");

    release(both);
}

/*
 * More
 */

struct call {
    soon_future *const *futures;
    size_t count;
    soon_when when;
    int64_t rc;
};

static void *wait_in_thread(void *data)
{
    struct call *call = data;

    call->rc = soon_wait(call->futures, call->count, call->when, SOON_FOREVER, NULL);
    return NULL;
}

Test(wait, first_exception_goes_on_over_successes_and_cancellations)
{
    struct halves all[] = {pending(), pending(), pending(), pending()};
    soon_future *futures[] = {all[0].future, all[1].future, all[2].future, all[3].future};
    struct call call = {.futures = futures, .count = 4, .when = SOON_FIRST_EXCEPTION};
    pthread_t thread;

    start_thread(&thread, wait_in_thread, &call);
    test_wait_until(has_waiter(futures[3]));
    set_int(all[0].promise, 1);
    cr_assert(soon_future_cancel(all[1].future));
    cr_assert(has_waiter(futures[3]), "it still waits");
    cr_assert_eq(soon_promise_set_exception(all[2].promise, EDOM, NULL), 0);

    pthread_join(thread, NULL);
    cr_assert_eq(call.rc, 3);
    for (size_t i = 0; i < 4; i++)
        release(all[i]);
}

Test(wait, first_exception_ends_with_the_last_when_none_fails)
{
    struct halves all[] = {pending(), pending(), pending()};
    soon_future *futures[] = {all[0].future, all[1].future, all[2].future};
    struct call call = {.futures = futures, .count = 3, .when = SOON_FIRST_EXCEPTION};
    pthread_t thread;

    start_thread(&thread, wait_in_thread, &call);
    test_wait_until(has_waiter(futures[2]));
    cr_assert(soon_future_cancel(all[2].future));
    set_int(all[1].promise, 1);
    cr_assert(soon_future_cancel(all[0].future));

    pthread_join(thread, NULL);
    cr_assert_eq(call.rc, 3);
    for (size_t i = 0; i < 3; i++)
        release(all[i]);
}

Test(wait, a_duplicate_does_no_harm_to_those_who_sleep)
{
    for (soon_when when = SOON_ALL_COMPLETED; when <= SOON_FIRST_EXCEPTION; when++) {
        struct halves both = pending();
        soon_future *futures[] = {both.future, both.future, both.future};
        struct call call = {.futures = futures, .count = 3, .when = when};
        pthread_t thread;

        start_thread(&thread, wait_in_thread, &call);
        test_wait_until(has_waiter(both.future) || has_sleeper(both.future));
        set_int(both.promise, 1);

        pthread_join(thread, NULL);
        cr_assert_eq(call.rc, 1);
        release(both);
    }
}

Test(wait, many_threads_wait_for_one_set)
{
    enum { THREADS = 8 };
    struct halves all[] = {pending(), pending()};
    soon_future *futures[] = {all[0].future, all[1].future};
    struct call calls[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        calls[i] = (struct call){.futures = futures, .count = 2, .when = (soon_when)(i % 3)};
        start_thread(&threads[i], wait_in_thread, &calls[i]);
    }
    test_wait_until(has_waiter(futures[0]) && (has_sleeper(futures[0]) || has_sleeper(futures[1])));
    set_int(all[0].promise, 1);
    set_int(all[1].promise, 2);

    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_geq(calls[i].rc, i % 3 == SOON_FIRST_COMPLETED ? 1 : 2);
    }
    release(all[0]);
    release(all[1]);
}

Test(wait, leaves_no_trace_when_it_gives_up)
{
    struct halves all[] = {pending(), pending()};
    soon_future *futures[] = {all[0].future, all[1].future};

    cr_assert_eq(soon_wait(futures, 2, SOON_FIRST_COMPLETED, 1, NULL), 0);
    cr_assert_not(has_waiter(futures[0]) || has_waiter(futures[1]));

    set_int(all[0].promise, 1);
    release(all[0]);
    release(all[1]);
}

Test(wait, takes_a_hundred_thousand)
{
    enum { MANY = 100000 };
    struct halves *all = calloc(MANY, sizeof *all);
    soon_future **futures = calloc(MANY, sizeof *futures);
    bool *done = calloc(MANY, sizeof *done);

    for (int i = 0; i < MANY; i++) {
        all[i] = i % 2 ? pending() : successful();
        futures[i] = all[i].future;
    }
    cr_assert_eq(soon_wait(futures, MANY, SOON_ALL_COMPLETED, 0, done), MANY / 2);
    cr_assert_eq(soon_wait(futures, MANY, SOON_FIRST_EXCEPTION, 1, done), MANY / 2);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(done[i], i % 2 == 0);
        if (i % 2)
            set_int(all[i].promise, i);
    }
    cr_assert_eq(soon_wait(futures, MANY, SOON_ALL_COMPLETED, SOON_FOREVER, NULL), MANY);

    for (int i = 0; i < MANY; i++)
        release(all[i]);
    free(all);
    free(futures);
    free(done);
}

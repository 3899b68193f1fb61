/*
 * then_executor.c - thens and the executor that is to run them: chains without end, its queue, its shutdown.
 */
#include "../support/executors.h"
#include "../support/futures.h"

TestSuite(then_executor, .init = close_gate);

static _Atomic int runs;

SOON_TASK(increment, int, int)
{
    runs++;
    *result = *arg + 1;
    return 0;
}

SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return wait_at_gate(task);
}

/*
 * Chains: neither the run, nor the end, nor a cancel, nor the releasing may need stack for each.
 */

static int how_long(void)
{
    return test_slowness() > 1 ? 20000 : 1000000;
}

static soon_executor *make_two_threads(void)
{
    return make_threads(2);
}
static soon_executor *(*const makers[])(void) = {make_inline, make_two_threads};

/* The last of `length`; takes the reference of `first`. */
static soon_future *chain_on(soon_future *first, soon_executor *executor, int length)
{
    soon_future *last = first;

    for (int i = 0; i < length; i++) {
        soon_future *next = soon_then(last, executor, &increment_task);

        soon_future_unref(last);
        last = next;
    }
    return last;
}

static void each_maker(void (*body)(soon_executor *executor))
{
    for (size_t i = 0; i < COUNT(makers); i++) {
        soon_executor *executor = makers[i]();

        body(executor);
        cr_assert_eq(soon_executor_free(executor), 0);
        assert_alive(0);
    }
}

static void run_chain(soon_executor *executor)
{
    struct halves first = pending();
    soon_future *last = chain_on(soon_future_ref(first.future), executor, how_long());

    set_int(first.promise, 0);
    cr_assert_eq(int_of(last), how_long());

    soon_future_unref(last);
    release(first);
}

Test(then_executor, a_million_run_one_after_the_other)
{
    each_maker(run_chain);
}

static void fail_chain(soon_executor *executor)
{
    struct halves first = pending();
    soon_future *last = chain_on(soon_future_ref(first.future), executor, how_long());

    runs = 0;
    cr_assert_eq(soon_promise_set_exception(first.promise, EDOM, "at the root"), 0);
    cr_assert_eq(soon_future_wait(last, SOON_FOREVER), 0);
    cr_assert_str_eq(soon_future_error(last)->message, "at the root");
    cr_assert_eq(runs, 0);

    soon_future_unref(last);
    release(first);
}

Test(then_executor, an_error_goes_through_a_million)
{
    each_maker(fail_chain);
}

static void cancel_chain(soon_executor *executor)
{
    struct halves first = pending();
    soon_future *last = chain_on(soon_future_ref(first.future), executor, how_long());

    cr_assert(soon_future_cancel(last));
    cr_assert(soon_future_cancelled(last));
    cr_assert(soon_future_cancelled(first.future), "and all between");

    soon_future_unref(last);
    release(first);
}

Test(then_executor, a_cancel_goes_back_through_a_million)
{
    each_maker(cancel_chain);
}

static void abandon_chain(soon_executor *executor)
{
    struct halves first = pending();

    soon_future_unref(chain_on(soon_future_ref(first.future), executor, how_long()));
    runs = 0;
    set_int(first.promise, 0);
    test_wait_until(runs == how_long());
    release(first);
}

Test(then_executor, a_million_that_nobody_waits_for_run)
{
    each_maker(abandon_chain);
}

/*
 * The queue's bound
 */

Test(then_executor, a_full_queue_takes_them_all_the_same)
{
    soon_executor *pool;
    soon_future *busy, *queued, *then, *full;
    struct halves first = pending();

    cr_assert_eq(soon_thread_pool_new(
                     &pool, &(soon_thread_pool_options){.workers = 1, .queue_max = 1, .when_full = SOON_FULL_FAIL}),
                 0);
    busy = soon_submit(pool, at_gate, 1);
    await_arrivals(1);
    queued = soon_submit(pool, increment, 1);
    full = soon_submit(pool, increment, 1);
    then = soon_then(first.future, pool, &increment_task);
    set_int(first.promise, 1);

    cr_assert_eq(code_of(full), SOON_EFULL);
    cr_assert_eq(soon_future_state(then), SOON_PENDING);
    open_gate();
    cr_assert_eq(int_of(then), 2);
    soon_futures_unref((soon_future *[]){busy, queued, full, then}, 4);
    release(first);
    cr_assert_eq(soon_executor_free(pool), 0);
}

/*
 * Shutdown
 */

TestOnEach(then_executor, refused_after_a_shutdown)
{
    struct halves first = successful();
    soon_future *then;

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    then = soon_then(first.future, executor, &increment_task);
    cr_assert_eq(code_of(then), SOON_ESHUTDOWN);
    cr_assert_not(soon_future_error(then)->started);

    soon_future_unref(then);
    release(first);
}

static void *drain(void *executor)
{
    return (void *)(intptr_t)soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
}

TestOnEach(then_executor, a_drain_waits_for_them)
{
    struct halves first = pending();
    soon_future *then = soon_then(first.future, executor, &increment_task), *refused;
    pthread_t thread;
    void *rc;

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 1), -ETIMEDOUT);
    refused = soon_submit(executor, increment, 1);
    cr_assert_eq(code_of(refused), SOON_ESHUTDOWN);
    start_thread(&thread, drain, executor);
    cr_assert_not(soon_future_done(then));
    set_int(first.promise, 1);

    pthread_join(thread, &rc);
    cr_assert_eq((intptr_t)rc, 0);
    cr_assert(soon_future_done(then), "nothing is left when it has returned");
    cr_assert_eq(int_of(then), 2);
    soon_future_unref(then);
    soon_future_unref(refused);
    release(first);
}

TestOnEach(then_executor, stronger_modes_cancel_them)
{
    struct halves all[] = {pending(), running(), pending()};
    soon_future *thens[3];

    for (int i = 0; i < 3; i++)
        thens[i] = soon_then(all[i].future, executor, &increment_task);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert(soon_future_cancelled(thens[i]));
        cr_assert_not(soon_future_done(all[i].future), "another's future is not the executor's to cancel");
        set_int(all[i].promise, 1); /* too late for the then */
        release(all[i]);
    }
    soon_futures_unref(thens, 3);
}

TestOnEach(then_executor, a_stronger_mode_ends_a_drain_that_waits_for_them)
{
    struct halves first = pending();
    soon_future *then = soon_then(first.future, executor, &increment_task);

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_TERMINATE, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(then));

    soon_future_unref(then);
    release(first);
}

/* From the first's executor to another, which may be gone first. */
Test(then_executor, may_run_elsewhere)
{
    soon_executor *here = make_threads(1), *there = make_threads(1);
    soon_future *first = soon_submit(here, at_gate, 4), *then = soon_then(first, there, &increment_task);

    open_gate();
    cr_assert_eq(soon_executor_free(there), 0); /* a drain: waits for both */
    cr_assert(soon_future_done(first) && soon_future_done(then));
    cr_assert_eq(int_of(then), 5);
    cr_assert_eq(soon_executor_free(here), 0);

    soon_future_unref(first);
    soon_future_unref(then);
}

/*
 * contract_cancel.c - the contract of executors: cancelling pending and running tasks, time limits, killing.
 */
#include "contract.h"

#include <stdatomic.h>

TestSuite(contract_cancel);

/* CPython: FutureTests.test_cancel, for futures of executors; pebble: test_process_pool_stop_futures */
TestOnEach(contract_cancel, of_a_pending_task_is_final_at_once_and_it_never_starts)
{
    struct gate gate = gate_new(), never = gate_new();
    soon_future *f;
    int result;

    occupy(executor, kind, gate);
    f = submit_pass(executor, never);
    cr_assert_eq(soon_future_cancel(f), kind->takes_back);
    if (kind->takes_back) {
        cr_assert(soon_future_done(f));
        cr_assert(soon_future_cancel(f));
    }
    gate_open(gate, kind->workers);

    cr_assert_eq(soon_result(f, &result), -ECANCELED);
    cr_assert_eq(soon_future_state(f), SOON_CANCELLED);
    cr_assert_not(soon_future_error(f)->started);
    soon_future_unref(f);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(gate_arrived(never), 0);
    gate_free(gate);
    gate_free(never);
}

/* pebble: test_process_pool_cancel, which ends cancelled; so does a task that gives in */
TestOnEach(contract_cancel, of_a_running_task_is_a_request)
{
    struct gate gate = gate_new();
    soon_future *f = submit_pass(executor, gate);
    int result;

    await_running(executor, kind, gate, 1);
    cr_assert(soon_future_running(f));
    cr_assert(test_is_asked_to_end(f));

    cr_assert_eq(soon_result(f, &result), -ECANCELED);
    cr_assert_eq(soon_future_state(f), SOON_CANCELLED);
    cr_assert(soon_future_error(f)->started);
    cr_assert(soon_future_cancel(f));
    soon_future_unref(f);
    gate_free(gate);
}

SOON_TASK(deaf, struct gate, int)
{
    *result = 7;
    return gate_pass(*arg, NULL);
}

TestOnEach(contract_cancel, of_a_task_that_does_not_listen_changes_nothing)
{
    struct gate gate = gate_new();
    soon_future *f = deaf_submit(executor, &gate, NULL);
    int result;

    await_running(executor, kind, gate, 1);
    cr_assert_not(soon_future_cancel(f));
    cr_assert_not(soon_future_cancel(f));
    gate_open(gate, 1);

    cr_assert_eq(soon_result(f, &result), 0);
    cr_assert_eq(result, 7);
    cr_assert_not(soon_future_cancel(f));
    cr_assert_eq(soon_future_state(f), SOON_FINISHED);
    soon_future_unref(f);
    gate_free(gate);
}

/* CPython: FutureTests.test_cancel (finished) */
TestOnEach(contract_cancel, of_a_finished_task_is_refused)
{
    soon_future *good = soon_submit(executor, mul, 2, 3), *bad = soon_submit(executor, divide, 1, 0);
    int product;

    soon_future_wait(good, SOON_FOREVER);
    soon_future_wait(bad, SOON_FOREVER);

    cr_assert_not(soon_future_cancel(good));
    cr_assert_not(soon_future_cancel(bad));
    cr_assert_eq(soon_result(good, &product), 0);
    cr_assert_eq(product, 6);
    cr_assert_eq(soon_result(bad, &product), SOON_ERAISED);
    soon_future_unref(good);
    soon_future_unref(bad);
}

SOON_TASK(give_in, soon_none, int)
{
    return -ECANCELED;
}

/* Without a request it is an exception like any other. */
TestOnEach(contract_cancel, that_nobody_asked_for_is_an_exception)
{
    soon_future *f = soon_submit(executor, give_in);
    int result;

    cr_assert_eq(soon_result(f, &result), SOON_ERAISED);
    cr_assert_eq(soon_future_error(f)->raised, -ECANCELED);
    cr_assert_eq(soon_future_state(f), SOON_FINISHED);
    soon_future_unref(f);
}

/* pebble: test_process_pool_timeout; here it is SOON_ETIMELIMIT */
TestOnEach(contract_cancel, by_the_time_limit_fails_with_its_own_code)
{
    struct gate gate = gate_new();
    soon_future *f = pass_submit(executor, &gate, &(soon_submit_options){.time_limit_ms = 1, .label = "slow"});
    int result;

    cr_assert_eq(soon_result(f, &result), SOON_ETIMELIMIT);
    cr_assert_eq(soon_future_state(f), SOON_FINISHED);
    cr_assert(soon_future_error(f)->started);
    cr_assert_str_eq(soon_future_error(f)->label, "slow");
    soon_future_unref(f);
    gate_free(gate);
}

TestOnEach(contract_cancel, is_not_what_happens_to_a_task_within_its_time_limit)
{
    int product;

    cr_assert_eq(soon_take(soon_submit_with(executor, (.time_limit_ms = 1000000), mul, 4, 5), &product), 0);
    cr_assert_eq(product, 20);
    cr_assert_eq(soon_take(soon_submit_with(executor, (.time_limit_ms = INT64_MAX), mul, 4, 5), &product), 0);
    cr_assert_eq(product, 20);
}

/* The task learns of its time limit only, but a reader's request came first. */
TestOnEach(contract_cancel, by_a_reader_wins_over_the_time_limit)
{
    struct gate gate = gate_new();
    soon_future *f = pass_submit(executor, &gate, &(soon_submit_options){.time_limit_ms = 1000000});
    int result;

    await_running(executor, kind, gate, 1);
    cr_assert(test_is_asked_to_end(f));

    cr_assert_eq(soon_result(f, &result), -ECANCELED);
    soon_future_unref(f);
    gate_free(gate);
}

TestOnEach(contract_cancel, by_the_queue_limit_means_it_never_started)
{
    struct gate gate = gate_new(), never = gate_new();
    soon_future *f, *in_time;
    int result;

    occupy(executor, kind, gate);
    f = pass_submit(executor, &never, &(soon_submit_options){.queue_limit_ms = 1, .label = "waited"});
    in_time = mul_submit(executor, &(struct pair){2, 2}, &(soon_submit_options){.queue_limit_ms = 1000000});
    if (kind->counts) /* a pool ends it while all are busy */
        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    else
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    gate_open(gate, kind->workers);

    cr_assert_eq(soon_result(f, &result), SOON_EEXPIRED);
    cr_assert_not(soon_future_error(f)->started);
    cr_assert_str_eq(soon_future_error(f)->label, "waited");
    cr_assert_str_eq(soon_future_error(f)->function, "pass");
    cr_assert_eq(soon_take(in_time, &result), 0);
    cr_assert_eq(result, 4);
    cr_assert_eq(gate_arrived(never), 0);
    soon_future_unref(f);
    gate_free(gate);
    gate_free(never);
}

TestOnEach(contract_cancel, by_force_is_for_executors_that_can)
{
    struct gate gate = gate_new();
    soon_future *running = submit_pass(executor, gate), *done = soon_submit(executor, nothing);
    int result;

    await_running(executor, kind, gate, 1);
    cr_assert_eq(soon_future_kill(running), kind->kills ? 0 : -ENOTSUP);
    if (!kind->kills)
        gate_open(gate, 1);
    cr_assert_eq(soon_result(running, &result), kind->kills ? SOON_EKILLED : 0);
    cr_assert_eq(soon_future_kill(running), SOON_EINVALIDSTATE);
    soon_future_wait(done, SOON_FOREVER);
    cr_assert_eq(soon_future_kill(done), SOON_EINVALIDSTATE);

    soon_future_unref(running);
    soon_future_unref(done);
    gate_free(gate);
}

/* pebble: test_process_pool_cancel_callback */
static void note_state(soon_future *future, void *data)
{
    *(soon_state *)data = soon_future_state(future);
}

TestOnEach(contract_cancel, runs_the_callback_here)
{
    struct gate gate = gate_new();
    soon_state seen = SOON_PENDING;
    soon_future *f;

    occupy(executor, kind, gate);
    f = mul_submit(executor, NULL, &(soon_submit_options){.on_done = note_state, .on_done_data = &seen});
    if (soon_future_cancel(f))
        cr_assert_eq(seen, SOON_CANCELLED);
    gate_open(gate, kind->workers);

    soon_future_unref(f);
    gate_free(gate);
}

/* CPython: test_hang_gh94440 */
TestOnEach(contract_cancel, just_before_a_shutdown_does_not_hang)
{
    soon_future *f;

    cr_assert_eq(soon_take(mul_submit(executor, NULL, NULL), &(int){0}), 0);
    f = mul_submit(executor, NULL, NULL);
    soon_future_cancel(f);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);

    cr_assert(soon_future_done(f));
    soon_future_unref(f);
}

/* Some are cancelled, some run, some have run: none is lost, and each that says so never started. */
TestOnEach(contract_cancel, of_many_leaves_none_unresolved)
{
    enum { MANY = 500 };
    static soon_future *futures[MANY];
    int cancelled = 0, product;

    for (int i = 0; i < MANY; i++)
        futures[i] = soon_submit(executor, mul, i, 1);
    for (int i = MANY - 1; i >= 0; i -= 2)
        soon_future_cancel(futures[i]);

    for (int i = 0; i < MANY; i++) {
        int rc = soon_result(futures[i], &product);

        cr_assert(rc == 0 || rc == -ECANCELED);
        cr_assert(rc < 0 || product == i);
        cr_assert(rc == 0 || i % 2 == 1);
        cancelled += rc < 0;
    }
    cr_assert_eq(soon_futures_cancel(futures, MANY), (size_t)cancelled);
    soon_futures_unref(futures, MANY);
}

TestOnEach(contract_cancel, of_a_then_cancels_a_first_that_is_pending)
{
    struct gate gate = gate_new(), never = gate_new();
    soon_future *first, *then;

    occupy(executor, kind, gate);
    first = submit_pass(executor, never);
    then = soon_then(first, executor, &mul_task);
    cr_assert(soon_future_cancel(then));
    if (kind->takes_back)
        cr_assert(soon_future_cancelled(first));
    gate_open(gate, kind->workers);

    soon_future_unref(first);
    soon_future_unref(then);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(gate_arrived(never), 0);
    gate_free(gate);
    gate_free(never);
}

/*
 * contract_wait.c - the contract of executors: waiting for their futures, one, some, as they complete, and inside
 * tasks.
 */
#include "contract.h"

#include <stdatomic.h>

TestSuite(contract_wait);

/* CPython: WaitTests.test_20369 */
TestOnEach(contract_wait, counts_a_duplicate_once)
{
    soon_future *f = soon_submit(executor, mul, 2, 2);
    bool done[2];

    cr_assert_eq(soon_wait((soon_future *[]){f, f}, 2, SOON_ALL_COMPLETED, SOON_FOREVER, done), 1);
    cr_assert(done[0] && done[1]);
    soon_future_unref(f);
}

/* CPython: WaitTests.test_first_completed, _first_completed_some_already_completed */
TestOnEach(contract_wait, for_the_first_that_completes)
{
    struct gate gate = gate_new();
    soon_future *slow = submit_pass(executor, gate), *quick;
    bool done[2];

    await_running(executor, kind, gate, 1);
    quick = soon_submit(executor, mul, 21, 2);
    if (kind->workers == 1)
        gate_open(gate, 1);
    cr_assert_geq(soon_wait((soon_future *[]){slow, quick}, 2, SOON_FIRST_COMPLETED, SOON_FOREVER, done), 1);
    cr_assert(kind->workers == 1 ? done[0] : done[1] && !done[0]);
    if (kind->workers > 1)
        gate_open(gate, 1);
    cr_assert_eq(soon_wait((soon_future *[]){slow, quick}, 2, SOON_ALL_COMPLETED, SOON_FOREVER, done), 2);

    cr_assert_eq(soon_wait((soon_future *[]){slow, quick}, 2, SOON_FIRST_COMPLETED, SOON_FOREVER, done), 2);
    soon_future_unref(slow);
    soon_future_unref(quick);
    gate_free(gate);
}

/* CPython: WaitTests.test_first_exception, _first_exception_one_already_failed, _first_exception_some_already_complete
 */
TestOnEach(contract_wait, for_the_first_that_fails)
{
    struct gate gate = gate_new();
    soon_future *good = soon_submit(executor, mul, 2, 21), *bad = soon_submit(executor, divide, 1, 0), *slow;
    bool done[3];

    soon_future_wait(bad, SOON_FOREVER);
    slow = submit_pass(executor, gate);
    cr_assert_geq(soon_wait((soon_future *[]){good, bad, slow}, 3, SOON_FIRST_EXCEPTION, SOON_FOREVER, done), 1);
    cr_assert(done[1] && !done[2]);
    gate_open(gate, 1);
    cr_assert_eq(soon_future_wait(slow, SOON_FOREVER), 0);

    soon_futures_unref((soon_future *[]){good, bad, slow}, 3);
    gate_free(gate);
}

/* CPython: WaitTests.test_timeout */
TestOnEach(contract_wait, gives_up_with_what_there_is)
{
    struct gate gate = gate_new();
    soon_future *quick = soon_submit(executor, mul, 6, 7), *slow;
    bool done[2];

    soon_future_wait(quick, SOON_FOREVER);
    slow = submit_pass(executor, gate);
    cr_assert_eq(soon_wait((soon_future *[]){quick, slow}, 2, SOON_ALL_COMPLETED, 5, done), 1);
    cr_assert(done[0] && !done[1]);
    cr_assert_eq(soon_future_wait(slow, 0), -ETIMEDOUT);
    cr_assert_eq(soon_future_wait(slow, 1), -ETIMEDOUT);
    cr_assert_eq(soon_result_within(slow, 1, &(int){0}), -ETIMEDOUT);
    gate_open(gate, 1);

    cr_assert_eq(soon_future_wait(slow, INT64_MAX), 0);
    soon_future_unref(quick);
    soon_future_unref(slow);
    gate_free(gate);
}

/* CPython: ThreadPoolWaitTests.test_pending_calls_race */
TestOnEach(contract_wait, for_many_that_are_let_go_at_once)
{
    struct gate gate = gate_new();
    soon_future *futures[100];

    for (int i = 0; i < 100; i++)
        futures[i] = submit_pass(executor, gate);
    await_running(executor, kind, gate, kind->workers);
    gate_open(gate, 100);
    cr_assert_eq(soon_wait(futures, 100, SOON_ALL_COMPLETED, SOON_FOREVER, NULL), 100);

    soon_futures_unref(futures, 100);
    gate_free(gate);
}

/* CPython: AsCompletedTests.test_no_timeout, _duplicate_futures */
TestOnEach(contract_wait, as_they_complete)
{
    soon_future *futures[21], *f;
    soon_as_completed *set;
    int product, sum = 0;

    for (int i = 0; i < 20; i++)
        futures[i] = soon_submit(executor, mul, i, 1);
    futures[20] = futures[0];
    cr_assert_eq(soon_as_completed_new(&set, futures, 21, SOON_FOREVER), 0);
    cr_assert_eq(soon_as_completed_left(set, NULL), 20);
    while (soon_as_completed_next(set, &f) == 0) {
        cr_assert_eq(soon_take(f, &product), 0);
        sum += product;
    }

    cr_assert_eq(sum, 190);
    soon_as_completed_free(set);
    soon_futures_unref(futures, 20);
}

/* CPython: AsCompletedTests.test_future_times_out, _correct_timeout_exception_msg */
TestOnEach(contract_wait, as_they_complete_in_time)
{
    struct gate gate = gate_new();
    soon_future *quick = mul_submit(executor, NULL, NULL), *slow, *f;
    soon_as_completed *set;
    size_t total;

    soon_future_wait(quick, SOON_FOREVER);
    slow = submit_pass(executor, gate);
    cr_assert_eq(soon_as_completed_new(&set, (soon_future *[]){slow, quick}, 2, 1), 0);
    cr_assert_eq(soon_as_completed_next(set, &f), 0);
    cr_assert_eq(f, quick);
    soon_future_unref(f);
    cr_assert_eq(soon_as_completed_next(set, &f), -ETIMEDOUT);
    cr_assert_eq(soon_as_completed_left(set, &total), 1);
    cr_assert_eq(total, 2);
    gate_open(gate, 1);
    cr_assert_eq(soon_future_wait(slow, SOON_FOREVER), 0);

    soon_as_completed_free(set);
    soon_future_unref(slow);
    soon_future_unref(quick);
    gate_free(gate);
}

TestOnEach(contract_wait, for_all_as_one_and_for_any)
{
    soon_future *futures[] = {soon_submit(executor, mul, 2, 3), soon_submit(executor, divide, 1, 0),
                              soon_submit(executor, mul, 2, 3)};
    soon_future *all = soon_gather(futures, 3), *good = soon_gather(&futures[2], 1), *any = soon_any(futures, 3);
    soon_bytes bytes;
    int product;

    cr_assert_eq(soon_future_result(all, SOON_FOREVER, &bytes), SOON_ERAISED);
    cr_assert_eq(soon_future_result(good, SOON_FOREVER, &bytes), 0);
    cr_assert_eq(soon_result(any, &product), 0);
    cr_assert_eq(product, 6);
    soon_futures_unref(futures, 3);
    soon_futures_unref((soon_future *[]){all, good, any}, 3);
}

/*
 * Inside tasks
 */

SOON_TASK(fib, int, int)
{
    soon_executor *executor = soon_task_executor(task);
    int a = 0, b = 1, rc;
    soon_future *f;

    *result = *arg;
    if (*arg < 2)
        return 0;
    f = soon_submit(executor, fib, *arg - 1);
    rc = soon_take(soon_submit(executor, fib, *arg - 2), &b);
    if (rc == 0)
        rc = soon_take(f, &a);
    else
        soon_future_unref(f);
    *result = a + b;
    return rc;
}

/* In CPython such tasks hang. */
TestOnEach(contract_wait, inside_tasks_for_tasks_of_the_same_executor)
{
    int result;

    if (!kind->nests)
        return;
    cr_assert_eq(soon_take(soon_submit(executor, fib, 12), &result), 0);
    cr_assert_eq(result, 144);
}

SOON_TASK(sum_of_squares, int, long)
{
    soon_executor *executor = soon_task_executor(task);
    soon_future *futures[16];
    int product;

    for (int i = 0; i < 16; i++)
        futures[i] = soon_submit(executor, mul, i + *arg, i + *arg);
    soon_wait(futures, 16, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
    for (int i = 0; i < 16; i++) {
        if (soon_take(futures[i], &product) < 0)
            return -EIO;
        *result += product;
    }
    return 0;
}

/* multiprocessing and loky: nested maps */
TestOnEach(contract_wait, inside_many_tasks_at_once)
{
    soon_future *futures[20];
    long sum;

    if (!kind->nests)
        return;
    for (int i = 0; i < 20; i++)
        futures[i] = soon_submit(executor, sum_of_squares, 0);

    for (int i = 0; i < 20; i++) {
        cr_assert_eq(soon_take(futures[i], &sum), 0);
        cr_assert_eq(sum, 1240);
    }
}

static void *wait_for_it(void *data)
{
    return (void *)(intptr_t)soon_future_wait(data, SOON_FOREVER);
}

/* CPython: FutureTests.test_result_with_success, with many readers */
TestOnEach(contract_wait, by_many_threads_for_one)
{
    struct gate gate = gate_new();
    soon_future *f = submit_pass(executor, gate);
    pthread_t threads[8];
    void *rc;

    for (size_t i = 0; i < 8; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, wait_for_it, f), 0);
    gate_open(gate, 1);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], &rc);
        cr_assert_null(rc);
    }

    soon_future_unref(f);
    gate_free(gate);
}

/*
 * contract_shutdown.c - the contract of executors: shutting down in each mode, the future of the end, freeing.
 */
#include "contract.h"

#include <stdatomic.h>

TestSuite(contract_shutdown);

/* CPython: ExecutorShutdownTest.test_hang_issue12364 */
TestOnEach(contract_shutdown, by_drain_runs_all_that_was_submitted)
{
    soon_future *futures[50];
    int product;

    for (int i = 0; i < 50; i++)
        futures[i] = soon_submit(executor, mul, i, 3);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);

    for (int i = 0; i < 50; i++) {
        cr_assert(soon_future_done(futures[i]));
        cr_assert_eq(soon_take(futures[i], &product), 0);
        cr_assert_eq(product, i * 3);
    }
}

/* CPython: ExecutorTest.test_shutdown_race_issue12456; ThreadPoolExecutorTest.test_map_submits_without_iteration */
TestOnEach(contract_shutdown, right_after_a_map_runs_all_of_it)
{
    struct pair pairs[10];
    size_t done, failed;
    soon_future *map;

    for (int i = 0; i < 10; i++)
        pairs[i] = (struct pair){i, i};
    map = soon_map_async(executor, mul, pairs, (size_t)kind->workers + 1);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);

    cr_assert_eq(soon_map_count(map, &done, &failed), (size_t)kind->workers + 1);
    cr_assert_eq(done, (size_t)kind->workers + 1);
    cr_assert_eq(failed, 0);
    soon_future_unref(map);
}

/* CPython: test_cancel_futures, test_cancel_futures_wait_false; mpi4py: test_submit_shutdown_cancel */
TestOnEach(contract_shutdown, by_cancel_pending_cancels_exactly_what_has_not_started)
{
    struct gate gate = gate_new();
    soon_future *futures[50];
    int started = 0, result;
    bool runs[50];

    for (int i = 0; i < 50; i++)
        futures[i] = submit_pass(executor, gate);
    await_running(executor, kind, gate, kind->workers);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
    for (int i = 0; i < 50; i++) {
        runs[i] = soon_future_state(futures[i]) == SOON_RUNNING;
        cr_assert(runs[i] || soon_future_state(futures[i]) == SOON_CANCELLED);
        cr_assert(!runs[i] || i < kind->workers || kind->is_elsewhere); /* processes begin when they are ready */
        started += runs[i];
    }
    cr_assert_eq(started, kind->workers);
    gate_open(gate, kind->workers);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_CANCEL_PENDING, SOON_FOREVER), 0);

    for (int i = 0; i < 50; i++) {
        cr_assert_eq(soon_result(futures[i], &result), runs[i] ? 0 : -ECANCELED);
        cr_assert_eq(soon_future_error(futures[i])->started, false);
    }
    soon_futures_unref(futures, 50);
    gate_free(gate);
}

/* CPython: ThreadPoolShutdownTest.test_shutdown_no_wait */
TestOnEach(contract_shutdown, without_waiting_goes_on_by_itself)
{
    struct gate gate = gate_new();
    soon_future *f = submit_pass(executor, gate), *down = soon_executor_down(executor);
    int result;

    await_running(executor, kind, gate, 1);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 1), -ETIMEDOUT);
    cr_assert_not(soon_future_done(down));
    gate_open(gate, 1);

    cr_assert_eq(soon_future_wait(down, SOON_FOREVER), 0);
    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 42);
    soon_future_unref(down);
    gate_free(gate);
}

/* CPython: test_force_shutdown_workers; multiprocessing: _TestPool.test_terminate; pebble:
 * test_process_pool_stop_futures */
TestOnEach(contract_shutdown, by_terminate_asks_what_runs_to_end)
{
    static const soon_shutdown modes[] = {SOON_TERMINATE, SOON_KILL};

    for (size_t m = 0; m < 2; m++) {
        struct gate gate = gate_new();
        soon_executor *other = kind->make();
        static soon_future *futures[1000];
        int started = 0, result, rc;

        for (int i = 0; i < 1000; i++)
            futures[i] = submit_pass(other, gate);
        await_running(other, kind, gate, kind->workers);
        cr_assert_eq(soon_executor_shutdown(other, modes[m], SOON_FOREVER), 0);

        for (int i = 0; i < 1000; i++) {
            cr_assert(soon_future_done(futures[i]));
            rc = soon_result(futures[i], &result);
            cr_assert_eq(rc, kind->kills && soon_future_error(futures[i])->started ? SOON_EKILLED : -ECANCELED);
            started += soon_future_error(futures[i])->started;
        }
        cr_assert_eq(started, kind->workers, "%s: mode %zu: %d", kind->name, m, started);
        soon_futures_unref(futures, 1000);
        cr_assert_eq(soon_executor_free(other), 0);
        gate_free(gate);
    }
}

TestOnEach(contract_shutdown, may_become_stronger_but_not_weaker)
{
    struct gate gate = gate_new(), never = gate_new();
    soon_future *running, *pending;

    occupy(executor, kind, gate);
    running = pending = submit_pass(executor, never);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(soon_future_state(pending), SOON_PENDING);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
    cr_assert_eq(soon_future_state(running), SOON_CANCELLED);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_TERMINATE, SOON_FOREVER), 0);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);

    soon_future_unref(pending);
    gate_free(gate);
    gate_free(never);
}

/* pebble: test_process_pool_close_stopped, _stop_stopped; CPython: "shutdown() may be called twice" */
TestOnEach(contract_shutdown, may_be_repeated_in_any_mode)
{
    cr_assert_eq(soon_take(soon_submit(executor, mul, 1, 1), &(int){0}), 0);

    for (int i = 0; i < 3; i++) {
        for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++)
            cr_assert_eq(soon_executor_shutdown(executor, (soon_shutdown)mode, SOON_FOREVER), 0);
        cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), 0);
    }
}

/* CPython: test_force_shutdown_workers_not_started_yet */
TestOnEach(contract_shutdown, of_one_that_never_ran_anything_is_quick)
{
    soon_future *down = soon_executor_down(executor);

    cr_assert_not(soon_future_done(down));
    cr_assert_eq(soon_executor_shutdown(executor, SOON_KILL, SOON_FOREVER), 0);
    cr_assert(soon_future_succeeded(down));
    soon_future_unref(down);
}

static void *shut_down(void *executor)
{
    for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++)
        (void)soon_executor_shutdown(executor, (soon_shutdown)mode, 0);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    return NULL;
}

TestOnEach(contract_shutdown, may_be_asked_for_by_many_threads)
{
    struct gate gate = gate_new();
    soon_future *futures[20];
    pthread_t threads[6];

    for (int i = 0; i < 20; i++)
        futures[i] = submit_pass(executor, gate);
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, shut_down, executor), 0);
    for (size_t i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);

    for (int i = 0; i < 20; i++)
        cr_assert(soon_future_done(futures[i]));
    soon_futures_unref(futures, 20);
    gate_free(gate);
}

static void *submit_until_refused(void *executor)
{
    int rc = 0, product;

    for (int i = 0; rc == 0; i++) {
        rc = soon_take(soon_submit(executor, mul, i, 1), &product);
        cr_assert(rc == 0 || rc == SOON_ESHUTDOWN || rc == -ECANCELED || rc == SOON_EKILLED);
    }
    return NULL;
}

/* loky: test_submit_during_shutdown_race; CPython: test_submit_after_interpreter_shutdown has no C relative */
TestOnEach(contract_shutdown, in_the_middle_of_submits_loses_none)
{
    for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        soon_executor *other = kind->make();
        pthread_t threads[3];

        for (size_t i = 0; i < 3; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, submit_until_refused, other), 0);
        cr_assert_eq(soon_take(mul_submit(other, NULL, NULL), &(int){0}), 0);
        cr_assert_eq(soon_executor_shutdown(other, (soon_shutdown)mode, SOON_FOREVER), 0);
        for (size_t i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        cr_assert_eq(soon_executor_free(other), 0);
    }
}

TestOnEach(contract_shutdown, refuses_what_makes_no_sense)
{
    cr_assert_eq(soon_executor_shutdown(NULL, SOON_DRAIN, SOON_FOREVER), -EINVAL);
    cr_assert_eq(soon_executor_shutdown(executor, (soon_shutdown)-1, SOON_FOREVER), -EINVAL);
    cr_assert_eq(soon_executor_shutdown(executor, (soon_shutdown)(SOON_KILL + 1), SOON_FOREVER), -EINVAL);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, -2), -EINVAL);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, INT64_MIN), -EINVAL);
    cr_assert_eq(soon_executor_free(NULL), 0);

    cr_assert_eq(soon_take(mul_submit(executor, NULL, NULL), &(int){0}), 0); /* it is still open */
}

TestOnEach(contract_shutdown, takes_the_longest_timeouts)
{
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, INT64_MAX), 0);
}

TestOnEach(contract_shutdown, has_a_future_of_its_end)
{
    soon_future *down = soon_executor_down(executor), *again = soon_executor_down(executor), *none;
    soon_bytes bytes = {NULL, 1};

    cr_assert_eq(soon_take(mul_submit(executor, NULL, NULL), &(int){0}), 0); /* asking for it began nothing */
    cr_assert_eq(soon_future_state(down), SOON_PENDING);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);

    cr_assert_eq(soon_future_result(down, 0, &bytes), 0);
    cr_assert_eq(bytes.size, 0);
    cr_assert(soon_future_done(again));
    soon_future_unref(down);
    soon_future_unref(again);

    none = soon_executor_down(NULL);
    cr_assert_eq(soon_future_result(none, 0, &bytes), -EINVAL);
    soon_future_unref(none);
}

/* It is no task: what a reader does to it changes nothing. */
TestOnEach(contract_shutdown, has_an_end_that_nobody_can_cancel)
{
    struct gate gate = gate_new();
    soon_future *f = submit_pass(executor, gate), *down = soon_executor_down(executor);

    await_running(executor, kind, gate, 1);
    cr_assert_not(soon_future_cancel(down));
    cr_assert_eq(soon_future_kill(down), -ENOTSUP);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_not(soon_future_cancel(down));
    cr_assert_eq(soon_future_state(down), SOON_PENDING);
    gate_open(gate, 1);

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert(soon_future_succeeded(down));
    soon_future_unref(down);
    soon_future_unref(f);
    gate_free(gate);
}

/* CPython: test_context_manager_shutdown, test_del_shutdown */
TestOnEach(contract_shutdown, by_free_drains)
{
    soon_executor *other = kind->make();
    soon_future *down = soon_executor_down(other), *futures[10];
    int product;

    for (int i = 0; i < 10; i++)
        futures[i] = soon_submit(other, mul, i - 5, -1);
    cr_assert_eq(soon_executor_free(other), 0);

    cr_assert(soon_future_succeeded(down)); /* it outlives the executor, as the others do */
    soon_future_unref(down);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(soon_take(futures[i], &product), 0);
        cr_assert_eq(product, 5 - i);
    }
}

TestOnEach(contract_shutdown, happens_at_the_end_of_a_scope)
{
    soon_future *f;
    int product;

    {
        SOON_AUTO_EXECUTOR *other = kind->make();

        f = soon_submit(other, mul, 6, 7);
    }
    {
        SOON_AUTO_EXECUTOR *none = NULL;
        (void)none;
    }

    cr_assert(soon_future_done(f));
    cr_assert_eq(soon_take(f, &product), 0);
    cr_assert_eq(product, 42);
}

/*
 * In callbacks
 */

struct attempt {
    soon_executor *executor;
    int polled, waited, freed;
    atomic_bool over;
};

static void shut_down_here(soon_future *future, void *data)
{
    struct attempt *attempt = data;

    (void)future;
    attempt->polled = soon_executor_shutdown(attempt->executor, SOON_DRAIN, 0);
    attempt->waited = soon_executor_shutdown(attempt->executor, SOON_DRAIN, SOON_FOREVER);
    attempt->freed = soon_executor_free(attempt->executor);
    attempt->over = true;
}

static soon_future *pending_then(soon_executor *executor, soon_promise **ret_first)
{
    soon_future *first, *then;

    cr_assert_eq(soon_promise_new(ret_first, NULL), 0);
    first = soon_promise_future(*ret_first);
    then = soon_then(first, executor, &mul_task);
    soon_future_unref(first);
    return then;
}

/* pebble: test_process_pool_stop_stopped_callback */
TestOnEach(contract_shutdown, in_a_callback_begins_and_is_not_waited_for)
{
    struct attempt attempt = {.executor = executor};
    struct gate gate = gate_new();
    struct pair pair = {6, 7};
    soon_promise *first;
    soon_future *f = submit_pass(executor, gate), *late, *then = pending_then(executor, &first);

    await_running(executor, kind, gate, 1);
    cr_assert_eq(soon_future_add_done_callback(f, shut_down_here, &attempt), 0);
    gate_open(gate, 1);
    test_wait_until(attempt.over);
    cr_assert_eq(soon_promise_set_result(first, &pair, sizeof pair), 0); /* so long it was not over */
    soon_promise_free(first);
    soon_future_unref(then);

    cr_assert_eq(attempt.polled, -ETIMEDOUT);
    cr_assert_eq(attempt.waited, SOON_EDEADLK);
    cr_assert_eq(attempt.freed, SOON_EDEADLK);
    late = mul_submit(executor, NULL, NULL);
    cr_assert_eq(soon_result(late, &(int){0}), SOON_ESHUTDOWN);
    soon_future_unref(f);
    soon_future_unref(late);
    gate_free(gate);
}

static void free_here(soon_future *down, void *data)
{
    struct attempt *attempt = data;

    cr_assert(soon_future_done(down));
    attempt->polled = soon_executor_shutdown(attempt->executor, SOON_KILL, 0);
    attempt->waited = soon_executor_shutdown(attempt->executor, SOON_KILL, SOON_FOREVER);
    attempt->freed = soon_executor_free(attempt->executor);
    attempt->over = true;
}

TestOnEach(contract_shutdown, lets_a_callback_of_its_end_free_the_executor)
{
    struct attempt attempt = {.executor = kind->make(), .freed = 1};
    soon_future *down = soon_executor_down(attempt.executor), *f = mul_submit(attempt.executor, NULL, NULL);

    cr_assert_eq(soon_future_add_done_callback(down, free_here, &attempt), 0);
    (void)soon_executor_shutdown(attempt.executor, SOON_DRAIN, 0);
    test_wait_until(attempt.over);

    cr_assert_eq(attempt.polled, 0);
    cr_assert_eq(attempt.waited, 0);
    cr_assert_eq(attempt.freed, 0);
    soon_future_unref(down);
    soon_future_unref(f);
}

/*
 * Thens
 */

TestOnEach(contract_shutdown, by_drain_waits_for_thens)
{
    struct pair pair = {6, 7};
    soon_promise *first;
    soon_future *then = pending_then(executor, &first);
    int product;

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(soon_future_state(then), SOON_PENDING);
    cr_assert_eq(soon_promise_set_result(first, &pair, sizeof pair), 0);

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_take(then, &product), 0);
    cr_assert_eq(product, 42);
    soon_promise_free(first);
}

TestOnEach(contract_shutdown, by_stronger_modes_cancels_thens)
{
    for (int mode = SOON_CANCEL_PENDING; mode <= SOON_KILL; mode++) {
        soon_executor *other = kind->make();
        soon_promise *first;
        soon_future *then = pending_then(other, &first);

        cr_assert_eq(soon_executor_shutdown(other, SOON_DRAIN, 0), -ETIMEDOUT);
        cr_assert_eq(soon_executor_shutdown(other, (soon_shutdown)mode, SOON_FOREVER), 0);
        cr_assert(soon_future_cancelled(then));
        cr_assert_eq(soon_executor_free(other), 0);
        cr_assert_eq(soon_promise_set_result(first, NULL, 0), 0); /* its first may come when all is gone */
        soon_promise_free(first);
        soon_future_unref(then);
    }
}

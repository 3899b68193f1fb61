/*
 * thread_pool_shutdown.c - shutting down thread pools: on the threads of the library, in release functions, with a great deal to
 * do. What holds for every executor is in contract_shutdown.c.
 */
#include "../../executor/core/executor_internal.h"
#include "../support/pools.h"

TestSuite(thread_pool_shutdown);

struct attempt {
    soon_executor *executor;
    struct gate gate;
    char thread[16];
    int polled, waited, freed, booted;
};

static void attempt_it(struct attempt *attempt)
{
    pthread_getname_np(pthread_self(), attempt->thread, sizeof attempt->thread);
    attempt->polled = soon_executor_shutdown(attempt->executor, SOON_DRAIN, 0);
    attempt->waited = soon_executor_shutdown(attempt->executor, SOON_DRAIN, SOON_FOREVER);
    attempt->freed = soon_executor_free(attempt->executor);
}

static void attempt_in_callback(soon_future *future, void *data)
{
    struct attempt *attempt = data;

    (void)future;
    attempt_it(attempt);
    gate_knock(attempt->gate);
}

static void assert_refused(const struct attempt *attempt)
{
    cr_assert_eq(attempt->polled, -ETIMEDOUT);
    cr_assert_eq(attempt->waited, SOON_EDEADLK);
    cr_assert_eq(attempt->freed, SOON_EDEADLK);
}

Test(thread_pool_shutdown, on_the_callback_thread_begins_and_is_not_waited_for)
{
    struct attempt attempt = {.executor = new_pool(.workers = 1), .gate = gate_new()};
    soon_submit_options options = {.queue_limit_ms = 1, .on_done = attempt_in_callback, .on_done_data = &attempt};
    soon_future *running = occupy_one(attempt.executor, attempt.gate);

    soon_future_unref(nothing_submit(attempt.executor, NULL, &options));
    gate_await(attempt.gate, 1);
    assert_refused(&attempt);
    cr_assert_str_eq(attempt.thread, "soon-callbacks");
    gate_open(attempt.gate, 1);

    cr_assert_eq(outcome_of(running), 0);
    free_pool(attempt.executor);
    gate_free(attempt.gate);
}

Test(thread_pool_shutdown, on_a_worker_in_a_callback_begins_and_is_not_waited_for)
{
    struct attempt attempt = {.executor = new_pool(.workers = 1), .gate = gate_new()};

    soon_future_unref(nothing_submit(attempt.executor, NULL,
                                     &(soon_submit_options){.on_done = attempt_in_callback, .on_done_data = &attempt}));
    gate_await(attempt.gate, 1);

    assert_refused(&attempt);
    free_pool(attempt.executor);
    gate_free(attempt.gate);
}

static struct attempt *of_release;

static void attempt_in_release(void *arg)
{
    (void)arg;
    attempt_it(of_release);
    of_release->booted = soon_executor_boot(of_release->executor, SOON_FOREVER);
    gate_knock(of_release->gate);
}

SOON_TASK_LOCAL(with_release, int, int, attempt_in_release, NULL)
{
    return 0;
}

/* Neither a task nor a callback, but a thread that the pool waits for. */
Test(thread_pool_shutdown, on_a_worker_in_a_release_begins_and_is_not_waited_for)
{
    struct attempt attempt = {.executor = new_pool(.workers = 1), .gate = gate_new()};

    of_release = &attempt;
    soon_future_unref(with_release_submit(attempt.executor, NULL, NULL));
    gate_await(attempt.gate, 1);

    assert_refused(&attempt);
    cr_assert_eq(attempt.booted, SOON_EDEADLK);
    free_pool(attempt.executor);
    gate_free(attempt.gate);
}

/* In a task of another pool it is like anywhere else. */
SOON_TASK_LOCAL(free_the_other, soon_executor *, int, NULL, NULL)
{
    *result = soon_executor_free(*arg);
    return 0;
}

Test(thread_pool_shutdown, in_a_task_of_another_pool_waits)
{
    soon_executor *pool = new_pool(.workers = 1), *other = new_pool(.workers = 2);
    soon_future *f = soon_submit(other, pause_for_us, 1000);
    int rc;

    cr_assert_eq(soon_take(soon_submit(pool, free_the_other, other), &rc), 0);
    cr_assert_eq(rc, 0);
    cr_assert(soon_future_done(f));
    soon_future_unref(f);
    free_pool(pool);
}

SOON_TASK(sleep_until_asked, soon_none, soon_none)
{
    while (!soon_task_cancel_requested(task))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return -ECANCELED;
}

/* multiprocessing: _TestPool.test_terminate: 10,000 tasks that would take for ever */
Test(thread_pool_shutdown, by_terminate_ends_any_number_of_tasks)
{
    enum { MANY = 10000 };
    static soon_future *futures[MANY];
    soon_executor *pool = new_pool(.workers = 3);

    for (int i = 0; i < MANY; i++)
        futures[i] = soon_submit(pool, sleep_until_asked);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_TERMINATE, SOON_FOREVER), 0);

    for (int i = 0; i < MANY; i++)
        cr_assert_eq(outcome_of(futures[i]), -ECANCELED);
    free_pool(pool);
}

/* The moment between the word that all are to end and the closing of the queue: what a worker takes then is not begun. */
Test(thread_pool_shutdown, by_terminate_begins_nothing_from_its_first_step_on)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f;

    atomic_store(&pool->requested, SOON_TERMINATE);
    f = soon_submit(pool, nothing);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    atomic_store(&pool->requested, -1);

    cr_assert_not(soon_future_error(f)->started);
    cr_assert_eq(outcome_of(f), -ECANCELED);
    cr_assert_eq(stats_of(pool).cancelled, 1);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
}

/* CPython: test_interpreter_shutdown and its like have no relative here: nothing is joined at exit. Who frees, waits.
 */
Test(thread_pool_shutdown, of_many_pools_at_once_is_each_ones_own)
{
    soon_executor *pools[20];
    soon_future *downs[20], *all;

    for (int i = 0; i < 20; i++) {
        pools[i] = new_pool(.workers = 2);
        downs[i] = soon_executor_down(pools[i]);
        for (int j = 0; j < 20; j++)
            soon_future_unref(soon_submit(pools[i], pause_for_us, 10));
    }
    all = soon_gather(downs, 20);
    for (int i = 0; i < 20; i++)
        (void)soon_executor_shutdown(pools[i], SOON_DRAIN, 0);
    cr_assert_eq(outcome_of(all), 0);
    for (int i = 0; i < 20; i++)
        free_pool(pools[i]);
    soon_futures_unref(downs, 20);
}

/* Whoever cancels the group of ends does not end anything. */
Test(thread_pool_shutdown, is_not_undone_by_cancelling_a_group_of_ends)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *running = occupy_one(pool, gate), *down = soon_executor_down(pool), *all = soon_gather(&down, 1);

    soon_future_cancel(all);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_not(soon_future_done(down));
    gate_open(gate, 1);

    free_pool(pool);
    cr_assert(soon_future_succeeded(down));
    soon_futures_unref((soon_future *[]){running, down, all}, 3);
    gate_free(gate);
}

/* The tasks of a drain may submit no more, but those that were submitted by them before still run. */
SOON_TASK(submit_two, struct gate, int)
{
    soon_executor *pool = soon_task_executor(task);
    soon_future *early = soon_submit(pool, twice, 21), *late;

    gate_pass(*arg, NULL);
    late = soon_submit(pool, twice, 1);
    if (outcome_of(late) != SOON_ESHUTDOWN)
        return -EIO;
    return soon_take(early, result);
}

Test(thread_pool_shutdown, by_drain_runs_what_tasks_had_submitted)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *f = submit_two_submit(pool, &gate, NULL);
    int result;

    gate_await(gate, 1);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 0), -ETIMEDOUT);
    gate_open(gate, 1);
    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 42);
    free_pool(pool);
    gate_free(gate);
}

/*
 * thread_pool_boot.c - soon_executor_boot(): all workers at once.
 */
#include "../support/pools.h"

#include "../../executor/threads/scheduler_internal.h"

TestSuite(thread_pool_boot);

/* The initializers of these tests stand at one gate. */
static struct gate gate;
static atomic_int initialized;

static void make_gate(void)
{
    gate = gate_new();
}
static void drop_gate(void)
{
    gate_free(gate);
}

SOON_TASK(count_me, soon_none, soon_none)
{
    initialized++;
    return 0;
}

SOON_TASK(stand_at_the_gate, soon_none, soon_none)
{
    gate_pass(gate, NULL);
    return 0;
}

SOON_TASK(fail_at_the_gate, soon_none, soon_none)
{
    gate_pass(gate, NULL);
    return soon_raise(task, EIO, "no disk");
}

Test(thread_pool_boot, starts_all_workers_and_waits_until_they_are_ready)
{
    soon_executor *pool = new_pool(.workers = 5, .initializer = &count_me_task);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(workers_of(pool), 5);
    cr_assert_eq(initialized, 5);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(soon_executor_boot(pool, 0), 0);
    cr_assert_eq(workers_of(pool), 5);
    cr_assert_eq(initialized, 5);
    free_pool(pool);
}

Test(thread_pool_boot, starts_those_that_are_missing)
{
    soon_executor *pool = new_pool(.workers = 3);
    struct gate g = gate_new();
    soon_future *f = occupy_one(pool, g);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(workers_of(pool), 3);
    gate_open(g, 1);
    cr_assert_eq(outcome_of(f), 0);
    free_pool(pool);
    gate_free(g);
}

Test(thread_pool_boot, gives_up_in_time_while_they_go_on_starting, .init = make_gate, .fini = drop_gate)
{
    soon_executor *pool = new_pool(.workers = 2, .initializer = &stand_at_the_gate_task);

    cr_assert_eq(soon_executor_boot(pool, 0), -ETIMEDOUT);
    cr_assert_eq(soon_executor_boot(pool, 5), -ETIMEDOUT);
    gate_await(gate, 2);
    cr_assert_eq(workers_of(pool), 2);
    gate_open(gate, 1);
    cr_assert_eq(soon_executor_boot(pool, 1), -ETIMEDOUT);
    gate_open(gate, 1);

    cr_assert_eq(soon_executor_boot(pool, INT64_MAX), 0);
    free_pool(pool);
}

Test(thread_pool_boot, fails_with_a_failing_initializer, .init = make_gate, .fini = drop_gate)
{
    soon_executor *pool = new_pool(.workers = 2, .initializer = &fail_at_the_gate_task);

    cr_assert_eq(soon_executor_boot(pool, 0), -ETIMEDOUT);
    gate_open(gate, 2);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), SOON_EBROKEN);
    cr_assert_eq(soon_executor_boot(pool, 0), SOON_EBROKEN);
    free_pool(pool);
}

static void *boot_it(void *pool)
{
    return (void *)(intptr_t)soon_executor_boot(pool, SOON_FOREVER);
}

Test(thread_pool_boot, ends_when_the_pool_is_shut_down, .init = make_gate, .fini = drop_gate)
{
    soon_executor *pool = new_pool(.workers = 2, .initializer = &stand_at_the_gate_task);
    pthread_t booter;
    void *rc;

    cr_assert_eq(pthread_create(&booter, NULL, boot_it, pool), 0);
    gate_await(gate, 2);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 0), -ETIMEDOUT);
    pthread_join(booter, &rc);
    cr_assert_eq((intptr_t)rc, SOON_ESHUTDOWN);
    gate_open(gate, 2);

    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), SOON_ESHUTDOWN);
    free_pool(pool);
}

static soon_future *awaited;

SOON_TASK(await_it, soon_none, soon_none)
{
    return soon_future_wait(awaited, SOON_FOREVER);
}

/* Nothing public tells. */
static bool waits_in_its_initializer(soon_executor *executor)
{
    struct soon__pool *pool = executor->self;
    bool waits;

    soon__pool_lock(pool);
    waits = pool->locked.in[SOON__WORKER_STARTING_PARKED];
    soon__pool_unlock(pool);
    return waits;
}

Test(thread_pool_boot, waits_for_an_initializer_that_waits)
{
    soon_executor *pool = new_pool(.workers = 1, .initializer = &await_it_task);
    soon_promise *promise;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    awaited = soon_promise_future(promise);
    cr_assert_eq(soon_executor_boot(pool, 0), -ETIMEDOUT);
    test_wait_until(waits_in_its_initializer(pool));
    cr_assert_eq(soon_executor_boot(pool, 1), -ETIMEDOUT);

    cr_assert_eq(soon_promise_set_result(promise, NULL, 0), 0);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    free_pool(pool);
    soon_future_unref(awaited);
    soon_promise_free(promise);
}

SOON_TASK(boot_here, int64_t, int)
{
    *result = soon_executor_boot(soon_task_executor(task), *arg);
    return 0;
}

Test(thread_pool_boot, is_refused_in_a_task)
{
    soon_executor *pool = new_pool(.workers = 2);
    int rc;

    cr_assert_eq(soon_take(soon_submit(pool, boot_here, SOON_FOREVER), &rc), 0);
    cr_assert_eq(rc, SOON_EDEADLK);
    cr_assert_eq(soon_take(soon_submit(pool, boot_here, 0), &rc), 0);
    cr_assert_eq(rc, SOON_EDEADLK);
    free_pool(pool);
}

Test(thread_pool_boot, refuses_what_makes_no_sense)
{
    soon_executor *pool = new_pool(.workers = 1);

    cr_assert_eq(soon_executor_boot(NULL, SOON_FOREVER), -EINVAL);
    cr_assert_eq(soon_executor_boot(pool, -2), -EINVAL);
    cr_assert_eq(workers_of(pool), 0);
    free_pool(pool);
}

Test(thread_pool_boot, may_be_called_by_many_threads)
{
    soon_executor *pool = new_pool(.workers = 6, .initializer = &count_me_task);
    pthread_t threads[5];
    void *rc;

    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, boot_it, pool), 0);
    for (size_t i = 0; i < 5; i++) {
        pthread_join(threads[i], &rc);
        cr_assert_null(rc);
    }

    cr_assert_eq(initialized, 6);
    free_pool(pool);
}

/* The last initializer returns when all others have retired. */
SOON_TASK(outlast_the_others, int, soon_none)
{
    if (++initialized == *arg)
        test_wait_until(workers_of(soon_task_executor(task)) == 1);
    return 0;
}

Test(thread_pool_boot, is_over_also_when_workers_have_retired_meanwhile)
{
    int workers = 4;
    soon_executor *pool = new_pool(.workers = workers, .idle_timeout_ms = 1, .initializer = &outlast_the_others_task,
                                   .initializer_arg = &workers);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
}

Test(thread_pool_boot, leaves_the_workers_to_tasks_that_wait)
{
    soon_executor *pool = new_pool(.workers = 2, .initializer = &stand_at_the_gate_task);
    soon_future *futures[10];

    gate = gate_new();
    for (int i = 0; i < 10; i++)
        futures[i] = soon_submit(pool, nothing);
    gate_open(gate, 2);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    free_pool(pool);
    gate_free(gate);
}

/* Caught: a worker whose initializer runs taken for one that will look for the next task in a moment. */
Test(thread_pool_boot, of_one_worker_does_not_hold_up_another_that_is_idle, .init = make_gate, .fini = drop_gate)
{
    soon_executor *pool = new_pool(.workers = 2, .initializer = &stand_at_the_gate_task);
    soon_future *futures[2] = {soon_submit(pool, nothing), soon_submit(pool, nothing)};

    gate_await(gate, 2);
    gate_open(gate, 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    for (int i = 0; i < 20; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* now it sleeps, most likely */
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    }
    gate_open(gate, 1);
    free_pool(pool);
}

/*
 * In a task of another pool
 */

static soon_executor *host;

SOON_TASK(ask_the_host, soon_none, soon_none)
{
    return outcome_of(soon_submit(host, nothing));
}

SOON_TASK_LOCAL(boot_the_other, soon_executor *, int, NULL, NULL)
{
    *result = soon_executor_boot(*arg, SOON_FOREVER);
    return 0;
}

/* What the initializer waits for is run by another thread: the one that boots gives its place to it. */
Test(thread_pool_boot, in_a_task_leaves_its_place_to_others)
{
    soon_executor *booted = new_pool(.workers = 1, .initializer = &ask_the_host_task);
    int rc = 1;

    host = new_pool(.workers = 1);
    cr_assert_eq(soon_take(boot_the_other_submit(host, &booted, NULL), &rc), 0);
    cr_assert_eq(rc, 0);
    free_pool(booted);
    free_pool(host);
}

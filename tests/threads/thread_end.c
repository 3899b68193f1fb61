/*
 * thread_end.c - the end of a worker's thread, which destroys what the program has left for that: it may use any pool.
 */
#include "../support/pools.h"

#include <pthread.h>

TestSuite(thread_end);

static pthread_key_t key;
static _Atomic int destroyed;

SOON_TASK(one_more, int, int)
{
    *result = *arg + 1;
    return 0;
}

/* A pool that a thread has for itself is used once more, and freed. */
static void destroy(void *data)
{
    soon_executor *own = data;
    int result = 0;

    cr_assert_eq(soon_take(soon_submit(own, one_more, 1), &result), 0);
    cr_assert_eq(result, 2);
    free_pool(own);
    destroyed++;
}

SOON_TASK(keep_a_pool, int, int)
{
    *result = *arg;
    return pthread_setspecific(key, new_pool(.workers = 1));
}

static void leave_a_pool_behind(soon_executor *pool)
{
    int result;

    cr_assert_eq(pthread_key_create(&key, destroy), 0);
    cr_assert_eq(soon_take(soon_submit(pool, keep_a_pool, 1), &result), 0);
}

Test(thread_end, may_wait_for_another_pool)
{
    soon_executor *pool = new_pool(.workers = 1);

    leave_a_pool_behind(pool);
    free_pool(pool);
    cr_assert_eq(destroyed, 1);
}

Test(thread_end, of_one_that_retires_may_wait_for_another_pool)
{
    soon_executor *pool = new_pool(.workers = 1, .idle_timeout_ms = 1);

    leave_a_pool_behind(pool);
    test_wait_until(destroyed == 1);
    free_pool(pool);
}

static void destroy_with_its_pool(void *pool)
{
    cr_assert_eq(soon_executor_free(pool), SOON_EDEADLK);
    destroyed++;
}

SOON_TASK(keep_its_pool, soon_none, soon_none)
{
    return pthread_setspecific(key, soon_task_executor(task));
}

/* Which waits for that thread. */
Test(thread_end, cannot_free_its_own_pool)
{
    soon_executor *pool = new_pool(.workers = 1, .idle_timeout_ms = 1);

    cr_assert_eq(pthread_key_create(&key, destroy_with_its_pool), 0);
    cr_assert_eq(outcome_of(soon_submit(pool, keep_its_pool)), 0);
    test_wait_until(destroyed == 1);
    free_pool(pool);
}

/*
 * task_shared.c - soon_task_shared(): how tasks find the memory that their pool has, on threads and in worker processes.
 */
#include "../support/shared_fixture.h"

TestSuite(task_shared);

/*
 * In tasks
 */

SOON_TASK(count_one, soon_none, soon_none)
{
    struct counted *counted = soon_task_shared(task);

    if (!counted)
        return soon_raise(task, ENOENT, "no memory is shared");
    if (soon_lock_lock(&counted->lock) < 0)
        return soon_raise(task, EDEADLK, "no lock");
    counted->by_lock++;
    soon_lock_unlock(&counted->lock);
    return 0;
}

Test(task_shared, is_what_the_pool_was_given)
{
    enum { TASKS = 2000 };
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_pool(.workers = 4, .shared = shared);
    static soon_none none[TASKS];

    cr_assert_eq(soon_map(pool, count_one, none, TASKS, none), 0);
    for (int i = 0; i < TASKS; i++)
        soon_future_unref(soon_submit(pool, count_one));

    free_pool(pool);
    cr_assert_eq(counted->by_lock, 2 * TASKS);
    soon_shared_unref(shared);
}

Test(task_shared, is_null_where_there_is_none)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f = soon_submit(pool, count_one);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->raised, ENOENT);
    soon_future_unref(f);
    free_pool(pool);
}

Test(task_shared, lives_as_long_as_a_pool_has_it)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *first = new_pool(.workers = 1, .shared = shared), *second = new_pool(.shared = shared);

    soon_shared_unref(shared);
    cr_assert_eq(outcome_of(soon_submit(first, count_one)), 0);
    free_pool(first);
    cr_assert_eq(outcome_of(soon_submit(second, count_one)), 0);
    cr_assert_eq(counted->by_lock, 2);
    free_pool(second);
}

Test(task_shared, is_there_in_the_initializer)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_pool(.workers = 3, .shared = shared, .initializer = &count_one_task);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);

    free_pool(pool);
    cr_assert_eq(counted->by_lock, 3);
    soon_shared_unref(shared);
}

Test(task_shared, is_there_where_a_task_runs_on_its_submitters_thread)
{
    struct counted *counted;
    struct gate gate = gate_new();
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_pool(.workers = 1, .shared = shared, .queue_max = 1, .when_full = SOON_FULL_RUN_HERE);
    soon_future *running = occupy_one(pool, gate), *queued = soon_submit(pool, count_one);

    cr_assert_eq(outcome_of(soon_submit(pool, count_one)), 0);
    cr_assert_eq(counted->by_lock, 1);

    gate_open(gate, 1);
    cr_assert_eq(outcome_of(running), 0);
    cr_assert_eq(outcome_of(queued), 0);
    free_pool(pool);
    gate_free(gate);
    soon_shared_unref(shared);
}

/*
 * In worker processes
 */

static soon_executor *new_processes_of(const soon_process_pool_options *options)
{
    soon_executor *pool = NULL;

    cr_assert_eq(soon_process_pool_new(&pool, options), 0);
    return pool;
}
#define new_processes(...) new_processes_of(&(soon_process_pool_options){__VA_ARGS__})

Test(task_shared, is_seen_by_worker_processes)
{
    enum { TASKS = 2000 };
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_processes(.workers = 3, .shared = shared, .initializer = &count_one_task);
    static soon_none none[TASKS];

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(counted->by_lock, 3); /* the initializers */
    cr_assert_eq(soon_map(pool, count_one, none, TASKS, none), 0);
    for (int i = 0; i < TASKS; i++)
        soon_future_unref(soon_submit(pool, count_one));

    free_pool(pool);
    cr_assert_eq(counted->by_lock, 3 + 2 * TASKS);
    soon_shared_unref(shared);
}

Test(task_shared, is_null_in_processes_without_it)
{
    soon_executor *pool = new_processes(.workers = 1);
    soon_future *f = soon_submit(pool, count_one);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->raised, ENOENT);
    soon_future_unref(f);
    free_pool(pool);
}

Test(task_shared, of_processes_lives_as_long_as_their_pool)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_processes(.workers = 1, .shared = shared);

    soon_shared_unref(shared);
    cr_assert_eq(outcome_of(soon_submit(pool, count_one)), 0);
    cr_assert_eq(counted->by_lock, 1);
    free_pool(pool);
}

SOON_TASK(write_last_byte, uint64_t, soon_none)
{
    ((char *)soon_task_shared(task))[*arg - 1] = 42;
    return 0;
}

Test(task_shared, may_be_beyond_4_gib)
{
    uint64_t size = (UINT64_C(5) << 30) + 1;
    soon_shared *shared = new_shared(size);
    soon_executor *pool = new_processes(.workers = 1, .shared = shared);

    cr_assert_eq(outcome_of(soon_submit(pool, write_last_byte, size)), 0);
    cr_assert_eq(((char *)soon_shared_data(shared))[size - 1], 42);
    free_pool(pool);
    soon_shared_unref(shared);
}

SOON_TASK(die_with_the_lock, soon_none, soon_none)
{
    struct counted *counted = soon_task_shared(task);

    if (soon_lock_lock(&counted->lock) == 0)
        counted->by_lock++;
    return raise(SIGKILL);
}

SOON_TASK(lock_and_tell, soon_none, int)
{
    struct counted *counted = soon_task_shared(task);

    *result = soon_lock_lock(&counted->lock);
    soon_lock_unlock(&counted->lock);
    return 0;
}

Test(task_shared, lock_of_a_dead_worker_goes_to_the_next_who_is_told)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_processes(.workers = 2, .shared = shared);

    for (uint64_t i = 1; i <= 10; i++) {
        int told = 1;

        cr_assert_eq(outcome_of(soon_submit(pool, die_with_the_lock)), SOON_EWORKERDIED);
        cr_assert_eq(soon_take(soon_submit(pool, lock_and_tell), &told), 0);
        cr_assert_eq(told, -EOWNERDEAD);
        cr_assert_eq(soon_take(soon_submit(pool, lock_and_tell), &told), 0);
        cr_assert_eq(told, 0);
        cr_assert_eq(counted->by_lock, i);
    }
    free_pool(pool);
    soon_shared_unref(shared);
}

TestMisuse(task_shared, of_null)
{
    cr_assert_null(soon_task_shared(NULL));
}

/*
 * thread_pool.c - the thread pool: options, how many workers there are and when, their names, booting.
 */
#include "../support/pools.h"

#include "../../executor/system/cpu_internal.h"

#include <sys/wait.h>

TestSuite(thread_pool);

/* CPython: ExecutorTest.test_max_workers_negative; multiprocessing: test_make_pool, test_pool_maxtasksperchild_invalid;
 * loky: test_invalid_process_number. 0 is the default here. */
Test(thread_pool, refuses_options_that_make_no_sense)
{
    static const soon_thread_pool_options senseless[] = {
        {.workers = -1},
        {.workers = INT32_MIN},
        {.idle_timeout_ms = -1},
        {.when_full = (soon_full)-1},
        {.when_full = (soon_full)(SOON_FULL_RUN_HERE + 1)},
        {.when_full = SOON_FULL_RUN_HERE, .initializer = &nothing_task},
        {.initializer_arg = ""},
        {.stack_size = 1},
    };
    soon_executor *pool = NULL;

    for (size_t i = 0; i < sizeof senseless / sizeof *senseless; i++)
        cr_assert_eq(soon_thread_pool_new(&pool, &senseless[i]), -EINVAL, "row %zu", i);
    cr_assert_eq(soon_thread_pool_new(NULL, NULL), -EINVAL);
    cr_assert_null(pool);
}

Test(thread_pool, refuses_an_initializer_that_is_not_whole)
{
    soon_function bodiless = nothing_task, nameless = nothing_task;
    soon_executor *pool = NULL;

    bodiless.body = NULL;
    nameless.name = NULL;
    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.initializer = &bodiless}), -EINVAL);
    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.initializer = &nameless}), -EINVAL);
    cr_assert_null(pool);
}

struct newer_options {
    soon_thread_pool_options known;
    int unknown[3];
};

Test(thread_pool, refuses_an_option_that_it_does_not_know)
{
    struct newer_options options = {.known = {.workers = 1}};
    soon_executor *pool;

    options.unknown[2] = 1;
    cr_assert_eq(soon_thread_pool_new_sized(&pool, &options.known, sizeof options), -EINVAL);
    options.unknown[2] = 0;
    cr_assert_eq(soon_thread_pool_new_sized(&pool, &options.known, sizeof options), 0);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
}

Test(thread_pool, takes_the_options_of_an_older_header)
{
    soon_thread_pool_options options = {.workers = 2, .name = "old", .idle_timeout_ms = -1};
    soon_executor *pool;

    cr_assert_eq(soon_thread_pool_new_sized(&pool, &options, offsetof(soon_thread_pool_options, initializer)), 0);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(workers_of(pool), 2);
    free_pool(pool);
}

/* CPython: ThreadPoolExecutorTest.test_default_workers, where the default is another; loky: test_cpu_count */
Test(thread_pool, has_a_worker_per_cpu_by_default)
{
    soon_executor *pool;

    cr_assert_eq(soon_thread_pool_new(&pool, NULL), 0);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);

    cr_assert_eq(workers_of(pool), (size_t)soon__cpu_count());
    free_pool(pool);
}

/*
 * Growing
 */

Test(thread_pool, starts_no_worker_before_there_is_work)
{
    soon_executor *pool = new_pool(.workers = 4);

    cr_assert_eq(workers_of(pool), 0);
    free_pool(pool);
}

/* CPython: ThreadPoolShutdownTest.test_threads_terminate */
Test(thread_pool, starts_workers_as_tasks_come)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 5);
    soon_future *futures[3];

    for (size_t i = 0; i < 3; i++) {
        futures[i] = occupy_one(pool, gate);
        cr_assert_eq(workers_of(pool), i + 1);
    }
    gate_open(gate, 3);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);

    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(workers_of(pool), 0);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(thread_at_the_gate, struct gate, int)
{
    *result = gettid();
    return gate_pass(*arg, task);
}

/* pebble: test_thread_pool_different_thread */
Test(thread_pool, runs_tasks_on_threads_of_its_own)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *futures[] = {thread_at_the_gate_submit(pool, &gate, NULL),
                              thread_at_the_gate_submit(pool, &gate, NULL)};
    int threads[2];

    gate_await(gate, 2);
    gate_open(gate, 2);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(soon_take(futures[i], &threads[i]), 0);

    cr_assert_neq(threads[0], threads[1]);
    cr_assert_neq(threads[0], gettid());
    cr_assert_neq(threads[1], gettid());
    free_pool(pool);
    gate_free(gate);
}

/* CPython: ThreadPoolExecutorTest.test_saturation; interpreter pool: test_saturation, blocking_with_limited_workers */
Test(thread_pool, never_has_more_workers_than_it_may)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 4);
    soon_future *futures[60];

    for (int i = 0; i < 60; i++)
        futures[i] = submit_pass(pool, gate);
    gate_await(gate, 4);
    cr_assert_eq(workers_of(pool), 4);
    cr_assert_eq(gate_arrived(gate), 0);
    cr_assert_eq(stats_of(pool).running, 4);
    cr_assert_eq(stats_of(pool).pending, 56);
    gate_open(gate, 60);
    for (int i = 0; i < 60; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);

    cr_assert_eq(workers_of(pool), 4);
    free_pool(pool);
    gate_free(gate);
}

/* CPython: ThreadPoolExecutorTest.test_idle_thread_reuse; interpreter pool: test_idle_thread_reuse */
Test(thread_pool, uses_an_idle_worker_before_it_starts_another)
{
    soon_executor *pool = new_pool(.workers = 8);
    int first, other;

    cr_assert_eq(soon_take(soon_submit(pool, which_thread), &first), 0);
    for (int i = 0; i < 10; i++) {
        test_wait_until(stats_of(pool).idle == 1);
        cr_assert_eq(soon_take(soon_submit(pool, which_thread), &other), 0);
        cr_assert_eq(other, first);
    }

    cr_assert_eq(workers_of(pool), 1);
    free_pool(pool);
}

static void stand_at_the_gate(soon_future *future, void *gate)
{
    (void)future;
    gate_pass(*(struct gate *)gate, NULL);
}

/* I8: a worker that has ended its task is expected to take the next one; but here its callback holds it up. */
Test(thread_pool, starts_another_when_a_callback_holds_up_the_one_that_was_expected)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 4);
    soon_future *held[3];

    for (int i = 0; i < 3; i++) {
        held[i] =
            nothing_submit(pool, NULL, &(soon_submit_options){.on_done = stand_at_the_gate, .on_done_data = &gate});
        cr_assert_eq(soon_future_wait(held[i], SOON_FOREVER), 0);
        gate_await(gate, 1);
    }
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    cr_assert_eq(workers_of(pool), 4);
    gate_open(gate, 3);

    soon_futures_unref(held, 3);
    free_pool(pool);
    gate_free(gate);
}

Test(thread_pool, wakes_the_worker_that_went_to_sleep_last)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *futures[] = {occupy_one(pool, gate), occupy_one(pool, gate)};
    int last, next;

    gate_open(gate, 2);
    cr_assert_eq(outcome_of(futures[0]), 0);
    cr_assert_eq(outcome_of(futures[1]), 0);
    test_wait_until(stats_of(pool).idle == 2);
    cr_assert_eq(soon_take(soon_submit(pool, which_thread), &last), 0);
    for (int i = 0; i < 10; i++) {
        test_wait_until(stats_of(pool).idle == 2);
        cr_assert_eq(soon_take(soon_submit(pool, which_thread), &next), 0);
        cr_assert_eq(next, last);
    }
    free_pool(pool);
    gate_free(gate);
}

/* multiprocessing: MiscTestCase.test_large_pool */
Test(thread_pool, may_be_large)
{
    enum { LARGE = 300 };
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = LARGE, .stack_size = 128 * 1024);
    static soon_future *futures[LARGE];

    for (int i = 0; i < LARGE; i++)
        futures[i] = submit_pass(pool, gate);
    gate_await(gate, LARGE);
    cr_assert_eq(workers_of(pool), LARGE);
    gate_open(gate, LARGE);
    for (int i = 0; i < LARGE; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    free_pool(pool);
    gate_free(gate);
}

/*
 * Shrinking
 */

/* loky: test_worker_timeout (5 rounds) */
Test(thread_pool, lets_idle_workers_end_and_starts_new_ones)
{
    soon_executor *pool = new_pool(.workers = 3, .idle_timeout_ms = 1);

    for (int round = 0; round < 5; round++) {
        soon_future *futures[20];

        for (int i = 0; i < 20; i++)
            futures[i] = soon_submit(pool, pause_for_us, 100);
        for (int i = 0; i < 20; i++)
            cr_assert_eq(outcome_of(futures[i]), 0);
        test_wait_until(workers_of(pool) == 0);
    }

    cr_assert_eq(stats_of(pool).succeeded, 100);
    free_pool(pool);
}

SOON_TASK(wait_for_a_child, struct gate, soon_none)
{
    soon_future *child = submit_pass(soon_task_executor(task), *arg);

    (void)soon_future_wait(child, 1000000000); /* with a limit: it is not run here */
    soon_future_unref(child);
    return 0;
}

/* I3: what stood in for a parked worker goes again, and nobody else. */
Test(thread_pool, gives_up_spare_workers_but_no_others)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *futures[2];

    for (int i = 0; i < 2; i++)
        futures[i] = wait_for_a_child_submit(pool, &gate, NULL);
    gate_await(gate, 2);
    cr_assert_eq(workers_of(pool), 4);
    cr_assert_eq(stats_of(pool).spares, 2);
    gate_open(gate, 2);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);

    test_wait_until(stats_of(pool).spares == 0);
    test_wait_until(stats_of(pool).idle == workers_of(pool));
    cr_assert_eq(workers_of(pool), 2);
    free_pool(pool);
    gate_free(gate);
}

/*
 * Names
 */

struct name {
    char text[16];
};

SOON_TASK(own_name, struct gate, struct name)
{
    pthread_getname_np(pthread_self(), result->text, sizeof result->text);
    return gate_pass(*arg, task);
}

/* The names of `count` workers, in the order in which they were started. */
static void names_of(soon_executor *pool, int count, struct name *ret)
{
    struct gate gate = gate_new();
    soon_future *futures[16];

    for (int i = 0; i < count; i++) {
        futures[i] = own_name_submit(pool, &gate, NULL);
        gate_await(gate, 1);
    }
    gate_open(gate, count);
    for (int i = 0; i < count; i++)
        cr_assert_eq(soon_take(futures[i], &ret[i]), 0);
    gate_free(gate);
}

/* CPython: test_thread_names_assigned; interpreter pool: test_thread_name_prefix */
Test(thread_pool, names_workers_after_itself)
{
    char name[] = "Special";
    soon_executor *pool = new_pool(.workers = 12, .name = name);
    struct name names[12];
    char expected[32];

    name[0] = 'x'; /* it was copied */
    names_of(pool, 12, names);

    for (int i = 0; i < 12; i++) {
        snprintf(expected, sizeof expected, "Special_%d", i);
        cr_assert_str_eq(names[i].text, expected);
    }
    free_pool(pool);
}

Test(thread_pool, shortens_names_but_keeps_the_number)
{
    soon_executor *pool = new_pool(.workers = 11, .name = "a name that is longer than the system takes");
    struct name names[11];

    names_of(pool, 11, names);

    cr_assert_str_eq(names[0].text, "a name that i_0");
    cr_assert_str_eq(names[10].text, "a name that _10");
    free_pool(pool);
}

/* CPython: test_thread_names_default */
Test(thread_pool, has_a_name_of_its_own_by_default)
{
    soon_executor *a = new_pool(.workers = 1), *b = new_pool(.workers = 1, .name = ""), *c = new_pool(.workers = 1);
    struct name names[3];

    names_of(a, 1, &names[0]);
    names_of(b, 1, &names[1]);
    names_of(c, 1, &names[2]);

    cr_assert_arr_eq(names[0].text, "soon-", 5);
    cr_assert_str_eq(strchr(names[0].text, '_'), "_0");
    cr_assert_str_eq(names[1].text, "_0");
    cr_assert_str_neq(names[0].text, names[2].text);
    free_pool(a);
    free_pool(b);
    free_pool(c);
}

/*
 * Surroundings
 */

SOON_TASK(blocks_signal, int, int)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    *result = sigismember(&mask, *arg);
    return 0;
}

/* Whoever starts it, a worker has the signal mask of who made the pool. */
Test(thread_pool, has_the_signal_mask_of_its_maker)
{
    sigset_t usr1, old;
    soon_executor *pool;
    int blocked;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &old);
    pool = new_pool(.workers = 1);
    pthread_sigmask(SIG_SETMASK, &old, NULL);

    cr_assert_eq(soon_take(soon_submit(pool, blocks_signal, SIGUSR1), &blocked), 0);
    cr_assert_eq(blocked, 1);
    cr_assert_eq(soon_take(soon_submit(pool, blocks_signal, SIGUSR2), &blocked), 0);
    cr_assert_eq(blocked, 0);
    free_pool(pool);
}

SOON_TASK(use_a_pool_of_its_own, int, int)
{
    soon_executor *inner = new_pool(.workers = 2);
    soon_future *f = soon_submit(inner, twice, *arg);
    int rc = soon_take(f, result);

    free_pool(inner);
    return rc;
}

/* pebble: test_process_pool_child_pool, with threads */
Test(thread_pool, may_be_made_and_freed_in_a_task_of_another)
{
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *futures[20];
    int result;

    for (int i = 0; i < 20; i++)
        futures[i] = soon_submit(pool, use_a_pool_of_its_own, i);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(soon_take(futures[i], &result), 0);
        cr_assert_eq(result, 2 * i);
    }
    free_pool(pool);
}

SOON_TASK(executor_of_task, soon_none, uintptr_t)
{
    *result = (uintptr_t)soon_task_executor(task);
    return 0;
}

Test(thread_pool, is_known_to_its_tasks)
{
    soon_executor *pool = new_pool(.workers = 1);
    uintptr_t executor;

    cr_assert_eq(soon_take(soon_submit(pool, executor_of_task), &executor), 0);

    cr_assert_eq(executor, (uintptr_t)pool);
    free_pool(pool);
}

/* mpi4py: shared_executors, multiple_executors */
Test(thread_pool, can_be_one_of_many)
{
    soon_executor *pools[40];
    int result;

    for (int i = 0; i < 40; i++)
        pools[i] = new_pool(.workers = 2);
    for (int i = 0; i < 400; i++) {
        cr_assert_eq(soon_take(soon_submit(pools[i % 40], twice, i), &result), 0);
        cr_assert_eq(result, 2 * i);
    }
    for (int i = 0; i < 40; i++)
        free_pool(pools[i]);
}

/* More than have a place for what their tasks submit. The last to fall asleep is the first to be woken, so that one of those that
 * have none gets most of the tasks. */
Test(thread_pool, counts_what_each_of_many_workers_took)
{
    soon_executor *pool = new_pool(.workers = 270, .stack_size = 256 * 1024);
    soon_stats stats;

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    for (int i = 0; i < 2000; i++)
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
    stats = stats_of(pool);
    cr_assert_eq(stats.succeeded, 2000);
    cr_assert_eq(stats.submitted, 2000);
    free_pool(pool);
}

/* As of a service that locks itself in: there are neither /dev nor /proc. */
static void work_in_an_empty_root(const char *folder)
{
    soon_executor *pool;
    int result = 0;

    cr_assert_eq(chroot(folder), 0);
    cr_assert_eq(chdir("/"), 0);
    pool = new_pool(.workers = 2);
    cr_assert_eq(soon_take(soon_submit(pool, twice, 21), &result), 0);
    cr_assert_eq(result, 42);
    free_pool(pool);
}

Test(thread_pool, needs_nothing_of_the_file_system, .bare = true)
{
    char folder[] = "/tmp/soon-root-XXXXXX";
    pid_t child;
    int status;

    if (geteuid() != 0)
        cr_skip_test("only root can enter another root");
    cr_assert_not_null(mkdtemp(folder));
    child = test_fork();
    if (child == 0) {
        work_in_an_empty_root(folder);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(rmdir(folder), 0);
    cr_assert_eq(status, 0);
}

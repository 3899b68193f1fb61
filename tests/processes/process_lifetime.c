/*
 * process_lifetime.c - how workers begin, how long they live, and how they end.
 */
#include "../support/process_fixture.h"

#include <sys/mman.h>

TestSuite(process_lifetime);

/* CPython: test_max_tasks_per_child */
Test(process_lifetime, ends_after_so_many_tasks)
{
    soon_executor *pool = new_processes(.workers = 1, .max_tasks_per_worker = 3);
    int pid = 0, before = 0;

    for (int i = 0; i < 12; i++) {
        pid = pid_of_one(pool);
        cr_assert_eq(pid == before, i % 3 != 0);
        before = pid;
        test_wait_until(workers_of(pool) <= 1); /* the one before takes its time to be gone */
    }
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
}

/* CPython: test_max_tasks_per_child_pending_tasks_gh115634; multiprocessing: test_pool_worker_lifetime; pebble:
 * test_process_pool_future_limit */
Test(process_lifetime, of_few_tasks_leaves_what_is_pending_to_the_next)
{
    static const struct {
        int workers, most, tasks;
    } cases[] = {{1, 2, 6}, {2, 2, 8}, {1, 1, 10}, {3, 10, 100}};

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        soon_executor *pool = new_processes(.workers = cases[c].workers, .max_tasks_per_worker = cases[c].most);
        soon_future *futures[100];
        int pids[100], of_first = 0;

        for (int i = 0; i < cases[c].tasks; i++)
            futures[i] = soon_submit(pool, own_pid);
        for (int i = 0; i < cases[c].tasks; i++)
            cr_assert_eq(soon_take(futures[i], &pids[i]), 0);
        for (int i = 0; i < cases[c].tasks; i++)
            of_first += pids[i] == pids[0];
        cr_assert_leq(of_first, cases[c].most);
        cr_assert_eq(stats_of(pool).worker_deaths, 0);
        free_pool(pool);
    }
}

/* CPython: test_max_tasks_early_shutdown, test_shutdown_no_wait_max_tasks_gh119592; multiprocessing:
 * test_pool_worker_lifetime_early_close */
Test(process_lifetime, of_few_tasks_goes_on_while_the_pool_drains)
{
    for (int wait = 0; wait < 2; wait++) {
        soon_executor *pool = new_processes(.workers = 3, .max_tasks_per_worker = 1);
        soon_future *futures[8];
        int result;

        for (int i = 0; i < 8; i++)
            futures[i] = soon_submit(pool, twice, i);
        (void)soon_executor_shutdown(pool, SOON_DRAIN, wait ? SOON_FOREVER : 0);
        for (int i = 0; i < 8; i++) {
            cr_assert_eq(soon_take(futures[i], &result), 0);
            cr_assert_eq(result, 2 * i);
        }
        free_pool(pool);
    }
}

/* CPython: ProcessPoolShutdownTest.test_shutdown_gh_132969_case_1, _case_2 */
Test(process_lifetime, of_one_task_that_fails_is_followed_by_others_while_the_pool_drains)
{
    for (int workers = 2; workers <= 4; workers += 2) {
        soon_executor *pool = new_processes(.workers = workers, .max_tasks_per_worker = 1);
        struct gate gate = gate_new();
        soon_future *good = submit_pass(pool, gate), *bad = soon_submit(pool, die_by, BY_EXIT_3);

        cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 0), -ETIMEDOUT);
        gate_open(gate, 1);
        cr_assert_eq(outcome_of(good), 0);
        cr_assert_eq(outcome_of(bad), SOON_EWORKERDIED);
        free_pool(pool);
        gate_free(gate);
    }
}

/* CPython: test_force_shutdown_during_max_tasks_worker_exit, test_gc_during_max_tasks_worker_exit_gh152967 */
Test(process_lifetime, of_one_task_leaves_no_replacement_behind_a_shutdown)
{
    for (int i = 0; i < 20; i++) {
        soon_executor *pool = new_processes(.workers = 2, .max_tasks_per_worker = 1);
        soon_future *futures[10];

        for (int j = 0; j < 10; j++)
            futures[j] = soon_submit(pool, nothing);
        cr_assert_eq(soon_future_wait(futures[i / 2], SOON_FOREVER), 0);
        cr_assert_eq(soon_executor_shutdown(pool, i % 2 ? SOON_KILL : SOON_TERMINATE, SOON_FOREVER), 0);
        for (int j = 0; j < 10; j++)
            cr_assert(soon_future_done(futures[j]));
        soon_futures_unref(futures, 10);
        cr_assert_eq(workers_of(pool), 0);
        free_pool(pool);
    }
}

/* A chunk counts as one. */
Test(process_lifetime, counts_a_chunk_as_one_task)
{
    soon_executor *pool = new_processes(.workers = 1, .max_tasks_per_worker = 2);
    int pids[30], first = 0, second = 0;

    cr_assert_eq(soon_map_with(pool, (.chunk = 10), own_pid, NULL, 30, pids, NULL), 0);
    for (int i = 0; i < 30; i++) {
        first += pids[i] == pids[0];
        second += pids[i] == pids[29];
    }
    cr_assert_eq(first, 20);
    cr_assert_eq(second, 10);
    free_pool(pool);
}

/* loky: test_worker_timeout; "idle workers vanish" */
Test(process_lifetime, ends_when_there_is_nothing_to_do)
{
    soon_executor *pool = new_processes(.workers = 2, .idle_timeout_ms = 5);

    for (int round = 0; round < 5; round++) {
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
        test_wait_until(workers_of(pool) == 0);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
}

SOON_TASK(grow_by, size_t, int)
{
    char *memory = mmap(NULL, *arg + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (size_t i = 0; i < *arg; i += 4096)
        memory[i] = 1;
    *result = getpid();
    return 0;
}

static int grow(soon_executor *pool, size_t size)
{
    int pid;

    cr_assert_eq(soon_take(grow_by_submit(pool, &size, NULL), &pid), 0);
    return pid;
}

/* loky: test_memory_leak_protection */
Test(process_lifetime, ends_when_it_has_grown_too_large)
{
    soon_executor *pool = new_processes(.workers = 1, .memory_limit = 256 << 20);
    soon_future *futures[60];
    int pid = pid_of_one(pool), results[60], pids = 1;
    size_t size = 20 << 20;

    (void)grow(pool, 300 << 20);
    test_wait_until(pid_of_one(pool) != pid);
    for (int i = 0; i < 60; i++)
        futures[i] = grow_by_submit(pool, &size, NULL);
    for (int i = 0; i < 60; i++)
        cr_assert_eq(soon_take(futures[i], &results[i]), 0);
    for (int i = 1; i < 60; i++)
        pids += results[i] != results[i - 1];
    cr_assert_gt(pids, 1);
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
}

/*
 * The end
 */

static struct gate at_end;

static void knock_at_exit(void)
{
    gate_knock(at_end);
}

static void knock_and_free(void *local)
{
    gate_knock(*(struct gate *)local);
    free(local);
}

SOON_TASK(leave_for_the_end, struct gate, soon_none)
{
    struct gate *local = malloc(sizeof *local);

    *local = at_end = *arg;
    atexit(knock_at_exit);
    soon_task_set_local(task, local, knock_and_free);
    return 0;
}

/* multiprocessing: _TestPoolWorkerLifetime.test_worker_finalization_via_atexit */
Test(process_lifetime, ends_with_its_local_value_released_and_exit_handlers_run)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_processes(.workers = 3, .initializer = &leave_for_the_end_task, .initializer_arg = &gate);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(gate_arrived(gate), 0);
    free_pool(pool);

    cr_assert_eq(gate_arrived(gate), 6);
    gate_free(gate);
}

static void crash_at_exit(void)
{
    raise(SIGKILL);
}

SOON_TASK(crash_later, soon_none, int)
{
    atexit(crash_at_exit);
    *result = 1;
    return 0;
}

/* loky: test_call_item_gc_crash_or_exit: a crash behind the result */
Test(process_lifetime, that_ends_badly_after_its_result_harms_nobody)
{
    soon_executor *pool = new_processes(.workers = 1, .max_tasks_per_worker = 1);
    int result;

    for (int i = 0; i < 5; i++)
        cr_assert_eq(soon_take(soon_submit(pool, crash_later), &result), 0);
    free_pool(pool);
}

static void hang_at_exit(void)
{
    for (;;)
        pause();
}

SOON_TASK(hang_later, soon_none, soon_none)
{
    atexit(hang_at_exit);
    return 0;
}

/* pebble: test_process_pool_join_workers; a worker that does not end is ended */
Test(process_lifetime, that_does_not_end_is_ended)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);

    cr_assert_eq(outcome_of(soon_submit(pool, hang_later)), 0);
    free_pool(pool);
}

/*
 * Initializers
 */

static int initialised;

SOON_TASK(set_global, int, soon_none)
{
    initialised = *arg + 1;
    return 0;
}

SOON_TASK(get_global, struct gate, int)
{
    *result = initialised;
    return arg->pid ? gate_pass(*arg, task) : 0;
}

/* CPython: InitializerTest.test_initializer; pebble: test_process_pool_initializer */
Test(process_lifetime, begins_with_the_initializer)
{
    int value = 7;
    soon_executor *pool = new_processes(.workers = 3, .initializer = &set_global_task, .initializer_arg = &value);
    struct gate gate = gate_new();
    soon_future *futures[3];
    int seen;

    value = 8; /* it was copied */
    for (int i = 0; i < 3; i++)
        futures[i] = get_global_submit(pool, &gate, NULL);
    gate_await(gate, 3);
    gate_open(gate, 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(soon_take(futures[i], &seen), 0);
        cr_assert_eq(seen, 8);
    }
    cr_assert_eq(outcome_of(soon_submit(pool, die_by, BY_SIGKILL)), SOON_EWORKERDIED);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(soon_take(get_global_submit(pool, NULL, NULL), &seen), 0);
        cr_assert_eq(seen, 8);
    }
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(fail_to_begin, int, soon_none)
{
    return soon_raise(task, 5, "no licence");
}

/* CPython: FailingInitializerTest.test_initializer; pebble: test_process_pool_broken_initializer */
Test(process_lifetime, breaks_the_pool_when_the_initializer_fails)
{
    soon_executor *pool = new_processes(.workers = 2, .initializer = &fail_to_begin_task);
    soon_future *futures[50];

    for (int i = 0; i < 50; i++)
        futures[i] = soon_submit(pool, nothing);
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(soon_future_wait(futures[i], SOON_FOREVER), 0);
        cr_assert_not(soon_future_error(futures[i])->started);
        cr_assert_not_null(strstr(soon_future_error(futures[i])->message, "no licence"));
        cr_assert_eq(outcome_of(futures[i]), SOON_EBROKEN);
    }
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), SOON_EBROKEN);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), SOON_EBROKEN);
    free_pool(pool);
}

SOON_TASK(die_to_begin, enum death, soon_none)
{
    die(*arg);
    return 0;
}

/* CPython: test_failed_worker_replacement_breaks_pool; loky: crash in the initializer */
Test(process_lifetime, breaks_the_pool_when_initializers_die_again_and_again)
{
    for (enum death how = 0; how < DEATHS; how++) {
        soon_executor *pool =
            new_processes(.workers = 2, .initializer = &die_to_begin_task, .initializer_arg = &how, .max_restarts = 2,
                          .start_timeout_ms = 300 /* signals may come from outside: these are given so much time */);
        soon_future *f = soon_submit(pool, nothing);

        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        cr_assert_not(soon_future_error(f)->started);
        cr_assert_eq(outcome_of(f), SOON_EBROKEN);
        free_pool(pool);
    }
}

SOON_TASK(be_killed_at_first, soon_none, soon_none)
{
    _Atomic int *times = soon_task_shared(task);

    if ((*times)++ < 60)
        raise(SIGKILL);
    return 0;
}

/* Of a killer from outside, not of the program: with as many in a row as would break the pool ten times over. */
Test(process_lifetime, goes_on_when_many_are_killed_before_they_are_ready)
{
    soon_shared *shared;
    soon_executor *pool;
    int doubled;

    cr_assert_eq(soon_shared_new(&shared, sizeof(int)), 0);
    pool = new_processes(.workers = 2, .initializer = &be_killed_at_first_task, .shared = shared,
                         .start_timeout_ms = 1000000);

    cr_assert_eq(soon_take(soon_submit(pool, twice, 4), &doubled), 0);
    cr_assert_eq(doubled, 8);
    free_pool(pool);
    soon_shared_unref(shared);
}

/* Fails (waits for ever) if a boot that was given up leaves its wish behind. */
Test(process_lifetime, ends_when_there_is_nothing_to_do_after_a_boot_that_was_not_waited_for)
{
    struct gate gate = gate_new();
    soon_executor *pool =
        new_processes(.workers = 2, .idle_timeout_ms = 20, .initializer = &pass_task, .initializer_arg = &gate);

    cr_assert_eq(soon_executor_boot(pool, 0), -ETIMEDOUT);
    gate_await(gate, 2);
    gate_open(gate, 2);
    test_wait_until(workers_of(pool) == 0);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(hang_to_begin, int, soon_none)
{
    for (; *arg == 0;)
        pause();
    return 0;
}

Test(process_lifetime, breaks_the_pool_when_initializers_take_too_long)
{
    soon_executor *pool =
        new_processes(.workers = 1, .initializer = &hang_to_begin_task, .start_timeout_ms = 50, .max_restarts = 1);
    soon_future *f = soon_submit(pool, nothing);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_not_null(strstr(soon_future_error(f)->message, "was not ready in 50 ms"), "%s",
                       soon_future_error(f)->message);
    cr_assert_eq(outcome_of(f), SOON_EBROKEN);
    free_pool(pool);
}

/*
 * process_stats.c - what soon_executor_stats() and the histograms say of a process pool, each number provoked once.
 */
#include "../support/process_fixture.h"

TestSuite(process_stats);

SOON_TASK(fail, soon_none, soon_none)
{
    return -EIO;
}

static void assert_sum(soon_executor *pool)
{
    soon_stats s = stats_of(pool);

    cr_assert_eq(s.submitted, s.pending + s.running + s.succeeded + s.failed + s.cancelled);
    cr_assert_eq(s.failed, s.failed_raised + s.failed_time_limit + s.failed_expired + s.failed_worker_died +
                               s.failed_killed + s.failed_lost + s.failed_otherwise);
    cr_assert_eq(s.workers, s.workers_starting + s.idle + s.workers_running + s.workers_retiring);
}

Test(process_stats, tell_apart_how_tasks_ended)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);
    struct gate gate = gate_new();
    soon_future *killed, *cancelled, *expired;
    soon_stats s;

    cr_assert_eq(outcome_of(soon_submit(pool, own_pid)), 0);
    cr_assert_eq(outcome_of(soon_submit(pool, fail)), SOON_ERAISED);
    cr_assert_eq(outcome_of(soon_submit(pool, die_by, BY_EXIT_3)), SOON_EWORKERDIED);
    cr_assert_eq(outcome_of(hang_submit(pool, NULL, &(soon_submit_options){.time_limit_ms = 1})), SOON_ETIMELIMIT);
    killed = stay_submit(pool, &gate, NULL);
    gate_await(gate, 1);
    cancelled = soon_submit(pool, own_pid);
    expired = own_pid_submit(pool, NULL, &(soon_submit_options){.queue_limit_ms = 1});
    assert_sum(pool);
    cr_assert(soon_future_cancel(cancelled));
    cr_assert_eq(outcome_of(expired), SOON_EEXPIRED);
    cr_assert_eq(soon_future_kill(killed), 0);
    cr_assert_eq(outcome_of(killed), SOON_EKILLED);
    soon_future_unref(cancelled);

    s = stats_of(pool);
    cr_assert_eq(s.submitted, 7);
    cr_assert_eq(s.succeeded, 1);
    cr_assert_eq(s.failed, 5);
    cr_assert_eq(s.cancelled, 1);
    cr_assert_eq(s.failed_raised, 1);
    cr_assert_eq(s.failed_worker_died, 1);
    cr_assert_eq(s.failed_time_limit, 1);
    cr_assert_eq(s.failed_expired, 1);
    cr_assert_eq(s.failed_killed, 1);
    cr_assert_eq(s.failed_otherwise, 0);
    assert_sum(pool);
    free_pool(pool);
    gate_free(gate);
}

Test(process_stats, count_tries_starts_and_restarts)
{
    soon_executor *pool = new_processes(.workers = 1);
    soon_stats s;

    cr_assert_eq(outcome_of(die_by_submit(pool, &(enum death){BY_EXIT_3}, &(soon_submit_options){.retries = 2})),
                 SOON_EWORKERDIED);
    cr_assert_eq(outcome_of(soon_submit(pool, own_pid)), 0);
    s = stats_of(pool);
    free_pool(pool);

    cr_assert_eq(s.retries, 2);
    cr_assert_eq(s.worker_deaths, 3);
    cr_assert_eq(s.worker_starts, 4);
    cr_assert_eq(s.worker_restarts, 3);
    cr_assert_eq(s.recycled_idle + s.recycled_tasks + s.recycled_memory, 0);
}

Test(process_stats, tell_apart_why_workers_were_recycled)
{
    soon_executor *pools[] = {new_processes(.workers = 1, .idle_timeout_ms = 1),
                              new_processes(.workers = 1, .max_tasks_per_worker = 1),
                              new_processes(.workers = 1, .memory_limit = 1)};

    for (int i = 0; i < 3; i++)
        cr_assert_eq(outcome_of(soon_submit(pools[i], own_pid)), 0);
    test_wait_until(stats_of(pools[0]).recycled_idle == 1);
    test_wait_until(stats_of(pools[1]).recycled_tasks == 1);
    test_wait_until(stats_of(pools[2]).recycled_memory == 1);
    cr_assert_eq(stats_of(pools[0]).recycled_tasks + stats_of(pools[0]).recycled_memory, 0);
    cr_assert_eq(stats_of(pools[1]).recycled_idle + stats_of(pools[1]).recycled_memory, 0);
    cr_assert_eq(stats_of(pools[2]).recycled_idle + stats_of(pools[2]).recycled_tasks, 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(stats_of(pools[i]).worker_deaths, 0);
        free_pool(pools[i]);
    }
}

Test(process_stats, tell_the_states_of_workers)
{
    soon_executor *pool = new_processes(.workers = 2);
    struct gate gate = gate_new();
    soon_future *f;

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(stats_of(pool).idle, 2);
    cr_assert_eq(stats_of(pool).workers_starting, 0);
    f = own_pid_at_gate_submit(pool, &gate, NULL);
    gate_await(gate, 1);
    cr_assert_eq(stats_of(pool).idle, 1);
    cr_assert_eq(stats_of(pool).workers_running, 1);
    cr_assert_eq(stats_of(pool).running, 1);
    assert_sum(pool);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(f), 0);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK_BYTES(echo)
{
    return soon_task_return_bytes(task, arg.data, arg.size);
}

Test(process_stats, count_bytes_of_small_and_large_arguments_and_results)
{
    static char large[5 << 20];
    soon_executor *pool = new_processes(.workers = 1);
    soon_stats s;
    int pid;

    for (int i = 0; i < 100; i++) {
        pid = pid_of_one(pool);
        cr_assert(pid > 0);
    }
    s = stats_of(pool);
    cr_assert_eq(s.bytes_from_workers, 100 * sizeof(int));
    cr_assert(s.bytes_to_workers <= 100 * 16);
    cr_assert_eq(outcome_of(echo_submit(pool, large, sizeof large, NULL)), 0);
    cr_assert(stats_of(pool).bytes_to_workers >= s.bytes_to_workers + sizeof large);
    cr_assert(stats_of(pool).bytes_from_workers >= s.bytes_from_workers + sizeof large);
    free_pool(pool);
}

SOON_TASK(pause_here, int, soon_none)
{
    nanosleep(&(struct timespec){.tv_nsec = *arg * 1000000L}, NULL);
    return 0;
}

/* The one worker is held until all are there; then it is busy with each for so long that the last waits for all others. */
Test(process_stats, have_how_long_tasks_wait_and_run)
{
    enum { TASKS = 8, MS = 5 };
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new();
    soon_future *first, *f[TASKS];
    soon_histogram wait, run;
    int ms = MS;

    first = stay_submit(pool, &gate, NULL);
    gate_await(gate, 1);
    for (int i = 0; i < TASKS; i++)
        f[i] = soon_submit(pool, pause_here, ms);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(first), 0);
    for (int i = 0; i < TASKS; i++)
        cr_assert_eq(outcome_of(f[i]), 0);
    cr_assert_eq(soon_executor_histogram(pool, SOON_QUEUE_WAIT, &wait), 0);
    cr_assert_eq(soon_executor_histogram(pool, SOON_RUN_TIME, &run), 0);
    free_pool(pool);
    gate_free(gate);

    cr_assert_eq(run.count, TASKS + 1);
    cr_assert_eq(wait.count, TASKS + 1);
    cr_assert(run.max_ns >= MS * UINT64_C(1000000));
    cr_assert(wait.max_ns >= (TASKS - 1) * MS * UINT64_C(1000000));
}

Test(process_stats, have_the_time_of_a_task_whose_worker_died)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);
    soon_histogram run;

    cr_assert_eq(outcome_of(hang_submit(pool, NULL, &(soon_submit_options){.time_limit_ms = 20})), SOON_ETIMELIMIT);
    cr_assert_eq(soon_executor_histogram(pool, SOON_RUN_TIME, &run), 0);
    free_pool(pool);

    cr_assert_eq(run.count, 1);
    cr_assert(run.max_ns >= 20000000);
}

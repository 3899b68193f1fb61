/*
 * thread_pool_stats.c - soon_executor_stats(): what it counts, and when.
 */
#include "../support/pools.h"

TestSuite(thread_pool_stats);

SOON_TASK(fail, soon_none, soon_none)
{
    return -EIO;
}

Test(thread_pool_stats, begin_at_nothing)
{
    soon_executor *pool = new_pool(.workers = 3);
    soon_stats stats, zeroes;

    memset(&stats, 0xff, sizeof stats);
    memset(&zeroes, 0, sizeof zeroes);
    soon_executor_stats(pool, &stats);
    cr_assert_eq(stats.workers_max, 3);
    stats.workers_max = 0;
    cr_assert_arr_eq(&stats, &zeroes, sizeof stats);
    memset(&stats, 0xff, sizeof stats);
    soon_executor_stats(NULL, &stats);
    cr_assert_arr_eq(&stats, &zeroes, sizeof stats);
    free_pool(pool);
}

/* Who has seen a result finds it counted, and the task running no more. */
Test(thread_pool_stats, are_exact_right_after_a_result)
{
    soon_executor *pool = new_pool(.workers = 3);
    soon_stats stats;

    for (uint64_t i = 1; i <= 3000; i++) {
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
        stats = stats_of(pool);
        cr_assert_eq(stats.succeeded, i);
        cr_assert_eq(stats.submitted, i);
        cr_assert_eq(stats.running, 0);
        cr_assert_eq(stats.pending, 0);
    }
    free_pool(pool);
}

static void note_stats(soon_future *future, void *data)
{
    *(soon_stats *)data = stats_of(soon_future_data(future));
}

Test(thread_pool_stats, are_exact_in_the_callback_too)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_stats seen;
    soon_future *f =
        nothing_submit(pool, NULL, &(soon_submit_options){.data = pool, .on_done = note_stats, .on_done_data = &seen});

    soon_future_unref(f);
    free_pool(pool);

    cr_assert_eq(seen.succeeded, 1);
    cr_assert_eq(seen.running, 0);
}

Test(thread_pool_stats, tell_apart_how_tasks_ended)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1, .queue_max = 2, .when_full = SOON_FULL_FAIL);
    soon_future *gives_in, *cancelled, *expired, *refused, *late;
    soon_stats stats;

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    cr_assert_eq(outcome_of(soon_submit(pool, fail)), SOON_ERAISED);
    gives_in = occupy_one(pool, gate);
    cancelled = soon_submit(pool, nothing);
    expired = nothing_submit(pool, NULL, &(soon_submit_options){.queue_limit_ms = 1});
    cr_assert(soon_future_cancel(cancelled));
    cr_assert_eq(stats_of(pool).cancelled, 1);
    cr_assert_eq(outcome_of(expired), SOON_EEXPIRED);
    cr_assert_eq(stats_of(pool).failed, 2);
    late = soon_submit(pool, nothing);
    soon_future_unref(soon_submit(pool, nothing));
    refused = soon_submit(pool, nothing);
    cr_assert_eq(outcome_of(refused), SOON_EFULL);

    stats = stats_of(pool);
    cr_assert_eq(stats.submitted, 7);
    cr_assert_eq(stats.succeeded, 1);
    cr_assert_eq(stats.failed, 2);
    cr_assert_eq(stats.cancelled, 1);
    cr_assert_eq(stats.running, 1);
    cr_assert_eq(stats.pending, 2);
    cr_assert_eq(stats.workers, 1);
    cr_assert_eq(stats.idle, 0);
    cr_assert_eq(stats.worker_deaths, 0);

    cr_assert(test_is_asked_to_end(gives_in));
    cr_assert_eq(outcome_of(gives_in), -ECANCELED);
    cr_assert_eq(stats_of(pool).cancelled, 2);
    cr_assert_eq(outcome_of(late), 0);
    soon_future_unref(cancelled);
    free_pool(pool);
    gate_free(gate);
}

Test(thread_pool_stats, stay_when_workers_have_gone)
{
    soon_executor *pool = new_pool(.workers = 2, .idle_timeout_ms = 1);
    soon_stats stats;

    for (int i = 0; i < 10; i++) {
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
        cr_assert_eq(outcome_of(soon_submit(pool, fail)), SOON_ERAISED);
        test_wait_until(workers_of(pool) == 0);
    }
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);

    stats = stats_of(pool);
    cr_assert_eq(stats.submitted, 20);
    cr_assert_eq(stats.succeeded, 10);
    cr_assert_eq(stats.failed, 10);
    cr_assert_eq(stats.running, 0);
    free_pool(pool);
}

Test(thread_pool_stats, count_what_a_shutdown_cancels)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *running = occupy_one(pool, gate);

    for (int i = 0; i < 30; i++)
        soon_future_unref(soon_submit(pool, nothing));
    cr_assert_eq(soon_executor_shutdown(pool, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
    cr_assert_eq(stats_of(pool).cancelled, 30);
    cr_assert_eq(stats_of(pool).pending, 0);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(running), 0);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(wait_for_a_child, struct gate, soon_none)
{
    soon_future *child = submit_pass(soon_task_executor(task), *arg);

    (void)soon_future_wait(child, 1000000000);
    soon_future_unref(child);
    return 0;
}

Test(thread_pool_stats, count_tasks_that_wait_and_spare_workers)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f = wait_for_a_child_submit(pool, &gate, NULL);
    soon_stats stats;

    gate_await(gate, 1);
    stats = stats_of(pool);
    cr_assert_eq(stats.running, 2);
    cr_assert_eq(stats.workers, 2);
    cr_assert_eq(stats.spares, 1);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(f), 0);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(submit_three_and_look, soon_none, soon_stats)
{
    soon_executor *pool = soon_task_executor(task);
    soon_future *children[3];

    for (int i = 0; i < 3; i++)
        children[i] = soon_submit(pool, nothing);
    soon_executor_stats(pool, result);
    soon_futures_unref(children, 3);
    return 0;
}

/* Caught: a count that does not know of what a worker keeps for itself. */
Test(thread_pool_stats, count_what_a_task_has_submitted)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_stats stats;

    cr_assert_eq(soon_take(soon_submit(pool, submit_three_and_look), &stats), 0);
    cr_assert_eq(stats.submitted, 4);
    cr_assert_eq(stats.pending, 3);
    cr_assert_eq(stats.running, 1);
    free_pool(pool);
}

Test(thread_pool_stats, count_the_wakings_of_sleepers)
{
    soon_executor *pool = new_pool(.workers = 1);

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    cr_assert_eq(stats_of(pool).wakeups, 0); /* it was started, not woken */
    for (uint64_t i = 1; i <= 20; i++) {
        test_wait_until(stats_of(pool).idle == 1);
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
        cr_assert_eq(stats_of(pool).wakeups, i);
    }
    free_pool(pool);
}

struct newer_stats {
    soon_stats known;
    long unknown[3];
};

Test(thread_pool_stats, are_written_as_far_as_the_program_knows_them)
{
    soon_executor *pool = new_pool(.workers = 1);
    struct newer_stats newer;
    soon_stats older;

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    memset(&newer, 0xff, sizeof newer);
    soon_executor_stats_sized(pool, &newer.known, sizeof newer);
    cr_assert_eq(newer.known.succeeded, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(newer.unknown[i], 0);

    memset(&older, 0xff, sizeof older);
    soon_executor_stats_sized(pool, &older, offsetof(soon_stats, succeeded));
    cr_assert_eq(older.submitted, 1);
    cr_assert_eq(older.succeeded, UINT64_MAX);
    soon_executor_stats_sized(pool, &older, 0);
    cr_assert_eq(older.submitted, 1);
    free_pool(pool);
}

static atomic_bool stop;

/* What is submitted is what has ended, runs or waits; a snapshot may catch a task on its way from one to the other. */
static void *look_all_the_time(void *pool)
{
    uint64_t last = 0;

    while (!stop) {
        soon_stats stats = stats_of(pool);
        uint64_t ended = stats.succeeded + stats.failed + stats.cancelled;

        cr_assert_leq(ended, stats.submitted);
        cr_assert_geq(ended, last);
        cr_assert_leq(stats.idle, stats.workers);
        last = ended;
    }
    return NULL;
}

Test(thread_pool_stats, may_be_read_by_any_thread)
{
    soon_executor *pool = new_pool(.workers = 3, .idle_timeout_ms = 1);
    pthread_t readers[2];

    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&readers[i], NULL, look_all_the_time, pool), 0);
    for (int i = 0; i < 3000; i++)
        soon_future_unref(i % 3 ? soon_submit(pool, nothing) : soon_submit(pool, fail));
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
    stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);

    cr_assert_eq(stats_of(pool).succeeded, 2000);
    cr_assert_eq(stats_of(pool).failed, 1000);
    free_pool(pool);
}

SOON_TASK(wait_for_another, struct gate, soon_none)
{
    return outcome_of(submit_pass(soon_task_executor(task), *arg));
}

Test(thread_pool_stats, tell_the_states_of_workers_and_why_they_ended)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1, .idle_timeout_ms = 1);
    soon_future *f = wait_for_another_submit(pool, &gate, NULL);
    soon_stats s;

    gate_await(gate, 1);
    s = stats_of(pool);
    cr_assert_eq(s.workers, s.workers_starting + s.idle + s.workers_running + s.workers_waiting);
    cr_assert_eq(s.running, 2);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(f), 0);
    test_wait_until(stats_of(pool).workers == 0);
    test_wait_until(stats_of(pool).workers_retiring == 0);
    s = stats_of(pool);
    cr_assert(s.worker_starts >= 1);
    cr_assert_eq(s.recycled_idle, s.worker_starts);
    cr_assert_eq(s.worker_restarts + s.recycled_tasks + s.recycled_memory + s.bytes_to_workers + s.bytes_from_workers,
                 0);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(gives_in, struct gate, soon_none)
{
    gate_knock(*arg);
    while (!soon_task_cancel_requested(task))
        sched_yield();
    return -ECANCELED;
}

Test(thread_pool_stats, tell_apart_how_tasks_have_failed)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *blocker, *expired;
    soon_stats s;

    cr_assert_eq(outcome_of(soon_submit(pool, fail)), SOON_ERAISED);
    cr_assert_eq(outcome_of(gives_in_submit(pool, &gate, &(soon_submit_options){.time_limit_ms = 1})), SOON_ETIMELIMIT);
    blocker = occupy_one(pool, gate);
    expired = nothing_submit(pool, NULL, &(soon_submit_options){.queue_limit_ms = 1});
    cr_assert_eq(outcome_of(expired), SOON_EEXPIRED);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(blocker), 0);

    s = stats_of(pool);
    cr_assert_eq(s.failed_raised, 1);
    cr_assert_eq(s.failed_time_limit, 1);
    cr_assert_eq(s.failed_expired, 1);
    cr_assert_eq(s.failed, 3);
    cr_assert_eq(s.submitted, 4);
    free_pool(pool);
    gate_free(gate);
}

/*
 * priority.c - how long a task of higher priority waits while many others are queued: from its submit to its start.
 *
 *     pool= workers= flood= (tasks of 1 us that wait) rounds=
 */
#include "pool.h"

#include <stdlib.h>
#include <unistd.h>

/* Keeps a worker busy until all the others have been submitted. */
SOON_TASK(gate, soon_none, soon_none)
{
    while (!soon_task_cancel_requested(task))
        usleep(100);
    return 0;
}

SOON_TASK(flood, uint32_t, uint32_t)
{
    bench_busy(1000);
    *result = *arg + 1;
    return 0;
}

SOON_TASK(when_started, soon_none, int64_t)
{
    *result = bench_now_ns();
    return 0;
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    uint32_t tasks = (uint32_t)bench_number("flood", 100000), result;
    size_t rounds = (size_t)bench_number("rounds", 200), under_flood = 0;
    soon_future **futures = bench_alloc(tasks, sizeof *futures);
    int64_t *waits_ns = bench_alloc(rounds, sizeof *waits_ns);
    size_t workers = (size_t)bench_number("workers", 2);
    soon_future **gates = bench_alloc(workers, sizeof *gates);
    soon_executor *pool = bench_pool();
    uint64_t sum = 0;
    soon_stats stats;

    for (size_t i = 0; i < workers; i++) {
        gates[i] = soon_submit(pool, gate);
        while (!soon_future_running(gates[i]))
            usleep(100);
    }
    for (uint32_t i = 0; i < tasks; i++)
        futures[i] = soon_submit(pool, flood, i);
    soon_futures_cancel(gates, workers);
    for (size_t i = 0; i < rounds; i++) {
        int64_t submitted_ns = bench_now_ns(), started_ns;
        soon_future *urgent = soon_submit_with(pool, (.priority = 1), when_started);
        bench_check(soon_take(urgent, &started_ns) == 0, "an urgent task");
        soon_executor_stats(pool, &stats);
        if (stats.pending == 0)
            break;
        waits_ns[under_flood++] = started_ns - submitted_ns;
    }
    if (under_flood < rounds / 2)
        bench_skip("the flood was over too soon");
    bench_percentiles(waits_ns, under_flood);
    for (uint32_t i = 0; i < tasks; i++) {
        bench_check(soon_take(futures[i], &result) == 0, "a task of the flood");
        sum += result;
    }
    bench_check(sum == bench_sum(tasks), "the sum of the results");
    soon_futures_unref(gates, workers);
    free(gates);
    soon_executor_free(pool);
    free(futures);
    free(waits_ns);
    return bench_finish();
}

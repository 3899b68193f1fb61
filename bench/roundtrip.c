/*
 * roundtrip.c - submit one task and read its result, again and again: without a pause (hot), or with the pool asleep
 * before each (idle).
 *
 *     pool= workers= rounds= pause_us= passes=, whole=1 (times all rounds at once, so that nothing else is counted)
 */
#include "pool.h"

#include <stdlib.h>
#include <unistd.h>

SOON_TASK(add_one, uint64_t, uint64_t)
{
    *result = *arg + 1;
    return 0;
}

static void trip(soon_executor *pool, uint64_t i)
{
    uint64_t result;

    bench_check(soon_take(soon_submit(pool, add_one, i), &result) == 0, "a task failed");
    bench_check(result == i + 1, "a result");
}

static void measure_whole(soon_executor *pool, size_t rounds)
{
    int64_t started_ns = bench_now_ns();

    for (size_t i = 0; i < rounds; i++)
        trip(pool, i);
    bench_metric("mean_ns", (double)(bench_now_ns() - started_ns) / (double)rounds);
}

static void measure(soon_executor *pool, int64_t *times_ns, size_t rounds, useconds_t pause_us)
{
    for (size_t i = 0; i < rounds; i++) {
        if (pause_us)
            usleep(pause_us);
        int64_t started_ns = bench_now_ns();
        trip(pool, i);
        times_ns[i] = bench_now_ns() - started_ns;
    }
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    size_t rounds = (size_t)bench_number("rounds", 20000);
    useconds_t pause_us = (useconds_t)bench_number("pause_us", 0);
    bool whole = bench_number("whole", 0) == 1;
    int64_t *times_ns = bench_alloc(rounds, sizeof *times_ns);
    soon_executor *pool = bench_pool();

    measure(pool, times_ns, rounds / 10 + 1, 0);
    for (int64_t i = bench_number("passes", 3); i > 0; i--) {
        if (whole) {
            measure_whole(pool, rounds);
            continue;
        }
        measure(pool, times_ns, rounds, pause_us);
        bench_percentiles(times_ns, rounds);
    }
    free(times_ns);
    soon_executor_free(pool);
    return bench_finish();
}

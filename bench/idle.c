/*
 * idle.c - what a pool costs that has just worked and has nothing to do: the time on a CPU of all threads and workers
 * except the one that measures.
 *
 *     pool= workers= seconds=
 */
#include "pool.h"

#include <unistd.h>

SOON_TASK(add_one, uint64_t, uint64_t)
{
    *result = *arg + 1;
    return 0;
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    int64_t seconds = bench_number("seconds", 10);
    soon_executor *pool = bench_pool();
    struct bench_used before, after;
    uint64_t result;

    for (uint64_t i = 0; i < 10000; i++)
        bench_check(soon_take(soon_submit(pool, add_one, i), &result) == 0 && result == i + 1, "a task failed");
    usleep(300000); /* by then nobody spins, and the loop has stopped inspecting the workers ten times a second */
    before = bench_used();
    sleep((unsigned)seconds);
    after = bench_used();
    bench_metric("cpu_us_per_s", (double)(after.cpu_ns - before.cpu_ns) / 1e3 / (double)seconds);
    bench_metric("switches_per_s", (double)(after.switches - before.switches) / (double)seconds);
    bench_check(soon_take(soon_submit(pool, add_one, 1), &result) == 0 && result == 2, "a task after the pause");
    soon_executor_free(pool);
    return bench_finish();
}

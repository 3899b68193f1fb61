/*
 * startup.c - how long after a pool of processes is made its first result is there.
 *
 *     pool= workers= resident= (bytes that the parent holds) passes=
 */
#include "pool.h"

SOON_TASK(add_one, uint64_t, uint64_t)
{
    *result = *arg + 1;
    return 0;
}

static int make(soon_executor **ret, int workers)
{
    if (bench_is_processes())
        return soon_process_pool_new(ret, &(soon_process_pool_options){.workers = workers});
    return soon_thread_pool_new(ret, &(soon_thread_pool_options){.workers = workers});
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    int workers = (int)bench_number("workers", 2);

    bench_grow(bench_number("resident", 0));
    for (int64_t i = bench_number("passes", 5); i > 0; i--) {
        soon_executor *pool;
        uint64_t result;
        int64_t started_ns = bench_now_ns();
        bench_check(make(&pool, workers) == 0, "the pool could not be made");
        bench_check(soon_take(soon_submit(pool, add_one, 1), &result) == 0 && result == 2, "the first result");
        bench_metric("first_result_ns", (double)(bench_now_ns() - started_ns));
        soon_executor_free(pool);
    }
    return bench_finish();
}

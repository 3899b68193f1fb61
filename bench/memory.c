/*
 * memory.c - what a pending future costs, with its task and argument, and what stays resident when all are gone.
 *
 *     pool= size= (of the argument: 0, 32 or 256) tasks=
 */
#include "pool.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct small {
    char bytes[32];
} small;
typedef struct large {
    char bytes[256];
} large;

/* Keeps the only worker busy. */
SOON_TASK(gate, soon_none, soon_none)
{
    while (!soon_task_cancel_requested(task))
        usleep(1000);
    return 0;
}
SOON_TASK(take_none, soon_none, soon_none)
{
    return 0;
}
SOON_TASK(take_small, small, soon_none)
{
    return 0;
}
SOON_TASK(take_large, large, soon_none)
{
    return 0;
}

static const soon_function *function_for(int64_t size)
{
    bench_check(size == 0 || size == 32 || size == 256, "size");
    return size == 0 ? &take_none_task : size == 32 ? &take_small_task : &take_large_task;
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    int64_t size = bench_number("size", 0), tasks = bench_number("tasks", 100000), before, full;
    const soon_function *function = function_for(size);
    static const large zeroes;
    soon_future **futures = bench_alloc((size_t)tasks, sizeof *futures), *held;
    soon_none none;
    soon_executor *pool;
    int rc = bench_is_processes() ? soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = 1})
                                  : soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1});

    bench_check(rc == 0, "the pool could not be made");
    held = soon_submit(pool, gate);
    while (!soon_future_running(held))
        usleep(1000);
    memset(futures, 1, (size_t)tasks * sizeof *futures); /* so that the array itself does not count */
    before = bench_resident();
    for (int64_t i = 0; i < tasks; i++)
        futures[i] = soon_submit_bytes(pool, function, size ? &zeroes : NULL, (size_t)size, NULL);
    full = bench_resident();
    bench_metric("bytes_per_future", (double)(full - before) / (double)tasks);

    soon_future_cancel(held);
    for (int64_t i = 0; i < tasks; i++)
        bench_check(soon_result(futures[i], &none) == 0, "a task failed");
    soon_futures_unref(futures, (size_t)tasks);
    soon_future_unref(held);
    bench_metric("left_mib", (double)(bench_resident() - before) / (1 << 20));
    bench_metric("peak_mib", (double)(full - before) / (1 << 20));
    soon_executor_free(pool);
    free(futures);
    return bench_finish();
}

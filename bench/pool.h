/*
 * pool.h - a pool of either kind for the programs that measure ours: pool=threads or pool=processes, workers=N.
 */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

#include "bench.h"

#include <soon.h>

#include <string.h>

static inline bool bench_is_processes(void)
{
    return strcmp(bench_word("pool", "threads"), "processes") == 0;
}

/* Makes a pool and waits until all of its workers have started. */
static inline soon_executor *bench_pool(void)
{
    int workers = (int)bench_number("workers", 2);
    soon_executor *pool;
    int rc = bench_is_processes() ? soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = workers})
                                  : soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = workers});

    bench_check(rc == 0, "the pool could not be made");
    bench_check(soon_executor_boot(pool, SOON_FOREVER) == 0, "the pool could not start");
    return pool;
}

/* Call it at the top of main: a worker process does not come back from it. */
static inline void bench_start_ours(int argc, char **argv)
{
    bench_check(soon_init(argc, argv) == 0, "soon_init");
    bench_start(argc, argv);
}

#endif

/*
 * pools.h - thread pools for tests, and tasks that tell where they run.
 */
#ifndef SOON_TESTS_POOLS_H
#define SOON_TESTS_POOLS_H

#include "gate.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static inline soon_executor *new_pool_of(const soon_thread_pool_options *options)
{
    soon_executor *pool = NULL;

    cr_assert_eq(soon_thread_pool_new(&pool, options), 0);
    return pool;
}
/* new_pool(.workers = 2, .queue_max = 5) */
#define new_pool(...) new_pool_of(&(soon_thread_pool_options){__VA_ARGS__})

static inline void free_pool(soon_executor *pool)
{
    cr_assert_eq(soon_executor_free(pool), 0);
}

/* Begins to shut a busy pool down, without waiting. True if that worked: the shutdown goes on, or by force is over. */
static inline bool begins_shutdown(soon_executor *pool, soon_shutdown mode)
{
    int rc = soon_executor_shutdown(pool, mode, 0);

    return rc == -ETIMEDOUT || (rc == 0 && mode >= SOON_TERMINATE);
}

static inline soon_stats stats_of(soon_executor *pool)
{
    soon_stats stats;

    soon_executor_stats(pool, &stats);
    return stats;
}

static inline size_t workers_of(soon_executor *pool)
{
    return stats_of(pool).workers;
}

/* Keeps one worker busy until gate_open(gate, 1). */
static inline soon_future *occupy_one(soon_executor *pool, struct gate gate)
{
    soon_future *f = submit_pass(pool, gate);

    gate_await(gate, 1);
    return f;
}

/* Waits for the result and gives the future up. Returns what the wait has returned. */
static inline int outcome_of(soon_future *f)
{
    int rc = soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0});

    soon_future_unref(f);
    return rc;
}

SOON_TASK(nothing, soon_none, soon_none)
{
    return 0;
}

SOON_TASK(twice, int, int)
{
    *result = *arg * 2;
    return 0;
}

SOON_TASK(which_thread, soon_none, int)
{
    *result = gettid();
    return 0;
}

/* Takes some time, as work does. */
SOON_TASK(pause_for_us, int, soon_none)
{
    nanosleep(&(struct timespec){.tv_nsec = *arg * 1000L}, NULL);
    return 0;
}

#endif

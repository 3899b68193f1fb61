/*
 * add_up.h - the task and the callback of the programs that measure callbacks.
 */
#ifndef BENCH_ADD_UP_H
#define BENCH_ADD_UP_H

#include "pool.h"

SOON_TASK(add_one, uint64_t, uint64_t)
{
    *result = *arg + 1;
    return 0;
}

struct count {
    uint64_t calls, sum;
};

static inline void add_up(soon_future *future, void *data)
{
    struct count *count = data;
    uint64_t result;

    bench_check(soon_result(future, &result) == 0, "a task failed");
    count->calls++;
    count->sum += result;
    soon_future_unref(future);
}

#endif

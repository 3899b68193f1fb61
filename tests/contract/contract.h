/*
 * contract.h - what the contract suite shares: what every executor must do, whoever wrote it. The tests use the public
 * interface alone, and tasks whose arguments and results travel by value.
 */
#ifndef SOON_TESTS_CONTRACT_H
#define SOON_TESTS_CONTRACT_H

#include "../support/executors.h"
#include "../support/gate.h"

struct pair {
    int x, y;
};

SOON_TASK(mul, struct pair, int)
{
    *result = arg->x * arg->y;
    return 0;
}

SOON_TASK(divide, struct pair, int)
{
    if (arg->y == 0)
        return soon_raise(task, EDOM, "division of %d by zero", arg->x);
    *result = arg->x / arg->y;
    return 0;
}

SOON_TASK(nothing, soon_none, soon_none)
{
    return 0;
}

/* So many tasks have come to the gate, and the executor knows that they run. */
static inline void await_running(soon_executor *executor, const struct executor_kind *kind, struct gate gate, int count)
{
    soon_stats stats;

    gate_await(gate, count);
    do
        soon_executor_stats(executor, &stats);
    while (kind->hears_late && stats.running < (size_t)count);
}

/* Keeps all workers busy until gate_open(gate, kind->workers). */
static inline void occupy(soon_executor *executor, const struct executor_kind *kind, struct gate gate)
{
    for (int i = 0; i < kind->workers; i++)
        soon_future_unref(submit_pass(executor, gate));
    await_running(executor, kind, gate, kind->workers);
}

#endif

/*
 * stage.c - the states of a worker process: one function for each of its three enums (state_internal.h), which alone
 * changes it.
 */
#include "stage_internal.h"

#include <assert.h>

/* It takes work, or will. */
static bool is_alive(enum soon__stage stage)
{
    return stage == SOON__STARTING || stage == SOON__READY;
}

static bool may_follow(enum soon__stage from, enum soon__stage to)
{
    static const unsigned char after[] = {
        [SOON__STARTING] = 1 << SOON__READY | 1 << SOON__RETIRING | 1 << SOON__CONDEMNED | 1 << SOON__DEAD,
        [SOON__READY] = 1 << SOON__RETIRING | 1 << SOON__CONDEMNED | 1 << SOON__DEAD,
        [SOON__RETIRING] = 1 << SOON__CONDEMNED | 1 << SOON__DEAD,
        [SOON__CONDEMNED] = 1 << SOON__READY | 1 << SOON__DEAD,
        [SOON__DEAD] = 0,
    };

    return after[from] >> to & 1;
}

void soon__process_enter_locked(struct soon__process *process, enum soon__stage to)
{
    struct soon__process_pool *pool = process->pool;
    enum soon__stage from = process->locked.stage;
    bool allowed = may_follow(from, to);

    assert(allowed);
    (void)allowed; /* without asserts */
    process->locked.stage = to;
    pool->locked.alive += is_alive(to);
    pool->locked.alive -= is_alive(from);
    pool->locked.ready += to == SOON__READY;
    pool->locked.ready -= from == SOON__READY;
    /* Relaxed: a number to be shown. */
    atomic_store_explicit(&pool->backlog.executor->ready, (int32_t)pool->locked.ready, memory_order_relaxed);
}

void soon__process_advance(struct soon__process *process, enum soon__begun to)
{
    assert(to > process->loop.begun);
    process->loop.begun = to;
}

void soon__process_blame_locked(struct soon__process *process, enum soon__why why)
{
    enum soon__why now = process->locked.why;
    bool is_of_its_start = now == SOON__WHY_LATE || now == SOON__WHY_SHORT;

    assert(why != SOON__WHY_ITSELF);
    if (now == SOON__WHY_ITSELF || (is_of_its_start && soon__why_is_ours(why)) ||
        (now == SOON__WHY_LATE && why == SOON__WHY_SHORT))
        process->locked.why = why;
}

int soon__process_cause_of(const struct soon__process *process, const struct soon__assignment *lost)
{
    if (lost->sentence.code)
        return lost->sentence.code;
    switch (process->locked.why) {
    case SOON__WHY_POOL_BREAKS:
        return SOON_EBROKEN;
    case SOON__WHY_POOL_STOPS:
        return SOON_EKILLED;
    default:
        return SOON_EWORKERDIED;
    }
}

/*
 * decide.c - who is woken, who is started, all under the pool's mutex. The invariants are in pool_internal.h.
 */
#include "pool_internal.h"

#define GROWTH_PUT_OFF_NS INT64_C(1000000)
#define SPARE_IDLE_NS INT64_C(1000000000) /* for threads that only stood in for parked ones */

size_t soon__pool_active_locked(const struct soon__pool *pool)
{
    return pool->locked.threads - pool->locked.idle - pool->locked.parked;
}

int64_t soon__pool_idle_limit(const struct soon__pool *pool)
{
    return pool->idle_timeout_ns ? pool->idle_timeout_ns : SPARE_IDLE_NS;
}

struct soon__worker *soon__pool_pop_idle_locked(struct soon__pool *pool, struct soon__worker *worker)
{
    if (worker->next_idle)
        worker->next_idle->previous_idle = worker->previous_idle;
    else
        pool->locked.idle_last = worker->previous_idle;
    if (worker->previous_idle)
        worker->previous_idle->next_idle = worker->next_idle;
    else
        pool->locked.idle_first = worker->next_idle;
    worker->idle = false;
    pool->locked.idle--;
    return worker;
}

void soon__pool_count_start_locked(struct soon__pool *pool, size_t count)
{
    pool->locked.threads += count;
    pool->locked.unjoined += count;
    pool->locked.starting += count;
}

/* How many will look for work in a moment. */
static size_t between_locked(const struct soon__pool *pool)
{
    size_t count = 0;

    /* Relaxed: who has seen an outcome sees the flag, which was set before it was published. */
    for (struct soon__worker *worker = pool->locked.workers; worker; worker = worker->next)
        count += atomic_load_explicit(&worker->between, memory_order_relaxed);
    return count;
}

/* Those that will take a task each, whatever happens meanwhile. */
static size_t coming_locked(const struct soon__pool *pool)
{
    return pool->locked.starting + pool->locked.waking;
}

/* Is there a taker for each task already (I8)? */
static bool put_off_locked(struct soon__pool *pool)
{
    if (pool->locked.queue.count <= coming_locked(pool))
        return true;
    if (pool->locked.queue.count > coming_locked(pool) + between_locked(pool))
        return false;
    if (pool->locked.grow_at == SOON__NEVER) {
        pool->locked.grow_at = soon__clock_ns() + GROWTH_PUT_OFF_NS;
        soon__pool_alarm_locked(pool, pool->locked.grow_at);
    }
    return true;
}

struct soon__wake soon__pool_decide_locked(struct soon__pool *pool)
{
    struct soon__wake wake = {NULL, false};

    if (soon__pool_active_locked(pool) >= pool->max)
        return wake;
    if (pool->locked.idle) {
        if (pool->locked.waking)
            return wake; /* I2: that one will pass it on */
        wake.worker = soon__pool_pop_idle_locked(pool, pool->locked.idle_first);
        pool->locked.waking = true;
        pool->locked.wakeups++;
    } else if (pool->locked.threads < pool->max + SOON__SPARES_MAX && !put_off_locked(pool)) {
        wake.start = true;
        soon__pool_count_start_locked(pool, 1);
    }
    return wake;
}

struct soon__wake soon__pool_grow_locked(struct soon__pool *pool, int64_t now)
{
    struct soon__wake wake = {NULL, false};

    if (pool->locked.grow_at > now)
        return wake;
    pool->locked.grow_at = SOON__NEVER;
    if (pool->locked.queue.count > coming_locked(pool) && !pool->locked.idle &&
        soon__pool_active_locked(pool) < pool->max && pool->locked.threads < pool->max + SOON__SPARES_MAX) {
        wake.start = true;
        soon__pool_count_start_locked(pool, 1);
    }
    return wake;
}

void soon__pool_do(struct soon__pool *pool, struct soon__wake wake)
{
    if (wake.worker)
        soon__worker_ring(wake.worker);
    if (wake.start)
        (void)soon__worker_start(pool); /* a failure is dealt with there */
}

void soon__pool_freed_locked(struct soon__pool *pool)
{
    if (pool->locked.waiting)
        pthread_cond_signal(&pool->place);
}

void soon__pool_alarm_locked(struct soon__pool *pool, int64_t when)
{
    if (when >= pool->locked.alarm)
        return;
    pool->locked.alarm = when;
    if (!pool->locked.look_posted)
        soon__library_loop_post(&pool->look);
    pool->locked.look_posted = true;
}

void soon__pool_close_if_empty_locked(struct soon__pool *pool)
{
    if (!pool->locked.closed || pool->locked.unjoined || pool->locked.queue.count || pool->locked.close_posted)
        return;
    pool->locked.close_posted = true;
    soon__library_loop_post(&pool->close); /* behind a look that may be posted */
}

void soon__pool_ring_all_locked(struct soon__pool *pool)
{
    while (pool->locked.idle_first)
        soon__worker_ring(soon__pool_pop_idle_locked(pool, pool->locked.idle_first));
}

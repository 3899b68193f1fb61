/*
 * scheduler.c - how tasks come in, who is woken, who is started: all of it when the pool's mutex is given back. The
 * invariants are in pool_internal.h.
 *
 *     push: inject by compare-exchange --not open: lock, queue, unlock--> decide
 *     lock: inject --> queue                  unlock: decide; set the mode, take in what came; decide; ring, start
 */
#include "state_internal.h"

size_t soon__pool_active_locked(const struct soon__pool *pool)
{
    return pool->locked.threads - pool->locked.idle - pool->locked.parked;
}

struct soon__worker *soon__pool_pop_idle_locked(struct soon__pool *pool)
{
    struct soon__worker *worker = pool->locked.idlers;

    pool->locked.idlers = worker->next_idle;
    pool->locked.idle--;
    return worker;
}

void soon__pool_count_start_locked(struct soon__pool *pool, size_t count)
{
    pool->locked.threads += count;
    pool->locked.unjoined += count;
    pool->locked.starting += count;
}

/*
 * Deciding
 */

/* What is to be done outside the mutex about a decision under it. */
struct wake {
    struct soon__worker *worker; /* ring it */
    size_t starts;               /* start so many: they are counted already */
};

/* Those that will look for work, and pass the baton on: in a moment, or, where nobody is idle, when their start is over. */
static size_t coming_locked(const struct soon__pool *pool)
{
    bool searched = soon__inject_look(&pool->inject) & SOON__SEARCHER;

    return pool->locked.idle ? searched : searched + pool->locked.starting; /* an initializer may take its time */
}

static size_t may_start_locked(const struct soon__pool *pool)
{
    size_t threads = pool->locked.threads, active = soon__pool_active_locked(pool);
    size_t threads_max = pool->max + SOON__SPARES_MAX;

    if (threads >= threads_max || active >= pool->max || (pool->locked.cannot_start && active > 0))
        return 0;
    return pool->max - active < threads_max - threads ? pool->max - active : threads_max - threads;
}

/* I2, I8 */
static void decide_locked(struct soon__pool *pool, struct wake *wake)
{
    size_t coming, missing;

    if (!pool->locked.queue.count || pool->locked.broken || soon__pool_active_locked(pool) >= pool->max)
        return;
    coming = coming_locked(pool);
    if (pool->locked.queue.count <= coming)
        return;
    if (pool->locked.idle) {
        if (coming || wake->worker || !soon__inject_search(&pool->inject))
            return;
        wake->worker = soon__pool_pop_idle_locked(pool);
        wake->worker->searches = true;
        pool->locked.wakeups++;
        return;
    }
    missing = pool->locked.queue.count - coming;
    if (missing > may_start_locked(pool))
        missing = may_start_locked(pool);
    soon__pool_count_start_locked(pool, missing);
    wake->starts += missing;
}

/*
 * Coming in
 */

/* I9. Others go another way: the loop has to know of a queue limit, and workers of what comes before all else. */
bool soon__pool_push(struct soon__pool *pool, soon_call *call)
{
    if (pool->queue_max || (soon__call_extra(call) && (soon__call_extra(call)->queue_deadline != SOON__NEVER ||
                                                       soon__call_extra(call)->options.priority > 0)))
        return false;
    return soon__inject_push(&pool->inject, call);
}

void soon__pool_enqueue_locked(struct soon__pool *pool, soon_call *latest)
{
    if (latest)
        pool->locked.submitted += soon__queue_push_list(&pool->locked.queue, latest);
}

void soon__pool_lock(struct soon__pool *pool)
{
    soon__mutex_lock(&pool->mutex);
    soon__pool_enqueue_locked(pool, soon__inject_take_locked(&pool->inject, false));
}

void soon__worker_lock(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    soon__mutex_lock(&pool->mutex);
    soon__pool_enqueue_locked(pool, soon__inject_take_locked(&pool->inject, worker->searches));
    worker->searches = false;
}

uintptr_t soon__pool_mode_locked(const struct soon__pool *pool)
{
    size_t active = soon__pool_active_locked(pool);
    struct soon__heap_node *first = soon__heap_first(&pool->locked.queue.prioritised);

    if (pool->locked.closed || pool->locked.broken)
        return SOON__SHUT;
    if (active < pool->max)
        return SOON__NEEDED;
    return active > pool->max || (first && first->key < 0) ? SOON__CROWDED : SOON__BUSY;
}

/* I9: true: it is open. */
static bool set_mode_locked(struct soon__pool *pool)
{
    soon_call *came;
    bool open = soon__inject_set_locked(
        &pool->inject, soon__pool_mode_locked(pool) | (pool->locked.queue.count ? SOON__QUEUED : 0), &came);

    soon__pool_enqueue_locked(pool, came);
    return open;
}

bool soon__pool_take_in_locked(struct soon__pool *pool)
{
    size_t before = pool->locked.queue.count;

    if (set_mode_locked(pool))
        return false;
    /* Pairs with the fence in deque.c: who pushes sees that it is not open, or we see what is in its deque. */
    atomic_thread_fence(memory_order_seq_cst);
    soon__deques_look_locked(pool, SIZE_MAX);
    if (pool->locked.queue.count != before)
        set_mode_locked(pool); /* with QUEUED: from now on who searches takes the mutex */
    return true;
}

void soon__pool_unlock(struct soon__pool *pool)
{
    struct wake wake = {NULL, 0};

    decide_locked(pool, &wake);
    if (soon__pool_take_in_locked(pool) && pool->locked.queue.count) {
        decide_locked(pool, &wake); /* for what has come until then; or the searcher has found another call */
        set_mode_locked(pool);
    }
    soon__mutex_unlock(&pool->mutex);
    if (wake.worker) /* who was decided upon keeps the pool */
        soon__worker_ring(wake.worker);
    for (; wake.starts; wake.starts--)
        soon__worker_start(pool); /* a failure is dealt with there */
}

/*
 * Places, limits, the end
 */

void soon__pool_freed_locked(struct soon__pool *pool)
{
    if (pool->place.waiting)
        soon__condition_tell_one(&pool->place);
}

bool soon__pool_take_back_locked(struct soon__pool *pool, soon_call *call)
{
    if (soon__call_place(call) != SOON__CALL_QUEUED)
        return soon__deque_take_back_locked(pool, call);
    soon__queue_remove(&pool->locked.queue, call);
    soon__pool_freed_locked(pool);
    return true;
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
    if (!pool->locked.closed || pool->locked.unjoined || pool->locked.queue.count || pool->locked.closing)
        return;
    pool->locked.closing = true;
    soon__pool_alarm_locked(pool, 0);
}

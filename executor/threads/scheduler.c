/*
 * scheduler.c - how calls come in, who is woken, who is started: all of it when the pool's mutex is unlocked. The
 * invariants are in state_internal.h.
 *
 *     push: injector by compare-exchange --not open: lock, queue, unlock--> decide
 *     lock: injector --> queue                unlock: decide; set the mode, take in what came; decide; ring, start
 */
#include "scheduler_internal.h"

#include "deque_internal.h"

struct soon__worker *soon__pool_pop_idle_locked(struct soon__pool *pool, enum soon__worker_state to)
{
    struct soon__worker *worker = pool->locked.idlers;

    pool->locked.idlers = worker->locked.next_idle;
    soon__worker_become(worker, SOON__WORKER_IDLE, to);
    return worker;
}

void soon__worker_ring(struct soon__worker *worker)
{
    /* Release: pairs with the acquire in sleep_locked(); the mutex orders the rest. */
    atomic_store_explicit(&worker->bell, 1, memory_order_release);
    soon__unpark_one(&worker->bell);
}

void soon__pool_start_locked(struct soon__pool *pool, size_t count)
{
    if (!count)
        return;
    pool->locked.in[SOON__WORKER_STARTING] += count;
    pool->locked.to_start += count;
    soon__pool_alarm_locked(pool, 0);
}

/*
 * Deciding
 */

/* Workers that will look for work, and wake the next one then: in a moment, or, where nobody is idle, when their start
 * is over. */
static size_t coming_locked(const struct soon__pool *pool)
{
    bool searched = soon__inject_load(&pool->backlog.inject) & SOON__SEARCHER;

    return pool->locked.in[SOON__WORKER_IDLE]
               ? searched
               : searched + pool->locked.in[SOON__WORKER_STARTING] + pool->locked.in[SOON__WORKER_STARTING_PARKED];
}

/* I3. Returns how many workers may be started. Those that are parked inside a task are not active, so spares are among
 * these. */
static size_t may_start_locked(const struct soon__pool *pool)
{
    size_t threads = soon__pool_threads_locked(pool), active = soon__pool_active_locked(pool);
    size_t max = pool->options.max, threads_max = max + SOON__SPARES_MAX;

    if (threads >= threads_max || active >= max || (pool->locked.cannot_start && active > 0))
        return 0;
    return max - active < threads_max - threads ? max - active : threads_max - threads;
}

/* I8 */
static void start_missing_locked(struct soon__pool *pool, size_t missing)
{
    size_t most = may_start_locked(pool);

    soon__pool_start_locked(pool, missing < most ? missing : most);
}

/* I2, I8. Wakes a worker, which is to be rung when the mutex is unlocked, or starts some. Returns who is to be rung;
 * NULL: nobody. `woken`: who is already. */
static struct soon__worker *decide_locked(struct soon__pool *pool, struct soon__worker *woken)
{
    size_t queued = pool->backlog.locked.queue.count, coming;

    if (!queued || pool->backlog.locked.state == SOON__BROKEN || soon__pool_active_locked(pool) >= pool->options.max)
        return woken;
    coming = coming_locked(pool);
    if (queued <= coming)
        return woken;
    if (!pool->locked.in[SOON__WORKER_IDLE]) {
        start_missing_locked(pool, queued - coming);
        return woken;
    }
    if (coming || woken || !soon__inject_search(&pool->backlog.inject))
        return woken;
    pool->locked.wakeups++;
    return soon__pool_pop_idle_locked(pool, SOON__WORKER_SEARCHING);
}

/*
 * Coming in
 */

/* I9. Other calls take the mutex: the loop has to know of a queue limit, and workers of what comes before all else. */
bool soon__pool_push(struct soon__pool *pool, soon_call *call)
{
    if (pool->backlog.bound || (soon__call_extra(call) && (soon__call_extra(call)->queue_deadline != SOON__NEVER ||
                                                           soon__call_extra(call)->options.priority > 0)))
        return false;
    return soon__inject_push(&pool->backlog.inject, call);
}

void soon__pool_enqueue_locked(struct soon__pool *pool, soon_call *latest)
{
    if (latest)
        pool->backlog.locked.submitted += soon__queue_push_list(&pool->backlog.locked.queue, latest);
}

void soon__pool_lock(struct soon__pool *pool)
{
    soon__mutex_lock(&pool->backlog.mutex);
    soon__pool_enqueue_locked(pool, soon__inject_take_locked(&pool->backlog.inject, false));
}

void soon__worker_lock(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    bool is_searcher = worker->state == SOON__WORKER_SEARCHING;

    soon__mutex_lock(&pool->backlog.mutex);
    soon__pool_enqueue_locked(pool, soon__inject_take_locked(&pool->backlog.inject, is_searcher));
    if (is_searcher)
        soon__worker_become(worker, SOON__WORKER_SEARCHING, SOON__WORKER_RUNNING);
}

uintptr_t soon__pool_mode_locked(const struct soon__pool *pool)
{
    size_t active = soon__pool_active_locked(pool);
    struct soon__heap_node *first = soon__heap_first(&pool->backlog.locked.queue.prioritised);

    if (pool->backlog.locked.state != SOON__OPEN)
        return SOON__SHUT;
    if (active < pool->options.max)
        return SOON__NEEDED;
    return active > pool->options.max || (first && first->key < 0) ? SOON__CROWDED : SOON__BUSY;
}

/* I9. True: it is open. */
static bool set_mode_locked(struct soon__pool *pool)
{
    soon_call *came;
    bool open = soon__inject_set_locked(
        &pool->backlog.inject, soon__pool_mode_locked(pool) | (pool->backlog.locked.queue.count ? SOON__QUEUED : 0),
        &came);

    soon__pool_enqueue_locked(pool, came);
    return open;
}

bool soon__pool_take_in_locked(struct soon__pool *pool)
{
    size_t before = pool->backlog.locked.queue.count;

    if (set_mode_locked(pool))
        return false;
    /* Pairs with the fence in deque.c: a thread that pushes sees that it is closed, or we see what is in its deque. */
    atomic_thread_fence(memory_order_seq_cst);
    soon__deques_gather_locked(pool, SIZE_MAX);
    if (pool->backlog.locked.queue.count != before)
        set_mode_locked(pool); /* with QUEUED: from now on a worker that is SEARCHING takes the mutex */
    return true;
}

void soon__pool_unlock(struct soon__pool *pool)
{
    struct soon__worker *woken = decide_locked(pool, NULL);

    if (soon__pool_take_in_locked(pool) && pool->backlog.locked.queue.count) {
        /* For what has come until then; or the one that was SEARCHING has found another call. */
        woken = decide_locked(pool, woken);
        set_mode_locked(pool);
    }
    soon__mutex_unlock(&pool->backlog.mutex);
    if (woken) /* it keeps the pool */
        soon__worker_ring(woken);
}

/*
 * Places, limits, the end
 */

void soon__pool_freed_locked(struct soon__pool *pool)
{
    if (pool->backlog.place.waiting)
        soon__condition_tell_one(&pool->backlog.place);
}

bool soon__pool_take_back_locked(struct soon__pool *pool, soon_call *call)
{
    if (soon__call_place(call) != SOON__CALL_QUEUED)
        return soon__deque_take_back_locked(pool, call);
    soon__queue_remove(&pool->backlog.locked.queue, call);
    soon__pool_freed_locked(pool);
    return true;
}

void soon__pool_alarm_locked(struct soon__pool *pool, int64_t when)
{
    if (when >= pool->locked.alarm)
        return;
    pool->locked.alarm = when;
    if (!pool->locked.watch_posted)
        soon__library_loop_post(&pool->loop.watch);
    pool->locked.watch_posted = true;
}

void soon__pool_end_if_empty_locked(struct soon__pool *pool)
{
    if (!soon__backlog_is_ending_locked(&pool->backlog) || soon__pool_threads_locked(pool) ||
        pool->locked.in[SOON__WORKER_LEAVING] || pool->backlog.locked.queue.count || pool->locked.is_over)
        return;
    pool->locked.is_over = true;
    soon__pool_alarm_locked(pool, 0);
}

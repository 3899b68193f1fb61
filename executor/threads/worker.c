/*
 * worker.c - a worker thread looks for work, runs it, and sleeps when there is none. The states and invariants are in
 * state_internal.h.
 *
 *     RUNNING, with the mutex --a call--> unlock, wake the next, run --------------------------------+
 *        ^  |                                                                                        |
 *        |  +--none--> SEARCHING, spin --came--> take it without the mutex, run --> SEARCHING, spin  |
 *        |                |                                                                          |
 *        |                +--time is over--> IDLE --rung--+                                          |
 *        +------------------------------------------------+------------------------------------------+
 */
#include "worker_internal.h"

#include "deque_internal.h"
#include "run_internal.h"

enum { BATCH_MAX = 16, BATCH_NS = 20000 };

static soon_call *take_locked(struct soon__pool *pool)
{
    soon_call *call;

    if (soon__pool_is_crowded_locked(pool)) /* I3 */
        return NULL;
    soon__deques_gather_locked(pool, 1);
    call = soon__queue_pop(&pool->backlog.locked.queue);
    if (call) {
        soon__pool_freed_locked(pool);
        pool->locked.cannot_start = false;
    }
    return call;
}

static bool must_end_locked(const struct soon__worker *worker)
{
    const struct soon__pool *pool = worker->pool;

    if (worker->state == SOON__WORKER_LEAVING || pool->backlog.locked.state == SOON__BROKEN)
        return true;
    return pool->backlog.locked.state == SOON__CLOSED &&
           (!pool->backlog.locked.queue.count || soon__pool_is_crowded_locked(pool));
}

/*
 * Spinning
 */

/* I10 */
static bool has_news(void *data)
{
    const struct soon__pool *pool = data;
    uintptr_t word = soon__inject_load(&pool->backlog.inject);

    /* Relaxed: a thread that sees it takes the mutex, which orders the rest. */
    return soon__inject_latest(word) || word & SOON__QUEUED || (word & SOON__MODE) == SOON__SHUT ||
           atomic_load_explicit(&pool->nested, memory_order_relaxed);
}

/* The call that came, if it is the only one; else what came goes to `*ret_rest`, for the queue. */
static soon_call *take_injected(struct soon__worker *worker, soon_call **ret_rest)
{
    struct soon__pool *pool = worker->pool;
    soon_call *call = soon__inject_take(&pool->backlog.inject);

    if (!call)
        return NULL;
    soon__worker_become(worker, SOON__WORKER_SEARCHING, SOON__WORKER_RUNNING);
    /* Sequentially consistent, after that exchange: Q3. */
    if (!call->next && !atomic_load_explicit(&pool->nested, memory_order_seq_cst)) {
        soon__count(&worker->counts.submitted, 1);
        soon__call_move(call, SOON__CALL_IN_HAND);
        return call;
    }
    *ret_rest = call;
    return NULL;
}

/* I10. True: something came, or may have. */
static bool spin_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    soon_call *call, *rest = NULL;
    bool came;

    if (!pool->options.spin_ns || soon__pool_is_crowded_locked(pool) || !soon__spin_pays(&pool->locked.spin) ||
        !soon__worker_search(worker))
        return false;
    soon__pool_unlock(pool);
    do {
        came = soon__spin_until(has_news, pool, soon__clock_ns() + pool->options.spin_ns);
        soon__spin_note(&pool->locked.spin, came);
        call = came ? take_injected(worker, &rest) : NULL;
        if (call)
            soon__worker_run_next(worker, call, false);
    } while (call && soon__worker_search(worker));
    soon__worker_lock(worker);
    soon__pool_enqueue_locked(pool, rest);
    return came || pool->backlog.locked.queue.count ||
           must_end_locked(worker); /* we did not have the mutex meanwhile */
}

/*
 * Sleeping
 */

/* Until another thread has taken it out of the idle ones and rung. */
static void sleep_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    soon__worker_become(worker, SOON__WORKER_RUNNING, SOON__WORKER_IDLE);
    worker->locked.next_idle = pool->locked.idlers;
    pool->locked.idlers = worker;
    worker->locked.idle_since = soon__clock_ns();
    if (pool->options.all_retire || soon__pool_threads_locked(pool) > pool->options.max)
        soon__pool_alarm_locked(pool, worker->locked.idle_since + pool->options.idle_limit_ns);
    /* Relaxed: the mutex orders it. */
    atomic_store_explicit(&worker->bell, 0, memory_order_relaxed);
    soon__pool_unlock(pool);
    /* Acquire: its state; pairs with the release in soon__worker_ring(). */
    while (!atomic_load_explicit(&worker->bell, memory_order_acquire))
        soon__park(&worker->bell, 0, SOON__NEVER);
    soon__worker_lock(worker);
}

/*
 * Working
 */

/* Q5. How many more calls it may take at once. */
static size_t room_locked(struct soon__worker *worker)
{
    size_t share = worker->pool->backlog.locked.queue.count / worker->pool->options.max;
    int64_t now, before = worker->own.batch_since, each;

    worker->own.batch_since = 0;
    if (share < 2 || !worker->deque || soon__pool_mode_locked(worker->pool) != SOON__BUSY)
        return 0;
    worker->own.batch_since = now = soon__clock_ns();
    if (!before)
        return 0;
    each = (now - before) / (int64_t)worker->own.batch + 1;
    if (share > BATCH_MAX)
        share = BATCH_MAX;
    return each * (int64_t)share < BATCH_NS ? share : (size_t)(BATCH_NS / each);
}

static size_t take_more_locked(struct soon__worker *worker)
{
    size_t more = soon__deque_fill_locked(worker, room_locked(worker));

    worker->own.batch = more + 1;
    return more;
}

void soon__worker_work(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    soon_call *call;
    size_t more;

    soon__worker_lock(worker);
    while (!must_end_locked(worker)) {
        call = take_locked(pool);
        if (call) {
            more = take_more_locked(worker);
            soon__pool_unlock(pool); /* I2: wakes the next worker, if calls are left */
            do {
                soon__worker_run_next(worker, call, more);
            } while (more-- && (soon__inject_load(&pool->backlog.inject) & SOON__MODE) == SOON__BUSY &&
                     (call = soon__deque_next(worker)));
            soon__worker_lock(worker);
        } else if (!spin_locked(worker)) {
            sleep_locked(worker);
        }
    }
    soon__pool_unlock(pool);
}

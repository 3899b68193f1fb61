/*
 * decide.c - how tasks come in, who is woken, who is started: all of it when the pool's mutex is given back. The
 * invariants are in pool_internal.h.
 *
 *     push: intake by compare-exchange --closed: lock, queue, unlock--> decide
 *     lock: intake --> queue                  unlock: decide; open or close the intake; ring, start
 */
#include "pool_internal.h"

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
    /* Relaxed: who has seen an outcome sees its worker between, which was noted before it was published. */
    size_t soon = pool->locked.waking + (pool->locked.lingering != NULL) +
                  atomic_load_explicit(&pool->between, memory_order_relaxed);

    return pool->locked.idle ? soon : soon + pool->locked.starting; /* an initializer may take its time */
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
    size_t coming = coming_locked(pool), missing;

    if (pool->locked.lingering && pool->locked.queue.count)
        atomic_store_explicit(&pool->locked.lingering->bell, 1, memory_order_relaxed); /* a hint: it takes the mutex */
    if (pool->locked.broken || pool->locked.queue.count <= coming || soon__pool_active_locked(pool) >= pool->max)
        return;
    if (pool->locked.idle) {
        if (coming || wake->worker)
            return;
        wake->worker = soon__pool_pop_idle_locked(pool, pool->locked.idle_first);
        pool->locked.waking = true;
        pool->locked.wakeups++;
        return;
    }
    missing = pool->locked.queue.count - coming;
    if (missing > may_start_locked(pool))
        missing = may_start_locked(pool);
    soon__pool_count_start_locked(pool, missing);
    wake->starts += missing;
}

static void carry_out(struct soon__pool *pool, const struct wake *wake)
{
    if (wake->worker)
        soon__worker_ring(wake->worker);
    for (size_t i = 0; i < wake->starts; i++)
        soon__worker_start(pool); /* a failure is dealt with there */
}

/*
 * Coming in
 */

/* I9. Others go another way: the loop has to know of a queue limit, and workers of what comes before all else. */
bool soon__pool_push(struct soon__pool *pool, soon_call *call)
{
    if (call->extra && (call->extra->queue_deadline != SOON__NEVER || call->extra->options.priority > 0))
        return false;
    return soon__intake_push(&pool->intake, call);
}

void soon__pool_close_intake_locked(struct soon__pool *pool)
{
    pool->locked.submitted += soon__intake_close_locked(&pool->intake, &pool->locked.queue);
    /* Pairs with the fence in soon__deque_push(): it sees that the intake is closed, or we see what is in its deque. */
    atomic_thread_fence(memory_order_seq_cst);
    soon__deques_empty_locked(pool);
}

void soon__pool_lock(struct soon__pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->locked.submitted += soon__intake_empty_locked(&pool->intake, &pool->locked.queue);
}

/* I9: nobody has to be told of one more. */
static bool is_open_locked(const struct soon__pool *pool)
{
    if (pool->queue_max || pool->locked.closed || pool->locked.broken)
        return false;
    if (soon__pool_active_locked(pool) >= pool->max)
        return true;
    return coming_locked(pool) > 0 && (pool->locked.idle || !may_start_locked(pool) || pool->locked.lingering);
}

bool soon__pool_is_calm_locked(const struct soon__pool *pool)
{
    return soon__pool_active_locked(pool) == pool->max && !pool->locked.idle && !pool->locked.closed &&
           !pool->locked.broken && !soon__heap_first(&pool->locked.queue.prioritised);
}

static void settle_locked(struct soon__pool *pool, struct wake *wake)
{
    bool calm;

    decide_locked(pool, wake);
    if (!is_open_locked(pool)) {
        soon__pool_close_intake_locked(pool);
        decide_locked(pool, wake); /* for what has come until then */
    }
    if (is_open_locked(pool))
        soon__intake_open_locked(&pool->intake);
    calm = soon__pool_is_calm_locked(pool);
    /* Relaxed: a hint, written under the mutex. */
    if (atomic_load_explicit(&pool->calm, memory_order_relaxed) != calm)
        atomic_store_explicit(&pool->calm, calm, memory_order_relaxed);
}

void soon__pool_unlock(struct soon__pool *pool)
{
    struct wake wake = {NULL, 0};

    settle_locked(pool, &wake);
    pthread_mutex_unlock(&pool->mutex);
    carry_out(pool, &wake); /* who was decided upon keeps the pool */
}

void soon__pool_settle_locked(struct soon__pool *pool)
{
    struct wake wake = {NULL, 0};

    settle_locked(pool, &wake);
    if (wake.worker)
        soon__worker_ring(wake.worker);
    if (!wake.starts)
        return;
    pthread_mutex_unlock(&pool->mutex);
    wake.worker = NULL;
    carry_out(pool, &wake);
    pthread_mutex_lock(&pool->mutex);
}

bool soon__pool_has_news(const struct soon__pool *pool, const struct soon__worker *worker)
{
    /* Relaxed: who sees it takes the mutex, which orders the rest. */
    return soon__intake_has_some(&pool->intake) || atomic_load_explicit(&pool->nested, memory_order_relaxed) ||
           atomic_load_explicit(&worker->bell, memory_order_relaxed);
}

/*
 * Places, limits, the end
 */

void soon__pool_freed_locked(struct soon__pool *pool)
{
    if (pool->locked.waiting)
        pthread_cond_signal(&pool->place);
}

bool soon__pool_take_back_locked(struct soon__pool *pool, soon_call *call)
{
    if (!call->queued)
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
    if (!pool->locked.closed || pool->locked.unjoined || pool->locked.queue.count || pool->locked.close_posted)
        return;
    pool->locked.close_posted = true;
    soon__library_loop_post(&pool->close); /* behind a look that may be posted */
}

void soon__pool_ring_all_locked(struct soon__pool *pool)
{
    if (pool->locked.lingering)
        soon__worker_ring(pool->locked.lingering);
    while (pool->locked.idle_first)
        soon__worker_ring(soon__pool_pop_idle_locked(pool, pool->locked.idle_first));
}

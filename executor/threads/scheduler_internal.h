/*
 * scheduler_internal.h - who works, who sleeps, who is woken, who is started. The states and invariants are in
 * state_internal.h.
 */
#ifndef SOON_EXECUTOR_THREADS_SCHEDULER_INTERNAL_H
#define SOON_EXECUTOR_THREADS_SCHEDULER_INTERNAL_H

#include "state_internal.h"

#include <assert.h>

/* Locks the mutex, and moves what has come meanwhile to the queue. */
void soon__pool_lock(struct soon__pool *pool);
/* Unlocks it, and wakes or starts the workers that the queue needs. The pool may be gone then. */
void soon__pool_unlock(struct soon__pool *pool);
/* The same by a worker's own thread. The worker is not SEARCHING any more then. */
void soon__worker_lock(struct soon__worker *worker);

/* Sets the mode. True: a worker has to be woken or started for one more task. Then the injector is closed, and what was
 * in it and in deques is in the queue. */
bool soon__pool_take_in_locked(struct soon__pool *pool);
void soon__pool_enqueue_locked(struct soon__pool *pool, soon_call *latest); /* a list by `next` */
uintptr_t soon__pool_mode_locked(const struct soon__pool *pool);            /* see inject_internal.h */
/* Leaves a call in the injector. False: it has to go to the queue, under the mutex. */
bool soon__pool_push(struct soon__pool *pool, soon_call *call);
/* A place in the queue has become free. */
void soon__pool_freed_locked(struct soon__pool *pool);
/* Takes a call out of the queue, or out of a deque. False: it is in neither, since it has begun. */
bool soon__pool_take_back_locked(struct soon__pool *pool, soon_call *call);

/* I5. Counts so many workers as STARTING, and tells the loop to start them. */
void soon__pool_start_locked(struct soon__pool *pool, size_t count);
/* Makes the worker that became IDLE last, of one at least, what `to` says. The caller is to ring it. */
struct soon__worker *soon__pool_pop_idle_locked(struct soon__pool *pool, enum soon__worker_state to);
void soon__worker_ring(struct soon__worker *worker);

/* The loop watches over the pool at `when` at the latest; 0: now. */
void soon__pool_alarm_locked(struct soon__pool *pool, int64_t when);
/* I6 */
void soon__pool_end_if_empty_locked(struct soon__pool *pool);

/* Whether this is an arrow of the picture in state_internal.h. */
static inline bool soon__worker_may_become(enum soon__worker_state from, enum soon__worker_state to)
{
    enum {
        STARTING = 1 << SOON__WORKER_STARTING,
        STARTING_PARKED = 1 << SOON__WORKER_STARTING_PARKED,
        RUNNING = 1 << SOON__WORKER_RUNNING,
        SEARCHING = 1 << SOON__WORKER_SEARCHING,
        PARKED = 1 << SOON__WORKER_PARKED,
        IDLE = 1 << SOON__WORKER_IDLE,
        LEAVING = 1 << SOON__WORKER_LEAVING,
    };
    static const unsigned arrows[SOON__WORKER_STATES] = {
        [SOON__WORKER_STARTING] = STARTING_PARKED | RUNNING | LEAVING,
        [SOON__WORKER_STARTING_PARKED] = STARTING,
        [SOON__WORKER_RUNNING] = SEARCHING | PARKED | IDLE | LEAVING,
        [SOON__WORKER_SEARCHING] = RUNNING,
        [SOON__WORKER_PARKED] = RUNNING,
        [SOON__WORKER_IDLE] = SEARCHING | RUNNING | LEAVING,
    };

    return arrows[from] >> to & 1;
}

static inline enum soon__worker_state soon__worker_counted_as(enum soon__worker_state state)
{
    return state == SOON__WORKER_SEARCHING ? SOON__WORKER_RUNNING : state;
}

/* The one function that changes the state. Under the mutex; but a worker's own thread needs none between RUNNING and
 * SEARCHING, which are counted as one. `from` is the state that it has: mostly a constant, so that the counts cost
 * nothing there. */
static inline void soon__worker_become(struct soon__worker *worker, enum soon__worker_state from,
                                       enum soon__worker_state to)
{
    size_t *in = worker->pool->locked.in;

    assert(worker->state == from && soon__worker_may_become(from, to));
    if (soon__worker_counted_as(from) != soon__worker_counted_as(to)) {
        in[soon__worker_counted_as(from)]--;
        in[soon__worker_counted_as(to)]++;
    }
    worker->state = to;
}

/* I2. By its own thread, with the mutex or without. False: another worker is SEARCHING. */
static inline bool soon__worker_search(struct soon__worker *worker)
{
    if (worker->state == SOON__WORKER_SEARCHING)
        return true;
    if (!soon__inject_search(&worker->pool->backlog.inject))
        return false;
    soon__worker_become(worker, SOON__WORKER_RUNNING, SOON__WORKER_SEARCHING);
    return true;
}

/* I3 */
static inline size_t soon__pool_active_locked(const struct soon__pool *pool)
{
    return pool->locked.in[SOON__WORKER_STARTING] + pool->locked.in[SOON__WORKER_RUNNING];
}
static inline bool soon__pool_is_crowded_locked(const struct soon__pool *pool)
{
    return soon__pool_active_locked(pool) > pool->options.max;
}
/* Those that could run something, now or when they are woken. */
static inline size_t soon__pool_unparked_locked(const struct soon__pool *pool)
{
    return soon__pool_active_locked(pool) + pool->locked.in[SOON__WORKER_IDLE];
}
/* All but those that are LEAVING. */
static inline size_t soon__pool_threads_locked(const struct soon__pool *pool)
{
    return soon__pool_unparked_locked(pool) + pool->locked.in[SOON__WORKER_PARKED] +
           pool->locked.in[SOON__WORKER_STARTING_PARKED];
}

#endif

/*
 * deque.c - what the tasks of a pool submit to it. Nobody needs to be told of such a task while all workers are busy, and
 * mostly the one that submitted it waits for it next: then it never meets the mutex.
 *
 *     submit by a task --intake open--> deque of its worker --awaited by that worker--> taken, run on top
 *                                          |
 *                                          +--a worker looks for work--> queue, the oldest of each deque
 *                                          +--somebody asks for one, or for how many there are--> queue, all
 *
 * A worker that looks for work takes one from each deque, whether the queue has something or not: so none waits for ever
 * behind what comes from elsewhere, and the worker that submitted the rest can still run it without the mutex.
 *
 * Q1  A deque is pushed to by its worker alone, under its lock. So is what is taken out, by its worker or by who holds the
 *     pool's mutex. A call says by its `deque` in which it is.
 * Q2  Who looks with the mutex finds what was pushed before: `nested` says that there may be some. It is cleared before that
 *     and set again if some is left; who pushes looks at it after that, under the same locks. So it is seen, or set again.
 * Q3  Nobody is asleep while there is something: who decides that one more task would need somebody closes the intake,
 *     then looks at `nested`; who pushes sets `nested`, then looks at the intake, with a full fence between the two on both
 *     sides. Closed: the call is taken out again, and goes the way of all others, unless it was found already.
 */
#include "../cpu_internal.h"
#include "pool_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum { SPINS = 64, YIELDS = 256, NAP_NS = 50000, SPARES = 32 };

/* For a few stores. Its holder may have lost its CPU; to us, if we have a higher priority: then only sleep gives it back. */
static void lock(struct soon__deque *deque)
{
    /* Acquire: what the last holder has written; pairs with the release below. */
    for (int spins = 0; atomic_exchange_explicit(&deque->lock, 1, memory_order_acquire); spins++) {
        if (spins < SPINS)
            soon__cpu_relax();
        else if (spins < YIELDS)
            sched_yield();
        else
            soon__park(&deque->lock, 1, soon__clock_ns() + NAP_NS); /* nobody wakes us */
    }
}

static void unlock(struct soon__deque *deque)
{
    atomic_store_explicit(&deque->lock, 0, memory_order_release);
}

int soon__deques_new(struct soon__pool *pool)
{
    /* Those that stand in for parked ones have one, too. */
    pool->deques_count = pool->max < SOON__DEQUES_MAX - SPARES ? pool->max + SPARES : SOON__DEQUES_MAX;
    pool->deques = aligned_alloc(_Alignof(struct soon__deque), pool->deques_count * sizeof *pool->deques);
    if (!pool->deques)
        return -ENOMEM;
    for (size_t i = 0; i < pool->deques_count; i++)
        pool->deques[i] = (struct soon__deque){.number = (uint8_t)(i + 1)};
    return 0;
}

void soon__deque_enter_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    for (size_t i = 0; i < pool->deques_count && !worker->deque; i++) {
        if (pool->deques[i].owned)
            continue;
        pool->deques[i].owned = true;
        worker->deque = &pool->deques[i];
        if (i >= pool->locked.deques_used)
            pool->locked.deques_used = i + 1;
    }
}

void soon__deque_leave_locked(struct soon__worker *worker)
{
    if (!worker->deque)
        return;
    worker->pool->locked.submitted += atomic_load_explicit(&worker->submitted, memory_order_relaxed);
    worker->deque->owned = false;
    worker->deque = NULL;
}

/* False: it was taken out meanwhile. Whose deque it is not is told by the first look; else it is asked under the lock. */
static bool take_out(struct soon__deque *deque, soon_call *call)
{
    bool found;

    /* Relaxed, all: written under the lock alone, by the owner to its number. */
    if (atomic_load_explicit(&call->deque, memory_order_relaxed) != deque->number)
        return false;
    lock(deque);
    found = atomic_load_explicit(&call->deque, memory_order_relaxed) == deque->number;
    if (found) {
        atomic_store_explicit(&call->deque, 0, memory_order_relaxed);
        if (call->next)
            call->next->previous = call->previous;
        else
            deque->last = call->previous;
        if (call->previous)
            call->previous->next = call->next;
        else
            deque->first = call->next;
    }
    unlock(deque);
    return found;
}

bool soon__deque_push(struct soon__worker *worker, soon_call *call)
{
    struct soon__pool *pool = worker->pool;
    struct soon__deque *deque = worker->deque;

    if (!deque || soon__intake_is_closed(&pool->intake) ||
        (call->extra && (call->extra->options.priority || call->extra->queue_deadline != SOON__NEVER)))
        return false;
    lock(deque);
    call->next = NULL;
    call->previous = deque->last;
    if (deque->last)
        deque->last->next = call;
    else
        deque->first = call;
    deque->last = call;
    atomic_store_explicit(&call->deque, deque->number, memory_order_relaxed);
    unlock(deque);
    /* Q2. Relaxed: the locks order it. */
    if (!atomic_load_explicit(&pool->nested, memory_order_relaxed))
        atomic_store_explicit(&pool->nested, true, memory_order_relaxed);
    /* Q3: pairs with the fence in soon__pool_close_intake_locked(). */
    atomic_thread_fence(memory_order_seq_cst);
    return !soon__intake_is_closed(&pool->intake) || !take_out(deque, call);
}

bool soon__deque_take(struct soon__worker *worker, soon_call *call)
{
    if (!worker->deque || !take_out(worker->deque, call))
        return false;
    /* Relaxed, and no read-modify-write: this thread alone writes. */
    atomic_store_explicit(&worker->submitted, atomic_load_explicit(&worker->submitted, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return true;
}

/* The oldest go to the queue, up to `most`. True: some are left. */
static bool move_locked(struct soon__pool *pool, struct soon__deque *deque, size_t most)
{
    soon_call *call = NULL, *next, *moved;
    bool left;

    lock(deque);
    moved = deque->first;
    for (next = moved; next && most > 0; next = next->next, most--) {
        atomic_store_explicit(&next->deque, 0, memory_order_relaxed);
        call = next;
    }
    left = next != NULL;
    deque->first = next;
    if (left)
        next->previous = NULL;
    else
        deque->last = NULL;
    unlock(deque);
    if (call)
        call->next = NULL;
    for (call = call ? moved : NULL; call; call = next) {
        next = call->next;
        soon__queue_push(&pool->locked.queue, call);
        pool->locked.submitted++;
    }
    return left;
}

static void move_all_locked(struct soon__pool *pool, size_t most)
{
    bool left = false;

    if (!atomic_load_explicit(&pool->nested, memory_order_relaxed)) /* Q2, Q3 */
        return;
    atomic_store_explicit(&pool->nested, false, memory_order_relaxed);
    for (size_t i = 0; i < pool->locked.deques_used; i++)
        left |= move_locked(pool, &pool->deques[i], most);
    if (left)
        atomic_store_explicit(&pool->nested, true, memory_order_relaxed);
}

void soon__deques_look_locked(struct soon__pool *pool)
{
    move_all_locked(pool, 1);
}

void soon__deques_empty_locked(struct soon__pool *pool)
{
    move_all_locked(pool, SIZE_MAX);
}

bool soon__deque_find_locked(struct soon__pool *pool, const soon_call *call)
{
    /* Relaxed: who asks has got the call after it was pushed. It is in the queue by now, or in no place at all. */
    if (!call->queued && atomic_load_explicit(&call->deque, memory_order_relaxed))
        soon__deques_empty_locked(pool);
    return call->queued;
}

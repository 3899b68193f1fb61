/*
 * deque.c - what a worker has for itself: what its tasks submit, and a few of the queue that it takes at once. While all
 * workers are busy nobody needs to be told of these, and mostly the same worker runs them: then they never meet the mutex.
 *
 *     submit by a task, nobody has to be told--+                +--awaited by that worker--> taken, run on top
 *                                              +--> its deque --+--that worker is through with a task, BUSY--> run
 *     queue --all workers are busy-------------+                +--another worker looks for work--> queue, the oldest
 *                                                               +--somebody asks how many there are--> queue, all
 *
 * A worker that looks for work takes one from each deque, whether the queue has something or not: so none waits for ever
 * behind what comes from elsewhere. What came from the queue has its number, and goes back to its place there.
 *
 * Q1  A deque is pushed to by its worker alone, under its lock. So is what is taken out, by its worker or by who holds the
 *     pool's mutex. A call says by its `deque` in which it is.
 * Q2  Who looks with the mutex finds what was pushed before: `nested` says that there may be some. It is cleared before the
 *     deques are looked at, each under its lock, and set again if some is left; who pushes looks at it under the lock. So
 *     who clears it comes to that deque later, and finds the call, or came earlier, and `nested` is set again.
 * Q3  Nobody is asleep while there is something: who makes `inject` say that one more task takes somebody looks at `nested`
 *     after that; who sets `nested` looks at `inject` after that, with a full fence between the two on both sides. Who finds
 *     `nested` set has no need of one: the other comes to that deque later, and finds the call, or came earlier, and the
 *     lock shows what it did. Then nothing is pushed, and the call goes the way of all others.
 * Q4  A worker goes on with its deque without the mutex while `inject` says BUSY: as many work as are to, and nothing is to
 *     be done first.
 * Q5  A worker takes of the queue at once what it will be through with in BATCH_NS, by how long the last ones took. So long
 *     tasks begin one after the other in the order in which they came, whichever worker takes them, and short ones nearly.
 */
#include "../system/cpu_internal.h"
#include "state_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum { SPINS = 64, YIELDS = 256, NAP_NS = 50000, SPARES = 32 };

/* Its holder may have lost its CPU; to us, if we have a higher priority: then only sleep gives it back. */
static __attribute__((noinline)) void lock_slowly(struct soon__deque *deque)
{
    int spins = 0;

    do {
        if (spins < SPINS)
            soon__cpu_relax();
        else if (spins < YIELDS)
            sched_yield();
        else
            soon__park(&deque->lock, 1, soon__clock_ns() + NAP_NS); /* nobody wakes us */
        spins++;
        /* Acquire: as in try_lock(). */
    } while (atomic_exchange_explicit(&deque->lock, 1, memory_order_acquire));
}

/* For a few stores. */
static inline bool try_lock(struct soon__deque *deque)
{
    /* Acquire: what the last holder has written; pairs with the release below. */
    return !atomic_exchange_explicit(&deque->lock, 1, memory_order_acquire);
}

static inline void lock(struct soon__deque *deque)
{
    if (!try_lock(deque))
        lock_slowly(deque);
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
        pool->deques[i] = (struct soon__deque){.place = (uint8_t)(SOON__CALL_IN_DEQUE + i)};
    return 0;
}

void soon__deque_enter_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    if (pool->queue_max)
        return; /* it counts what waits */
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
    worker->deque->owned = false;
    worker->deque = NULL;
}

/* A list. */
static inline void append(struct soon__deque *deque, soon_call *first, soon_call *last)
{
    first->previous = deque->last;
    if (deque->last)
        deque->last->next = first;
    else
        deque->first = first;
    deque->last = last;
}

static inline void push(struct soon__deque *deque, soon_call *call)
{
    call->next = NULL;
    append(deque, call, call);
    soon__call_move(call, deque->place);
}

static void unlink_call(struct soon__deque *deque, soon_call *call)
{
    soon__call_move(call, SOON__CALL_IN_HAND);
    if (call->next)
        call->next->previous = call->previous;
    else
        deque->last = call->previous;
    if (call->previous)
        call->previous->next = call->next;
    else
        deque->first = call->next;
}

/* False: it was taken out meanwhile. Whose deque it is not is told by the first look; else it is asked under the lock. */
static bool take_out(struct soon__deque *deque, soon_call *call)
{
    bool found;

    if (soon__call_place(call) != deque->place)
        return false;
    lock(deque);
    found = soon__call_place(call) == deque->place;
    if (found)
        unlink_call(deque, call);
    unlock(deque);
    return found;
}

/* Q2. Under the lock of a deque, or the pool's mutex. */
static void say_nested(struct soon__pool *pool)
{
    /* Relaxed: who has cleared it takes that lock after that. */
    if (atomic_load_explicit(&pool->nested, memory_order_relaxed))
        return;
    atomic_store_explicit(&pool->nested, true, memory_order_relaxed);
    /* Q3: pairs with the fence in soon__pool_take_in_locked(), and with the exchange of who searches. */
    atomic_thread_fence(memory_order_seq_cst);
}

/* Gives the lock back. */
static inline bool push_locked(struct soon__worker *worker, struct soon__pool *pool, struct soon__deque *deque,
                               soon_call *call)
{
    bool open;

    say_nested(pool);
    open = soon__inject_is_open(soon__inject_look(&pool->inject)); /* Q3 */
    if (open)
        push(deque, call);
    unlock(deque);
    if (open)
        soon__count(&worker->submitted, 1);
    return open;
}

static __attribute__((noinline)) bool push_slowly(struct soon__worker *worker, soon_call *call)
{
    lock_slowly(worker->deque);
    return push_locked(worker, worker->pool, worker->deque, call);
}

bool soon__deque_push(struct soon__worker *worker, struct soon__pool *pool, soon_call *call)
{
    struct soon__deque *deque = worker->deque;

    if (!deque || (soon__call_extra(call) &&
                   (soon__call_extra(call)->options.priority || soon__call_extra(call)->queue_deadline != SOON__NEVER)))
        return false;
    return try_lock(deque) ? push_locked(worker, pool, deque, call) : push_slowly(worker, call);
}

bool soon__deque_take(struct soon__worker *worker, soon_call *call)
{
    return worker->deque && take_out(worker->deque, call);
}

soon_call *soon__deque_next(struct soon__worker *worker)
{
    soon_call *call;

    lock(worker->deque);
    call = worker->deque->first;
    if (call)
        unlink_call(worker->deque, call);
    unlock(worker->deque);
    return call;
}

size_t soon__deque_fill_locked(struct soon__worker *worker, size_t most)
{
    struct soon__deque *deque = worker->deque;
    soon_call *first, *last;
    size_t count = deque && most ? soon__queue_take_plain(&worker->pool->locked.queue, most, &first, &last) : 0;

    if (!count)
        return 0;
    for (soon_call *call = first; call; call = call->next)
        soon__call_move(call, deque->place);
    lock(deque);
    append(deque, first, last);
    unlock(deque);
    say_nested(worker->pool);
    return count;
}

/* The oldest go to the queue, up to `most`. True: some are left. */
static bool move_locked(struct soon__pool *pool, struct soon__deque *deque, size_t most)
{
    soon_call *call;
    bool left;

    lock(deque);
    for (; most > 0 && (call = deque->first); most--) {
        unlink_call(deque, call);
        if (call->number) /* it was in the queue before */
            soon__queue_return(&pool->locked.queue, call);
        else
            soon__queue_push(&pool->locked.queue, call);
    }
    left = deque->first;
    unlock(deque);
    return left;
}

void soon__deques_look_locked(struct soon__pool *pool, size_t most)
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

bool soon__deque_take_back_locked(struct soon__pool *pool, soon_call *call)
{
    uint8_t place = soon__call_place(call);

    return place >= SOON__CALL_IN_DEQUE && take_out(&pool->deques[place - SOON__CALL_IN_DEQUE], call);
}

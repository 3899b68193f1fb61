/*
 * deque.c - what a worker has for itself: what its tasks submit, and a few calls of the queue that it takes at once.
 * While all workers are busy nobody has to be woken for these, and mostly the same worker runs them: then they never
 * meet the mutex.
 *
 *     submit by a task, nobody has to be woken-+                +--awaited by that worker--> taken, run on top
 *                                              +--> its deque --+--that worker has ended a task, BUSY--> run
 *     queue --all workers are busy-------------+                +--another worker looks for work--> queue, the oldest
 *                                                               +--somebody asks how many there are--> queue, all
 *
 * A worker that looks for work takes one call from each deque, whether the queue has something or not: so none waits
 * for ever behind what comes from elsewhere. A call that came from the queue has its number, and goes back to its place
 * there.
 *
 * Q1  Only its own worker pushes to a deque, under the deque's lock. That worker takes calls out, or a thread that has
 *     the pool's mutex, each under the deque's lock. A call says by its place in which deque it is.
 * Q2  A thread that searches under the mutex sees every earlier push. `nested` says that there may be calls in deques.
 *     The thread clears it first, and then looks at the deques, each under its lock; it sets `nested` again if calls
 *     are left. A worker that pushes looks at `nested` under that lock. So the thread that clears it comes to that
 *     deque later, and finds the call, or it came earlier, and `nested` is set again.
 * Q3  Nobody sleeps while there is something in a deque. To let workers sleep: close the injector, fence, read
 *     `nested`. To push: set `nested`, fence, read the injector. One of the two sees the other. A worker that finds
 *     `nested` set already needs no fence: the other thread comes to that deque later, and finds the call, or it came
 *     earlier, and the lock shows that the injector is closed. Then nothing is pushed, and the call goes the way of all
 *     others.
 * Q4  A worker goes on with its deque without the mutex while the injector says BUSY: as many work as may, and no other
 *     call is to come first.
 * Q5  A worker takes from the queue at once what it will have run within BATCH_NS, by how long the last calls took. So
 *     long tasks begin one after the other in the order in which they came, whichever worker takes them, and short ones
 *     nearly so.
 */
#include "deque_internal.h"

#include "../system/cpu_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum { SPINS = 64, YIELDS = 256, NAP_NS = 50000, SPARES = 32 };

/* Its holder may have lost its CPU. If it lost it to us, since we have a higher priority, only sleep gives it back. */
static __attribute__((noinline)) void lock_slowly(struct soon__deque *deque)
{
    int spins = 0;

    do {
        if (spins < SPINS)
            soon__cpu_relax();
        else if (spins < YIELDS)
            sched_yield();
        else
            soon__park(&deque->lock, 1, soon__clock_ns() + NAP_NS); /* nobody wakes it before */
        spins++;
        /* Acquire: as in try_lock(). */
    } while (atomic_exchange_explicit(&deque->lock, 1, memory_order_acquire));
}

/* The lock is held for a few stores. */
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
    size_t count = pool->options.max < SOON__DEQUES_MAX - SPARES ? pool->options.max + SPARES : SOON__DEQUES_MAX;

    pool->deques = aligned_alloc(_Alignof(struct soon__deque), count * sizeof *pool->deques);
    if (!pool->deques)
        return -ENOMEM;
    pool->options.deques_count = count;
    for (size_t i = 0; i < count; i++)
        pool->deques[i] = (struct soon__deque){.place = (uint8_t)(SOON__CALL_IN_DEQUE + i)};
    return 0;
}

void soon__deque_enter_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    if (pool->backlog.bound)
        return; /* what waits in a deque would not count */
    for (size_t i = 0; i < pool->options.deques_count && !worker->deque; i++) {
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

/* Appends a list. */
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

/* False: it is not there, or was taken out meanwhile. */
static bool take_out(struct soon__deque *deque, soon_call *call)
{
    bool found;

    /* It becomes our place under the lock alone: it is not here, or we ask again under the lock. */
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
    /* Relaxed: a thread that has cleared it takes that lock later. */
    if (atomic_load_explicit(&pool->nested, memory_order_relaxed))
        return;
    atomic_store_explicit(&pool->nested, true, memory_order_relaxed);
    /* Q3: pairs with the fence in soon__pool_take_in_locked(), and with the exchange in soon__inject_take(). */
    atomic_thread_fence(memory_order_seq_cst);
}

/* Unlocks. */
static inline bool push_locked(struct soon__worker *worker, struct soon__pool *pool, struct soon__deque *deque,
                               soon_call *call)
{
    bool open;

    say_nested(pool);
    open = soon__inject_is_open(soon__inject_load(&pool->backlog.inject)); /* Q3 */
    if (open)
        push(deque, call);
    unlock(deque);
    if (open)
        soon__count(&worker->counts.submitted, 1);
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
    size_t count = deque && most ? soon__queue_take_plain(&worker->pool->backlog.locked.queue, most, &first, &last) : 0;

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

/* Moves the oldest calls to the queue, up to `most`. True: some are left. */
static bool move_locked(struct soon__pool *pool, struct soon__deque *deque, size_t most)
{
    soon_call *call;
    bool left;

    lock(deque);
    for (; most > 0 && (call = deque->first); most--) {
        unlink_call(deque, call);
        if (call->number) /* it was in the queue before */
            soon__queue_return(&pool->backlog.locked.queue, call);
        else
            soon__queue_push(&pool->backlog.locked.queue, call);
    }
    left = deque->first;
    unlock(deque);
    return left;
}

void soon__deques_gather_locked(struct soon__pool *pool, size_t most)
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

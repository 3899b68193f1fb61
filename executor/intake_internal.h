/*
 * intake_internal.h - where submits leave calls for a pool without its mutex, while nobody needs to be told of one more.
 *
 *     CLOSED <--under the pool's mutex--> open: the calls that came, the latest first, by `next`
 *
 * It is opened, closed and emptied under the mutex alone; a push is one compare-exchange, which fails when it is closed. So
 * closing it and taking what has come until then is one step, and what comes later goes to the mutex. Who gives the mutex
 * back and leaves the intake open has made sure that somebody will look.
 */
#ifndef SOON_EXECUTOR_INTAKE_INTERNAL_H
#define SOON_EXECUTOR_INTAKE_INTERNAL_H

#include "queue_internal.h"

#define SOON__INTAKE_CLOSED ((soon_call *)1)

struct soon__intake {
    _Atomic(soon_call *) latest;
};

static inline void soon__intake_init(struct soon__intake *intake)
{
    atomic_init(&intake->latest, SOON__INTAKE_CLOSED);
}

static inline bool soon__intake_is_closed(const struct soon__intake *intake)
{
    /* Relaxed: under the mutex, or a hint. */
    return atomic_load_explicit(&intake->latest, memory_order_relaxed) == SOON__INTAKE_CLOSED;
}

/* A hint without the mutex. */
static inline bool soon__intake_has_some(const struct soon__intake *intake)
{
    soon_call *latest = atomic_load_explicit(&intake->latest, memory_order_relaxed);

    return latest && latest != SOON__INTAKE_CLOSED;
}

/* False: it is closed. A call that has a queue limit or a priority does not belong here: somebody has to know of it. */
static inline bool soon__intake_push(struct soon__intake *intake, soon_call *call)
{
    soon_call *first = atomic_load_explicit(&intake->latest, memory_order_relaxed);

    do {
        if (first == SOON__INTAKE_CLOSED)
            return false;
        call->next = first;
        /* Release: the call; pairs with the acquire of soon__intake_swap(). */
    } while (!atomic_compare_exchange_weak_explicit(&intake->latest, &first, call, memory_order_release,
                                                    memory_order_relaxed));
    return true;
}

/* What was in it goes to the queue, in order: returns how many there were. */
static inline size_t soon__intake_swap_locked(struct soon__intake *intake, soon_call *with, struct soon__queue *queue)
{
    /* Acquire: the calls; pairs with the release in soon__intake_push(). */
    soon_call *latest = atomic_exchange_explicit(&intake->latest, with, memory_order_acquire);
    soon_call *oldest = NULL, *next;
    size_t count = 0;

    if (latest == SOON__INTAKE_CLOSED)
        return 0;
    for (; latest; latest = next) {
        next = latest->next;
        latest->next = oldest;
        oldest = latest;
    }
    for (; oldest; oldest = next, count++) {
        next = oldest->next;
        soon__queue_push(queue, oldest);
    }
    return count;
}

static inline size_t soon__intake_close_locked(struct soon__intake *intake, struct soon__queue *queue)
{
    return soon__intake_swap_locked(intake, SOON__INTAKE_CLOSED, queue);
}

/* It stays as it is, open or closed. */
static inline size_t soon__intake_empty_locked(struct soon__intake *intake, struct soon__queue *queue)
{
    return soon__intake_has_some(intake) ? soon__intake_swap_locked(intake, NULL, queue) : 0;
}

static inline void soon__intake_open_locked(struct soon__intake *intake)
{
    /* Relaxed: there is nothing to read. */
    if (soon__intake_is_closed(intake))
        atomic_store_explicit(&intake->latest, NULL, memory_order_relaxed);
}

#endif

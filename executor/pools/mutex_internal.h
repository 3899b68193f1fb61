/*
 * mutex_internal.h - a mutex that is mostly free: to take and to give it is one read-modify-write each, in place. Who finds it
 * taken looks again for a moment before it sleeps. And conditions to wait for under it.
 *
 *     FREE <--> TAKEN --one finds it taken, and sleeps--> WANTED --given back, one is woken--> FREE
 *
 * Zeroes are a free one, and a condition that nobody waits for. Neither has an end: who gives it back touches nothing of it
 * after that, but that its address is woken, on which somebody else may sleep by then. No wait here is a cancellation point.
 */
#ifndef SOON_EXECUTOR_POOLS_MUTEX_INTERNAL_H
#define SOON_EXECUTOR_POOLS_MUTEX_INTERNAL_H

#include "../../futures/system_internal.h"

struct soon__mutex {
    _Atomic uint32_t word; /* FREE, TAKEN or WANTED */
};
enum { SOON__MUTEX_FREE, SOON__MUTEX_TAKEN, SOON__MUTEX_WANTED };

void soon__mutex_lock_slowly(struct soon__mutex *mutex);

static inline void soon__mutex_lock(struct soon__mutex *mutex)
{
    uint32_t word = SOON__MUTEX_FREE;

    /* Acquire: what the last one has written; pairs with the release of soon__mutex_unlock(). */
    if (!atomic_compare_exchange_strong_explicit(&mutex->word, &word, SOON__MUTEX_TAKEN, memory_order_acquire,
                                                 memory_order_relaxed))
        soon__mutex_lock_slowly(mutex);
}

static inline void soon__mutex_unlock(struct soon__mutex *mutex)
{
    if (atomic_exchange_explicit(&mutex->word, SOON__MUTEX_FREE, memory_order_release) == SOON__MUTEX_WANTED)
        soon__unpark_one(&mutex->word);
}

/* Under one mutex. */
struct soon__condition {
    _Atomic uint32_t changes;
    uint32_t waiting;
};

/* With the mutex, which is given back meanwhile. Returns when it was told, at `deadline`, or for no reason. */
void soon__condition_wait(struct soon__condition *condition, struct soon__mutex *mutex, int64_t deadline);
void soon__condition_change(struct soon__condition *condition, bool all);
static inline void soon__condition_tell_one(struct soon__condition *condition)
{
    if (condition->waiting)
        soon__condition_change(condition, false);
}
static inline void soon__condition_tell_all(struct soon__condition *condition)
{
    if (condition->waiting)
        soon__condition_change(condition, true);
}

#endif

/*
 * mutex_internal.h - a mutex that is mostly free: lock and unlock are one read-modify-write each, in place. A thread
 * that finds it taken spins for a moment before it sleeps. And conditions to wait for under it.
 *
 *     FREE <--> TAKEN --a thread finds it taken, and sleeps--> WANTED --unlocked, one thread is woken--> FREE
 *
 * Zeroes are a free mutex, and a condition that nobody waits for. Neither has a fini: a thread that unlocks touches
 * nothing of the mutex after that. It may still wake its address, when something else lies there, on which a thread
 * sleeps; that one looks again. No wait here is a cancellation point.
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

    /* Acquire: what the last holder has written; pairs with the release in soon__mutex_unlock(). */
    if (!atomic_compare_exchange_strong_explicit(&mutex->word, &word, SOON__MUTEX_TAKEN, memory_order_acquire,
                                                 memory_order_relaxed))
        soon__mutex_lock_slowly(mutex);
}

static inline void soon__mutex_unlock(struct soon__mutex *mutex)
{
    if (atomic_exchange_explicit(&mutex->word, SOON__MUTEX_FREE, memory_order_release) == SOON__MUTEX_WANTED)
        soon__unpark_one(&mutex->word);
}

/* All of it is used under one mutex. */
struct soon__condition {
    _Atomic uint32_t changes;
    uint32_t waiting;
};

/* With the mutex, which is unlocked meanwhile. Returns when the condition was told, at `deadline`, or for no reason. */
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

/*
 * timed_lock_internal.h - a lock that a thread may wait for up to a deadline. It knows its holder, so that a thread
 * that acquires it twice is told.
 */
#ifndef SOON_EXECUTOR_MAPS_TIMED_LOCK_INTERNAL_H
#define SOON_EXECUTOR_MAPS_TIMED_LOCK_INTERNAL_H

#include "../../futures/future_internal.h"
#include "../../futures/park_internal.h"

struct soon__timed_lock { /* zeroed: free */
    _Atomic uint32_t word;
    _Atomic(struct soon__thread *) holder;
};

/* Returns 0; -ETIMEDOUT; SOON_EDEADLK: this thread holds it, or must not sleep. `others`: as for
 * soon__thread_before_park(). */
int soon__timed_lock_acquire(struct soon__timed_lock *lock, int64_t deadline, bool others);
void soon__timed_lock_release(struct soon__timed_lock *lock);

#endif

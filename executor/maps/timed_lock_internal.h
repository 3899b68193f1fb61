/*
 * timed_lock_internal.h - one thread at a time, the others wait up to a deadline. Tells a thread that has the turn already.
 */
#ifndef SOON_EXECUTOR_MAPS_TIMED_LOCK_INTERNAL_H
#define SOON_EXECUTOR_MAPS_TIMED_LOCK_INTERNAL_H

#include "../../futures/future_internal.h"

struct soon__timed_lock { /* zeroed: free */
    _Atomic uint32_t word;
    _Atomic(struct soon__thread *) holder;
};

/* 0; -ETIMEDOUT; SOON_EDEADLK: this thread has it, or must not sleep. `others`: as for soon__thread_before_park(). */
int soon__timed_lock_take(struct soon__timed_lock *turn, int64_t deadline, bool others);
void soon__timed_lock_give(struct soon__timed_lock *turn);

#endif

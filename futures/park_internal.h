/*
 * park_internal.h - how a thread of a program waits: what its worker does instead, and what may end the wait early.
 */
#ifndef SOON_FUTURES_PARK_INTERNAL_H
#define SOON_FUTURES_PARK_INTERNAL_H

#include "thread_internal.h"

#include <stdatomic.h>

/* For waits that a program may end by soon_thread_set_interrupt(). Before each sleep soon__wait_check() returns 0,
 * -ETIMEDOUT or -EINTR. The sleep is short enough to check again soon, since a signal may come between the two. */
int soon__wait_check(int64_t deadline);
void soon__wait_park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);

/* Before any sleep that is not for one future: may start a spare worker. `others` is that of soon__parking.before_park.
 * Returns 0; SOON_EDEADLK: do not sleep. */
int soon__thread_before_park(bool others);
/* Returns whether somebody else than tasks of the calling worker's executor can end an unfinished future; true if the
 * thread is no worker. */
bool soon__thread_others_end(soon_future *future);
void soon__thread_after_park(void);
/* As these two, around a wait for a condition variable. Disables pthread_cancel() meanwhile, which would leave the
 * mutex locked. */
struct soon__long_wait {
    int cancel_state;
};
int soon__long_wait_begin(struct soon__long_wait *ret);
void soon__long_wait_end(const struct soon__long_wait *wait);

#endif

/*
 * park_internal.h - how a thread of a program waits: what its worker does instead, and what may end the wait early.
 */
#ifndef SOON_FUTURES_PARK_INTERNAL_H
#define SOON_FUTURES_PARK_INTERNAL_H

#include "thread_internal.h"

#include <stdatomic.h>

/*
 * For each wait that a program may end by soon_thread_set_interrupt(): before it sleeps, 0, -ETIMEDOUT or -EINTR; and the sleep,
 * which ends in time for the next look. A signal may come between the two.
 */
int soon__wait_check(int64_t deadline);
void soon__wait_park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);

/* Around any sleep that is not for one future: may start a spare worker. `others`: as for help(). SOON_EDEADLK: do not sleep. */
int soon__thread_before_park(bool others);
/* For that: whether others than tasks of the calling worker's executor can end an unfinished future; true if it is no
 * worker. */
bool soon__thread_others_end(soon_future *future);
void soon__thread_after_park(void);
/* The same around a wait for a condition that others bring about, under a mutex that is taken in between: which a thread that is cancelled there would
 * keep for ever. */
struct soon__long_wait {
    int cancel_state;
};
int soon__long_wait_begin(struct soon__long_wait *ret);
void soon__long_wait_end(const struct soon__long_wait *wait);

#endif

/*
 * aside_internal.h - what few futures have: progress, and payloads beside the result.
 */
#ifndef SOON_FUTURES_ASIDE_INTERNAL_H
#define SOON_FUTURES_ASIDE_INTERNAL_H

#include "future_internal.h"

void soon__future_set_progress(soon_future *future, uint64_t done, uint64_t total);
/* Takes LOCK, and makes the future's aside if there is none. Returns 0; SOON_EINVALIDSTATE: it is done, or was made
 * before a fork; -ENOMEM; and then has not LOCK. */
int soon__future_lock_aside(soon_future *future);

/* Sets the payload in the place of any before. These three take the buffers, always, and return 0; SOON_EINVALIDSTATE:
 * it is done; -ENOMEM. */
int soon__future_set_payload(soon_future *future, soon_buffer *payload);
int soon__future_add_payload(soon_future *future, soon_buffer *payload); /* one more, behind the others */
/* Sets all payloads of a future that has none yet. */
int soon__future_set_payloads(soon_future *future, soon_buffer *payload, struct soon__buffers *further);

#endif

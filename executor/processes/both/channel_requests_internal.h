/*
 * channel_requests_internal.h - requests, from the post to the claim.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_REQUESTS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_REQUESTS_INTERNAL_H

#include "channel_internal.h"

/*
 * The parent's side.
 */

/* Of memory that is all 0. The first request's number is to be above `last`, which is no small one: then what a task writes over a
 * word by chance is none that means anything. */
void soon__channel_init(const struct soon__channel *channel, uint64_t last);
/* Publishes the request that was written to `requests[slot]`; soon__channel_wake() is to follow. */
void soon__channel_publish(const struct soon__channel *channel, uint32_t slot, uint64_t sequence);
/* Wakes the worker for what was published. `filled`: the slots in which there is something. */
void soon__channel_wake(const struct soon__channel *channel, uint64_t filled);
/* Also if it says that it does not sleep. */
void soon__channel_wake_anyway(const struct soon__channel *channel);
/* True: nobody has claimed it, and nobody will. */
bool soon__channel_take_back(const struct soon__channel *channel, uint32_t slot, uint64_t sequence);
enum soon__look { SOON__LOOK_UNCLAIMED, SOON__LOOK_CLAIMED, SOON__LOOK_GARBAGE };
/* Where a posted request stands, for who has its number. GARBAGE: the worker has written nonsense. */
enum soon__look soon__channel_look(const struct soon__channel *channel, uint32_t slot, uint64_t sequence);
/* After a look: had it gone to sleep, with all that it had claimed answered? */
bool soon__channel_is_asleep(const struct soon__channel *channel);
void soon__channel_retire(const struct soon__channel *channel);

/*
 * The worker's side.
 */

/* Claims the posted request that comes first: its slot and sequence; false: there is none. */
bool soon__channel_claim(const struct soon__channel *channel, uint32_t *ret_slot, uint64_t *ret_sequence);
/* Before its last reply: a task may have written over the word. Until that is consumed nobody else changes it. */
void soon__channel_restore_claim(const struct soon__channel *channel, uint32_t slot, uint64_t sequence);
/* After a claim that found nothing: looks for work for `spin_ns`, then sleeps until there may be some. Returns at once if it is to
 * retire. */
void soon__channel_await_request(const struct soon__channel *channel);
bool soon__channel_is_retired(const struct soon__channel *channel);

#endif

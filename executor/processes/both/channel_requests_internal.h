/*
 * channel_requests_internal.h - requests, from the post to the claim.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_REQUESTS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_REQUESTS_INTERNAL_H

#include "channel_internal.h"

/*
 * The parent's side.
 */

/* The memory is all 0. The numbers of requests are to be above `last`, which is large: so what a task writes over a
 * word by chance is no number that means something. */
void soon__channel_init(const struct soon__channel *channel, uint64_t last);
/* Publishes the request that was written to the slot. soon__channel_wake() is to follow. */
void soon__channel_publish(const struct soon__channel *channel, uint32_t slot, uint64_t sequence);
/* Wakes the worker for what was published. `filled` is the set of slots in which something is. */
void soon__channel_wake(const struct soon__channel *channel, uint64_t filled);
/* The same, even if the worker says that it does not sleep. */
void soon__channel_wake_anyway(const struct soon__channel *channel);
/* Takes a request back. True: the worker has not claimed it, and cannot any more. */
bool soon__channel_take_back(const struct soon__channel *channel, uint32_t slot, uint64_t sequence);
enum soon__look { SOON__LOOK_UNCLAIMED, SOON__LOOK_CLAIMED, SOON__LOOK_GARBAGE };
/* How far the posted request with this number is. GARBAGE: the worker has written nonsense. */
enum soon__look soon__channel_look(const struct soon__channel *channel, uint32_t slot, uint64_t sequence);
/* To be called after soon__channel_look(): did the worker sleep then, and so had answered all that it had claimed? */
bool soon__channel_is_asleep(const struct soon__channel *channel);
void soon__channel_retire(const struct soon__channel *channel);

/*
 * The worker's side.
 */

/* Claims the posted request that comes first, and says its slot and number. False: there is none. */
bool soon__channel_claim(const struct soon__channel *channel, uint32_t *ret_slot, uint64_t *ret_sequence);
/* Writes the word of the claim once more, before the last reply, since a task may have written over it. Nobody else
 * changes it until that reply is acked. */
void soon__channel_restore_claim(const struct soon__channel *channel, uint32_t slot, uint64_t sequence);
/* To be called when soon__channel_claim() has found nothing: spins for `spin_ns`, then sleeps until there may be a
 * request. Returns at once if the worker is to retire. */
void soon__channel_await_request(const struct soon__channel *channel);
bool soon__channel_is_retired(const struct soon__channel *channel);

#endif

/*
 * slots_internal.h - what is in the slots of worker processes, and how it is taken out again.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_SLOTS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_SLOTS_INTERNAL_H

#include "state_internal.h"

#include <assert.h>

enum { SOON__NO_SLOT = SOON__SLOTS };

/* The only function that changes the state of a slot. */
static inline void soon__slot_set_locked(struct soon__assignment *slot, enum soon__slot_state to)
{
    assert(to == SOON__SLOT_EMPTY     ? slot->state != SOON__SLOT_EMPTY
           : to == SOON__SLOT_FILLING ? slot->state == SOON__SLOT_EMPTY
           : to == SOON__SLOT_RUNNING ? slot->state == SOON__SLOT_POSTED
                                      : slot->state == SOON__SLOT_FILLING);
    slot->state = to;
}
/* Was its call posted to the worker, whether that has claimed it or not? */
static inline bool soon__slot_is_posted(const struct soon__assignment *slot)
{
    return slot->state >= SOON__SLOT_POSTED;
}
/* Is there a call in it that the worker has not been seen to claim? */
static inline bool soon__slot_is_unclaimed(const struct soon__assignment *slot)
{
    return (slot->state == SOON__SLOT_FILLING || slot->state == SOON__SLOT_POSTED) && !slot->is_initializer;
}

static inline uint32_t soon__process_find_empty_locked(const struct soon__process *process)
{
    return ~process->locked.full ? (uint32_t)__builtin_ctzll(~process->locked.full) : SOON__NO_SLOT;
}
/* The slot is EMPTY again: its call has ended, or was taken out. */
void soon__process_release_locked(struct soon__process *process, uint32_t slot, int64_t now);
/* Has the worker claimed what is in the slot? If so, it is RUNNING from here on. */
bool soon__process_is_running_locked(struct soon__process *process, uint32_t slot);
/* Takes the call out of a slot that was not claimed: it is the caller's now. NULL: it was claimed, or there is none. */
soon_call *soon__process_take_out_locked(struct soon__process *process, uint32_t slot);
/* Takes a call out of its slot if nobody has claimed it. */
bool soon__process_take_back_locked(soon_call *call);
/* Of the slots that were not seen to be claimed, the one whose call comes first, or last; or SOON__NO_SLOT. */
uint32_t soon__process_find_unclaimed_locked(const struct soon__process *process, bool last);
/* Returns all calls that the worker has not claimed to the queue. */
void soon__process_return_unclaimed_locked(struct soon__process *process);
/* Takes out all calls that the worker has not claimed, as a list by `next`. */
soon_call *soon__process_take_unclaimed_locked(struct soon__process *process);
/* How many calls of the pool have not been claimed. */
size_t soon__process_pool_pending_locked(struct soon__process_pool *pool);

#endif

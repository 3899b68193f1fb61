/*
 * slots.c - what the parent knows of the slots of worker processes: which call is in each, whether it was claimed, and
 * how it is taken out again.
 */
#include "slots_internal.h"

#include "agenda_internal.h"

_Static_assert(SOON__SLOTS <= 64, "sets of slots are words");

void soon__process_release_locked(struct soon__process *process, uint32_t slot, int64_t now)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment *assignment = &process->locked.slots[slot];

    if (assignment->in_area)
        soon__ring_allocator_give(&process->locked.ring, assignment->region);
    /* A call that was taken back says nothing about the task that runs. */
    if (assignment->state == SOON__SLOT_RUNNING) {
        process->locked.moved_on_ns = now;
        process->locked.stalled = false;
    }
    process->locked.assigned--;
    pool->locked.assigned--;
    soon__slot_set_locked(assignment, SOON__SLOT_EMPTY);
    process->locked.full &= ~(UINT64_C(1) << slot);
    process->locked.no_room_until = 0;
    if (process->locked.assigned)
        return;
    pool->locked.busy--;
    process->locked.idle_since = now;
    /* The process has nothing to do any more, so it may retire. */
    if (pool->options.may_retire || pool->backlog.locked.state != SOON__OPEN)
        soon__process_pool_look_soon_locked(pool);
}

bool soon__process_is_running_locked(struct soon__process *process, uint32_t slot)
{
    struct soon__assignment *assignment = &process->locked.slots[slot];

    if (assignment->state == SOON__SLOT_POSTED &&
        soon__channel_look(&process->channel, slot, assignment->sequence) != SOON__LOOK_UNCLAIMED)
        soon__slot_set_locked(assignment, SOON__SLOT_RUNNING);
    return assignment->state == SOON__SLOT_RUNNING;
}

soon_call *soon__process_take_out_locked(struct soon__process *process, uint32_t slot)
{
    struct soon__assignment *assignment = &process->locked.slots[slot];
    soon_call *call = assignment->call;

    if (!soon__slot_is_unclaimed(assignment))
        return NULL;
    if (assignment->state == SOON__SLOT_FILLING) {
        soon__slot_set_locked(assignment, SOON__SLOT_RECALLED); /* P3 */
    } else if (soon__channel_take_back(&process->channel, slot, assignment->sequence)) {
        soon__process_release_locked(process, slot, soon__clock_ns());
    } else {
        soon__slot_set_locked(assignment, SOON__SLOT_RUNNING);
        return NULL;
    }
    process->locked.given--;
    soon__call_move(call, SOON__CALL_IN_HAND);
    return call;
}

bool soon__process_take_back_locked(soon_call *call)
{
    return soon__process_take_out_locked(call->process, call->slot) != NULL;
}

uint32_t soon__process_find_unclaimed_locked(const struct soon__process *process, bool last)
{
    uint32_t found = SOON__NO_SLOT;

    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        const struct soon__assignment *assignment = &process->locked.slots[slot];

        if (!soon__slot_is_unclaimed(assignment))
            continue;
        if (found == SOON__NO_SLOT || (assignment->order > process->locked.slots[found].order) == last)
            found = slot;
    }
    return found;
}

void soon__process_return_unclaimed_locked(struct soon__process *process)
{
    uint32_t slot;
    soon_call *call;

    while ((slot = soon__process_find_unclaimed_locked(process, true)) != SOON__NO_SLOT) {
        call = soon__process_take_out_locked(process, slot);
        if (call)
            soon__queue_return(&process->pool->backlog.locked.queue, call);
    }
}

soon_call *soon__process_take_unclaimed_locked(struct soon__process *process)
{
    soon_call *calls = NULL, **end = &calls, *call;
    uint32_t slot;

    while ((slot = soon__process_find_unclaimed_locked(process, false)) != SOON__NO_SLOT) {
        call = soon__process_take_out_locked(process, slot);
        if (!call)
            continue;
        call->next = NULL;
        *end = call;
        end = &call->next;
    }
    return calls;
}

size_t soon__process_pool_pending_locked(struct soon__process_pool *pool)
{
    size_t count = pool->backlog.locked.queue.count;

    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        for (uint32_t slot = 0; slot < SOON__SLOTS; slot++)
            count += soon__slot_is_unclaimed(&process->locked.slots[slot]) &&
                     !soon__process_is_running_locked(process, slot);
    }
    return count;
}

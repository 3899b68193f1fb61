/*
 * stage.c - the states of a worker process as its pool sees them, under the mutex: it leaves service, it is condemned, for a
 * task or as a whole, and it may be reprieved (P13).
 */
#include "stage_internal.h"

#include "agenda_internal.h"
#include "dispatch_internal.h"
#include "slots_internal.h"

/* Not counted among those that take work any more. */
void soon__process_leave_service_locked(struct soon__process *process, int stage)
{
    struct soon__process_pool *pool = process->pool;

    if (process->locked.stage == SOON__STARTING || process->locked.stage == SOON__READY)
        pool->locked.alive--;
    if (process->locked.stage == SOON__READY)
        pool->locked.ready--;
    process->locked.stage = stage;
}

/* P13 */
static void pass_sentence_locked(struct soon__process *process, int code, uint32_t slot)
{
    if (slot < SOON__SLOTS) {
        if (!process->locked.slots[slot].sentence)
            process->locked.slots[slot].sentence = code;
    } else if (!process->locked.condemned) {
        process->locked.condemned = true;
        process->locked.condemned_for = code;
    }
}

/* Before it is ended: a task that listens gets the grace period to end by itself. */
static void ask_to_stop_locked(struct soon__process *process, uint32_t slot)
{
    for (uint32_t each = 0; each < SOON__SLOTS; each++) {
        if ((slot == each || slot == SOON__SLOTS) && soon__slot_is_posted(&process->locked.slots[each]))
            soon__channel_request_stop(&process->channel, each);
    }
}

void soon__process_condemn_locked(struct soon__process *process, int code, uint32_t slot)
{
    if (process->locked.stage == SOON__DEAD)
        return;
    pass_sentence_locked(process, code, slot);
    ask_to_stop_locked(process, slot);
    if (process->locked.stage == SOON__CONDEMNED)
        return;
    soon__process_leave_service_locked(process, SOON__CONDEMNED);
    soon__process_return_unclaimed_locked(process);
    soon__process_pool_look_soon_locked(process->pool);
}

/* The tasks that it was doomed for have ended by themselves. */
bool soon__process_reprieve_locked(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    if (process->locked.condemned)
        return false;
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        if (soon__slot_is_posted(&process->locked.slots[slot]) && process->locked.slots[slot].sentence)
            return false;
    }
    soon__channel_stop_none(&process->channel);
    process->locked.stage = SOON__READY;
    pool->locked.alive++;
    pool->locked.ready++;
    soon__process_pool_dispatch_locked(pool, soon__clock_ns());
    soon__process_pool_look_soon_locked(pool); /* the limits of what it has begun meanwhile */
    return true;
}

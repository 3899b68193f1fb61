/*
 * sentence.c - a worker process is to be ended, because of a task in it or as a whole, or is let live after all (P13).
 */
#include "sentence_internal.h"

#include "agenda_internal.h"
#include "dispatch_internal.h"
#include "slots_internal.h"
#include "stage_internal.h"

/* Before it is ended: a task that listens gets the grace period to end by itself. */
static void ask_to_stop_locked(struct soon__process *process, uint32_t slot)
{
    if (soon__slot_is_posted(&process->locked.slots[slot]))
        soon__channel_request_stop(&process->channel, slot);
}

/* It gets no more work, what it has not claimed goes back, and the loop ends it. */
static void condemn_locked(struct soon__process *process)
{
    if (process->locked.stage == SOON__CONDEMNED)
        return;
    soon__process_enter_locked(process, SOON__CONDEMNED);
    soon__process_return_unclaimed_locked(process);
    soon__process_pool_look_soon_locked(process->pool);
}

void soon__process_condemn_task_locked(struct soon__process *process, uint32_t slot, int code)
{
    struct soon__sentence *sentence = &process->locked.slots[slot].sentence;

    if (!sentence->code)
        sentence->code = code;
    soon__backlog_tell(&process->pool->backlog, SOON__MOMENT_SENTENCED, process->number, process->pid, code);
    if (process->locked.stage == SOON__DEAD) /* its end is read; the task is about to fail with this */
        return;
    ask_to_stop_locked(process, slot);
    condemn_locked(process);
}

void soon__process_condemn_locked(struct soon__process *process, enum soon__why why)
{
    if (process->locked.stage == SOON__DEAD)
        return;
    soon__process_blame_locked(process, why);
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++)
        ask_to_stop_locked(process, slot);
    condemn_locked(process);
}

static bool has_sentence_locked(const struct soon__process *process)
{
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        if (soon__slot_is_posted(&process->locked.slots[slot]) && process->locked.slots[slot].sentence.code)
            return true;
    }
    return false;
}

bool soon__process_reprieve_locked(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    if (process->locked.why != SOON__WHY_ITSELF || has_sentence_locked(process))
        return false;
    soon__channel_stop_none(&process->channel);
    soon__process_enter_locked(process, SOON__READY);
    soon__process_pool_dispatch_locked(pool, soon__clock_ns());
    soon__process_pool_look_soon_locked(pool); /* for the time limits of what it has begun meanwhile */
    return true;
}

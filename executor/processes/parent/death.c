/*
 * death.c - a worker process has died, or it could not be ended and is given up. Its last replies count. The tasks that
 * it had are lost or tried again, its handles are closed, and it leaves the pool. Loop thread only.
 */
#include "death_internal.h"

#include "../../core/call_new_internal.h"
#include "agenda_internal.h"
#include "closing_internal.h"
#include "dispatch_internal.h"
#include "failed_starts_internal.h"
#include "items_internal.h"
#include "outcomes_internal.h"
#include "process_internal.h"
#include "receive_internal.h"
#include "remains_internal.h"
#include "replies_internal.h"
#include "slots_internal.h"
#include "stage_internal.h"
#include "times_internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* The error of a task that was lost; of a chunk, of the first item that has not ended. */
static struct soon__error *loss(const struct soon__process *process, const struct soon__assignment *lost,
                                const struct soon__exit *exit)
{
    return soon__crash_error(
        soon__process_cause_of(process, lost), process->pid, exit, lost->call->function->name,
        soon__item_label(lost->call, lost->items ? &soon__call_extra(lost->call)->items_ended : NULL));
}

/* Had the worker begun this item of a chunk? It had not if the item was not posted to it, or comes after the last that
 * it says to have begun, or after the one whose time was over, since it was told to begin no other then. The first item
 * that it was given counts as begun in any case, so that each death ends something. */
static bool had_begun(const struct soon__process *process, const struct soon__assignment *lost, uint32_t slot,
                      size_t item)
{
    /* Relaxed: the worker is dead; or it was given up, and what it writes is checked here. */
    uint64_t last = atomic_load_explicit(&process->channel.replies->status[slot].item, memory_order_relaxed);

    if (item >= lost->items || (item > 0 && item > last))
        return false;
    return lost->sentence.code != SOON_ETIMELIMIT || item <= lost->sentence.item;
}

static void count_retry(struct soon__process_pool *pool)
{
    soon__mutex_lock(&pool->backlog.mutex);
    pool->locked.retries++;
    soon__mutex_unlock(&pool->backlog.mutex);
}

static bool may_try_again(const struct soon__process *process, const struct soon__assignment *lost)
{
    if (soon__process_cause_of(process, lost) != SOON_EWORKERDIED || !soon__call_may_try_again(lost->call))
        return false;
    count_retry(process->pool);
    return true;
}

/* The item of a chunk that was under way is lost, or is to be tried again. */
static void lose_item(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot,
                      const struct soon__exit *exit)
{
    soon_call *call = lost->call;
    struct soon__call_extra *extra = soon__call_extra(call);
    struct soon__outcome outcome = {0};
    size_t ended = soon__process_recover_items(process, lost, slot);

    extra->items_ended += ended;
    if (!had_begun(process, lost, slot, ended))
        return;
    soon__process_tell_lost_item(process, lost, slot, extra->items_ended);
    if (may_try_again(process, lost)) {
        extra->items->begun = extra->items_ended + 1;
    } else {
        outcome.error = loss(process, lost, exit);
        soon__item_end(call, extra->items_ended++, &outcome);
    }
}

/* A task whose worker is gone fails, or is tried again if it may be. A chunk goes on with the item behind the one that
 * was under way. `lost` was taken out of `slot`. */
static void lost_call(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot,
                      const struct soon__exit *exit)
{
    struct soon__process_pool *pool = process->pool;
    soon_call *call = lost->call;
    struct soon__outcome outcome = {0};
    bool goes_on;

    soon__process_keep_progress(process, slot, call);
    soon__process_take_times(process, lost, slot);
    if (lost->items) {
        lose_item(process, lost, slot, exit);
        goes_on = soon__call_extra(call)->items_ended < soon__call_extra(call)->items->count;
    } else {
        goes_on = may_try_again(process, lost);
        outcome.error = goes_on ? NULL : loss(process, lost, exit);
    }
    if (goes_on) {
        soon__process_pool_take_again(pool, call, SOON__ENDED_WORKER_DIED);
        return;
    }
    soon__mutex_lock(&pool->backlog.mutex);
    pool->backlog.locked.ended[soon__ending_of(outcome.error, false)]++;
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__call_finish(call, &outcome, NULL);
}

static void gone(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    soon__mutex_lock(&pool->backlog.mutex);
    pool->locked.present--;
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__process_close(process);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct soon__process *process = handle->data;

    if (--process->loop.handles == 0)
        gone(process);
}

static void close_handles(struct soon__process *process)
{
    soon__library_unwatch(&process->loop.on_bell);
    soon__library_unwatch(&process->loop.on_control);
    soon__library_unwatch(&process->loop.on_death);
    uv_close((uv_handle_t *)&process->loop.timer, on_handle_closed);
    uv_close((uv_handle_t *)&process->loop.again, on_handle_closed);
}

/* Takes out what the process had, with the slots. */
static size_t take_lost_locked(struct soon__process *process, struct soon__assignment lost[SOON__SLOTS],
                               uint32_t lost_slots[SOON__SLOTS])
{
    size_t count = 0;

    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        if (!soon__slot_is_posted(&process->locked.slots[slot]))
            continue; /* it is EMPTY, or belongs to the thread that fills it */
        soon__call_move(process->locked.slots[slot].call, SOON__CALL_IN_HAND);
        if (process->locked.slots[slot].is_initializer) {
            soon__call_discard(process->locked.slots[slot].call); /* its process counts as a failed start */
        } else {
            lost[count] = process->locked.slots[slot];
            lost_slots[count++] = slot;
        }
        soon__process_release_locked(process, slot, soon__clock_ns());
    }
    return count;
}

/* The process leaves the list, and what it had not claimed goes back. `lost` gets what it had, with its slots. */
static size_t bury_locked(struct soon__process *process, struct soon__assignment lost[SOON__SLOTS],
                          uint32_t lost_slots[SOON__SLOTS])
{
    struct soon__process_pool *pool = process->pool;
    size_t count;

    soon__process_return_unclaimed_locked(process);
    if (pool->locked.spinner == process)
        pool->locked.spinner = NULL;
    count = take_lost_locked(process, lost, lost_slots);
    if (process->next)
        process->next->previous = process->previous;
    if (process->previous)
        process->previous->next = process->next;
    else
        pool->locked.processes = process->next;
    return count;
}

/* Has a process that was in this stage died without our doing? */
static bool died_by_itself(const struct soon__process *process, enum soon__stage stage)
{
    enum soon__why why = process->locked.why;

    return stage == SOON__READY || why == SOON__WHY_CORRUPT ||
           (stage == SOON__STARTING && why != SOON__WHY_SHORT && !soon__why_is_ours(why));
}

static void break_for_death(struct soon__process_pool *pool, const struct soon__exit *exit)
{
    soon_error fields = {.code = SOON_EBROKEN};
    char how[SOON__CRASH_TEXT];

    soon__process_pool_break(
        pool, soon__error_newf(&fields, "a worker died: %s", soon__crash_describe(how, sizeof how, exit)));
}

/* Adds to `text` that the worker has ended before soon_init() has sent its HELLO, if that is so. */
static void add_silence(const struct soon__process *process, const struct soon__exit *exit, char *text, size_t size)
{
    size_t length = strlen(text);

    if (process->loop.begun == SOON__SPAWNED && exit->known && !exit->killed && exit->number != SOON__EXIT_LOAD)
        snprintf(text + length, size - length, ", and had not come to soon_init()");
}

static void count_failed_start(struct soon__process *process, enum soon__why why, const struct soon__exit *exit)
{
    bool killed = exit->known && exit->killed && (exit->number == SIGKILL || exit->number == SIGTERM) &&
                  !process->loop.signal_sent;
    char text[SOON__CRASH_TEXT];

    switch (why) {
    case SOON__WHY_SHORT:
        soon__process_pool_start_was_short(process->pool, process->loop.shortage);
        return;
    case SOON__WHY_LATE:
        snprintf(text, sizeof text, "was not ready in %lld ms",
                 (long long)(process->pool->options.start_timeout_ns / 1000000));
        break;
    case SOON__WHY_CORRUPT:
        snprintf(text, sizeof text, "said what no worker says");
        break;
    default:
        soon__launch_add_missing(&process->pool->launch, exit, soon__crash_describe(text, sizeof text, exit),
                                 sizeof text);
    }
    add_silence(process, exit, text, sizeof text);
    soon__process_pool_start_failed(process->pool, killed, 0, text);
}

/* Learns how the process has ended. If it cannot be reaped yet, its number and its watch are left to remains.c. */
static void reap(struct soon__process *process, struct soon__exit *ret)
{
    if (process->loop.watch < 0) /* another process may have its number by now */
        return;
    if (soon__process_reap(process->loop.watch, process->pid, ret))
        return;
    soon__remains_keep(process->loop.remains, process->loop.watch, process->pid);
    process->loop.remains = NULL;
    process->loop.watch = -1;
}

/* Dispatches the calls that have come back from a process that is gone or given up. */
static void hand_out(struct soon__process_pool *pool)
{
    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_pool_dispatch_locked(pool, soon__clock_ns());
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->backlog.mutex);
}

void soon__process_abandon(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment lost[SOON__SLOTS];
    uint32_t slots[SOON__SLOTS];
    size_t count;

    (void)soon__process_drain(process, true);
    soon__mutex_lock(&pool->backlog.mutex);
    count = take_lost_locked(process, lost, slots);
    soon__mutex_unlock(&pool->backlog.mutex);
    for (size_t i = 0; i < count; i++)
        lost_call(process, &lost[i], slots[i], &(struct soon__exit){.denied = process->loop.denied});
    hand_out(pool);
}

/* From here on it gets no more work. Returns the stage that it was in. */
static enum soon__stage enter_death(struct soon__process *process)
{
    enum soon__stage before;

    soon__mutex_lock(&process->pool->backlog.mutex);
    before = process->locked.stage;
    soon__process_enter_locked(process, SOON__DEAD);
    soon__mutex_unlock(&process->pool->backlog.mutex);
    return before;
}

/* Takes in its last messages and replies, which count (P4), and then learns how it has ended. */
static void learn_end(struct soon__process *process, struct soon__exit *exit)
{
    if (soon__process_receive(process) == -ENOMEM && process->loop.begun != SOON__SERVED && !process->loop.shortage)
        process->loop.shortage = -ENOMEM;
    (void)soon__process_drain(process, true);
    /* Processes that its tasks have left in its group end with it. Its number stays its own until it is reaped. */
    if (process->loop.watch >= 0)
        (void)soon__process_signal(process->loop.watch, process->pid, SIGKILL);
    reap(process, exit);
    if (process->loop.begun != SOON__SERVED && !process->loop.shortage)
        process->loop.shortage = soon__crash_shortage(exit);
}

/* Why it has died, now that all is known. */
static enum soon__why find_why_locked(struct soon__process *process)
{
    if (process->loop.shortage)
        soon__process_blame_locked(process, SOON__WHY_SHORT);
    /* Relaxed: the thread that last took in replies was this one, or has had the mutex since. */
    if (atomic_load_explicit(&process->reading.corrupt, memory_order_relaxed))
        soon__process_blame_locked(process, SOON__WHY_CORRUPT);
    return process->locked.why;
}

/* Does the death of a process that was in this stage break the pool? */
static bool breaks_pool(const struct soon__process *process, enum soon__stage stage, enum soon__why why)
{
    return process->pool->options.break_on_death &&
           (stage == SOON__READY || (stage == SOON__STARTING && !process->loop.signal_sent && why != SOON__WHY_SHORT));
}

void soon__process_died(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment lost[SOON__SLOTS];
    uint32_t slots[SOON__SLOTS];
    struct soon__exit exit = {.known = false};
    enum soon__stage stage = enter_death(process);
    enum soon__why why;
    bool by_itself;
    size_t count;

    learn_end(process, &exit);
    soon__mutex_lock(&pool->backlog.mutex);
    why = find_why_locked(process);
    by_itself = died_by_itself(process, stage);
    pool->locked.deaths += by_itself;
    count = bury_locked(process, lost, slots);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__backlog_tell(&pool->backlog, by_itself ? SOON__MOMENT_DIED : SOON__MOMENT_ENDED, process->number,
                       process->pid, exit.known && exit.killed ? exit.number : 0);
    if (breaks_pool(process, stage, why))
        break_for_death(pool, &exit);
    for (size_t i = 0; i < count; i++)
        lost_call(process, &lost[i], slots[i], &exit);
    if (process->loop.begun != SOON__SERVED && !soon__why_is_ours(why))
        count_failed_start(process, why, &exit);
    close_handles(process);
    hand_out(pool);
}

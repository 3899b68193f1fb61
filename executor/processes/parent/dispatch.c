/*
 * dispatch.c - which worker process gets the next call, what goes back to the queue, and how many processes are wanted.
 *
 * Slots are filled ahead of time, so that a worker that has ended a task finds the next one without asking. A plain
 * call that comes when nothing waits does not enter the queue: a worker is chosen, and the call is written and posted,
 * in one step.
 */
#include "dispatch_internal.h"

#include "agenda_internal.h"
#include "post_internal.h"
#include "slots_internal.h"

#include <errno.h>

#define HELD_UP_NS INT64_C(10000000) /* far longer than it takes to dispatch a call */

/* Does it run a long task? Then what waits behind that might be done sooner elsewhere. */
static bool is_held_up_locked(const struct soon__process *process, int64_t now)
{
    return process->pool->options.max > 1 && process->locked.assigned && now - process->locked.moved_on_ns > HELD_UP_NS;
}

/* Is one held up? Looks through all processes only when one may be. */
static bool one_is_held_up_locked(struct soon__process_pool *pool, int64_t now)
{
    int64_t until = now + HELD_UP_NS;

    if (!pool->locked.busy || now < pool->locked.held_up_at)
        return false;
    for (const struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (is_held_up_locked(process, now))
            return true;
        if (process->locked.assigned && process->locked.moved_on_ns + HELD_UP_NS < until)
            until = process->locked.moved_on_ns + HELD_UP_NS;
    }
    pool->locked.held_up_at = until;
    return false;
}

static bool takes_more_locked(const struct soon__process *process, int64_t now)
{
    size_t most = process->pool->options.tasks_per_worker;

    return process->locked.stage == SOON__READY && process->locked.assigned < SOON__SLOTS &&
           !process->locked.no_room_until && !process->locked.outgrown && !(most && process->locked.given >= most) &&
           !is_held_up_locked(process, now);
}

/* The process with the lowest rank gets the next call: the one with the fewest calls, and of these one that claims
 * them. */
static size_t rank_of(const struct soon__process *process)
{
    return 2 * process->locked.assigned + process->locked.stalled;
}

/* If the process that got a call last has nothing to do, it gets this one too: so tasks that come one after the other
 * need a single process, and no look at the others. */
static struct soon__process *choose_locked(struct soon__process_pool *pool, int64_t now)
{
    struct soon__process *last = pool->locked.spinner, *best = NULL;

    if (last && !rank_of(last) && takes_more_locked(last, now))
        return last;
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (takes_more_locked(process, now) && (!best || rank_of(process) < rank_of(best)))
            best = process;
    }
    return best;
}

/* Every slot is full. If the first call of the queue is more urgent than one that was posted, that one goes back to the
 * queue. */
static bool displace_locked(struct soon__process_pool *pool)
{
    soon_call *first = soon__queue_first(&pool->backlog.locked.queue), *call;
    uint64_t order = soon__post_order(first), worst_order = 0;
    struct soon__process *worst = NULL;
    uint32_t slot, worst_slot = SOON__NO_SLOT;

    if (!soon__call_extra(first) || soon__call_extra(first)->options.priority == 0)
        return false;
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        slot =
            process->locked.stage == SOON__READY ? soon__process_find_unclaimed_locked(process, true) : SOON__NO_SLOT;
        if (slot != SOON__NO_SLOT && process->locked.slots[slot].order >= worst_order) {
            worst = process;
            worst_slot = slot;
            worst_order = process->locked.slots[slot].order;
        }
    }
    /* Only priorities are compared, not who came first. */
    if (!worst || worst_order >> (64 - SOON__PRIORITY_BITS) <= order >> (64 - SOON__PRIORITY_BITS))
        return false;
    call = soon__process_take_out_locked(worst, worst_slot);
    if (call)
        soon__queue_return(&pool->backlog.locked.queue, call);
    return true; /* or it was claimed just now, and we look again */
}

/* What waits behind a long task goes back to the queue, at its old position, if another process may take it. */
static void relieve_locked(struct soon__process_pool *pool, int64_t now)
{
    if (!one_is_held_up_locked(pool, now))
        return;
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (process->locked.stage != SOON__READY || !is_held_up_locked(process, now) ||
            soon__process_find_unclaimed_locked(process, true) == SOON__NO_SLOT || !choose_locked(pool, now))
            continue;
        soon__process_return_unclaimed_locked(process);
        /* If it has claimed none it stands still, and would get the same calls again. */
        process->locked.stalled |= !process->locked.assigned;
    }
}

static bool one_is_idle_locked(const struct soon__process_pool *pool, int64_t now)
{
    for (const struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (!process->locked.assigned && takes_more_locked(process, now))
            return true;
    }
    return false;
}

/* If a process has nothing to do and the queue is empty, takes back what the fullest process has not claimed, to be
 * dispatched to both. True: the queue is not empty any more. */
static bool share_locked(struct soon__process_pool *pool, int64_t now)
{
    struct soon__process *fullest = NULL;

    if (pool->backlog.locked.queue.count || pool->locked.assigned < 2 || !one_is_idle_locked(pool, now))
        return false;
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (process->locked.stage == SOON__READY && process->locked.assigned > 1 &&
            (!fullest || process->locked.assigned > fullest->locked.assigned))
            fullest = process;
    }
    if (fullest)
        soon__process_return_unclaimed_locked(fullest);
    return pool->backlog.locked.queue.count > 0;
}

bool soon__process_pool_may_start_locked(struct soon__process_pool *pool)
{
    if (pool->backlog.locked.state == SOON__BROKEN || pool->locked.stop)
        return false;
    return !soon__backlog_is_ending_locked(&pool->backlog) || soon__process_pool_pending_locked(pool);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many more processes would have something to do (P12). */
static size_t missing_locked(struct soon__process_pool *pool)
{
    size_t useful = pool->backlog.locked.queue.count;

    if (pool->locked.present >= pool->options.max)
        return 0;
    /* What runs in a process that is on its way out needs no other. */
    for (const struct soon__process *process = pool->locked.processes; process; process = process->next)
        useful += process->locked.stage == SOON__READY ? process->locked.assigned : 0;
    if (useful < pool->locked.at_least)
        useful = pool->locked.at_least;
    if (useful <= pool->locked.alive || !soon__process_pool_may_start_locked(pool))
        return 0;
    return smaller(useful - pool->locked.alive, pool->options.max - pool->locked.present);
}

void soon__process_pool_want_none_locked(struct soon__process_pool *pool)
{
    pool->locked.alive -= pool->locked.wanted;
    pool->locked.present -= pool->locked.wanted;
    pool->locked.wanted = 0;
}

/* Counts the processes that are missing, for the loop to start them. In a back-off the loop has set its
 * timer already. */
static void grow_locked(struct soon__process_pool *pool)
{
    size_t missing = missing_locked(pool);

    if (!missing || pool->locked.starts.again_at > soon__clock_ns())
        return;
    pool->locked.alive += missing;
    pool->locked.present += missing;
    pool->locked.wanted += missing;
    soon__process_pool_look_soon_locked(pool);
}

void soon__process_pool_queue_injected_locked(struct soon__process_pool *pool)
{
    pool->backlog.locked.submitted +=
        soon__queue_push_list(&pool->backlog.locked.queue, soon__inject_take_locked(&pool->backlog.inject, false));
}

bool soon__process_pool_inject_locked(struct soon__process_pool *pool, uintptr_t mode)
{
    soon_call *came;

    (void)soon__inject_set_locked(&pool->backlog.inject, mode, &came);
    pool->backlog.locked.submitted += soon__queue_push_list(&pool->backlog.locked.queue, came);
    return came;
}

/* P9. Opens or closes the injector. True: calls have come meanwhile that are to be dispatched. */
static bool set_injector_locked(struct soon__process_pool *pool, int64_t now)
{
    bool open = !pool->backlog.bound && pool->backlog.locked.state == SOON__OPEN &&
                pool->locked.present >= pool->options.max && soon__process_pool_is_saturated_locked(pool) &&
                !choose_locked(pool, now);

    return soon__process_pool_inject_locked(pool, open ? SOON__BUSY : SOON__SHUT);
}

void soon__process_pool_dispatch_locked(struct soon__process_pool *pool, int64_t now)
{
    struct soon__process *process;

    soon__process_pool_queue_injected_locked(pool);
    relieve_locked(pool, now);
    do {
        while (pool->backlog.locked.queue.count) {
            process = choose_locked(pool, now);
            if (process)
                (void)soon__process_post_first_locked(process, &now);
            else if (!displace_locked(pool))
                break;
        }
    } while (share_locked(pool, now) || set_injector_locked(pool, now));
    soon__process_pool_wake_all_locked(pool);
    grow_locked(pool);
}

/* The process for a call that comes now. NULL: other calls may come before it, or no process has a place. */
static struct soon__process *choose_at_once_locked(struct soon__process_pool *pool, int64_t now)
{
    if (pool->backlog.locked.queue.count || soon__inject_is_open(soon__inject_load(&pool->backlog.inject)) ||
        one_is_held_up_locked(pool, now))
        return NULL; /* what waits in the queue or behind a long task may come first */
    return choose_locked(pool, now);
}

bool soon__process_pool_post_plain_locked(struct soon__process_pool *pool, soon_call *call)
{
    int64_t now = soon__clock_coarse_ns(), function = SOON_ENOFUNCTION;
    struct soon__process *process = choose_at_once_locked(pool, now);

    if (process)
        function = soon__directory_find(&process->locked.directory, call->function);
    if (function < 0)
        return false;
    soon__queue_pass(&pool->backlog.locked.queue, call);
    soon__process_post_plain_locked(process, call, (uint32_t)function, now);
    soon__channel_wake(&process->channel, process->locked.full);
    grow_locked(pool);
    return true;
}

/* The call waits again; a chunk with the rest of its items. */
static void return_locked(struct soon__process_pool *pool, soon_call *call)
{
    soon__queue_return(&pool->backlog.locked.queue, call);
    if (soon__call_extra(call))
        soon__process_pool_alarm_locked(pool, soon__call_extra(call)->queue_deadline);
}

void soon__process_pool_take_again(struct soon__process_pool *pool, soon_call *call, enum soon__ending how)
{
    struct soon__error *broken;
    uint32_t word;

    soon__mutex_lock(&pool->backlog.mutex);
    soon__call_comes_back(call);
    if (soon__call_sample(call))
        soon__sample_again(soon__call_sample(call), how);
    broken = soon__error_ref(pool->backlog.locked.why);
    word = soon__future_word(soon__call_future(call)); /* what was asked for while the call was in no slot */
    if (broken)
        pool->backlog.locked.ended[SOON__ENDED_OTHERWISE]++;
    else if (pool->locked.dropping || word & SOON__CANCEL_REQUESTED)
        soon__process_pool_refuse_locked(pool, call, -ECANCELED);
    else if (word & SOON__KILL_REQUESTED)
        soon__process_pool_refuse_locked(pool, call, SOON_EKILLED);
    else
        return_locked(pool, call);
    soon__mutex_unlock(&pool->backlog.mutex);
    if (broken)
        soon__call_fail(call, broken);
}

/*
 * post.c - from the queue to the slots of worker processes, and back.
 *
 *     queue --choose--> slot FILLING --copied--> posted --claimed by the worker--> running
 *       ^                   |                      |
 *       |                   +-- process is gone    +-- taken back: to be cancelled, or because another worker is idle,
 *       +-------------------+----------------------+   a more urgent one needs the slot, or the process is to go
 *
 * Slots are filled ahead of time, so that a worker that has ended a task finds the next one without asking. A plain call
 * that comes when nothing waits skips the queue: it is chosen for, written and posted in one step. What is long to copy is
 * copied outside the mutex (P3).
 */
#include "marshal_internal.h"

#include "../../system/cpu_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS INT64_C(10000000)
#define HELD_UP_NS INT64_C(10000000) /* far longer than it takes to hand out the next one */
enum { PRIORITY_BITS = 24, NOTHING = SOON__SLOTS };

/*
 * Slots
 */

_Static_assert(SOON__SLOTS <= 64, "sets of slots are words");

static uint32_t find_empty_locked(const struct soon__process *process)
{
    return ~process->full ? (uint32_t)__builtin_ctzll(~process->full) : NOTHING;
}

void soon__process_release_locked(struct soon__process *process, uint32_t slot, int64_t now)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment *assignment = &process->slots[slot];

    if (assignment->in_area)
        soon__ring_allocator_give(&process->ring, assignment->region);
    if (assignment->running) { /* what was taken back says nothing about the one that runs */
        process->moved_on_ns = now;
        process->stalled = false;
    }
    process->assigned--;
    pool->locked.assigned -= !assignment->is_initializer;
    assignment->stage = SOON__SLOT_EMPTY;
    assignment->call = NULL;
    process->full &= ~(UINT64_C(1) << slot);
    process->no_room = false;
    if (process->assigned)
        return;
    pool->locked.busy--;
    process->idle_since = now;
    /* Now it may retire. */
    if (pool->may_retire || pool->locked.closed || pool->locked.broken)
        soon__process_pool_look_soon_locked(pool);
}

bool soon__process_is_running_locked(struct soon__process *process, uint32_t slot)
{
    struct soon__assignment *assignment = &process->slots[slot];

    if (assignment->stage != SOON__SLOT_IN_USE)
        return false;
    if (!assignment->running)
        assignment->running = soon__channel_look(&process->channel, slot, assignment->sequence) != SOON__LOOK_UNCLAIMED;
    return assignment->running;
}

/* The call of a slot that was not claimed: it is the caller's now. NULL: it was claimed, or there is none. */
static soon_call *take_out_locked(struct soon__process *process, uint32_t slot)
{
    struct soon__assignment *assignment = &process->slots[slot];
    soon_call *call = assignment->call;

    if (!call || assignment->running)
        return NULL;
    if (assignment->stage == SOON__SLOT_FILLING) {
        assignment->call = NULL; /* P3: who fills it sees that */
    } else if (soon__channel_take_back(&process->channel, slot, assignment->sequence)) {
        soon__process_release_locked(process, slot, soon__clock_ns());
    } else {
        assignment->running = true;
        return NULL;
    }
    process->given--;
    call->posted = false;
    return call;
}

bool soon__process_take_back_locked(soon_call *call)
{
    return take_out_locked(call->process, call->slot) != NULL;
}

/* The slot, of those not seen to be claimed, whose turn comes first or last. */
static uint32_t find_unclaimed_locked(const struct soon__process *process, bool last)
{
    uint32_t found = NOTHING;

    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        const struct soon__assignment *assignment = &process->slots[slot];

        if (assignment->stage == SOON__SLOT_EMPTY || assignment->running || !assignment->call)
            continue;
        if (found == NOTHING || (assignment->order > process->slots[found].order) == last)
            found = slot;
    }
    return found;
}

void soon__process_return_unclaimed_locked(struct soon__process *process)
{
    uint32_t slot;
    soon_call *call;

    while ((slot = find_unclaimed_locked(process, true)) != NOTHING) {
        call = take_out_locked(process, slot);
        if (call)
            soon__queue_return(&process->pool->locked.queue, call);
    }
}

soon_call *soon__process_take_unclaimed_locked(struct soon__process *process)
{
    soon_call *calls = NULL, **end = &calls, *call;
    uint32_t slot;

    while ((slot = find_unclaimed_locked(process, false)) != NOTHING) {
        call = take_out_locked(process, slot);
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
    size_t count = pool->locked.queue.count;

    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
            count += process->slots[slot].call && process->slots[slot].stage != SOON__SLOT_EMPTY &&
                     !soon__process_is_running_locked(process, slot);
        }
    }
    return count;
}

/*
 * Posting
 */

/* The slot is the call's; NULL: the initializer's. */
static inline struct soon__assignment *occupy_locked(struct soon__process *process, uint32_t slot, soon_call *call,
                                                     int64_t now)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment *assignment = &process->slots[slot];

    /* What the worker has read last: on its way to us while the rest is made up. */
    soon__cpu_expect_write(&process->channel.requests->request[slot]);
    soon__cpu_expect_write((const void *)&process->channel.requests->bell_wanted);
    soon__cpu_expect_write((const void *)&process->channel.requests->post_bell);
    *assignment = (struct soon__assignment){
        .stage = SOON__SLOT_FILLING, .call = call, .sequence = ++process->sequence, .is_initializer = !call};
    process->full |= UINT64_C(1) << slot;
    if (!process->assigned++) {
        process->moved_on_ns = now;
        pool->locked.busy++;
    }
    pool->locked.assigned += call != NULL;
    pool->locked.posted_lately = true;
    if (pool->locked.inspect_at == SOON__NEVER) {
        pool->locked.inspect_at = now + SOON__INSPECT_NS;
        soon__process_pool_alarm_locked(pool, pool->locked.inspect_at);
    }
    return assignment;
}

static bool reserve_locked(struct soon__process *process, struct soon__marshalled *marshalled, uint32_t slot,
                           int64_t now)
{
    struct soon__assignment *assignment;
    uint32_t region = 0;

    if (marshalled->in_area &&
        !soon__ring_allocator_take(&process->ring, marshalled->body_size, &marshalled->offset, &region)) {
        process->no_room = true;
        process->retry_at = SOON__NEVER;
        return false;
    }
    assignment = occupy_locked(process, slot, marshalled->call, now);
    assignment->in_area = marshalled->in_area;
    assignment->region = region;
    assignment->items = marshalled->items;
    return true;
}

/* Higher priorities first, then in order. */
static uint64_t order_of(const soon_call *call)
{
    int64_t most = (1 << (PRIORITY_BITS - 1)) - 1;
    int64_t priority = call && soon__call_extra(call) ? soon__call_extra(call)->options.priority : 0;

    if (priority > most)
        priority = most;
    if (priority < -most)
        priority = -most;
    return ((uint64_t)(most - priority) << (64 - PRIORITY_BITS)) |
           ((call ? call->number : 0) & (UINT64_MAX >> PRIORITY_BITS));
}

void soon__process_pool_refuse_locked(struct soon__process_pool *pool, soon_call *call, int code)
{
    call->next_refused = pool->locked.refused;
    call->refusal = code;
    pool->locked.refused = call;
    pool->locked.failed += code != -ECANCELED;
    pool->locked.cancelled += code == -ECANCELED;
    soon__process_pool_look_soon_locked(pool); /* failing it runs callbacks, which do not belong here */
}

static void watch_limits_locked(struct soon__process *process, uint32_t slot)
{
    const struct soon__assignment *assignment = &process->slots[slot];
    int64_t limit_ms =
        soon__call_extra(assignment->call) ? soon__call_extra(assignment->call)->options.time_limit_ms : 0;

    if (limit_ms && limit_ms < (SOON__NEVER - assignment->posted_ns) / 1000000)
        soon__process_pool_alarm_locked(process->pool, assignment->posted_ns + limit_ms * 1000000);
}

/* One worker at a time may look for work before it sleeps, the one that got some last: all of them together would take
 * the CPUs from who submits. In a flood each may: more is on its way. */
static void let_spin_locked(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__process *before = pool->locked.spinner;

    pool->locked.spinner = process;
    if (!pool->spin_ns)
        return;
    if (before && before != process && !soon__process_pool_is_saturated_locked(pool)) {
        /* Relaxed, both: a hint. */
        atomic_store_explicit(&before->channel.requests->spin_ns, 0, memory_order_relaxed);
        before->spins = false;
    }
    atomic_store_explicit(&process->channel.requests->spin_ns, pool->spin_ns, memory_order_relaxed);
    process->spins = true;
}

/* The slot is filled. A wake is to follow. */
static inline void post_locked(struct soon__process *process, uint32_t slot, int64_t now)
{
    struct soon__assignment *assignment = &process->slots[slot];

    assignment->stage = SOON__SLOT_IN_USE;
    assignment->posted_ns = now;
    if (process->bell_is_off)
        soon__channel_turn_bell_on(&process->channel);
    process->bell_is_off = false;
    soon__channel_publish(&process->channel, slot, assignment->sequence);
    if (process->pool->locked.spinner != process || !process->spins)
        let_spin_locked(process);
}

/* It was filled, or could not be: `rc`. */
static void publish_locked(struct soon__process *process, uint32_t slot, soon_call *call, int rc, int64_t now)
{
    struct soon__process_pool *pool = process->pool;
    bool wanted = process->slots[slot].call == call;

    if (wanted && rc == 0 && (process->stage == SOON__READY || !call)) {
        post_locked(process, slot, now);
        process->to_wake = true;
        if (call)
            watch_limits_locked(process, slot);
        return;
    }
    soon__process_release_locked(process, slot, now);
    if (!wanted || !call)
        return;
    process->given--;
    call->posted = false;
    if (rc == 0 || rc == -EAGAIN || rc == -EPIPE)
        soon__queue_return(&pool->locked.queue, call); /* it was the process that had no use for it */
    else
        soon__process_pool_refuse_locked(pool, call, rc);
    if (rc != -EAGAIN && rc != -EPIPE)
        return;
    /* Its socket is full, or it has closed it and its death is on its way to us: not at once again. */
    process->no_room = true;
    process->retry_at = now + RETRY_NS;
    soon__process_pool_alarm_locked(pool, process->retry_at);
}

static void wake_locked(struct soon__process *process)
{
    if (process->to_wake)
        soon__channel_wake(&process->channel, process->full);
    process->to_wake = false;
}

/* One wake for all that was published to it: before the mutex is given back. */
static void wake_all_locked(struct soon__process_pool *pool)
{
    for (struct soon__process *process = pool->locked.processes; process; process = process->next)
        wake_locked(process);
}

/* 0, or why it could not be filled. */
static int fill_and_publish_locked(struct soon__process *process, uint32_t slot,
                                   const struct soon__marshalled *marshalled, int64_t *now)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment *assignment = &process->slots[slot];
    uint64_t sequence = assignment->sequence, order = order_of(marshalled->call);
    bool left;
    int rc;

    assignment->order = order;
    if (!soon__marshal_is_long(marshalled)) {
        rc = soon__marshal_fill(marshalled, process, slot, sequence, order);
        publish_locked(process, slot, marshalled->call, rc, *now);
        return rc;
    }
    if (marshalled->call)
        soon__call_hold(marshalled->call);
    process->refs++;
    wake_all_locked(pool);
    soon__mutex_unlock(&pool->mutex);
    rc = soon__marshal_fill(marshalled, process, slot, sequence, order);
    soon__mutex_lock(&pool->mutex);
    *now = soon__clock_ns();
    publish_locked(process, slot, marshalled->call, rc, *now);
    wake_locked(process);
    if (process->stage == SOON__DEAD)
        soon__process_pool_look_soon_locked(pool); /* which waits for us to leave it */
    left = soon__process_unref_locked(process);
    soon__mutex_unlock(&pool->mutex);
    if (marshalled->call)
        soon__call_end(marshalled->call);
    if (left)
        soon__process_free(process);
    soon__mutex_lock(&pool->mutex);
    return rc;
}

static void give_locked(struct soon__process *process, uint32_t slot, soon_call *call)
{
    call->posted = true;
    call->process = process;
    call->slot = slot;
    process->given++;
}

/* A plain call (marshal_internal.h), which fits into any slot. A wake is to follow. */
static void post_plain_locked(struct soon__process *process, soon_call *call, uint32_t function, int64_t now)
{
    uint32_t slot = find_empty_locked(process);
    struct soon__assignment *assignment = occupy_locked(process, slot, call, now);

    assignment->order = order_of(call);
    give_locked(process, slot, call);
    soon__marshal_fill_plain(&process->channel.requests->request[slot], call, function, assignment->order);
    post_locked(process, slot, now);
}

/* The first of the queue; false: it does not fit there now. Takes time if that is long to copy: `*now` goes with it. */
static bool post_first_locked(struct soon__process *process, int64_t *now)
{
    struct soon__process_pool *pool = process->pool;
    soon_call *call = soon__queue_first(&pool->locked.queue);
    int64_t function = soon__directory_find(&process->directory, call->function);
    uint32_t slot = find_empty_locked(process);
    struct soon__marshalled marshalled;

    if (function < 0) {
        soon__process_pool_refuse_locked(pool, soon__queue_pop(&pool->locked.queue), (int)function);
        return true;
    }
    if (soon__marshal_is_plain(call)) {
        soon__queue_remove(&pool->locked.queue, call);
        post_plain_locked(process, call, (uint32_t)function, *now);
        process->to_wake = true;
        return true;
    }
    soon__marshal(&marshalled, call, (uint32_t)function);
    if (!reserve_locked(process, &marshalled, slot, *now))
        return false;
    soon__queue_remove(&pool->locked.queue, call);
    give_locked(process, slot, call);
    (void)fill_and_publish_locked(process, slot, &marshalled, now);
    return true;
}

int soon__process_post_initializer_locked(struct soon__process *process)
{
    const soon_function *initializer = process->pool->initializer.function;
    int64_t now = soon__clock_ns();
    struct soon__marshalled marshalled;
    int rc = -ENOMEM;

    soon__marshal_initializer(&marshalled, process->pool,
                              (uint32_t)soon__directory_find(&process->directory, initializer));
    if (reserve_locked(process, &marshalled, 0, now)) /* it is the first in an empty area */
        rc = fill_and_publish_locked(process, 0, &marshalled, &now);
    wake_locked(process);
    return rc;
}

/*
 * Who gets the next one
 */

/* What it runs takes long: what waits behind that might be done elsewhere by then. */
static bool is_held_up_locked(const struct soon__process *process, int64_t now)
{
    return process->pool->max > 1 && process->assigned && now - process->moved_on_ns > HELD_UP_NS;
}

/* One is. Looked for among all only when one may be. */
static bool one_is_held_up_locked(struct soon__process_pool *pool, int64_t now)
{
    int64_t until = now + HELD_UP_NS;

    if (!pool->locked.busy || now < pool->locked.held_up_at)
        return false;
    for (const struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (is_held_up_locked(process, now))
            return true;
        if (process->assigned && process->moved_on_ns + HELD_UP_NS < until)
            until = process->moved_on_ns + HELD_UP_NS;
    }
    pool->locked.held_up_at = until;
    return false;
}

static bool takes_more_locked(const struct soon__process *process, int64_t now)
{
    size_t most = process->pool->tasks_per_worker;

    return process->stage == SOON__READY && process->assigned < SOON__SLOTS && !process->no_room &&
           !process->outgrown && !(most && process->given >= most) && !is_held_up_locked(process, now);
}

/* The fewest first; of these one that stands still last. */
static size_t rank_of(const struct soon__process *process)
{
    return 2 * process->assigned + process->stalled;
}

/* With the fewest: if that has none, the one that got something last, so that tasks one after the other need one process, and
 * not all are looked at for each. */
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

/* Every slot is full: does the first of the queue come before something that was posted? Then that makes room. */
static bool displace_locked(struct soon__process_pool *pool)
{
    soon_call *first = soon__queue_first(&pool->locked.queue), *call;
    uint64_t order = order_of(first), worst_order = 0;
    struct soon__process *worst = NULL;
    uint32_t slot, worst_slot = NOTHING;

    if (!soon__call_extra(first) || soon__call_extra(first)->options.priority == 0)
        return false;
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        slot = process->stage == SOON__READY ? find_unclaimed_locked(process, true) : NOTHING;
        if (slot != NOTHING && process->slots[slot].order >= worst_order) {
            worst = process;
            worst_slot = slot;
            worst_order = process->slots[slot].order;
        }
    }
    /* Only of a lower priority: the sequence does not count. */
    if (!worst || worst_order >> (64 - PRIORITY_BITS) <= order >> (64 - PRIORITY_BITS))
        return false;
    call = take_out_locked(worst, worst_slot);
    if (call)
        soon__queue_return(&pool->locked.queue, call);
    return true; /* or it was claimed just now: look again */
}

/* What waits behind a long task goes back to the queue, in front of what came later, if another one may take it. */
static void relieve_locked(struct soon__process_pool *pool, int64_t now)
{
    if (!one_is_held_up_locked(pool, now))
        return;
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (process->stage != SOON__READY || !is_held_up_locked(process, now) ||
            find_unclaimed_locked(process, true) == NOTHING || !choose_locked(pool, now))
            continue;
        soon__process_return_unclaimed_locked(process);
        process->stalled |= !process->assigned; /* it stands still: it would get the same again */
    }
}

static bool one_is_idle_locked(const struct soon__process_pool *pool, int64_t now)
{
    for (const struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (!process->assigned && takes_more_locked(process, now))
            return true;
    }
    return false;
}

/* One has nothing to do, and the queue is empty: what the fullest has not claimed goes back, to be handed out to both.
 * True: there is some. */
static bool share_locked(struct soon__process_pool *pool, int64_t now)
{
    struct soon__process *fullest = NULL;

    if (pool->locked.queue.count || pool->locked.assigned < 2 || !one_is_idle_locked(pool, now))
        return false;
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (process->stage == SOON__READY && process->assigned > 1 &&
            (!fullest || process->assigned > fullest->assigned))
            fullest = process;
    }
    if (fullest)
        soon__process_return_unclaimed_locked(fullest);
    return pool->locked.queue.count > 0;
}

bool soon__process_pool_may_start_locked(struct soon__process_pool *pool)
{
    if (pool->locked.broken || pool->locked.stop)
        return false;
    return !pool->locked.closed || soon__process_pool_pending_locked(pool);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many more processes would have something to do (P12). */
static size_t missing_locked(struct soon__process_pool *pool)
{
    size_t useful = pool->locked.queue.count;

    if (pool->locked.present >= pool->max)
        return 0;
    /* What runs in one that is on its way out needs nobody else. */
    for (const struct soon__process *process = pool->locked.processes; process; process = process->next)
        useful += process->stage == SOON__READY ? process->assigned : 0;
    if (useful < pool->locked.at_least)
        useful = pool->locked.at_least;
    if (useful <= pool->locked.alive || !soon__process_pool_may_start_locked(pool))
        return 0;
    return smaller(useful - pool->locked.alive, pool->max - pool->locked.present);
}

void soon__process_pool_want_none_locked(struct soon__process_pool *pool)
{
    pool->locked.alive -= pool->locked.wanted;
    pool->locked.present -= pool->locked.wanted;
    pool->locked.wanted = 0;
}

/* Counted here, started by the loop. In a back-off that has set its timer. */
static void grow_locked(struct soon__process_pool *pool)
{
    size_t missing = missing_locked(pool);

    if (!missing || pool->locked.start_again_at > soon__clock_ns())
        return;
    pool->locked.alive += missing;
    pool->locked.present += missing;
    pool->locked.wanted += missing;
    soon__process_pool_look_soon_locked(pool);
}

void soon__process_pool_take_in_locked(struct soon__process_pool *pool)
{
    pool->locked.submitted +=
        soon__queue_push_list(&pool->locked.queue, soon__inject_take_locked(&pool->inject, false));
}

bool soon__process_pool_inject_locked(struct soon__process_pool *pool, uintptr_t mode)
{
    soon_call *came;

    (void)soon__inject_set_locked(&pool->inject, mode, &came);
    pool->locked.submitted += soon__queue_push_list(&pool->locked.queue, came);
    return came;
}

/* P9. True: something has come meanwhile that is to be handed out. */
static bool settle_locked(struct soon__process_pool *pool, int64_t now)
{
    bool open = !pool->queue_max && !pool->locked.closed && !pool->locked.broken && pool->locked.present >= pool->max &&
                soon__process_pool_is_saturated_locked(pool) && !choose_locked(pool, now);

    return soon__process_pool_inject_locked(pool, open ? SOON__BUSY : SOON__SHUT);
}

void soon__process_pool_dispatch_locked(struct soon__process_pool *pool, int64_t now)
{
    struct soon__process *process;

    soon__process_pool_take_in_locked(pool);
    relieve_locked(pool, now);
    do {
        while (pool->locked.queue.count) {
            process = choose_locked(pool, now);
            if (process)
                (void)post_first_locked(process, &now);
            else if (!displace_locked(pool))
                break;
        }
    } while (share_locked(pool, now) || settle_locked(pool, now));
    wake_all_locked(pool);
    grow_locked(pool);
}

/* Who gets one that comes now, if nothing comes before it. NULL: something does, or nobody has a place. */
static struct soon__process *choose_at_once_locked(struct soon__process_pool *pool, int64_t now)
{
    if (pool->locked.queue.count || soon__inject_is_open(soon__inject_look(&pool->inject)) ||
        one_is_held_up_locked(pool, now))
        return NULL; /* what waits there may come first */
    return choose_locked(pool, now);
}

bool soon__process_pool_post_plain_locked(struct soon__process_pool *pool, soon_call *call)
{
    int64_t now = soon__clock_coarse_ns(), function = SOON_ENOFUNCTION;
    struct soon__process *process = choose_at_once_locked(pool, now);

    if (process)
        function = soon__directory_find(&process->directory, call->function);
    if (function < 0)
        return false;
    soon__queue_pass(&pool->locked.queue, call);
    post_plain_locked(process, call, (uint32_t)function, now);
    soon__channel_wake(&process->channel, process->full);
    grow_locked(pool);
    return true;
}

void soon__process_pool_alarm_locked(struct soon__process_pool *pool, int64_t when)
{
    if (when >= pool->locked.alarm)
        return;
    pool->locked.alarm = when;
    soon__process_pool_look_soon_locked(pool); /* which sets its timer */
}

void soon__process_pool_look_soon_locked(struct soon__process_pool *pool)
{
    if (pool->locked.look_posted || pool->locked.close_posted)
        return;
    pool->locked.look_posted = true;
    soon__library_loop_post(&pool->look);
}

/*
 * supervisor.c - what the library's loop does for a process pool as a whole: it keeps all limits, starts and retires
 * processes, and tells when the pool is down. One look at the pool finds all that is due, under the mutex, and when the
 * next look is; what takes time is done without the mutex. Loop thread only.
 */
#include "supervisor_internal.h"

#include "../../loops/library_timer_internal.h"
#include "agenda_internal.h"
#include "dispatch_internal.h"
#include "life_internal.h"
#include "listen_internal.h"
#include "sentence_internal.h"
#include "slots_internal.h"
#include "stage_internal.h"
#include "start_internal.h"

#include <assert.h>
#include <signal.h>

static void look(struct soon__process_pool *pool);

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The time of an item seems to be over. Lets no further item start, and looks again. True: the time is over, and no
 * other item has started meanwhile. False: the worker goes on. */
static bool hold_item_locked(struct soon__process *process, uint32_t slot, int64_t now, int64_t limit)
{
    struct soon__assignment *assignment = &process->locked.slots[slot];
    int64_t started;

    assignment->held = true;
    soon__channel_hold(&process->channel, slot, &assignment->sentence.item, &started);
    if (assignment->sentence.item <= assignment->seen_item && started > assignment->seen_ns)
        started = assignment->seen_ns;
    if (started < assignment->posted_ns || soon__later(started, limit) <= now)
        return true;
    soon__channel_let_go(&process->channel, slot);
    return false;
}

/* SOON__NEVER: it has none, or is not posted. */
static int64_t time_limit_of(const struct soon__assignment *assignment)
{
    const struct soon__call_extra *extra = soon__slot_is_posted(assignment) ? soon__call_extra(assignment->call) : NULL;
    int64_t limit_ms = extra ? extra->options.time_limit_ms : 0;

    return limit_ms && limit_ms <= INT64_MAX / 1000000 ? limit_ms * 1000000 : SOON__NEVER;
}

/* When what runs in this slot has begun: a task, or an item of a chunk. The worker tells it, and is believed only
 * between the post and the first look that has seen it. */
static int64_t find_start_locked(struct soon__process *process, uint32_t slot, int64_t now)
{
    struct soon__assignment *assignment = &process->locked.slots[slot];
    const struct soon__status *status = &process->channel.replies->status[slot];
    /* Relaxed, both: hints of the worker's, which are checked here. */
    int64_t started = atomic_load_explicit(&status->started_ns, memory_order_relaxed);
    uint64_t item = atomic_load_explicit(&status->item, memory_order_relaxed);

    if (!assignment->seen_ns || (item > assignment->seen_item && item < assignment->items)) {
        assignment->seen_ns = now;
        assignment->seen_item = item < assignment->items ? item : 0;
    }
    if (started < assignment->posted_ns)
        started = assignment->posted_ns;
    return started < assignment->seen_ns ? started : assignment->seen_ns;
}

/* Condemns the process if the time of the task in this slot is over. Else returns when it may be. */
static int64_t check_time_limit_locked(struct soon__process *process, uint32_t slot, int64_t now)
{
    struct soon__assignment *assignment = &process->locked.slots[slot];
    int64_t limit = time_limit_of(assignment), started;

    if (limit == SOON__NEVER)
        return SOON__NEVER;
    if (!soon__process_is_running_locked(process, slot))
        return soon__later(now, limit); /* it may be claimed at any time, and that is not told */
    started = find_start_locked(process, slot, now);
    if (soon__later(started, limit) > now)
        return soon__later(started, limit);
    if (assignment->items && !hold_item_locked(process, slot, now, limit))
        return soon__later(now, limit);
    soon__process_condemn_task_locked(process, slot, SOON_ETIMELIMIT);
    return SOON__NEVER;
}

/* Takes out a call that was posted and whose queue limit is over; the caller is to fail it. NULL: there is none, and
 * `*next` is lowered to when there may be one. */
static soon_call *pop_expired_locked(struct soon__process *process, int64_t now, int64_t *next)
{
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        struct soon__assignment *assignment = &process->locked.slots[slot];
        soon_call *call = assignment->call;

        if (!soon__slot_is_unclaimed(assignment) || !soon__call_extra(call) ||
            soon__call_extra(call)->queue_deadline == SOON__NEVER)
            continue;
        if (soon__call_extra(call)->queue_deadline > now)
            *next = earlier(*next, soon__call_extra(call)->queue_deadline);
        else if (soon__process_take_back_locked(call))
            return call;
    }
    return NULL;
}

static bool is_over_limit(const struct soon__process *process)
{
    /* Relaxed: a hint of the worker's. */
    return process->pool->options.memory_limit &&
           atomic_load_explicit(&process->channel.replies->over_limit, memory_order_relaxed);
}

/* Is a process that is ready to retire, and why? Else `*next` is when it may have to. */
static bool should_retire_locked(struct soon__process *process, int64_t now, int64_t *next, enum soon__recycled *ret)
{
    struct soon__process_pool *pool = process->pool;
    int64_t due;

    *ret = SOON__NOT_RECYCLED;
    if (process->locked.assigned)
        return false;
    /* When the pool ends it stays while other processes have calls that they have not begun, which may come back. */
    if (pool->backlog.locked.state == SOON__BROKEN ||
        (soon__backlog_is_ending_locked(&pool->backlog) && !soon__process_pool_pending_locked(pool)))
        return true;
    *ret = is_over_limit(process) ? SOON__RECYCLED_MEMORY : SOON__RECYCLED_TASKS;
    if (*ret == SOON__RECYCLED_MEMORY ||
        (pool->options.tasks_per_worker && process->locked.given >= pool->options.tasks_per_worker))
        return true;
    *ret = SOON__RECYCLED_IDLE;
    if (!pool->options.idle_timeout_ns || pool->locked.alive <= pool->locked.at_least)
        return false;
    due = soon__later(process->locked.idle_since, pool->options.idle_timeout_ns);
    if (due > now)
        *next = earlier(*next, due);
    return due <= now;
}

static void look_at_locked(struct soon__process *process, int64_t now, int64_t *next)
{
    struct soon__process_pool *pool = process->pool;
    enum soon__recycled why;

    if (pool->locked.stop)
        soon__process_condemn_locked(process, SOON__WHY_POOL_STOPS);
    else if (pool->backlog.locked.state == SOON__BROKEN && pool->options.break_on_death)
        soon__process_condemn_locked(process, SOON__WHY_POOL_BREAKS);
    if (process->locked.no_room_until <= now)
        process->locked.no_room_until = 0;
    else
        *next = earlier(*next, process->locked.no_room_until);
    if (process->locked.stage != SOON__READY)
        return;
    if (is_over_limit(process)) {
        process->locked.outgrown = true;
        soon__process_return_unclaimed_locked(process);
    }
    if (should_retire_locked(process, now, next, &why)) {
        soon__process_retire_locked(process, why);
        return;
    }
    for (uint32_t slot = 0; slot < SOON__SLOTS && process->locked.stage == SOON__READY; slot++)
        *next = earlier(*next, check_time_limit_locked(process, slot, now));
}

static void mark_locked(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    if (process->locked.stage == SOON__STARTING && soon__backlog_is_ending_locked(&pool->backlog) &&
        !soon__process_pool_pending_locked(pool)) {
        soon__process_blame_locked(process, SOON__WHY_UNWANTED);
        process->loop.due |= SOON__DUE_KILL;
    } else if (pool->locked.stop == SIGKILL) {
        process->loop.due |= SOON__DUE_KILL;
    } else if (process->locked.stage == SOON__CONDEMNED && !process->loop.signal_sent) {
        process->loop.due |= SOON__DUE_EXECUTION;
    }
}

/* P8. As long as something was posted since the last inspection there is a next one. So a task that comes needs no
 * timer. */
static void mark_for_inspection_locked(struct soon__process_pool *pool, int64_t now, int64_t *next)
{
    if (pool->locked.inspect_at <= now) {
        for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
            if (process->locked.stage == SOON__READY && (process->locked.assigned || process->locked.bell_is_off))
                process->loop.due |= SOON__DUE_INSPECTION;
        }
        pool->locked.inspect_at =
            pool->locked.assigned || pool->locked.posted_lately ? now + SOON__INSPECT_NS : SOON__NEVER;
        pool->locked.posted_lately = false;
    }
    *next = earlier(*next, pool->locked.inspect_at);
}

/* Is a process to be started now? Further ones are started in the next turns of the loop (P14). */
static bool take_wanted_locked(struct soon__process_pool *pool, int64_t now, int64_t *next)
{
    if (!soon__process_pool_may_start_locked(pool)) /* P11 */
        soon__process_pool_want_none_locked(pool);
    if (pool->locked.starts.again_at > now) /* even if none is wanted: one may be before that */
        *next = earlier(*next, pool->locked.starts.again_at);
    if (!pool->locked.wanted)
        return false;
    if (--pool->locked.wanted)
        soon__process_pool_look_soon_locked(pool);
    return true;
}

static bool is_over_locked(const struct soon__process_pool *pool)
{
    return soon__backlog_is_ending_locked(&pool->backlog) && !pool->locked.present &&
           !pool->backlog.locked.queue.count && !pool->locked.assigned && !pool->locked.refused &&
           !pool->locked.spinning && !pool->locked.look_posted;
}

/* What a look has found, which is to be done without the mutex. */
struct findings {
    soon_call *expired, *refused;
    int64_t next;
    bool start, over;
};

/* Takes out all calls whose queue limit is over. */
static void take_expired_locked(struct soon__process_pool *pool, int64_t now, struct findings *ret)
{
    soon_call **end = &ret->expired, *call;

    while ((call = soon__queue_pop_expired(&pool->backlog.locked.queue, now))) {
        *end = call;
        end = &call->next;
    }
    ret->next = soon__queue_next_limit(&pool->backlog.locked.queue);
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        while ((call = pop_expired_locked(process, now, &ret->next))) {
            *end = call;
            end = &call->next;
        }
    }
    *end = NULL;
    for (call = ret->expired; call; call = call->next)
        pool->backlog.locked.ended[SOON__ENDED_EXPIRED]++;
    if (ret->expired)
        soon__condition_tell_all(&pool->backlog.place);
}

static void look_locked(struct soon__process_pool *pool, int64_t now, struct findings *ret)
{
    ret->refused = pool->locked.refused;
    pool->locked.refused = NULL;
    take_expired_locked(pool, now, ret);
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        look_at_locked(process, now, &ret->next);
        mark_locked(process);
    }
    mark_for_inspection_locked(pool, now, &ret->next);
    pool->locked.alarm = ret->next; /* calls that are dispatched now may need an earlier one */
    soon__process_pool_dispatch_locked(pool, now);
    ret->next = pool->locked.alarm;
    ret->start = take_wanted_locked(pool, now, &ret->next);
    pool->locked.alarm = ret->next;
}

static void fail_all(const struct findings *found)
{
    soon_call *call, *after;

    for (call = found->refused; call; call = after) {
        after = call->next;
        if (call->refusal == -ECANCELED)
            soon__call_cancel(call);
        else
            soon__call_fail(call, soon__call_error(call, call->refusal, NULL));
    }
    for (call = found->expired; call; call = after) {
        after = call->next;
        soon__call_fail(call, soon__call_error(call, SOON_EEXPIRED, NULL));
    }
}

/* Does what a look has found to be due for each process. */
static void do_what_is_due(struct soon__process_pool *pool)
{
    for (struct soon__process *process = pool->locked.processes, *next; process; process = next) {
        unsigned due = process->loop.due;

        next = process->next; /* only this thread changes the list */
        process->loop.due = 0;
        if (due & SOON__DUE_INSPECTION)
            soon__process_inspect(process);
        if (due & SOON__DUE_EXECUTION)
            soon__process_execute(process);
        if (due & SOON__DUE_KILL)
            soon__process_kill(process, SIGKILL);
    }
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

static void look(struct soon__process_pool *pool)
{
    struct findings found = {0};

    assert(soon__library_on_loop());
    soon__mutex_lock(&pool->backlog.mutex);
    look_locked(pool, soon__clock_ns(), &found);
    soon__mutex_unlock(&pool->backlog.mutex);
    fail_all(&found);
    if (found.start)
        soon__process_begin(pool);
    do_what_is_due(pool);
    soon__loop_timer(&pool->loop.timer, on_timer, found.next);
    soon__mutex_lock(&pool->backlog.mutex);
    found.over = is_over_locked(pool) && !pool->locked.close_posted;
    if (found.over)
        pool->locked.close_posted = true;
    soon__mutex_unlock(&pool->backlog.mutex);
    if (found.over)
        soon__library_loop_post(&pool->loop.close);
}

static struct soon__process_pool *pool_of(struct soon__job *job, size_t offset)
{
    return (struct soon__process_pool *)((char *)job - offset);
}

static void open_pool(struct soon__job *job)
{
    struct soon__process_pool *pool = pool_of(job, offsetof(struct soon__process_pool, loop.open));

    uv_timer_init(soon__library_uv(), &pool->loop.timer);
    pool->loop.timer.data = pool;
}

static void look_job(struct soon__job *job)
{
    struct soon__process_pool *pool = pool_of(job, offsetof(struct soon__process_pool, loop.look));

    soon__mutex_lock(&pool->backlog.mutex);
    pool->locked.look_posted = false; /* from here on the job may be posted again */
    soon__mutex_unlock(&pool->backlog.mutex);
    look(pool);
}

static void on_closed(uv_handle_t *handle)
{
    struct soon__process_pool *pool = handle->data;
    soon_promise *down = pool->backlog.locked.down;

    soon__future_ref(&down->future); /* the pool may be freed as soon as it is resolved */
    soon_promise_set_result(down, NULL, 0);
    soon__future_unref(&down->future);
}

static void close_pool(struct soon__job *job)
{
    struct soon__process_pool *pool = pool_of(job, offsetof(struct soon__process_pool, loop.close));

    uv_close((uv_handle_t *)&pool->loop.timer, on_closed);
}

void soon__process_pool_watch(struct soon__process_pool *pool)
{
    pool->loop.open.run = open_pool;
    pool->loop.look.run = look_job;
    pool->loop.close.run = close_pool;
    soon__library_loop_post(&pool->loop.open);
}

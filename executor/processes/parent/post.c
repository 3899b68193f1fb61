/*
 * post.c - how a call gets into a slot of a worker process.
 *
 *     queue --chosen--> slot FILLING --copied--> posted --claimed by the worker--> running
 *       ^                   |                      |
 *       |                   +-- process is gone    +-- taken back: to be cancelled, or because another worker is idle,
 *       +-------------------+----------------------+   a more urgent one needs the slot, or the process is to go
 *
 * A call that takes long to copy is copied outside the mutex (P3).
 */
#include "post_internal.h"

#include "../../core/call_new_internal.h"
#include "../../system/cpu_internal.h"
#include "agenda_internal.h"
#include "process_internal.h"
#include "slots_internal.h"

#include <errno.h>

#define RETRY_NS INT64_C(10000000)

static inline struct soon__assignment *occupy_locked(struct soon__process *process, uint32_t slot, soon_call *call,
                                                     int64_t now)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment *assignment = &process->locked.slots[slot];

    /* The worker has read these lines last: they are fetched while the rest is done. */
    soon__cpu_expect_write(&process->channel.requests->request[slot]);
    soon__cpu_expect_write((const void *)&process->channel.requests->bell_wanted);
    soon__cpu_expect_write((const void *)&process->channel.requests->post_bell);
    *assignment = (struct soon__assignment){.call = call, .sequence = ++process->locked.sequence};
    soon__slot_set_locked(assignment, SOON__SLOT_FILLING);
    process->locked.full |= UINT64_C(1) << slot;
    if (!process->locked.assigned++) {
        process->locked.moved_on_ns = now;
        pool->locked.busy++;
    }
    pool->locked.assigned++;
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
        !soon__ring_allocator_take(&process->locked.ring, marshalled->body_size, &marshalled->offset, &region)) {
        process->locked.no_room_until = SOON__NEVER;
        return false;
    }
    assignment = occupy_locked(process, slot, marshalled->call, now);
    assignment->is_initializer = marshalled->is_initializer;
    assignment->in_area = marshalled->in_area;
    assignment->region = region;
    assignment->items = marshalled->items;
    assignment->may_be_short = !marshalled->is_initializer && !marshalled->items && !marshalled->call->began &&
                               !(marshalled->sampled & SOON__REQUEST_IS_SAMPLED);
    process->pool->locked.bytes_to += soon__marshal_bytes(marshalled);
    return true;
}

uint64_t soon__post_order(const soon_call *call)
{
    int64_t most = (1 << (SOON__PRIORITY_BITS - 1)) - 1;
    int64_t priority = soon__call_extra(call) ? soon__call_extra(call)->options.priority : 0;

    if (priority > most)
        priority = most;
    if (priority < -most)
        priority = -most;
    return ((uint64_t)(most - priority) << (64 - SOON__PRIORITY_BITS)) |
           (call->number & (UINT64_MAX >> SOON__PRIORITY_BITS));
}

static void watch_limits_locked(struct soon__process *process, uint32_t slot)
{
    const struct soon__assignment *assignment = &process->locked.slots[slot];
    int64_t limit_ms =
        soon__call_extra(assignment->call) ? soon__call_extra(assignment->call)->options.time_limit_ms : 0;

    if (limit_ms && limit_ms < (SOON__NEVER - assignment->posted_ns) / 1000000)
        soon__process_pool_alarm_locked(process->pool, assignment->posted_ns + limit_ms * 1000000);
}

/* Only the worker that got the last request spins: if all did, submitters would get no CPU. In a saturated pool each
 * may, since more is on its way. */
static void let_spin_locked(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__process *before = pool->locked.spinner;

    pool->locked.spinner = process;
    if (!pool->options.spin_ns)
        return;
    if (before && before != process && !soon__process_pool_is_saturated_locked(pool)) {
        /* Relaxed, both stores: a hint. */
        atomic_store_explicit(&before->channel.requests->spin_ns, 0, memory_order_relaxed);
        before->locked.spins = false;
    }
    atomic_store_explicit(&process->channel.requests->spin_ns, pool->options.spin_ns, memory_order_relaxed);
    process->locked.spins = true;
}

/* Posts a slot that was filled. The caller is to wake the worker. */
static inline void post_locked(struct soon__process *process, uint32_t slot, int64_t now)
{
    struct soon__assignment *assignment = &process->locked.slots[slot];

    soon__slot_set_locked(assignment, SOON__SLOT_POSTED);
    assignment->posted_ns = now;
    if (process->locked.bell_is_off)
        soon__channel_turn_bell_on(&process->channel);
    process->locked.bell_is_off = false;
    soon__channel_publish(&process->channel, slot, assignment->sequence);
    if (process->pool->locked.spinner != process || !process->locked.spins)
        let_spin_locked(process);
}

/* The slot was filled, or could not be, for `rc`. Posts it, or gives the call back. */
static void publish_locked(struct soon__process *process, uint32_t slot, soon_call *call, int rc, int64_t now)
{
    struct soon__process_pool *pool = process->pool;
    const struct soon__assignment *assignment = &process->locked.slots[slot];
    bool wanted = assignment->state == SOON__SLOT_FILLING; /* else the call was taken out */
    bool is_initializer = assignment->is_initializer;

    if (wanted && rc == 0 && (process->locked.stage == SOON__READY || is_initializer)) {
        post_locked(process, slot, now);
        process->locked.to_wake = true;
        watch_limits_locked(process, slot);
        return;
    }
    soon__process_release_locked(process, slot, now);
    if (!wanted || is_initializer)
        return;
    process->locked.given--;
    soon__call_move(call, SOON__CALL_IN_HAND);
    if (rc == 0 || rc == -EAGAIN || rc == -EPIPE)
        soon__queue_return(&pool->backlog.locked.queue, call); /* the reason is the process, not the call */
    else
        soon__process_pool_refuse_locked(pool, call, rc);
    if (rc != -EAGAIN && rc != -EPIPE)
        return;
    /* Its socket is full, or closed, and then the loop will hear of its death. So it is not tried again at once. */
    process->locked.no_room_until = now + RETRY_NS;
    soon__process_pool_alarm_locked(pool, process->locked.no_room_until);
}

static void wake_locked(struct soon__process *process)
{
    if (process->locked.to_wake)
        soon__channel_wake(&process->channel, process->locked.full);
    process->locked.to_wake = false;
}

void soon__process_pool_wake_all_locked(struct soon__process_pool *pool)
{
    for (struct soon__process *process = pool->locked.processes; process; process = process->next)
        wake_locked(process);
}

/* 0, or why it could not be filled. */
static int fill_and_publish_locked(struct soon__process *process, uint32_t slot,
                                   const struct soon__marshalled *marshalled, int64_t *now)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment *assignment = &process->locked.slots[slot];
    uint64_t sequence = assignment->sequence, order = soon__post_order(marshalled->call);
    bool left;
    int rc;

    assignment->order = order;
    if (!soon__marshal_is_long(marshalled)) {
        rc = soon__marshal_fill(marshalled, process, slot, sequence, order);
        publish_locked(process, slot, marshalled->call, rc, *now);
        return rc;
    }
    soon__call_keep(marshalled->call);
    process->locked.refs++;
    soon__process_pool_wake_all_locked(pool);
    soon__mutex_unlock(&pool->backlog.mutex);
    rc = soon__marshal_fill(marshalled, process, slot, sequence, order);
    soon__mutex_lock(&pool->backlog.mutex);
    *now = soon__clock_ns();
    publish_locked(process, slot, marshalled->call, rc, *now);
    wake_locked(process);
    if (process->locked.stage == SOON__DEAD)
        soon__process_pool_look_soon_locked(pool); /* it waits until no thread has the process any more */
    left = soon__process_unref_locked(process);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__call_end(marshalled->call);
    if (left)
        soon__process_free(process);
    soon__mutex_lock(&pool->backlog.mutex);
    return rc;
}

static void put_locked(struct soon__process *process, uint32_t slot, soon_call *call)
{
    soon__call_move(call, SOON__CALL_IN_SLOT);
    call->process = process;
    call->slot = slot;
}

static void give_locked(struct soon__process *process, uint32_t slot, soon_call *call)
{
    put_locked(process, slot, call);
    process->locked.given++;
}

void soon__process_post_plain_locked(struct soon__process *process, soon_call *call, uint32_t function, int64_t now)
{
    uint32_t slot = soon__process_find_empty_locked(process);
    struct soon__assignment *assignment = occupy_locked(process, slot, call, now);

    assert(!call->began); /* it has no retries, and is no chunk */
    assignment->may_be_short = true;
    assignment->order = soon__post_order(call);
    give_locked(process, slot, call);
    process->pool->locked.bytes_to += call->arg_size; /* it is in the block */
    soon__marshal_fill_plain(&process->channel.requests->request[slot], call, function, assignment->order);
    post_locked(process, slot, now);
}

bool soon__process_post_first_locked(struct soon__process *process, int64_t *now)
{
    struct soon__process_pool *pool = process->pool;
    soon_call *call = soon__queue_first(&pool->backlog.locked.queue);
    int64_t function = soon__directory_find(&process->locked.directory, call->function);
    uint32_t slot = soon__process_find_empty_locked(process);
    struct soon__marshalled marshalled;

    if (function < 0) {
        soon__process_pool_refuse_locked(pool, soon__queue_pop(&pool->backlog.locked.queue), (int)function);
        return true;
    }
    if (soon__marshal_is_plain(call)) {
        soon__queue_remove(&pool->backlog.locked.queue, call);
        soon__process_post_plain_locked(process, call, (uint32_t)function, *now);
        process->locked.to_wake = true;
        return true;
    }
    soon__marshal(&marshalled, call, (uint32_t)function);
    if (!reserve_locked(process, &marshalled, slot, *now))
        return false;
    soon__queue_remove(&pool->backlog.locked.queue, call);
    give_locked(process, slot, call);
    (void)fill_and_publish_locked(process, slot, &marshalled, now);
    return true;
}

/* No thread has its future. The drain tells what becomes of it (replies.c). */
static int new_initializer(const struct soon__process_pool *pool, soon_call **ret)
{
    const struct soon__initializer *initializer = &pool->backlog.initializer;
    const soon_submit_options options = {.extra = initializer->extra};

    return soon__call_new(ret, &(struct soon__call_params){.executor = pool->backlog.executor,
                                                           .function = initializer->function,
                                                           .data = initializer->arg.data,
                                                           .size = initializer->arg.size,
                                                           .options = &options,
                                                           .is_initializer = true});
}

static int post_initializer_locked(struct soon__process *process, soon_call *call)
{
    int64_t now = soon__clock_ns();
    struct soon__marshalled marshalled;
    int rc = -ENOMEM;

    call->number = 0;
    soon__marshal(&marshalled, call, (uint32_t)soon__directory_find(&process->locked.directory, call->function));
    marshalled.is_initializer = true;
    if (reserve_locked(process, &marshalled, 0, now)) { /* it is the first request, so there is room */
        put_locked(process, 0, call);
        rc = fill_and_publish_locked(process, 0, &marshalled, &now);
    }
    wake_locked(process);
    return rc;
}

int soon__process_post_initializer(struct soon__process *process)
{
    soon_call *call;
    int rc = new_initializer(process->pool, &call);

    if (rc < 0)
        return rc;
    soon__mutex_lock(&process->pool->backlog.mutex);
    rc = post_initializer_locked(process, call);
    soon__mutex_unlock(&process->pool->backlog.mutex);
    if (rc < 0)
        soon__call_discard(call);
    return rc;
}

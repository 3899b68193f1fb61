/*
 * replies.c - replies end requests, and what comes next is dispatched. By one thread at a time for each process (P7).
 *
 * Nothing in a reply is trusted. It must be of a slot that is in use, of the request that is there now, and of the
 * sizes that were asked for; else its worker is corrupt, and is killed.
 */
#include "replies_internal.h"

#include "../../../futures/complete_internal.h"
#include "../../core/call_new_internal.h"
#include "crash_internal.h"
#include "dispatch_internal.h"
#include "items_internal.h"
#include "outcomes_internal.h"
#include "process_internal.h"
#include "receive_internal.h"
#include "slots_internal.h"
#include "stage_internal.h"
#include "times_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    BATCH = 32,
    ACK_EVERY = 32,
};

/* A request has ended; with an `outcome` its call has, too. */
static void end_locked(struct soon__process *process, uint32_t slot, const struct soon__outcome *outcome, int64_t now)
{
    struct soon__process_pool *pool = process->pool;

    soon__call_move(process->locked.slots[slot].call, SOON__CALL_IN_HAND);
    soon__process_release_locked(process, slot, now);
    if (outcome && !outcome->error)
        pool->backlog.locked.ended[SOON__ENDED_WELL]++;
    else if (outcome)
        pool->backlog.locked.ended[soon__ending_of(outcome->error, outcome->cancelled)]++;
    soon__condition_tell_one(&pool->backlog.place);
}

static bool has_progress(const struct soon__reply *reply, const soon_call *call)
{
    return reply->flags & SOON__REPLY_HAS_PROGRESS || (call->began && !(reply->flags & SOON__REPLY_NOT_STARTED));
}

static void release(struct soon__process *process, const struct soon__reply *reply, const struct soon__outcome *outcome)
{
    struct soon__process_pool *pool = process->pool;
    soon_call *call = process->locked.slots[reply->slot].call;

    /* The slot is ours, since no other thread takes in replies. */
    if (!(reply->flags & SOON__REPLY_NOT_STARTED))
        soon__process_take_times(process, &process->locked.slots[reply->slot], reply->slot);
    if (has_progress(reply, call))
        soon__process_keep_progress(process, reply->slot, call);
    soon__mutex_lock(&pool->backlog.mutex);
    end_locked(process, reply->slot, outcome, soon__clock_ns());
    soon__mutex_unlock(&pool->backlog.mutex);
}

static bool was_held(struct soon__process *process, const struct soon__assignment *assignment)
{
    bool held;

    soon__mutex_lock(&process->pool->backlog.mutex);
    held = assignment->held || soon__process_cause_of(process, assignment) != SOON_EWORKERDIED;
    soon__mutex_unlock(&process->pool->backlog.mutex);
    return held;
}

static bool chunk_done(struct soon__process *process, struct soon__assignment *assignment,
                       const struct soon__reply *reply)
{
    soon_call *call = assignment->call;
    struct soon__outcome outcome = {0};
    size_t ended = assignment->ended;

    bool given_back = reply->code == -EAGAIN && was_held(process, assignment) && ended < assignment->items;

    if (reply->first != ended || (!reply->code && ended != assignment->items))
        return false;
    soon__call_extra(call)->items_ended += ended;
    if (reply->code && !given_back && !soon__process_read_cut(process, reply, call, &outcome)) {
        soon__call_extra(call)->items_ended -= ended;
        return false;
    }
    if ((!reply->code || given_back) && soon__call_extra(call)->items_ended < soon__call_extra(call)->items->count) {
        release(process, reply, NULL);
        soon__process_pool_take_again(process->pool, call, SOON__ENDED_WELL);
        return true;
    }
    release(process, reply, &outcome);
    soon__call_finish(call, &outcome, NULL);
    return true;
}

/* The loop hears of it by the answer of the drain. */
static void initializer_ended(struct soon__process *process, soon_call *call, struct soon__outcome *outcome)
{
    const soon_error *error = outcome->error ? &outcome->error->public : NULL;
    soon_error fields = {.code = SOON_EBROKEN, .worker_pid = process->pid, .function = call->function->name};

    if (error && !error->started && soon__shortage(error->code)) /* the worker had no room for it */
        process->loop.shortage = error->code;
    else if (error)
        process->loop.initializer_error = soon__error_newf(&fields, "the initializer failed: %s", error->message);
    if (error)
        soon__error_unref(outcome->error);
    else
        soon__outcome_drop_result(outcome, soon__call_space(call));
    soon__call_discard(call);
}

static bool task_done(struct soon__process *process, struct soon__assignment *assignment,
                      const struct soon__reply *reply)
{
    soon_call *call = assignment->call;
    bool is_initializer = assignment->is_initializer;
    bool is_read = !is_initializer || reply->code;
    struct soon__outcome outcome = {0};

    if (is_read && !soon__process_read_outcome(process, reply, call, soon__call_space(call), &outcome))
        return false;
    release(process, reply, is_initializer ? NULL : &outcome);
    if (is_initializer)
        initializer_ended(process, call, &outcome);
    else
        soon__call_finish(call, &outcome, NULL);
    return true;
}

/* The request that this reply is of; NULL: there is none. A slot that was claimed belongs to this thread alone (P1). */
static struct soon__assignment *find_assignment(struct soon__process *process, const struct soon__reply *reply)
{
    struct soon__assignment *assignment = &process->locked.slots[reply->slot];
    bool found;

    soon__mutex_lock(&process->pool->backlog.mutex);
    found = soon__slot_is_posted(assignment) && assignment->sequence == reply->sequence &&
            soon__process_is_running_locked(process, reply->slot);
    soon__mutex_unlock(&process->pool->backlog.mutex);
    return found ? assignment : NULL;
}

/* Relaxed, both: under the mutex, or by the one thread that takes in replies. */
static uint64_t head_of(const struct soon__process *process)
{
    return atomic_load_explicit(&process->reading.head, memory_order_relaxed);
}

static void set_head(struct soon__process *process, uint64_t head)
{
    atomic_store_explicit(&process->reading.head, head, memory_order_relaxed);
}

/* One turn of a thread that takes in replies. */
struct turn {
    enum { KEEPS_BELL, WANTS_BELL, SPINS } then;
    bool last;                /* the process is dead */
    const soon_call *awaited; /* SPINS: the thread goes on as long as this is in a slot of the process; NULL: it ends */
    uint64_t came;            /* so many replies */
    bool reads, goes_on;
    bool others;      /* some were not plain, and were not acked yet */
    bool more;        /* there are further replies by now */
    bool left;        /* SPINS: it was the last reference to the process */
    bool initialised; /* the initializer has ended, for good or not */
    bool quiet;       /* the mutex may have been left; SPINS: `guest` has begun */
    struct soon__loop_guest *guest;
};

/* The call that a plain reply ends. NULL: it takes more than that, or the reply has not the size that was asked for. */
static soon_call *find_plain_locked(struct soon__process *process, const struct soon__short_reply *reply)
{
    struct soon__assignment *assignment = &process->locked.slots[reply->slot];
    soon_call *call = assignment->call;

    if (!soon__slot_is_posted(assignment) || assignment->sequence != reply->sequence || !assignment->may_be_short ||
        call->function->result_size != reply->size)
        return NULL;
    /* The channel is not asked whether the worker has claimed it, since that would fetch a line of memory. The parent
     * has not taken it back, so the worker may reply to it. */
    if (assignment->state == SOON__SLOT_POSTED)
        soon__slot_set_locked(assignment, SOON__SLOT_RUNNING);
    return call;
}

/* Takes a plain reply: returns its call, with the result, and in no slot any more. NULL: the next reply is not plain,
 * or there is none. */
static soon_call *take_plain_locked(struct soon__process *process, int64_t now)
{
    static const struct soon__outcome success;
    struct soon__short_reply reply;
    soon_call *call = NULL;

    if (soon__channel_next_short(&process->channel, head_of(process), &reply))
        call = find_plain_locked(process, &reply);
    if (!call)
        return NULL;
    soon__copy(soon__call_space(call), reply.body, reply.size);
    process->pool->locked.bytes_from += reply.size;
    end_locked(process, reply.slot, &success, now);
    set_head(process, head_of(process) + 1);
    return call;
}

/* Takes in plain replies, up to the first that is not plain, and at most BATCH, since other threads want the mutex.
 * Calls that are still to be finished go to `calls`: the first that needs more than one step, and all that came after
 * it. */
static void take_plain_replies_locked(struct soon__process *process, struct turn *turn, soon_call *calls[BATCH],
                                      int *count, int64_t now)
{
    soon_call *call;

    for (int taken = *count; taken < BATCH && (call = take_plain_locked(process, now)); taken++) {
        turn->came++;
        if (*count || !soon__call_finish_bare(call))
            calls[(*count)++] = call;
    }
}

/* To be called before anything that may let user code run. Finishing a call in one step does not. */
static void be_quiet(struct turn *turn)
{
    if (!turn->quiet && turn->then == SPINS)
        soon__library_guest_begin(turn->guest);
    turn->quiet = true;
    assert(soon__library_is_quiet());
}

static bool take_answer(struct soon__process *process, struct turn *turn, struct soon__assignment *assignment,
                        const struct soon__reply *reply)
{
    turn->initialised |= assignment->is_initializer;
    if (!assignment->items)
        return reply->kind == SOON__REPLY_DONE && task_done(process, assignment, reply);
    switch (reply->kind) {
    case SOON__REPLY_ITEMS:
        return soon__process_take_items(process, assignment, reply);
    case SOON__REPLY_ITEM:
        return soon__process_take_item(process, assignment, reply);
    default:
        return chunk_done(process, assignment, reply);
    }
}

static bool take_reply(struct soon__process *process, struct turn *turn, const struct soon__reply *reply)
{
    struct soon__assignment *assignment = find_assignment(process, reply);
    bool sane =
        assignment && soon__process_has_descriptors(process, reply) && take_answer(process, turn, assignment, reply);

    /* An outcome that has failed half way leaves some. */
    if (reply->flags & SOON__REPLY_DESCRIPTORS)
        soon__process_drop_descriptors(process);
    return sane;
}

/* Takes in the next reply, of whatever kind. One that no worker sends makes the process corrupt. */
static void take_any_reply(struct soon__process *process, struct turn *turn)
{
    uint64_t head = head_of(process), bytes;
    struct soon__reply reply;
    int rc = soon__channel_next_reply(&process->channel, &head, &reply);

    if (rc == 1) {
        set_head(process, head);
        turn->came++;
        turn->others = true;
        bytes = reply.result_size + reply.payload_size + reply.message_size;
        /* Before anybody can see the outcome; what was a lie is taken back. Relaxed, both: a number to be shown. */
        atomic_fetch_add_explicit(&process->pool->bytes_from, bytes, memory_order_relaxed);
        rc = take_reply(process, turn, &reply) ? 1 : -EPROTO;
        if (rc < 0)
            atomic_fetch_sub_explicit(&process->pool->bytes_from, bytes, memory_order_relaxed);
    }
    if (rc < 0)
        process->reading.corrupt = true;
}

/* The worker may be waiting for the room of a reply that is not plain. Plain ones are acked now and then, since the
 * worker reads the line of memory that an ack changes. */
static void send_ack(struct soon__process *process, bool others)
{
    uint64_t head = head_of(process), acked = soon__channel_acked(&process->channel);

    if (acked == head || (!others && head - acked < ACK_EVERY))
        return;
    soon__channel_ack(&process->channel, head);
}

/* Slots have become free. May leave the mutex. */
static void hand_out_locked(struct soon__process_pool *pool, struct turn *turn, int64_t now)
{
    if (!soon__process_pool_may_hand_out_locked(pool))
        return;
    be_quiet(turn);
    soon__process_pool_dispatch_locked(pool, now);
}

/* A turn is limited, however fast the worker replies, since others wait for this thread. */
static bool is_through_locked(const struct soon__process *process, const struct turn *turn)
{
    return !turn->reads || process->reading.corrupt || turn->came >= SOON__REPLIES ||
           !soon__channel_has_replies(&process->channel, head_of(process), 1);
}

static void stop_spinning_locked(struct soon__process *process, struct turn *turn)
{
    if (turn->more || process->reading.corrupt) { /* the loop has to take in more, or to drop it */
        be_quiet(turn);
        soon__bell_ring(process->channel.bell);
    }
    soon__spin_note(&process->pool->spin, turn->awaited);
    turn->left = soon__process_end_spin_locked(process);
}

static void end_turn_locked(struct soon__process *process, struct turn *turn)
{
    const soon_call *awaited = turn->awaited;
    struct soon__process_pool *pool = process->pool;

    turn->goes_on = turn->reads && !process->reading.corrupt && awaited &&
                    soon__call_place(awaited) == SOON__CALL_IN_SLOT && awaited->process == process;
    if (!turn->goes_on && turn->then != KEEPS_BELL && !process->reading.corrupt && !process->reading.over) {
        process->locked.bell_is_off = turn->then == SPINS && turn->reads && !process->locked.assigned; /* P10 */
        turn->more = !process->locked.bell_is_off && soon__channel_want_bell(&process->channel, head_of(process));
    }
    process->reading.busy &= !turn->reads;
    process->reading.over |= turn->last;
    if (turn->quiet)
        soon__condition_tell_all(&pool->read);
    if (turn->then == SPINS && !turn->goes_on)
        stop_spinning_locked(process, turn);
}

static bool may_be_read_locked(const struct soon__process *process)
{
    return !process->reading.busy && !process->reading.over && !process->reading.corrupt;
}

/* Waits until no other thread takes in replies. A thread that spins does not wait, and takes in none then. */
static void begin_turn_locked(struct soon__process *process, struct turn *turn)
{
    while (process->reading.busy && turn->then != SPINS)
        soon__condition_wait(&process->pool->read, &process->pool->backlog.mutex, SOON__NEVER);
    turn->reads = may_be_read_locked(process);
    process->reading.busy |= turn->reads;
}

/* Takes in plain replies, and dispatches what comes next. Calls that are to be finished without the mutex go to
 * `calls`, in which there may be one already. True: the turn is over. */
static bool take_some_locked(struct soon__process *process, struct turn *turn, soon_call *calls[BATCH], int *count)
{
    int64_t now = soon__clock_coarse_ns();
    uint64_t before = turn->came;

    if (turn->reads)
        take_plain_replies_locked(process, turn, calls, count, now);
    if (turn->came > before || turn->others)
        hand_out_locked(process->pool, turn, now);
    if (turn->reads)
        send_ack(process, turn->others);
    turn->others = false;
    if (!*count && is_through_locked(process, turn))
        return true;
    be_quiet(turn);
    return false;
}

/* P7. Takes in replies until the turn is over. Called with the mutex, which it unlocks. Plain replies are one step
 * under the mutex, with the dispatch that follows and the end of the turn; for all other replies the mutex is left in
 * between. `first`: a call that is still to be finished; or NULL. */
static __attribute__((noinline)) void take_in(struct soon__process *process, struct turn *turn, soon_call *first)
{
    struct soon__process_pool *pool = process->pool;
    soon_call *calls[BATCH];
    struct soon__wakes wakes;
    int count = first != NULL;
    uint64_t before;
    bool over;

    calls[0] = first;
    begin_turn_locked(process, turn);
    for (;;) {
        before = turn->came;
        soon__wakes_collect(&wakes); /* so a thread that waits for these one after the other is woken once */
        over = take_some_locked(process, turn, calls, &count);
        if (over)
            end_turn_locked(process, turn);
        soon__mutex_unlock(&pool->backlog.mutex);
        for (int i = 0; i < count; i++)
            soon__call_finish_plain(calls[i]);
        soon__wakes_flush(&wakes);
        if (over)
            break;
        if (turn->came == before && count == 0)
            take_any_reply(process, turn);
        count = 0;
        soon__mutex_lock(&pool->backlog.mutex);
    }
}

int soon__process_drain(struct soon__process *process, bool last)
{
    struct turn turn = {.then = WANTS_BELL, .last = last};

    soon__mutex_lock(&process->pool->backlog.mutex);
    take_in(process, &turn, NULL);
    if (process->reading.corrupt)
        return -EPROTO;
    return (turn.more ? SOON__DRAINED_MORE : 0) | (turn.initialised ? SOON__DRAINED_INITIALISED : 0);
}

uint64_t soon__process_take_in(struct soon__process *process)
{
    struct turn turn = {.then = KEEPS_BELL};

    soon__mutex_lock(&process->pool->backlog.mutex);
    take_in(process, &turn, NULL);
    return turn.came;
}

/* The usual case of a thread that spins: its reply is plain, no other was due, and nothing waits. True: that was so,
 * and the turn is over. `*ret`: a call that is still to be finished, or NULL. */
static bool take_last_locked(struct soon__process *process, struct turn *turn, soon_call **ret)
{
    int64_t now = process->pool->options.may_retire
                      ? soon__clock_coarse_ns()
                      : process->locked.moved_on_ns; /* without limits nothing depends on when it was */
    soon_call *call;

    *ret = NULL;
    if (!turn->awaited || process->locked.assigned != 1 || !may_be_read_locked(process))
        return false;
    call = take_plain_locked(process, now);
    turn->others = call;
    if (call && !soon__call_finish_bare(call))
        *ret = call;
    if (!call || *ret || soon__call_place(turn->awaited) == SOON__CALL_IN_SLOT ||
        soon__process_pool_may_hand_out_locked(process->pool))
        return false;
    send_ack(process, false);
    process->locked.bell_is_off = true; /* P10 */
    soon__spin_note(&process->pool->spin, true);
    return true;
}

bool soon__process_take_in_spinning(struct soon__process *process, const soon_call *awaited)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__loop_guest guest;
    struct turn turn = {.then = SPINS, .awaited = awaited, .guest = &guest};
    soon_call *call;

    soon__mutex_lock(&pool->backlog.mutex);
    if (take_last_locked(process, &turn, &call)) {
        turn.left = soon__process_end_spin_locked(process);
        soon__mutex_unlock(&pool->backlog.mutex);
    } else {
        take_in(process, &turn, call);
    }
    if (turn.left)
        soon__process_free(process);
    if (turn.quiet)
        soon__library_guest_end(&guest);
    return turn.goes_on;
}

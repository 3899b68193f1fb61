/*
 * replies.c - what workers have answered: from replies to outcomes. By one thread at a time for each process (P7).
 *
 * A reply is believed in nothing that it could be wrong in: it is of a slot in use, of the request that is there now,
 * of the sizes that were asked for; else its worker is mad, and is killed. What it says is copied out; large results
 * come in memory that nobody can write any more.
 */
#include "beside_internal.h"
#include "state_internal.h"

#include "../../../futures/value_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH = 32,
    ACK_EVERY = 32,
};

/*
 * Outcomes
 */

/* 0, or why there is none. */
static int map_result(struct soon__process *process, const struct soon__reply *reply, struct soon__outcome *outcome)
{
    int fd = soon__process_take_descriptor(process, SOON__PART_BYTES), rc;
    void *data;

    if (fd < 0)
        return fd;
    rc = soon__shm_check_frozen(fd, reply->result_size);
    if (rc == 0)
        rc = soon__shm_map(&data, fd, reply->result_size, false);
    close(fd);
    if (rc < 0)
        return rc;
    outcome->result = data;
    outcome->result_mapped = true;
    return 0;
}

/* To `space` if it is not NULL, else to memory of its own. */
static int copy_result(const unsigned char *body, uint64_t size, void *space, struct soon__outcome *outcome)
{
    outcome->result = space;
    if (!space && size) {
        outcome->result = malloc(size);
        outcome->result_on_heap = true;
        if (!outcome->result)
            return -ENOMEM;
    }
    if (size)
        memcpy(outcome->result, body, size);
    return 0;
}

static int take_result(struct soon__process *process, const struct soon__reply *reply, void *space,
                       struct soon__outcome *outcome)
{
    outcome->result_size = reply->result_size;
    if (reply->flags & SOON__REPLY_RESULT_SENT)
        return map_result(process, reply, outcome);
    return copy_result(soon__channel_reply_body(&process->channel, reply), reply->result_size, space, outcome);
}

static int take_payload(struct soon__process *process, const struct soon__reply *reply, struct soon__outcome *outcome)
{
    const unsigned char *body = soon__channel_reply_body(&process->channel, reply);
    int fd, rc;

    if (!(reply->flags & SOON__REPLY_HAS_PAYLOAD))
        return 0;
    if (!(reply->flags & SOON__REPLY_PAYLOAD_SENT)) {
        if (!(reply->flags & SOON__REPLY_RESULT_SENT))
            body += soon__body_round(reply->result_size);
        rc = soon_buffer_new(&outcome->payload, reply->payload_size);
        if (rc == 0 && reply->payload_size)
            memcpy(soon_buffer_data(outcome->payload), body, reply->payload_size);
        return rc;
    }
    fd = soon__process_take_descriptor(process, SOON__PART_PAYLOAD);
    if (fd < 0)
        return fd;
    rc = soon__shm_check_frozen(fd, reply->payload_size);
    if (rc == 0)
        rc = soon__buffer_of_descriptor(&outcome->payload, fd, reply->payload_size);
    if (rc < 0)
        close(fd);
    return rc;
}

/* Of an item of a chunk; or of all of it. */
static const char *label_of(const soon_call *call, const size_t *item)
{
    const struct soon__items *items = item ? soon__call_extra(call)->items : NULL;
    const char *own = items && *item < items->count ? soon__items_label(items, *item) : NULL;

    return own ? own : soon_future_label(soon__call_future((soon_call *)call));
}

/* Where in its body that begins: behind result and payload, since one that has succeeded has no message. */
static const unsigned char *beside_of(struct soon__process *process, const struct soon__reply *reply)
{
    const unsigned char *body = soon__channel_reply_body(&process->channel, reply);

    if (!(reply->flags & SOON__REPLY_RESULT_SENT))
        body += soon__body_round(reply->result_size);
    if (!(reply->flags & SOON__REPLY_PAYLOAD_SENT))
        body += soon__body_round(reply->payload_size);
    return body;
}

/* P13. What a task fails with that was lost: SOON_EWORKERDIED if it was not by us. */
static int cause_of(const struct soon__process *process, const struct soon__assignment *lost)
{
    if (lost->sentence)
        return lost->sentence;
    return process->condemned_for ? process->condemned_for : SOON_EWORKERDIED;
}

/* Why the worker of this slot is to be ended; SOON_EWORKERDIED: it is not. */
static int sentence_of(struct soon__process *process, uint32_t slot)
{
    int code;

    soon__mutex_lock(&process->pool->mutex);
    code = cause_of(process, &process->slots[slot]);
    soon__mutex_unlock(&process->pool->mutex);
    return code;
}

/* Its worker was to be ended, and the task has ended for that: for a reason that the worker does not know. */
static struct soon__error *stopped_error(struct soon__process *process, uint32_t slot, soon_error fields)
{
    int code = sentence_of(process, slot);

    if (code != SOON_EWORKERDIED)
        fields.code = code;
    return soon__error_newf(&fields, NULL);
}

/* NULL, and `*ret_sane` false: its text has no end. */
static struct soon__error *error_of(struct soon__process *process, const struct soon__reply *reply,
                                    const soon_call *call, bool *ret_sane)
{
    const char *body = (const char *)soon__channel_reply_body(&process->channel, reply);
    size_t text = reply->message_size ? strnlen(body, reply->message_size) : 0;
    bool is_item = reply->kind == SOON__REPLY_ITEM;
    size_t item = is_item ? soon__call_extra(call)->items_ended + process->slots[reply->slot].ended : 0;
    soon_error fields = {.code = reply->code,
                         .raised = reply->raised,
                         .started = !(reply->flags & SOON__REPLY_NOT_STARTED),
                         .worker_pid = process->pid,
                         .function = call->function->name,
                         .label = label_of(call, is_item ? &item : NULL)};

    *ret_sane = reply->code < 0 && (!reply->message_size || text < reply->message_size);
    if (!*ret_sane)
        return NULL;
    if (text + 1 < reply->message_size) {
        fields.data = body + text + 1;
        fields.data_size = reply->message_size - text - 1;
    }
    if (reply->flags & SOON__REPLY_CANCELLED)
        return &soon__error_cancelled_running;
    if (reply->code == SOON_EKILLED)
        return stopped_error(process, reply->slot, fields);
    return soon__error_newf(&fields, reply->message_size ? "%.*s" : NULL, (int)text, body);
}

static void drop_result(struct soon__outcome *outcome, void *space)
{
    if (outcome->result_mapped)
        soon__shm_unmap(outcome->result, outcome->result_size);
    else if (outcome->result != space)
        free(outcome->result);
    soon__outcome_drop_payloads(outcome);
    *outcome = (struct soon__outcome){0};
}

/* False: nonsense, and there is no outcome. */
static bool read_outcome(struct soon__process *process, const struct soon__reply *reply, const soon_call *call,
                         void *space, struct soon__outcome *ret)
{
    size_t expected = call->function->result_size;
    bool sane;
    int rc;

    *ret = (struct soon__outcome){0};
    if (reply->code) {
        ret->error = error_of(process, reply, call, &sane);
        ret->cancelled = sane && (reply->flags & SOON__REPLY_CANCELLED);
        return sane;
    }
    if (expected && reply->result_size != expected)
        return false;
    rc = take_result(process, reply, space, ret);
    if (rc == 0)
        rc = take_payload(process, reply, ret);
    if (rc == 0 && reply->flags & SOON__REPLY_HAS_BESIDE)
        rc = soon__process_take_beside(process, reply, beside_of(process, reply), ret);
    if (rc == 0)
        return true;
    drop_result(ret, space);
    if (rc == -EPROTO)
        return false;
    /* It ran: we have no place for what it gave. */
    ret->error = soon__error_as_started(soon__call_error(call, rc, NULL));
    return true;
}

/*
 * Items of chunks
 */

static void *space_of_item(const soon_call *call, size_t index)
{
    const struct soon__items *items = soon__call_extra(call)->items;

    return items->results ? (char *)items->results + index * call->function->result_size : NULL;
}

static void item_ended(soon_call *call, size_t index, struct soon__outcome *outcome)
{
    struct soon__items *items = soon__call_extra(call)->items;

    if (outcome->error && items->results) /* nobody has written to it */
        memset(space_of_item(call, index), 0, call->function->result_size);
    if (!items->wanted || items->wanted(items, index)) {
        if (outcome->error)
            outcome->error = soon__item_own_error(items, index, outcome->error);
        items->done(items, index, outcome);
        return;
    }
    items->begun = index + 1;
    soon__error_unref(outcome->error); /* nobody waits for it any more */
    drop_result(outcome, items->results ? outcome->result : NULL);
}

/* Results of `count` items lie one behind the other. */
static void items_succeeded(soon_call *call, size_t first, size_t count, const unsigned char *results)
{
    struct soon__items *items = soon__call_extra(call)->items;
    size_t size = call->function->result_size;

    if (items->finished && items->wanted(items, first)) { /* plain ones, which need be told of no other */
        memcpy(space_of_item(call, first), results, count * size);
        /* Release: the results; pairs with the acquire of who looks for them. */
        atomic_store_explicit(items->finished, first + count, memory_order_release);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct soon__outcome outcome = {.result_size = size};

        if (copy_result(results + i * size, size, space_of_item(call, first + i), &outcome) < 0)
            outcome = (struct soon__outcome){.error = &soon__error_nomem_started};
        item_ended(call, first + i, &outcome);
    }
}

/* Results of any size, in `size` bytes. How many of `count` there are. */
static size_t varied_succeeded(soon_call *call, size_t first, size_t count, const unsigned char *bytes, uint64_t size)
{
    const unsigned char *result;
    uint64_t result_size;
    size_t given;

    for (given = 0; given < count && (result = soon__varied_next(&bytes, &size, &result_size)); given++) {
        struct soon__outcome outcome = {.result_size = result_size};

        if (copy_result(result, result_size, NULL, &outcome) < 0)
            outcome = (struct soon__outcome){.error = &soon__error_nomem_started};
        item_ended(call, first + given, &outcome);
    }
    return given;
}

static bool take_varied(struct soon__process *process, struct soon__assignment *assignment,
                        const struct soon__reply *reply)
{
    soon_call *call = assignment->call;
    size_t given = varied_succeeded(call, soon__call_extra(call)->items_ended + assignment->ended, reply->count,
                                    soon__channel_reply_body(&process->channel, reply), reply->result_size);

    assignment->ended += given; /* those are good, whatever is behind them */
    return given == reply->count;
}

static bool take_items(struct soon__process *process, struct soon__assignment *assignment,
                       const struct soon__reply *reply)
{
    soon_call *call = assignment->call;
    size_t size = call->function->result_size;

    if (reply->first != assignment->ended || !reply->count || reply->count > assignment->items - assignment->ended ||
        reply->flags & (SOON__REPLY_RESULT_SENT | SOON__REPLY_HAS_PAYLOAD) || reply->code)
        return false;
    if (!size)
        return take_varied(process, assignment, reply);
    if (reply->result_size != reply->count * size)
        return false;
    items_succeeded(call, soon__call_extra(call)->items_ended + assignment->ended, reply->count,
                    soon__channel_reply_body(&process->channel, reply));
    assignment->ended += reply->count;
    return true;
}

static bool take_item(struct soon__process *process, struct soon__assignment *assignment,
                      const struct soon__reply *reply)
{
    soon_call *call = assignment->call;
    size_t index = soon__call_extra(call)->items_ended + assignment->ended;
    struct soon__outcome outcome;
    void *space;

    if (reply->first != assignment->ended || assignment->ended == assignment->items)
        return false;
    space = reply->flags & SOON__REPLY_RESULT_SENT ? NULL : space_of_item(call, index);
    if (!read_outcome(process, reply, call, space, &outcome))
        return false;
    if (outcome.result_mapped && soon__call_extra(call)->items->results) { /* it is to lie with the others */
        struct soon__outcome copy = {
            .result_size = outcome.result_size, .payload = outcome.payload, .further = outcome.further};

        if (copy_result(outcome.result, outcome.result_size, space_of_item(call, index), &copy) < 0)
            copy.error = &soon__error_nomem_started;
        soon__shm_unmap(outcome.result, outcome.result_size);
        outcome = copy;
    }
    item_ended(call, index, &outcome);
    assignment->ended++;
    return true;
}

/*
 * The end of a request
 */

/* The request has; with an `outcome` the call, too. */
static void end_locked(struct soon__process *process, uint32_t slot, const struct soon__outcome *outcome, int64_t now)
{
    struct soon__process_pool *pool = process->pool;

    process->slots[slot].call->posted = false;
    soon__process_release_locked(process, slot, now);
    if (outcome) {
        pool->locked.succeeded += !outcome->error;
        pool->locked.failed += outcome->error && !outcome->cancelled;
        pool->locked.cancelled += outcome->error && outcome->cancelled;
    }
    soon__condition_tell_one(&pool->place);
}

/* What the task in this slot has given last is its future's from here on; of a further try that has given none, none. */
static void keep_progress(struct soon__process *process, uint32_t slot, soon_call *call)
{
    uint64_t done, total;

    if (soon__channel_progress(&process->channel, slot, &done, &total))
        soon__future_set_progress(soon__call_future(call), done, total);
}

static bool has_progress(const struct soon__reply *reply, const soon_call *call)
{
    return reply->flags & SOON__REPLY_HAS_PROGRESS || (call->began && !(reply->flags & SOON__REPLY_NOT_STARTED));
}

static void release(struct soon__process *process, const struct soon__reply *reply, const struct soon__outcome *outcome)
{
    struct soon__process_pool *pool = process->pool;
    soon_call *call = process->slots[reply->slot].call;

    if (has_progress(reply, call))
        keep_progress(process, reply->slot, call); /* nobody else who reads releases the slot */
    soon__mutex_lock(&pool->mutex);
    end_locked(process, reply->slot, outcome, soon__clock_ns());
    soon__mutex_unlock(&pool->mutex);
}

/* It waits again: for the rest of its items up to their deadline. */
static void return_locked(struct soon__process_pool *pool, soon_call *call)
{
    soon__queue_return(&pool->locked.queue, call);
    if (soon__call_extra(call))
        soon__process_pool_alarm_locked(pool, soon__call_extra(call)->queue_deadline);
}

void soon__process_pool_take_again(struct soon__process_pool *pool, soon_call *call)
{
    struct soon__error *broken;
    uint32_t word;

    soon__mutex_lock(&pool->mutex);
    soon__call_comes_back(call);
    broken = soon__error_ref(pool->locked.broken);
    word = soon__future_word(soon__call_future(call)); /* what was asked for while it was in no slot */
    if (broken)
        pool->locked.failed++;
    else if (pool->locked.dropping || word & SOON__CANCEL_REQUESTED)
        soon__process_pool_refuse_locked(pool, call, -ECANCELED);
    else if (word & SOON__KILL_REQUESTED)
        soon__process_pool_refuse_locked(pool, call, SOON_EKILLED);
    else
        return_locked(pool, call);
    soon__mutex_unlock(&pool->mutex);
    if (broken)
        soon__call_fail(call, broken);
}

/* The rest of a chunk did not start, for `reply->code`. */
static bool chunk_was_cut_short(struct soon__process *process, const struct soon__reply *reply, soon_call *call,
                                struct soon__outcome *ret)
{
    struct soon__items *items = soon__call_extra(call)->items;

    *ret = (struct soon__outcome){0};
    if (reply->code != -ETIMEDOUT) {
        if (!read_outcome(process, reply, call, NULL, ret))
            return false;
        if (ret->cancelled)
            ret->error = &soon__error_cancelled; /* it is of the rest, and that had not begun */
        return true;
    }
    return !items->wanted ||
           !items->wanted(items, soon__call_extra(call)->items_ended); /* which notes why, or it is a lie */
}

static bool was_held(struct soon__process *process, const struct soon__assignment *assignment)
{
    bool held;

    soon__mutex_lock(&process->pool->mutex);
    held = assignment->held || cause_of(process, assignment) != SOON_EWORKERDIED;
    soon__mutex_unlock(&process->pool->mutex);
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
    if (reply->code && !given_back && !chunk_was_cut_short(process, reply, call, &outcome)) {
        soon__call_extra(call)->items_ended -= ended;
        return false;
    }
    if ((!reply->code || given_back) && soon__call_extra(call)->items_ended < soon__call_extra(call)->items->count) {
        release(process, reply, NULL);
        soon__process_pool_take_again(process->pool, call);
        return true;
    }
    release(process, reply, &outcome);
    soon__call_finish(call, &outcome, NULL);
    return true;
}

static bool task_done(struct soon__process *process, struct soon__assignment *assignment,
                      const struct soon__reply *reply)
{
    soon_call *call = assignment->call;
    struct soon__outcome outcome;

    if (!read_outcome(process, reply, call, soon__call_space(call), &outcome))
        return false;
    release(process, reply, &outcome);
    soon__call_finish(call, &outcome, NULL);
    return true;
}

static bool initializer_done(struct soon__process *process, const struct soon__reply *reply)
{
    struct soon__process_pool *pool = process->pool;
    const char *body = (const char *)soon__channel_reply_body(&process->channel, reply);
    size_t text = reply->message_size ? strnlen(body, reply->message_size) : 0; /* bytes may be behind it */
    soon_error fields = {
        .code = SOON_EBROKEN, .worker_pid = process->pid, .function = pool->initializer.function->name};

    if (reply->kind != SOON__REPLY_DONE || (reply->message_size && text == reply->message_size))
        return false;
    if (reply->flags & SOON__REPLY_NOT_STARTED &&
        soon__shortage(reply->code)) { /* there was no room for it in the worker */
        soon__process_start_is_short(process, reply->code);
        return true;
    }
    if (reply->code)
        process->initializer_error =
            soon__error_newf(&fields, "the initializer failed: %.*s",
                             reply->message_size ? (int)text : (int)strlen(soon_strerror(reply->code)),
                             reply->message_size ? body : soon_strerror(reply->code));
    soon__mutex_lock(&pool->mutex);
    soon__process_release_locked(process, reply->slot, soon__clock_ns());
    soon__mutex_unlock(&pool->mutex);
    soon__process_is_ready(process);
    return true;
}

/* What was posted there and is answered now; NULL: nothing. What is claimed is nobody's but ours (P1). */
static struct soon__assignment *find_assignment(struct soon__process *process, const struct soon__reply *reply)
{
    struct soon__assignment *assignment = &process->slots[reply->slot];
    bool found;

    soon__mutex_lock(&process->pool->mutex);
    found = assignment->stage == SOON__SLOT_IN_USE && assignment->sequence == reply->sequence &&
            soon__process_is_running_locked(process, reply->slot);
    soon__mutex_unlock(&process->pool->mutex);
    return found ? assignment : NULL;
}

/* Relaxed, both: with the mutex, or by who reads. */
static uint64_t head_of(const struct soon__process *process)
{
    return atomic_load_explicit(&process->head, memory_order_relaxed);
}
static void set_head(struct soon__process *process, uint64_t head)
{
    atomic_store_explicit(&process->head, head, memory_order_relaxed);
}

/* One turn of taking in. */
struct turn {
    enum { KEEPS_BELL, WANTS_BELL, LINGERS } then;
    bool last;                /* of a dead process */
    const soon_call *awaited; /* LINGERS: which goes on as long as that is in a slot of this process; NULL: ends */
    uint64_t came;            /* replies */
    bool reads, goes_on;
    bool others; /* that were not plain are among them, of which nobody was told yet */
    bool more;   /* there are, by now */
    bool left;   /* LINGERS: nobody else has the process any more */
    bool quiet;  /* the mutex may have been left; LINGERS: in a guest since then */
    struct soon__loop_guest *guest;
};

/* The call that this reply ends, if it is a task of its own, at its first try, and has the result that it promised. */
static soon_call *find_plain_locked(struct soon__process *process, const struct soon__short_reply *reply)
{
    struct soon__assignment *assignment = &process->slots[reply->slot];
    soon_call *call = assignment->call;

    if (!call || assignment->items || call->began || assignment->stage != SOON__SLOT_IN_USE ||
        assignment->sequence != reply->sequence || call->function->result_size != reply->size)
        return NULL;
    /* The channel is not asked whether it was claimed: its line there is the worker's. Who has not taken it back has to believe
     * who answers it. */
    assignment->running = true;
    return call;
}

/* A plain reply: its call, in no slot any more, with its result. NULL: there is none, or it is another. */
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
    end_locked(process, reply.slot, &success, now);
    set_head(process, head_of(process) + 1);
    return call;
}

/* Plain replies, up to the first that is another; not too many at once: others want the mutex. What is left to be finished goes to
 * `calls`: one that needs more than a step, and those that came after it. */
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

/* Before anything that may run user code elsewhere. To finish a call in one step does not. */
static void be_quiet(struct turn *turn)
{
    if (!turn->quiet && turn->then == LINGERS)
        soon__library_guest_begin(turn->guest);
    turn->quiet = true;
    assert(soon__library_is_quiet());
}

static bool take_answer(struct soon__process *process, struct soon__assignment *assignment,
                        const struct soon__reply *reply)
{
    if (!assignment->call)
        return initializer_done(process, reply);
    if (!assignment->items)
        return reply->kind == SOON__REPLY_DONE && task_done(process, assignment, reply);
    switch (reply->kind) {
    case SOON__REPLY_ITEMS:
        return take_items(process, assignment, reply);
    case SOON__REPLY_ITEM:
        return take_item(process, assignment, reply);
    default:
        return chunk_done(process, assignment, reply);
    }
}

static bool take_reply(struct soon__process *process, const struct soon__reply *reply)
{
    struct soon__assignment *assignment = find_assignment(process, reply);
    bool sane = assignment && soon__process_has_descriptors(process, reply) && take_answer(process, assignment, reply);

    /* An outcome that failed half way leaves some. */
    if (reply->flags & SOON__REPLY_DESCRIPTORS)
        soon__process_drop_descriptors(process);
    return sane;
}

/* The next one, whatever it is. What cannot be understood makes it mad. */
static void take_any_reply(struct soon__process *process, struct turn *turn)
{
    uint64_t head = head_of(process);
    struct soon__reply reply;
    int rc = soon__channel_next_reply(&process->channel, &head, &reply);

    if (rc == 1) {
        set_head(process, head);
        turn->came++;
        turn->others = true;
        rc = take_reply(process, &reply) ? 1 : -EPROTO;
    }
    if (rc < 0)
        process->corrupt = true;
}

/* The worker may want the room of one that is not plain; of the others it is told now and then: it reads that line. */
static void send_ack(struct soon__process *process, bool others)
{
    uint64_t head = head_of(process);

    if (process->told == head || (!others && head - process->told < ACK_EVERY))
        return;
    process->told = head;
    soon__channel_ack(&process->channel, head);
}

/* Places have become free; may leave the mutex. */
static void hand_out_locked(struct soon__process_pool *pool, struct turn *turn, int64_t now)
{
    if (!soon__process_pool_may_hand_out_locked(pool))
        return;
    be_quiet(turn);
    soon__process_pool_dispatch_locked(pool, now);
}

/* Not for ever, however fast it answers: others wait for this thread. */
static bool is_through_locked(const struct soon__process *process, const struct turn *turn)
{
    return !turn->reads || process->corrupt || turn->came >= SOON__REPLIES ||
           !soon__channel_has_replies(&process->channel, head_of(process), 1);
}

static void stop_lingering_locked(struct soon__process *process, struct turn *turn)
{
    if (turn->more || process->corrupt) { /* for the loop: there is more, or it is to go */
        be_quiet(turn);
        soon__bell_ring(process->channel.bell);
    }
    soon__spin_note(&process->pool->spin, turn->awaited);
    turn->left = soon__process_end_lingering_locked(process);
}

static void end_turn_locked(struct soon__process *process, struct turn *turn)
{
    const soon_call *awaited = turn->awaited;
    struct soon__process_pool *pool = process->pool;

    turn->goes_on = turn->reads && !process->corrupt && awaited && awaited->posted && awaited->process == process;
    if (!turn->goes_on && turn->then != KEEPS_BELL && !process->corrupt && !process->book_closed) {
        process->bell_is_off = turn->then == LINGERS && turn->reads && !process->assigned; /* P10 */
        turn->more = !process->bell_is_off && soon__channel_want_bell(&process->channel, head_of(process));
    }
    process->is_read &= !turn->reads;
    process->book_closed |= turn->last;
    if (turn->quiet)
        soon__condition_tell_all(&pool->read);
    if (turn->then == LINGERS && !turn->goes_on)
        stop_lingering_locked(process, turn);
}

static bool may_be_read_locked(const struct soon__process *process)
{
    return !process->is_read && !process->book_closed && !process->corrupt;
}

/* Who lingers does not wait for it. */
static void begin_turn_locked(struct soon__process *process, struct turn *turn)
{
    while (process->is_read && turn->then != LINGERS)
        soon__condition_wait(&process->pool->read, &process->pool->mutex, SOON__NEVER);
    turn->reads = may_be_read_locked(process);
    process->is_read |= turn->reads;
}

/* Plain replies, and who comes next. What is left to be done without the mutex goes to `calls`: `*count` of them, and there may be
 * one. True: the turn is over. */
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

/* P7. With the mutex, which it gives back. Plain replies, what they end, who comes next and what the turn ends with are one step
 * under it; for all else it is left in between. `first`: a call whose reply was taken in, to be finished; or NULL. */
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
        soon__wakes_hold(&wakes); /* a thread that reads one after the other finds them all then */
        over = take_some_locked(process, turn, calls, &count);
        if (over)
            end_turn_locked(process, turn);
        soon__mutex_unlock(&pool->mutex);
        for (int i = 0; i < count; i++)
            soon__call_finish_plain(calls[i]);
        soon__wakes_release(&wakes);
        if (over)
            break;
        if (turn->came == before && count == 0)
            take_any_reply(process, turn);
        count = 0;
        soon__mutex_lock(&pool->mutex);
    }
}

int soon__process_drain(struct soon__process *process, bool last)
{
    struct turn turn = {.then = WANTS_BELL, .last = last};

    soon__mutex_lock(&process->pool->mutex);
    take_in(process, &turn, NULL);
    return process->corrupt ? -EPROTO : turn.more;
}

uint64_t soon__process_take_in(struct soon__process *process)
{
    struct turn turn = {.then = KEEPS_BELL};

    soon__mutex_lock(&process->pool->mutex);
    take_in(process, &turn, NULL);
    return turn.came;
}

/* What it mostly is for who lingers: a plain reply, nothing else was to be answered, and nothing waits. True: then that is all.
 * `*ret`: a call to be finished, or NULL. */
static bool take_last_locked(struct soon__process *process, struct turn *turn, soon_call **ret)
{
    int64_t now =
        process->pool->may_retire ? soon__clock_coarse_ns() : process->moved_on_ns; /* nobody asks when it was */
    soon_call *call;

    *ret = NULL;
    if (!turn->awaited || process->assigned != 1 || !may_be_read_locked(process))
        return false;
    call = take_plain_locked(process, now);
    turn->others = call;
    if (call && !soon__call_finish_bare(call))
        *ret = call;
    if (!call || *ret || turn->awaited->posted || soon__process_pool_may_hand_out_locked(process->pool))
        return false;
    send_ack(process, false);
    process->bell_is_off = true; /* P10 */
    soon__spin_note(&process->pool->spin, true);
    return true;
}

bool soon__process_take_in_lingering(struct soon__process *process, const soon_call *awaited)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__loop_guest guest;
    struct turn turn = {.then = LINGERS, .awaited = awaited, .guest = &guest};
    soon_call *call;

    soon__mutex_lock(&pool->mutex);
    if (take_last_locked(process, &turn, &call)) {
        turn.left = soon__process_end_lingering_locked(process);
        soon__mutex_unlock(&pool->mutex);
    } else {
        take_in(process, &turn, call);
    }
    if (turn.left)
        soon__process_free(process);
    if (turn.quiet)
        soon__library_guest_end(&guest);
    return turn.goes_on;
}

/*
 * Without a reply
 */

/* What a dead worker had finished of a chunk and not told: how many items of it have ended in all. */
static size_t recover_items(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot)
{
    struct soon__status *status = &process->channel.replies->status[slot];
    /* Acquire: pairs with the worker's release of `items_finished`, before which the results were written. */
    uint64_t finished = atomic_load_explicit(&status->items_finished, memory_order_acquire);
    uint64_t first = atomic_load_explicit(&status->items_first, memory_order_relaxed);
    uint64_t offset = atomic_load_explicit(&status->items_offset, memory_order_relaxed);
    size_t size = lost->call->function->result_size;

    if (first != lost->ended || finished <= first || finished > lost->items || offset > SOON__REPLY_AREA ||
        (size && (finished - first) > (SOON__REPLY_AREA - offset) / size))
        return lost->ended;
    if (!size)
        return first + varied_succeeded(lost->call, soon__call_extra(lost->call)->items_ended + first, finished - first,
                                        process->channel.reply_area + offset, SOON__REPLY_AREA - offset);
    items_succeeded(lost->call, soon__call_extra(lost->call)->items_ended + lost->ended, finished - first,
                    process->channel.reply_area + offset);
    return finished;
}

/* Of a chunk: of the item that is the next to end. */
static struct soon__error *loss(const struct soon__process *process, const struct soon__assignment *lost,
                                const struct soon__exit *exit)
{
    return soon__crash_error(cause_of(process, lost), process->pid, exit, lost->call->function->name,
                             label_of(lost->call, lost->items ? &soon__call_extra(lost->call)->items_ended : NULL));
}

/* Of a chunk. Not one that was not sent with the others, nor one behind the last that the worker has begun; but the first is
 * believed to have, so that each death ends something. Where the worker was held back, nor the next one. */
static bool had_begun(const struct soon__process *process, const struct soon__assignment *lost, uint32_t slot,
                      size_t item)
{
    /* Relaxed: it is dead, or given up and believed within bounds. */
    uint64_t last = atomic_load_explicit(&process->channel.replies->status[slot].item, memory_order_relaxed);

    if (item >= lost->items || (item > 0 && item > last))
        return false;
    return lost->sentence != SOON_ETIMELIMIT || item <= lost->last_item;
}

static bool may_try_again(const struct soon__process *process, const struct soon__assignment *lost)
{
    struct soon__call_extra *extra = soon__call_extra(lost->call);

    if (cause_of(process, lost) != SOON_EWORKERDIED || !extra || extra->options.retries <= 0)
        return false;
    extra->options.retries--;
    return true;
}

/* Of a chunk: the item that was under way is lost, or is to be tried again. */
static void lose_item(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot,
                      const struct soon__exit *exit)
{
    soon_call *call = lost->call;
    struct soon__call_extra *extra = soon__call_extra(call);
    struct soon__outcome outcome = {0};
    size_t ended = recover_items(process, lost, slot);

    extra->items_ended += ended;
    if (!had_begun(process, lost, slot, ended))
        return;
    if (may_try_again(process, lost)) {
        extra->items->begun = extra->items_ended + 1;
    } else {
        outcome.error = loss(process, lost, exit);
        item_ended(call, extra->items_ended++, &outcome);
    }
}

void soon__process_lost_call(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot,
                             const struct soon__exit *exit)
{
    struct soon__process_pool *pool = process->pool;
    soon_call *call = lost->call;
    struct soon__outcome outcome = {0};
    bool goes_on;

    keep_progress(process, slot, call);
    if (lost->items) {
        lose_item(process, lost, slot, exit);
        goes_on = soon__call_extra(call)->items_ended < soon__call_extra(call)->items->count;
    } else {
        goes_on = may_try_again(process, lost);
        outcome.error = goes_on ? NULL : loss(process, lost, exit);
    }
    if (goes_on) {
        soon__process_pool_take_again(pool, call);
        return;
    }
    soon__mutex_lock(&pool->mutex);
    pool->locked.succeeded += !outcome.error;
    pool->locked.failed += outcome.error != NULL;
    soon__mutex_unlock(&pool->mutex);
    soon__call_finish(call, &outcome, NULL);
}

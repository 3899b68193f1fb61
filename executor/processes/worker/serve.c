/*
 * serve.c - one claimed request: a task, or the items of a chunk, up to the last reply.
 *
 *     claimed --> arrived (argument, payload) --> body --> reply, DONE                          a single task
 *                                    |             |
 *                                    |             +--> see items.c                             a chunk
 *                                    +--> waited too long, or did not arrive: DONE, not started
 */
#include "serve_internal.h"

#include "control_internal.h"
#include "host_internal.h"
#include "items_internal.h"
#include "leftovers_internal.h"
#include "serving_internal.h"

#include <string.h>
#include <unistd.h>

static void run(struct soon__serving *serving)
{
    soon__task_run(&serving->task);
    soon__leftovers_clear();
}

static void answer(struct soon__serving *serving)
{
    struct soon__reply reply = soon__serving_reply(serving, SOON__REPLY_DONE);
    struct soon__place place = soon__reply_fill(&reply, &serving->task.outcome, &serving->result);

    soon__reply_publish(&reply, &place);
}

/* Answers for a task that has succeeded with a small result, and nothing beside it, as most do. False: this one has
 * not. */
static bool answer_short(const struct soon__serving *serving)
{
    const struct soon__outcome *outcome = &serving->task.outcome;
    /* Relaxed: as in soon__serving_reply(). */
    uint32_t progress = atomic_load_explicit(&serving->status->progress_sequence, memory_order_relaxed);

    if (outcome->error || outcome->payload || outcome->result_on_heap || outcome->result_buffer ||
        outcome->result_size > SOON__REPLY_SHORT_MAX || progress != serving->progress_before)
        return false;
    soon__reply_publish_short(serving->slot, serving->sequence, serving->small, outcome->result_size);
    return true;
}

static inline void run_one(struct soon__serving *serving, bool is_sampled)
{
    int rc = soon__serving_make_space(serving);

    if (rc < 0) {
        soon__serving_refuse(serving, 0, rc, SOON__REPLY_NOT_STARTED);
        return;
    }
    run(serving);
    if (is_sampled)
        soon__serving_tell_end(serving);
    if (!answer_short(serving))
        answer(serving);
}

static void take_limits(struct soon__serving *serving, int64_t now)
{
    /* Relaxed: a number that means nothing else. */
    atomic_store_explicit(&serving->status->started_ns, now, memory_order_relaxed);
    serving->time_limit_ns = serving->request->time_limit_ns;
    serving->queue_deadline = serving->request->queue_deadline;
    serving->items_deadline = serving->request->items_deadline;
}

/* Fills it as for a task that has no limits, and all of whose parts lie in the request itself. `small` is filled when
 * it is needed. */
static void begin(struct soon__serving *serving, struct soon__worker *worker, uint32_t slot, uint64_t sequence)
{
    const struct soon__request *request = &worker->channel.requests->request[slot];

    if (request->function >= worker->fixed.function_count)
        _exit(SOON__EXIT_NO_CHANNEL);
    serving->task = (soon_task){.function = worker->fixed.functions[request->function],
                                .host = &soon__worker_host,
                                .arg = request->bytes,
                                .arg_size = request->arg_size,
                                .local = &worker->serving.local,
                                .deadline = SOON__NEVER};
    serving->worker = worker;
    serving->request = request;
    serving->status = &worker->channel.replies->status[slot];
    serving->cancel_requested = &worker->channel.requests->cancel_requested[slot];
    serving->slot = slot;
    /* Relaxed: this thread has written it, at the claim. */
    serving->progress_before = atomic_load_explicit(&serving->status->progress_sequence, memory_order_relaxed);
    serving->sequence = sequence;
    serving->time_limit_ns = 0;
    serving->queue_deadline = serving->items_deadline = SOON__NEVER;
    serving->arg = request->bytes;
    serving->mapped_size = 0;
    serving->label = NULL;
    serving->payload = NULL;
}

static void serve(struct soon__serving *serving)
{
    const struct soon__request *request = serving->request;
    bool limited = request->flags & SOON__REQUEST_HAS_LIMITS;
    bool is_sampled = request->flags & SOON__REQUEST_IS_SAMPLED;
    int64_t now = limited || is_sampled || request->items ? soon__clock_ns() : 0; /* else it need not be read */
    int rc;

    serving->is_sampled = is_sampled;
    serving->is_traced = request->flags & SOON__REQUEST_IS_TRACED;
    if (is_sampled)
        soon__serving_tell_begin(serving, now);
    rc = soon__serving_arrive(serving);
    serving->task.arg = serving->arg;
    if (limited)
        take_limits(serving, now);
    serving->task.deadline = soon__serving_deadline(serving->time_limit_ns, now);
    if (rc < 0)
        soon__serving_refuse(serving, 0, rc, SOON__REPLY_NOT_STARTED);
    else if (now > serving->queue_deadline)
        soon__serving_refuse(serving, 0, SOON_EEXPIRED, SOON__REPLY_NOT_STARTED);
    else if (request->items)
        soon__serve_items(serving, now);
    else
        run_one(serving, is_sampled);
    soon__serving_let_go(serving);
}

void soon__worker_serve(struct soon__worker *worker, uint32_t slot, uint64_t sequence)
{
    const struct soon__request *request = &worker->channel.requests->request[slot];
    struct soon__serving serving;

    begin(&serving, worker, slot, sequence);
    if (request->flags || request->items || request->label_size) {
        serve(&serving);
        return;
    }
    soon__control_forget(slot, sequence);
    run_one(&serving, false);
}

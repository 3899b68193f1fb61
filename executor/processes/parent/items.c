/*
 * items.c - the items of a chunk that runs in a worker process: from its replies, or from what the worker has left when
 * it died, to the outcomes of the items.
 */
#include "items_internal.h"

#include "outcomes_internal.h"
#include "times_internal.h"

#include <errno.h>
#include <string.h>

/* The results of `count` items lie one behind the other. */
static void items_succeeded(soon_call *call, size_t first, size_t count, const unsigned char *results)
{
    struct soon__items *items = soon__call_extra(call)->items;
    size_t size = call->function->result_size;

    if (items->finished && items->wanted(items, first)) { /* plain items: a count tells of them all */
        memcpy(soon__item_space(call, first), results, count * size);
        /* Release: publishes the results; pairs with the acquire of threads that look for them. */
        atomic_store_explicit(items->finished, first + count, memory_order_release);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct soon__outcome outcome = {.result_size = size};

        if (soon__outcome_copy_result(results + i * size, size, soon__item_space(call, first + i), &outcome) < 0)
            outcome = (struct soon__outcome){.error = &soon__error_nomem_started};
        soon__item_end(call, first + i, &outcome);
    }
}

/* The same for results of any size, which lie in `size` bytes. Returns how many of `count` there are. */
static size_t varied_succeeded(soon_call *call, size_t first, size_t count, const unsigned char *bytes, uint64_t size)
{
    const unsigned char *result;
    uint64_t result_size;
    size_t given;

    for (given = 0; given < count && (result = soon__varied_next(&bytes, &size, &result_size)); given++) {
        struct soon__outcome outcome = {.result_size = result_size};

        if (soon__outcome_copy_result(result, result_size, NULL, &outcome) < 0)
            outcome = (struct soon__outcome){.error = &soon__error_nomem_started};
        soon__item_end(call, first + given, &outcome);
    }
    return given;
}

static bool take_varied(struct soon__process *process, struct soon__assignment *assignment,
                        const struct soon__reply *reply)
{
    soon_call *call = assignment->call;
    size_t given = varied_succeeded(call, soon__call_extra(call)->items_ended + assignment->ended, reply->count,
                                    soon__channel_reply_body(&process->channel, reply), reply->result_size);

    assignment->ended += given; /* these have ended, even if the rest is nonsense */
    return given == reply->count;
}

bool soon__process_take_items(struct soon__process *process, struct soon__assignment *assignment,
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

bool soon__process_take_item(struct soon__process *process, struct soon__assignment *assignment,
                             const struct soon__reply *reply)
{
    soon_call *call = assignment->call;
    size_t index = soon__call_extra(call)->items_ended + assignment->ended;
    struct soon__outcome outcome;
    void *space;

    if (reply->first != assignment->ended || assignment->ended == assignment->items)
        return false;
    space = reply->flags & SOON__REPLY_RESULT_SENT ? NULL : soon__item_space(call, index);
    if (!soon__process_read_outcome(process, reply, call, space, &outcome))
        return false;
    if (outcome.result_mapped && soon__call_extra(call)->items->results) { /* its place is with the others */
        struct soon__outcome copy = {
            .result_size = outcome.result_size, .payload = outcome.payload, .further = outcome.further};

        if (soon__outcome_copy_result(outcome.result, outcome.result_size, soon__item_space(call, index), &copy) < 0)
            copy.error = &soon__error_nomem_started;
        soon__shm_unmap(outcome.result, outcome.result_size);
        outcome = copy;
    }
    soon__process_tell_item(process, assignment, index, soon__ending_of(outcome.error, outcome.cancelled));
    soon__item_end(call, index, &outcome);
    assignment->ended++;
    return true;
}

bool soon__process_read_cut(struct soon__process *process, const struct soon__reply *reply, soon_call *call,
                            struct soon__outcome *ret)
{
    struct soon__items *items = soon__call_extra(call)->items;

    *ret = (struct soon__outcome){0};
    if (reply->code != -ETIMEDOUT) {
        if (!soon__process_read_outcome(process, reply, call, NULL, ret))
            return false;
        if (ret->cancelled)
            ret->error = &soon__error_cancelled; /* the rest had not begun */
        return true;
    }
    /* wanted() notes why the rest is wanted no more. If it still is, the worker lies. */
    return !items->wanted || !items->wanted(items, soon__call_extra(call)->items_ended);
}

size_t soon__process_recover_items(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot)
{
    struct soon__status *status = &process->channel.replies->status[slot];
    /* Acquire: pairs with the release of `items_finished` in the worker, which publishes the results. */
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

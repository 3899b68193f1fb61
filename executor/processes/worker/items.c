/*
 * items.c - the items of a chunk, which came as one request. Each one runs, and its result goes behind that of the item
 * before, or has a reply of its own.
 *
 *     claimed --> item --> result behind the last in the window --> ... --> DONE
 *                  |                |
 *                  |                +--> the window is full, or a millisecond old: ITEMS
 *                  +--> it has failed, or it is large: a reply of its own, ITEM
 *
 * S3  The window of a chunk holds the results that no reply has told of yet. They lie one behind the other in one
 *     region, and the status of the slot says which items they are of. The parent reads that only when this process is
 *     dead, so the order of the stores is all that counts: `items_finished` is 0 while the rest changes.
 */
#include "items_internal.h"

#include "leftovers_internal.h"

#include <errno.h>
#include <string.h>

enum { WINDOW_MAX = 64 << 10, VARIED_MAX = 4 << 10, FLUSH_NS = 1000000, ZEROED_MAX = 1024 /* bytes of results */ };

struct window {
    struct soon__place place;
    uint64_t size;        /* of the region */
    uint64_t used;        /* bytes of it, if results vary in size */
    uint64_t first, next; /* it has the results of the items `first` up to `next` - 1 */
    int64_t flushed_ns;
};

/* S3. Replies with what is in the window, and closes it. */
static void flush(struct soon__serving *serving, struct window *window)
{
    struct soon__reply reply = soon__serving_reply(serving, SOON__REPLY_ITEMS);

    if (window->first == window->next) {
        soon__replies_give(&window->place);
        return;
    }
    reply.flags |= SOON__REPLY_IN_AREA;
    reply.offset = window->place.offset;
    reply.first = window->first;
    reply.count = window->next - window->first;
    reply.result_size =
        serving->task.function->result_size ? reply.count * serving->task.function->result_size : window->used;
    soon__reply_publish(&reply, &window->place);
    /* Release: no store of the next window moves above this. */
    atomic_store_explicit(&serving->status->items_finished, 0, memory_order_release);
    window->place.region = SOON__NO_REGION;
    window->first = window->next;
}

/* Opens a window for the results from the item `index` on. */
static void take_window(struct soon__serving *serving, struct window *window, uint64_t index, uint64_t size)
{
    window->size = size;
    window->used = 0;
    window->place = soon__replies_take(size);
    window->first = window->next = index;
    /* Relaxed: `items_finished` publishes them. */
    atomic_store_explicit(&serving->status->items_offset, window->place.offset, memory_order_relaxed);
    atomic_store_explicit(&serving->status->items_first, index, memory_order_relaxed);
}

/* Makes space in the window for the result of the next item, and of those after it that may run without a pause.
 * Returns how many these are in all. */
static uint64_t open_window(struct soon__serving *serving, struct window *window, uint64_t index, bool plain)
{
    uint64_t size = serving->task.function->result_size, left = serving->request->items - index, count;

    if (window->place.region == SOON__NO_REGION)
        take_window(serving, window, index,
                    size > WINDOW_MAX / left ? size > WINDOW_MAX ? size : WINDOW_MAX : size * left);
    count = plain ? window->size / size - (index - window->first) : 1;
    if (count > ZEROED_MAX / size + 1)
        count = ZEROED_MAX / size + 1;
    serving->task.space = window->place.data + (index - window->first) * size;
    memset(serving->task.space, 0, count * size);
    return count;
}

/* S3. The results of all items before `next` lie where they belong, with nothing beside them: the window has
 * them now. */
static void keep_in_window(struct soon__serving *serving, struct window *window, uint64_t next)
{
    window->next = next;
    atomic_store_explicit(&serving->status->items_finished, next, memory_order_release);
    serving->task.outcome = (struct soon__outcome){0};
    if ((next - window->first + 1) * serving->task.function->result_size > window->size)
        flush(serving, window);
}

/* S3. Copies a result of any size into the window, if it is small. False: the item needs a reply of its own. */
static bool keep_varied(struct soon__serving *serving, struct window *window, uint64_t index)
{
    struct soon__outcome *outcome = &serving->task.outcome;
    struct soon__varied_head head = {.size = outcome->result_size};
    uint64_t needed = sizeof head + soon__body_round(head.size);
    unsigned char *to;

    if (outcome->error || outcome->payload || head.size > VARIED_MAX)
        return false;
    if (window->place.region != SOON__NO_REGION && window->used + needed > window->size)
        flush(serving, window);
    if (window->place.region == SOON__NO_REGION)
        take_window(serving, window, index, WINDOW_MAX);
    to = window->place.data + window->used;
    memcpy(to, &head, sizeof head);
    if (head.size)
        memcpy(to + sizeof head, outcome->result, head.size);
    window->used += needed;
    window->next = index + 1;
    atomic_store_explicit(&serving->status->items_finished, index + 1, memory_order_release);
    soon__outcome_drop(outcome);
    return true;
}

/* The reply is filled in while the result lies where it was written. What the window has came before it, and so goes
 * first. */
static void answer_item(struct soon__serving *serving, struct window *window, uint64_t index)
{
    struct soon__reply reply = soon__serving_reply(serving, SOON__REPLY_ITEM);
    int64_t ended_ns = serving->is_traced ? soon__clock_ns() : 0;
    struct soon__place place;

    reply.first = index;
    place = soon__reply_fill(&reply, &serving->task.outcome, &serving->result);
    flush(serving, window);
    if (serving->is_traced)
        soon__reply_set_times(serving->began_ns, ended_ns);
    soon__reply_publish(&reply, &place);
}

/* The plain items before `next` have ended, and their results are in the window. True: the next may start. */
static bool went_well(soon_task *task, void *data, size_t next)
{
    struct soon__serving *serving = (struct soon__serving *)task;

    (void)data;
    soon__leftovers_clear();
    atomic_store_explicit(&serving->status->items_finished, next, memory_order_release);
    /* Relaxed, both: the parent believes it within bounds; and nothing is read through the flag. */
    atomic_store_explicit(&serving->status->item, next, memory_order_relaxed);
    return !atomic_load_explicit(serving->cancel_requested, memory_order_relaxed);
}

/* Runs items from `*index` on, which moves. True: the item there needs a reply. */
static bool run_bodies(struct soon__serving *serving, uint64_t *index, uint64_t end, bool plain)
{
    size_t next = *index;
    bool apart = soon__task_run_items(&serving->task, &next, end, plain, went_well, NULL);

    if (apart)
        soon__leftovers_clear();
    *index = next;
    return apart;
}

/* Finds the next item of those that vary, with its label and payload. 0, or why it cannot start. */
static int arrive_item(struct soon__serving *serving)
{
    const struct soon__item_head *head = (const struct soon__item_head *)serving->at;
    const unsigned char *body = serving->at + sizeof *head;
    int rc = 0;

    serving->task.arg = body;
    serving->task.arg_size = head->arg_size;
    serving->label = head->flags & SOON__ITEM_IS_LABEL ? (const char *)body : serving->label_of_all;
    body += soon__body_round(head->arg_size);
    if (head->flags & SOON__ITEM_HAS_PAYLOAD) {
        rc = soon_buffer_new(&serving->payload, head->payload_size);
        if (rc == 0 && head->payload_size)
            memcpy(soon_buffer_data(serving->payload), body, head->payload_size);
    }
    body += soon__body_round(head->payload_size);
    if (head->label_size)
        serving->label = (const char *)body;
    serving->at = body + soon__body_round(head->label_size);
    return rc;
}

static void let_item_go(struct soon__serving *serving)
{
    if (!(serving->request->flags & SOON__REQUEST_VARIES))
        return;
    soon_buffer_unref(serving->payload);
    serving->payload = NULL;
}

static int begin_item(struct soon__serving *serving, uint64_t index)
{
    size_t size = serving->task.function->arg_size;

    if (serving->request->flags & SOON__REQUEST_VARIES)
        return arrive_item(serving);
    serving->task.arg = serving->arg + index * size;
    serving->task.arg_size = size ? size : serving->request->arg_size; /* an item of any size came by itself */
    return 0;
}

/* Runs the item, and plain items after it as long as nothing comes between. Returns which item is the next. */
static uint64_t run_some(struct soon__serving *serving, struct window *window, uint64_t index)
{
    const soon_function *function = serving->task.function;
    bool in_window = function->result_size > 0 && function->result_size <= SOON__BODY_MAX && !serving->is_traced;
    bool plain = in_window && serving->request->flags & SOON__REQUEST_IS_PLAIN;
    struct soon__outcome *outcome = &serving->task.outcome;
    uint64_t count = 1;
    int rc = begin_item(serving, index);

    *outcome = (struct soon__outcome){0};
    serving->result.region = SOON__NO_REGION;
    if (in_window)
        count = open_window(serving, window, index, plain);
    else if (rc == 0)
        rc = soon__serving_make_space(serving);
    if (rc < 0) {
        outcome->error = soon__error_newf(&(soon_error){.code = rc}, NULL);
    } else if (!run_bodies(serving, &index, index + count, plain)) {
        keep_in_window(serving, window, index);
        return index;
    }
    if (!function->result_size && !serving->is_traced && keep_varied(serving, window, index))
        return index + 1;
    window->next = in_window ? index : window->next;
    if (in_window && !outcome->error && !outcome->payload)
        keep_in_window(serving, window, index + 1);
    else
        answer_item(serving, window, index);
    return index + 1;
}

/* Says why no further item is to start; 0: the next one may. */
static int stop_reason(const struct soon__serving *serving, int64_t now)
{
    /* Relaxed: the fence orders it. */
    uint32_t requested = atomic_load_explicit(serving->cancel_requested, memory_order_relaxed);

    if (requested)
        return requested == 1 ? -ECANCELED : -EAGAIN;
    return now > serving->items_deadline ? -ETIMEDOUT : 0;
}

static uint32_t stop_flags(int reason)
{
    if (reason == 0)
        return 0;
    return reason == -ECANCELED ? SOON__REPLY_CANCELLED : SOON__REPLY_NOT_STARTED;
}

void soon__serve_items(struct soon__serving *serving, int64_t now)
{
    struct window window = {.place = {.region = SOON__NO_REGION}, .flushed_ns = now};
    uint64_t ended = 0;
    int reason = 0;

    serving->at = serving->arg;
    serving->label_of_all = serving->label;
    /* Relaxed, as all but the last of these stores: S3. */
    atomic_store_explicit(&serving->status->items_finished, 0, memory_order_relaxed);
    while (ended < serving->request->items) {
        atomic_store_explicit(&serving->status->item, ended, memory_order_relaxed);
        atomic_store_explicit(&serving->status->started_ns, now, memory_order_relaxed);
        /* Pairs with the fence in soon__channel_hold(): the request is seen here, or the parent sees this item. */
        atomic_thread_fence(memory_order_seq_cst);
        reason = stop_reason(serving, now);
        if (reason < 0)
            break;
        serving->task.deadline = soon__serving_deadline(serving->time_limit_ns, now);
        serving->began_ns = now;
        ended = run_some(serving, &window, ended);
        let_item_go(serving);
        now = soon__clock_ns();
        if (now - window.flushed_ns > FLUSH_NS) {
            flush(serving, &window);
            window.flushed_ns = now;
        }
    }
    flush(serving, &window);
    if (serving->is_sampled)
        soon__serving_tell_end(serving);
    soon__serving_refuse(serving, ended, reason, stop_flags(reason));
}

/*
 * host.c - what a task that runs on a thread asks of the library, and what an initializer does.
 */
#include "host_internal.h"

#include "../../futures/aside_internal.h"
#include "call_internal.h"

#include <errno.h>

static int cancel_requested(const soon_task *task)
{
    /* Relaxed: a flag, nothing is read through it. */
    bool requested =
        (soon__future_word(task->future) & SOON__CANCEL_REQUESTED) || soon__executor_is_terminating(task->executor);

    return requested ? -ECANCELED : 0;
}

static void set_progress(soon_task *task, uint64_t done, uint64_t total)
{
    soon__future_set_progress(task->future, done, total);
}

static const struct soon__call_extra *extra_of(const soon_task *task)
{
    return task->future ? soon__call_extra((const soon_call *)task->future) : NULL;
}

/* The item that runs, if it is one with things of its own; NULL: it is not. */
static const soon_item *item_of(const struct soon__call_extra *extra)
{
    const struct soon__items *items = extra ? extra->items : NULL;

    return items && items->each ? &items->each[items->running] : NULL;
}

static const char *label(const soon_task *task)
{
    const struct soon__call_extra *extra = extra_of(task);
    const soon_item *item = item_of(extra);

    return item && item->label ? item->label : extra ? extra->options.label : NULL;
}

static soon_bytes extra(const soon_task *task)
{
    return extra_of(task) ? extra_of(task)->options.extra : (soon_bytes){NULL, 0};
}

static soon_buffer *payload(const soon_task *task, size_t index)
{
    const struct soon__call_extra *extra = extra_of(task);
    const soon_item *item = item_of(extra);

    if (item)
        return index == 0 ? item->payload : NULL;
    return extra ? soon__payload_at(&extra->options, index) : NULL;
}

static size_t payload_count(const soon_task *task)
{
    const struct soon__call_extra *extra = extra_of(task);
    const soon_item *item = item_of(extra);

    if (item)
        return item->payload != NULL;
    return extra ? soon__payload_count(&extra->options) : 0;
}

static size_t input_count(const soon_task *task)
{
    return task->future ? soon__call_input_count((const soon_call *)task->future) : 0;
}

/* Its future keeps them until the task has ended. */
static soon_bytes input(const soon_task *task, size_t index, soon_buffer **ret_payload)
{
    soon_future *member = task->future ? soon__call_input((const soon_call *)task->future, index) : NULL;

    *ret_payload = member ? soon_future_payload(member) : NULL;
    return member ? (soon_bytes){member->result, member->result_size} : (soon_bytes){NULL, 0};
}

static void *shared(const soon_task *task)
{
    return task->executor->shared ? soon_shared_data(task->executor->shared) : NULL;
}

static bool is_initializer(const soon_task *task)
{
    return !task->future;
}

const struct soon__task_host soon__host_on_thread = {
    .cancel_requested = cancel_requested,
    .set_progress = set_progress,
    .label = label,
    .extra = extra,
    .payload = payload,
    .payload_count = payload_count,
    .input_count = input_count,
    .input = input,
    .shared = shared,
    .is_initializer = is_initializer,
    .heap_max = SIZE_MAX,
};

/*
 * Initializers: nobody waits for one.
 */

static int cancel_no_initializer(const soon_task *task)
{
    (void)task;
    return 0;
}

static void set_no_progress(soon_task *task, uint64_t done, uint64_t total)
{
    (void)task;
    (void)done;
    (void)total;
}

static soon_bytes initializer_extra(const soon_task *task)
{
    return ((const struct soon__initializing *)task)->extra;
}

const struct soon__task_host soon__host_initializing = {
    .cancel_requested = cancel_no_initializer,
    .set_progress = set_no_progress,
    .label = label,
    .extra = initializer_extra,
    .payload = payload,
    .payload_count = payload_count,
    .input_count = input_count,
    .input = input,
    .shared = shared,
    .is_initializer = is_initializer,
    .heap_max = SIZE_MAX,
};

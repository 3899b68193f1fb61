/*
 * host.c - the functions behind soon_task_...() in a worker process. A task may call them on any thread of its own.
 */
#include "host_internal.h"

#include "../both/channel_running_internal.h"
#include "listen_internal.h"
#include "serving_internal.h"

#include <errno.h>
#include <pthread.h>

static int cancel_requested(const soon_task *task)
{
    const struct soon__serving *serving = (const struct soon__serving *)task;

    uint32_t asked = soon__channel_asked(&serving->worker->channel, serving->slot);

    /* SOON__HOLD is for the items that come next. The one that runs sees by its own deadline that its time is over. */
    return asked == 1 ? -ECANCELED : asked == SOON__STOP ? SOON_EKILLED : 0;
}

static void set_progress(soon_task *task, uint64_t done, uint64_t total)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    const struct soon__serving *serving = (const struct soon__serving *)task;

    if (soon__generation() != serving->worker->fixed.generation)
        return; /* a forked child of the task: two processes would write it */
    pthread_mutex_lock(&mutex);
    soon__channel_set_progress(&serving->worker->channel, serving->slot, done, total);
    pthread_mutex_unlock(&mutex);
}

static const char *label(const soon_task *task)
{
    return ((const struct soon__serving *)task)->label;
}

/* The parts beside its argument; NULL: it has none. */
static const struct soon__arrived *arrived_of(const soon_task *task)
{
    const struct soon__serving *serving = (const struct soon__serving *)task;

    return serving->request->flags & SOON__REQUEST_HAS_BESIDE ? serving->arrived : NULL;
}

static soon_bytes extra(const soon_task *task)
{
    return soon__arrived_extra(arrived_of(task));
}

static soon_buffer *payload(const soon_task *task, size_t index)
{
    if (index == 0)
        return ((const struct soon__serving *)task)->payload;
    return soon__arrived_payload(arrived_of(task), index - 1);
}

static size_t payload_count(const soon_task *task)
{
    return (((const struct soon__serving *)task)->payload != NULL) + soon__arrived_payload_count(arrived_of(task));
}

static size_t input_count(const soon_task *task)
{
    return soon__arrived_input_count(arrived_of(task));
}

static soon_bytes input(const soon_task *task, size_t index, soon_buffer **ret_payload)
{
    return soon__arrived_input(arrived_of(task), index, ret_payload);
}

static void *shared(const soon_task *task)
{
    return ((const struct soon__serving *)task)->worker->fixed.shared;
}

static bool is_initializer(const soon_task *task)
{
    return ((const struct soon__serving *)task)->request->flags & SOON__REQUEST_IS_INITIALIZER;
}

static int begin_to_listen(soon_task *task, uint64_t *ret_request)
{
    const struct soon__serving *serving = (const struct soon__serving *)task;

    *ret_request = serving->sequence;
    return soon__listen_begin(serving->worker, serving->slot, serving->sequence);
}

static void listen_no_more(soon_task *task)
{
    (void)task;
    soon__listen_end();
}

const struct soon__task_host soon__worker_host = {
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
    .heap_max = SOON__BODY_MAX,
    .listen = begin_to_listen,
    .listen_no_more = listen_no_more,
};

/*
 * serving.c - what comes in with a request and goes out with its replies.
 */
#include "serving_internal.h"

#include "../../../futures/value_internal.h"
#include "../both/wire_internal.h"
#include "control_internal.h"

#include <string.h>
#include <unistd.h>

/*
 * In
 */

static int take_payload(struct soon__serving *serving, const unsigned char *body, int fd)
{
    uint64_t size = serving->request->payload_size;
    int rc;

    if (fd >= 0)
        return soon__buffer_of_descriptor(&serving->payload, fd, size);
    rc = soon_buffer_new(&serving->payload, size);
    if (rc == 0 && size > 0)
        memcpy(soon_buffer_data(serving->payload), body, size);
    return rc;
}

/* Where each part is, in the body or among the descriptors. NULL, or -1: it is not there. */
struct parts {
    const unsigned char *arg, *payload, *label, *beside;
    int arg_fd, payload_fd;
    int descriptors[SOON__SOCKET_DESCRIPTORS_MAX], *beside_fds;
};

static void find_parts(const struct soon__serving *serving, struct parts *parts)
{
    const struct soon__request *request = serving->request;
    const unsigned char *at = request->bytes;

    *parts = (struct parts){.arg_fd = -1, .payload_fd = -1};
    if (request->flags & SOON__REQUEST_IN_AREA)
        at = serving->worker->channel.requests->area + request->offset;
    if (!(request->flags & SOON__REQUEST_ARG_SENT)) {
        parts->arg = at;
        at += soon__body_round(request->arg_size);
    }
    if (request->flags & SOON__REQUEST_HAS_PAYLOAD && !(request->flags & SOON__REQUEST_PAYLOAD_SENT)) {
        parts->payload = at;
        at += soon__body_round(request->payload_size);
    }
    if (request->label_size)
        parts->label = at;
    if (request->flags & SOON__REQUEST_HAS_BESIDE)
        parts->beside = at + soon__body_round(request->label_size);
}

/* Takes all descriptors that were sent for it. 0; a negative errno: there are none. */
static int take_descriptors(struct soon__serving *serving, struct parts *parts)
{
    const struct soon__request *request = serving->request;
    bool arg_sent = request->flags & SOON__REQUEST_ARG_SENT, payload_sent = request->flags & SOON__REQUEST_PAYLOAD_SENT;
    uint32_t what = (arg_sent ? SOON__PART_BYTES : 0) | (payload_sent ? SOON__PART_PAYLOAD : 0) |
                    soon__parts_beside(soon__arrived_descriptors(parts->beside));
    int *next = parts->descriptors, rc;

    if (!what) {
        soon__control_forget(serving->slot, serving->sequence);
        return 0;
    }
    rc = soon__control_take(serving->slot, serving->sequence, what, parts->descriptors);
    if (rc < 0)
        return rc;
    if (arg_sent)
        parts->arg_fd = *next++;
    if (payload_sent)
        parts->payload_fd = *next++;
    parts->beside_fds = next;
    return 0;
}

static int map_arg(struct soon__serving *serving, int fd)
{
    void *arg;
    int rc = soon__shm_map(&arg, fd, serving->request->arg_size, false);

    close(fd);
    if (rc < 0)
        return rc;
    serving->arg = arg;
    serving->mapped_size = serving->request->arg_size;
    return 0;
}

/* Each descriptor that was sent is used or closed, whatever is returned. */
int soon__serving_arrive(struct soon__serving *serving)
{
    const struct soon__request *request = serving->request;
    struct parts parts;
    int rc, beside = 0;

    find_parts(serving, &parts);
    serving->arg = parts.arg;
    serving->label = (const char *)parts.label;
    serving->arrived = NULL;
    rc = take_descriptors(serving, &parts);
    if (rc < 0)
        return rc;
    if (parts.beside)
        beside = soon__arrive(&serving->arrived, parts.beside, parts.beside_fds);
    if (parts.arg_fd >= 0)
        rc = map_arg(serving, parts.arg_fd);
    if (rc == 0)
        rc = beside;
    if (rc == 0 && request->flags & SOON__REQUEST_HAS_PAYLOAD)
        rc = take_payload(serving, parts.payload, parts.payload_fd);
    if (rc < 0 && parts.payload_fd >= 0)
        close(parts.payload_fd);
    return rc;
}

void soon__serving_let_go(struct soon__serving *serving)
{
    soon_buffer_unref(serving->payload);
    soon__arrived_free(serving->arrived);
    if (serving->mapped_size)
        soon__shm_unmap(serving->arg, serving->mapped_size);
}

/*
 * Out
 */

void soon__serving_tell_begin(struct soon__serving *serving, int64_t now)
{
    struct soon__status *status = serving->status;

    /* Relaxed: the parent looks when the reply is there, or this process is dead; and the number makes them valid. */
    atomic_store_explicit(&status->began_ns, now, memory_order_relaxed);
    atomic_store_explicit(&status->ended_ns, 0, memory_order_relaxed);
    /* Release: of a process that dies here the parent sees the times of this request, or that there are none. */
    atomic_store_explicit(&status->sampled, (uint32_t)serving->sequence, memory_order_release);
}

void soon__serving_tell_end(const struct soon__serving *serving)
{
    /* Relaxed: the reply publishes it. */
    atomic_store_explicit(&serving->status->ended_ns, soon__clock_ns(), memory_order_relaxed);
}

int soon__serving_make_space(struct soon__serving *serving)
{
    size_t size = serving->task.function->result_size;
    int rc;

    serving->result.region = SOON__NO_REGION;
    memset(serving->small, 0, sizeof serving->small);
    serving->task.space = size ? serving->small : NULL;
    if (size <= sizeof serving->small)
        return 0;
    if (size > SOON__BODY_MAX) {
        rc = soon__buffer_new_mappable(&serving->task.outcome.result_buffer, size);
        if (rc == 0)
            serving->task.space = soon_buffer_data(serving->task.outcome.result_buffer); /* zeroed already */
        return rc;
    }
    serving->result = soon__replies_take(size);
    serving->task.space = memset(serving->result.data, 0, size);
    return 0;
}

struct soon__reply soon__serving_reply(const struct soon__serving *serving, enum soon__reply_kind kind)
{
    /* Relaxed: what a thread that the task has left behind tells meanwhile need not count. */
    uint32_t progress = atomic_load_explicit(&serving->status->progress_sequence, memory_order_relaxed);

    return (struct soon__reply){.sequence = serving->sequence,
                                .slot = serving->slot,
                                .kind = kind,
                                .flags = progress != serving->progress_before ? SOON__REPLY_HAS_PROGRESS : 0};
}

void soon__serving_refuse(struct soon__serving *serving, uint64_t ended, int code, uint32_t flags)
{
    struct soon__reply reply = soon__serving_reply(serving, SOON__REPLY_DONE);

    reply.first = ended;
    reply.code = code;
    reply.flags |= flags;
    soon__reply_publish(&reply, NULL);
}

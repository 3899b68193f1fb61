/*
 * channel_fixture.h - a channel and its areas, mapped twice as in two processes: `parent` and `worker` see the same
 * bytes at different addresses, and neither can write what is the other's. Under ThreadSanitizer, which knows addresses
 * only, they are mapped once.
 */
#ifndef SOON_TESTS_CHANNEL_FIXTURE_H
#define SOON_TESTS_CHANNEL_FIXTURE_H

#include "futures.h"

#include "../../executor/processes/both/channel_replies_internal.h"
#include "../../executor/processes/both/channel_requests_internal.h"
#include "../../executor/processes/both/channel_running_internal.h"
#include "../../executor/system/ipc_internal.h"

#include <poll.h>
#include <unistd.h>

static struct soon__channel parent, worker;
static struct soon__parent_notes parent_notes;

static inline void *map_memory(int fd, size_t size, bool writable)
{
    void *data;

    cr_assert_eq(soon__shm_map(&data, fd, size, writable), 0);
    return data;
}

static inline void make_memory(size_t size, void **ret_writer, void **ret_reader, bool both_write)
{
    int fd = soon__shm_new(size);

    cr_assert_geq(fd, 0);
    *ret_writer = map_memory(fd, size, true);
    *ret_reader = UNDER_TSAN ? *ret_writer : map_memory(fd, size, both_write);
    close(fd);
}

static inline void make_channel(void)
{
    void *first, *second;

    make_memory(sizeof *parent.replies, &first, &second, true);
    parent.replies = first;
    worker.replies = second;
    make_memory(sizeof *parent.requests, &first, &second, false);
    parent.requests = first;
    worker.requests = second;
    make_memory(SOON__REPLY_AREA, &first, &second, false);
    worker.reply_area = first;
    parent.reply_area = second;
    parent.bell = worker.bell = soon__bell_new();
    cr_assert_geq(parent.bell, 0);
    make_memory(sizeof *worker.worker_notes, &first, &second, true); /* shared, for a child that acts as the worker */
    worker.worker_notes = first;
    if (second != first)
        soon__shm_unmap(second, sizeof *worker.worker_notes);
    parent.parent_notes = &parent_notes;
    soon__channel_init(&parent, 0);
}

static inline void unmap_view(const struct soon__channel *channel)
{
    soon__shm_unmap(channel->replies, sizeof *channel->replies);
    soon__shm_unmap(channel->requests, sizeof *channel->requests);
    soon__shm_unmap(channel->reply_area, SOON__REPLY_AREA);
}

static inline void free_channel(void)
{
    unmap_view(&parent);
    if (!UNDER_TSAN)
        unmap_view(&worker);
    soon__shm_unmap(worker.worker_notes, sizeof *worker.worker_notes);
    close(parent.bell);
}

/* A request whose fields all follow from its sequence. */
static inline void fill_request(uint32_t slot, uint64_t sequence, uint64_t order)
{
    struct soon__request *request = &parent.requests->request[slot];

    atomic_store_explicit(&request->order, order, memory_order_relaxed);
    request->arg_size = sequence;
    request->function = (uint32_t)sequence * 3;
    memset(request->bytes, (int)(sequence & 0xff), sizeof request->bytes);
}

/* Posts a request that fill_request() has filled. */
static inline void publish_and_wake(uint32_t slot, uint64_t sequence)
{
    static uint64_t filled;

    filled |= UINT64_C(1) << slot;
    soon__channel_publish(&parent, slot, sequence);
    soon__channel_wake(&parent, filled);
}

static inline void post(uint32_t slot, uint64_t sequence, uint64_t order)
{
    fill_request(slot, sequence, order);
    publish_and_wake(slot, sequence);
}

/* The worker, which has claimed the request, sees all of its fields as they were filled. */
static inline void assert_request(uint32_t slot, uint64_t sequence)
{
    const struct soon__request *request = &worker.requests->request[slot];

    cr_assert_eq(request->arg_size, sequence);
    cr_assert_eq(request->function, (uint32_t)sequence * 3);
    for (size_t i = 0; i < sizeof request->bytes; i++)
        cr_assert_eq(request->bytes[i], sequence & 0xff);
}

static inline bool bell_rings(int timeout_ms)
{
    struct pollfd wanted = {.fd = parent.bell, .events = POLLIN};

    return poll(&wanted, 1, timeout_ms) == 1;
}

static inline void publish_reply(const struct soon__reply *reply)
{
    if (soon__channel_reply(&worker, reply))
        cr_assert_eq(soon__bell_ring(worker.bell), 0);
}

/* Publishes a final reply whose result is the sequence number. */
static inline void reply_done(uint32_t slot, uint64_t sequence)
{
    struct soon__reply reply = {
        .sequence = sequence, .slot = slot, .kind = SOON__REPLY_DONE, .result_size = sizeof sequence};

    memcpy(reply.bytes, &sequence, sizeof sequence);
    publish_reply(&reply);
}

static inline uint64_t number_in(const struct soon__reply *reply)
{
    uint64_t number;

    memcpy(&number, soon__channel_reply_body(&parent, reply), sizeof number);
    return number;
}

#endif

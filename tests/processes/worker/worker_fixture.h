/*
 * worker_fixture.h - a worker process whose parent is the test, by hand: over a channel of its own, with no pool.
 */
#ifndef SOON_TESTS_WORKER_FIXTURE_H
#define SOON_TESTS_WORKER_FIXTURE_H

#include "../../../executor/processes/both/channel_replies_internal.h"
#include "../../../executor/processes/both/channel_requests_internal.h"
#include "../../../executor/processes/both/channel_running_internal.h"
#include "../../../executor/processes/both/wire_internal.h"
#include "../../../executor/system/process_internal.h"
#include "../../../executor/system/spawn_internal.h"
#include "../../../executor/system/system_internal.h"
#include "../../../futures/value_internal.h"
#include "../../support/futures.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

struct worker {
    struct soon__channel channel;
    struct soon__message hello;
    unsigned char *table;
    void *shared;
    int control, watch;
    pid_t pid;
    uint64_t head, sequence;
    uint64_t area_used; /* of the request area: never given back */
};

/* How it is started; zero: as it should be. */
struct how {
    void (*change)(struct soon__replies *replies); /* before the start */
    size_t shared_size;
    bool no_descriptors;
    char *const *arguments; /* of another program; NULL: this one */
};

static inline int fd_or_fail(int fd)
{
    cr_assert_geq(fd, 0, "%s", soon_strerror(fd));
    return fd;
}

static inline int new_area(void *ret, size_t size)
{
    int fd = fd_or_fail(soon__shm_new(size));

    cr_assert_eq(soon__shm_map((void **)ret, fd, size, true), 0);
    return fd;
}

static inline void spawn(struct worker *worker, const struct how *how, const int *descriptors)
{
    char *itself[] = {(char *)"worker", (char *)SOON__WORKER_MARKER, NULL};
    struct soon__process_start start = {.path = how->arguments ? how->arguments[0] : NULL,
                                        .executable = how->arguments ? -1 : fd_or_fail(soon__own_program()),
                                        .arguments = how->arguments ? how->arguments : itself,
                                        .directory = -1,
                                        .null = -1,
                                        .descriptors = descriptors,
                                        .descriptor_count = how->no_descriptors ? 0 : SOON__FD_END - SOON__FD_CONTROL};

    setenv(SOON__WORKER_VARIABLE, "1", 1);
    setenv(SOON__DEPTH_VARIABLE, "1", 1);
    start.environment = environ;
    cr_assert_eq(soon__process_start(&start, &worker->pid), 0);
    if (start.executable >= 0)
        close(start.executable);
    unsetenv(SOON__WORKER_VARIABLE);
    unsetenv(SOON__DEPTH_VARIABLE);
    worker->watch = fd_or_fail(soon__process_watch(worker->pid));
}

static inline struct worker start_worker(struct how how)
{
    struct worker worker = {0};
    int at[SOON__FD_END], ends[2];

    at[SOON__FD_REPLIES] = new_area(&worker.channel.replies, sizeof *worker.channel.replies);
    at[SOON__FD_REQUESTS] = new_area(&worker.channel.requests, sizeof *worker.channel.requests);
    at[SOON__FD_REPLY_AREA] = new_area(&worker.channel.reply_area, SOON__REPLY_AREA);
    at[SOON__FD_BELL] = worker.channel.bell = fd_or_fail(soon__bell_new());
    at[SOON__FD_SHARED] = at[SOON__FD_REPLIES];
    if (how.shared_size)
        at[SOON__FD_SHARED] = new_area(&worker.shared, how.shared_size);
    cr_assert_eq(soon__socket_pair(ends), 0);
    worker.control = ends[0];
    at[SOON__FD_CONTROL] = ends[1];

    struct soon__replies *replies = worker.channel.replies;
    replies->magic = SOON__CHANNEL_MAGIC;
    replies->version = SOON__CHANNEL_VERSION;
    replies->size = sizeof *replies;
    replies->requests_size = sizeof(struct soon__requests);
    worker.channel.parent_notes = calloc(1, sizeof *worker.channel.parent_notes);
    cr_assert(worker.channel.parent_notes);
    soon__channel_init(&worker.channel, 0);
    replies->reply_area_size = SOON__REPLY_AREA;
    replies->shared_size = how.shared_size;
    replies->depth = 1;
    strcpy(replies->name, "test_1");
    if (how.change)
        how.change(replies);
    spawn(&worker, &how, at + SOON__FD_CONTROL);

    close(at[SOON__FD_REPLIES]);
    close(at[SOON__FD_REQUESTS]);
    close(at[SOON__FD_REPLY_AREA]);
    close(at[SOON__FD_CONTROL]);
    if (how.shared_size)
        close(at[SOON__FD_SHARED]);
    return worker;
}

static inline void await_readable(int fd)
{
    struct pollfd what = {.fd = fd, .events = POLLIN};

    while (poll(&what, 1, -1) < 0)
        cr_assert_eq(errno, EINTR);
}

/* The next message from the worker: how many descriptors came with it. */
static inline int receive(struct worker *worker, struct soon__message *ret, int *ret_descriptors)
{
    int count;

    await_readable(worker->control);
    cr_assert_eq(soon__socket_receive(worker->control, ret, sizeof *ret, ret_descriptors, &count), (int)sizeof *ret);
    cr_assert_eq(ret->magic, SOON__CHANNEL_MAGIC);
    return count;
}

/* It serves; else it is about to end. */
static inline bool says_hello(struct worker *worker)
{
    struct soon__message message;
    int none[SOON__SOCKET_DESCRIPTORS_MAX], count;

    await_readable(worker->control);
    return soon__socket_receive(worker->control, &message, sizeof message, none, &count) == (int)sizeof message;
}

static inline struct worker greeted_worker(struct how how)
{
    struct worker worker = start_worker(how);
    int none[SOON__SOCKET_DESCRIPTORS_MAX];

    cr_assert_eq(receive(&worker, &worker.hello, none), 0);
    cr_assert_eq(worker.hello.kind, SOON__MESSAGE_HELLO);
    worker.table = malloc(worker.hello.table_size);
    memcpy(worker.table, worker.channel.reply_area, worker.hello.table_size);
    return worker;
}

static inline struct worker ready_worker(void)
{
    return greeted_worker((struct how){0});
}

/* Waits until it is gone by itself; closes all. */
static inline struct soon__exit await_end(struct worker *worker)
{
    struct soon__exit ended;

    await_readable(worker->watch);
    soon__process_reap(worker->watch, worker->pid, &ended);
    cr_assert(ended.known);
    close(worker->watch);
    close(worker->channel.bell);
    if (worker->control >= 0)
        close(worker->control);
    soon__shm_unmap(worker->channel.replies, sizeof *worker->channel.replies);
    soon__shm_unmap(worker->channel.requests, sizeof *worker->channel.requests);
    soon__shm_unmap(worker->channel.reply_area, SOON__REPLY_AREA);
    free(worker->channel.parent_notes);
    free(worker->table);
    return ended;
}

static inline void assert_exits_with(struct worker *worker, int status)
{
    struct soon__exit ended = await_end(worker);

    cr_assert(!ended.killed);
    cr_assert_eq(ended.number, status);
}

static inline void retire(struct worker *worker)
{
    soon__channel_retire(&worker->channel);
    assert_exits_with(worker, 0);
}

/* The function's index in its table. */
static inline uint32_t index_of(const struct worker *worker, const soon_function *function)
{
    struct soon__table_entry entry;
    uint64_t offset = 0;

    for (uint32_t i = 0; soon__table_next(worker->table, worker->hello.table_size, &offset, &entry) == 1; i++) {
        if (strcmp(entry.name, function->name) == 0)
            return i;
    }
    cr_assert_fail("the worker does not have %s", function->name);
    return 0;
}

/* What to ask for besides function and argument; zero: nothing. */
struct asked {
    uint32_t slot, flags;
    uint64_t items;
    const void *payload;
    size_t payload_size;
    const char *label;
    int64_t time_limit_ns, queue_deadline, items_deadline; /* deadlines 0: none */
};

static inline unsigned char *append(unsigned char *to, const void *data, size_t size)
{
    if (size)
        memcpy(to, data, size);
    return to + soon__body_round(size);
}

/* Returns its sequence number. With ARG_SENT or PAYLOAD_SENT the caller has sent them already, for the next one. */
static inline uint64_t post(struct worker *worker, const soon_function *function, const void *arg, size_t size,
                            struct asked asked)
{
    struct soon__request *request = &worker->channel.requests->request[asked.slot];
    size_t arg_here = asked.flags & SOON__REQUEST_ARG_SENT ? 0 : size;
    size_t payload_here = asked.flags & SOON__REQUEST_PAYLOAD_SENT ? 0 : asked.payload_size;
    size_t label_size = asked.label ? strlen(asked.label) + 1 : 0;
    unsigned char *body = request->bytes;
    uint64_t sequence = ++worker->sequence;

    *request = (struct soon__request){
        .sequence = atomic_load_explicit(&request->sequence, memory_order_relaxed),
        .order = sequence,
        .arg_size = size,
        .payload_size = asked.payload_size,
        .items = asked.items,
        .time_limit_ns = asked.time_limit_ns,
        .queue_deadline = asked.queue_deadline ? asked.queue_deadline : INT64_MAX,
        .items_deadline = asked.items_deadline ? asked.items_deadline : INT64_MAX,
        .function = index_of(worker, function),
        .flags = asked.flags | SOON__REQUEST_HAS_LIMITS,
        .label_size = (uint32_t)label_size,
    };
    if (asked.items)
        request->arg_size = asked.items * function->arg_size, arg_here = request->arg_size;
    if (asked.payload)
        request->flags |= SOON__REQUEST_HAS_PAYLOAD;
    if (soon__body_round(arg_here) + soon__body_round(payload_here) + label_size > SOON__REQUEST_INLINE) {
        request->flags |= SOON__REQUEST_IN_AREA;
        request->offset = worker->area_used;
        body = worker->channel.requests->area + worker->area_used;
        worker->area_used += arg_here + payload_here + label_size + 64;
        worker->area_used = (worker->area_used + 63) & ~UINT64_C(63);
        cr_assert_leq(worker->area_used, SOON__REQUEST_AREA);
    }
    body = append(body, arg, arg_here);
    body = append(body, asked.payload, payload_here);
    append(body, asked.label, label_size);
    soon__channel_publish(&worker->channel, asked.slot, sequence);
    soon__channel_wake(&worker->channel, UINT64_MAX);
    return sequence;
}

static inline void await_bell(struct worker *worker)
{
    struct pollfd what[] = {{.fd = worker->channel.bell, .events = POLLIN}, {.fd = worker->watch, .events = POLLIN}};

    while (poll(what, 2, -1) < 0)
        cr_assert_eq(errno, EINTR);
    cr_assert(what[0].revents, "the worker is dead");
}

/* The next reply, whatever its kind; its body is in the area or the reply until consume(). */
static inline struct soon__reply next_reply(struct worker *worker)
{
    struct soon__reply reply;
    int rc;

    while ((rc = soon__channel_next_reply(&worker->channel, &worker->head, &reply)) == 0) {
        if (!soon__channel_want_bell(&worker->channel, worker->head))
            await_bell(worker);
        soon__channel_want_no_bell(&worker->channel);
        soon__bell_quiet(worker->channel.bell);
    }
    cr_assert_eq(rc, 1, "the worker has written nonsense");
    return reply;
}

static inline void consume(struct worker *worker)
{
    soon__channel_ack(&worker->channel, worker->head);
}

static inline const void *result_of(const struct worker *worker, const struct soon__reply *reply)
{
    return soon__channel_reply_body(&worker->channel, reply);
}

static inline const char *message_of(const struct worker *worker, const struct soon__reply *reply)
{
    cr_assert_gt(reply->message_size, 0);
    return (const char *)soon__channel_reply_body(&worker->channel, reply); /* there is neither result nor payload */
}

/* The last reply of a task, which is its only one. */
static inline struct soon__reply done(struct worker *worker, uint64_t sequence)
{
    struct soon__reply reply = next_reply(worker);

    cr_assert_eq(reply.kind, SOON__REPLY_DONE);
    cr_assert_eq(reply.sequence, sequence);
    return reply;
}

/* A descriptor of `size` bytes, the same at every place of the same number. */
static inline int new_bytes(soon_buffer **ret, size_t size)
{
    cr_assert_eq(soon__buffer_new_mappable(ret, size), 0);
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)soon_buffer_data(*ret))[i] = (unsigned char)(i * 7 + i / 251);
    return fd_or_fail(soon__buffer_freeze(*ret));
}

static inline void send_for_next(struct worker *worker, uint32_t slot, uint32_t parts, const int *descriptors,
                                 int count)
{
    struct soon__message message = {.magic = SOON__CHANNEL_MAGIC,
                                    .kind = SOON__MESSAGE_DESCRIPTORS,
                                    .version = SOON__CHANNEL_VERSION,
                                    .slot = slot,
                                    .parts = parts,
                                    .sequence = worker->sequence + 1};

    cr_assert_eq(soon__socket_send(worker->control, &message, sizeof message, descriptors, count), 0);
}

/* A result that came as a descriptor. */
static inline soon_buffer *buffer_of(struct worker *worker, const struct soon__reply *reply, int wanted, int at,
                                     size_t size)
{
    static int descriptors[SOON__SOCKET_DESCRIPTORS_MAX];
    struct soon__message message;
    soon_buffer *buffer;

    if (at == 0) {
        cr_assert_eq(receive(worker, &message, descriptors), wanted);
        cr_assert_eq(message.slot, reply->slot);
        cr_assert_eq(message.sequence, reply->sequence);
        cr_assert_eq(message.item, reply->first);
        cr_assert_eq(message.parts, (reply->flags & SOON__REPLY_RESULT_SENT ? SOON__PART_BYTES : 0u) |
                                        (reply->flags & SOON__REPLY_PAYLOAD_SENT ? SOON__PART_PAYLOAD : 0u));
    }
    cr_assert_eq(soon__shm_check_frozen(descriptors[at], size), 0);
    cr_assert_eq(soon__buffer_of_descriptor(&buffer, descriptors[at], size), 0);
    return buffer;
}

/* Runs a task whose result is an int. */
static inline int ask_int(struct worker *worker, const soon_function *function, const void *arg, size_t size)
{
    struct soon__reply reply = done(worker, post(worker, function, arg, size, (struct asked){0}));
    int result;

    cr_assert_eq(reply.code, 0, "%s", soon_strerror(reply.code));
    cr_assert_eq(reply.result_size, sizeof result);
    memcpy(&result, result_of(worker, &reply), sizeof result);
    consume(worker);
    return result;
}

#endif

/*
 * caller.h - a client that speaks the server's protocol itself: what a daemon says is seen as it comes, byte for byte.
 */
#ifndef SOON_TESTS_CLUSTER_CALLER_H
#define SOON_TESTS_CLUSTER_CALLER_H

#include "../support/cluster_tasks.h"
#include "../support/gearmand.h"
#include "../support/packets.h"
#include "../support/workerd.h"

#include "../../executor/cluster/both/digest_internal.h"
#include "../../executor/cluster/both/message_internal.h"

struct caller {
    int fd;
    struct soon__packet_reader reader;
};

/* What a job has become. All but `kind` is of a copy, the caller's of heard_free(). */
struct heard {
    enum soon__packet_type type;
    char handle[128];
    char *bytes; /* the last argument, with a NUL behind it */
    size_t size;
};

static inline void caller_say(struct caller *caller, enum soon__packet_type type, const soon_bytes *arguments,
                              size_t count)
{
    cr_assert(packet_send(caller->fd, true, type, arguments, count));
}

/* The next packet. Its arguments are lent until the next call. */
static inline struct soon__packet caller_next(struct caller *caller)
{
    struct soon__packet packet;

    cr_assert(packet_receive(caller->fd, &caller->reader, &packet));
    return packet;
}

static inline soon_bytes of_text(const char *text)
{
    return (soon_bytes){text, strlen(text)};
}

/* It has asked for exceptions, as clients of the library do. */
static inline void caller_open(struct caller *caller, const struct gearmand *server)
{
    const soon_bytes option = of_text("exceptions");

    *caller = (struct caller){.fd = gearmand_connect(server->port)};
    cr_assert_geq(caller->fd, 0);
    soon__packet_reader_init(&caller->reader, (size_t)1 << 30, true);
    caller_say(caller, SOON__OPTION_REQ, &option, 1);
    cr_assert_eq(caller_next(caller).type, SOON__OPTION_RES);
}

static inline void caller_close(struct caller *caller)
{
    close(caller->fd);
    soon__packet_reader_fini(&caller->reader);
}

static inline void caller_submit(struct caller *caller, const char *function, const char *unique, soon_bytes workload)
{
    const soon_bytes arguments[] = {of_text(function), of_text(unique), workload};

    caller_say(caller, SOON__SUBMIT_JOB, arguments, 3);
}

static inline struct heard caller_hear(struct caller *caller)
{
    struct soon__packet packet = caller_next(caller);
    soon_bytes last = packet.arguments[packet.count - 1];
    struct heard heard = {.type = packet.type, .bytes = malloc(last.size + 1), .size = last.size};

    snprintf(heard.handle, sizeof heard.handle, "%.*s", (int)packet.arguments[0].size,
             (const char *)packet.arguments[0].data);
    if (last.size > 0)
        memcpy(heard.bytes, last.data, last.size);
    heard.bytes[last.size] = '\0';
    return heard;
}

static inline void heard_free(struct heard *heard)
{
    free(heard->bytes);
}

/* The next packet of this type; others are passed over, unless they end a job. */
static inline struct heard caller_await(struct caller *caller, enum soon__packet_type type)
{
    struct heard heard = caller_hear(caller);

    while (heard.type != type) {
        cr_assert(heard.type != SOON__WORK_COMPLETE && heard.type != SOON__WORK_FAIL &&
                      heard.type != SOON__WORK_EXCEPTION,
                  "%s before a %s", soon__packet_name(heard.type), soon__packet_name(type));
        heard_free(&heard);
        heard = caller_hear(caller);
    }
    return heard;
}

static inline void caller_skip(struct caller *caller, enum soon__packet_type type)
{
    struct heard heard = caller_await(caller, type);

    heard_free(&heard);
}

/*
 * Of a client of the library
 */

/* The caller frees its bytes. */
static inline soon_bytes workload_of(const struct soon__call_message *call)
{
    struct soon__message_writer writer;
    soon_bytes bytes;

    soon__writer_init(&writer);
    soon__write_call(&writer, call);
    cr_assert_eq(soon__writer_end(&writer, &bytes), 0);
    return bytes;
}

/* What a client of the library fills in where a test does not say it. */
static inline struct soon__call_message completed(const soon_function *task, struct soon__call_message call)
{
    call.digest = call.digest ? call.digest : soon__function_digest(task);
    call.attempt = call.attempt ? call.attempt : 1;
    call.alive_every_ms = call.alive_every_ms ? call.alive_every_ms : 1000000;
    return call;
}

/* caller_call(&caller, &far_half_task, "soon1-a.1", .argument = bytes, .time_limit_ms = 5) */
#define caller_call(caller, task, unique, ...)                                                                         \
    caller_call_of(caller, task, unique, (struct soon__call_message){__VA_ARGS__})

static inline void caller_call_of(struct caller *caller, const soon_function *task, const char *unique,
                                  struct soon__call_message call)
{
    soon_bytes workload;

    call = completed(task, call);
    workload = workload_of(&call);
    caller_submit(caller, task->name, unique, workload);
    free((void *)workload.data);
}

static inline void caller_order(struct caller *caller, const char *worker, enum soon__order order, const char *unique)
{
    char function[256];
    struct soon__message_writer writer;
    soon_bytes arguments[] = {{function, 0}, {NULL, 0}, {NULL, 0}};

    arguments[0].size = (size_t)snprintf(function, sizeof function, "cancel@%s", worker);
    soon__writer_init(&writer);
    soon__write_order(&writer, &(struct soon__order_message){order, unique});
    cr_assert_eq(soon__writer_end(&writer, &arguments[2]), 0);
    caller_say(caller, SOON__SUBMIT_JOB_HIGH_BG, arguments, 3);
    soon__writer_fini(&writer);
}

/* Waits for START, and copies the name of the worker. */
static inline void caller_await_start(struct caller *caller, char *ret_worker, size_t size)
{
    struct heard heard = caller_await(caller, SOON__WORK_DATA);
    struct soon__start_message start;

    cr_assert_eq(soon__read_start(&start, (soon_bytes){heard.bytes, heard.size}), 0);
    snprintf(ret_worker, size, "%s", start.worker);
    heard_free(&heard);
}

/* Waits for ERROR; its strings lie in `*ret_heard`. */
static inline struct soon__error_message caller_await_error(struct caller *caller, struct heard *ret_heard)
{
    struct soon__error_message error = {0};

    *ret_heard = caller_await(caller, SOON__WORK_EXCEPTION);
    cr_assert_eq(soon__read_error(&error, (soon_bytes){ret_heard->bytes, ret_heard->size}), 0);
    return error;
}

/* Waits for the result of one task; its bytes lie in `*ret_heard`. */
static inline struct soon__item_result_message caller_await_result(struct caller *caller, struct heard *ret_heard,
                                                                   struct soon__message_reader *ret_rest)
{
    struct soon__result_message result;

    *ret_heard = caller_await(caller, SOON__WORK_COMPLETE);
    cr_assert_eq(soon__read_result(&result, (soon_bytes){ret_heard->bytes, ret_heard->size}), 0);
    cr_assert_eq(result.items, 0);
    *ret_rest = result.rest;
    return soon__get_item_result(ret_rest);
}

/* A server, a daemon there, and a client. */
struct stage {
    struct gearmand server;
    struct workerd daemon;
    struct caller caller;
};

#define with_stage(name, slots)                                                                                        \
    struct stage name;                                                                                                 \
    gearmand_or_skip();                                                                                                \
    gearmand_start(&name.server, NULL);                                                                                \
    workerd_start(&name.daemon, name.server.address, slots);                                                           \
    caller_open(&name.caller, &name.server)

static inline void stage_end(struct stage *stage)
{
    caller_close(&stage->caller);
    if (stage->daemon.pid)
        workerd_stop(&stage->daemon);
    gearmand_kill(&stage->server);
}

#endif

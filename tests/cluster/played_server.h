/*
 * played_server.h - a cluster whose server the test plays: it says one packet after the other, in an order that a real
 * server may choose and seldom does.
 */
#ifndef SOON_TESTS_CLUSTER_PLAYED_SERVER_H
#define SOON_TESTS_CLUSTER_PLAYED_SERVER_H

#include "../support/scripted_server.h"
#include "flights.h"
#include "worker_fixture.h"

/*
 * The server
 */

struct stage {
    struct scripted_server server; /* its socket alone */
    struct worker work;            /* the client's connection, of which the test is the other end */
    int admin;
    soon_executor *cluster;
};

static inline void cut(struct stage *stage)
{
    worker_free(&stage->work);
    close(stage->admin);
}

/* Nobody listens any more. */
static inline void cut_for_ever(struct stage *stage)
{
    close(stage->server.listening);
    cut(stage);
}

static inline void end(struct stage *stage)
{
    cut_for_ever(stage);
    free_pool(stage->cluster);
}

/* A client that has gone hears nothing. */
static inline void say(struct stage *stage, enum soon__packet_type type, const soon_bytes *arguments, size_t count)
{
    (void)packet_send(stage->work.fd, false, type, arguments, count);
}

static inline void say_text(struct stage *stage, enum soon__packet_type type, const char *text)
{
    const soon_bytes argument = text_bytes(text);

    say(stage, type, &argument, 1);
}

/* The next packet of that type. What a client says now and then is answered, or passed over. */
static inline struct soon__packet hear(struct stage *stage, enum soon__packet_type type)
{
    struct soon__packet packet;

    for (;;) {
        cr_assert(worker_hear(&stage->work, &packet), "the client has gone");
        if (packet.type == type)
            return packet;
        cr_assert(packet.type == SOON__ECHO_REQ || packet.type == SOON__GET_STATUS, "%s",
                  soon__packet_name(packet.type));
        if (packet.type == SOON__ECHO_REQ)
            say(stage, SOON__ECHO_RES, packet.arguments, 1);
    }
}

static inline void hear_line(struct stage *stage, const char *expected)
{
    char line[128];
    size_t size;

    do {
        size = 0;
        do
            cr_assert(script_hear(stage->admin, line + size, 1));
        while (line[size++] != '\n');
        line[size - 1] = '\0';
        if (strcmp(line, "version") == 0)
            script_say(stage->admin, "OK 1.1.20\n", 10);
    } while (strcmp(line, "version") == 0);
    cr_assert_str_eq(line, expected);
}

/* A client connects, first for work, then for text. */
static inline void accept_client(struct stage *stage)
{
    char question[64];

    stage->work.fd = accept4(stage->server.listening, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(script_greet(stage->work.fd));
    soon__packet_reader_init(&stage->work.reader, 1 << 20, false);
    hear(stage, SOON__OPTION_REQ);
    say_text(stage, SOON__OPTION_RES, "exceptions");
    stage->admin = accept4(stage->server.listening, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(script_hear(stage->admin, question, strlen("version\n")));
    script_say(stage->admin, "OK 1.1.20\n", 10);
}

static inline const char *listen_of(struct stage *stage)
{
    cluster_warm_up();
    scripted_server_bind(&stage->server);
    return stage->server.text;
}

static inline void begin_with(struct stage *stage, const soon_cluster_options *options)
{
    soon_cluster_options given = *options;

    if (!given.grace_ms)
        given.grace_ms = FLIGHTS_LONG_MS;
    stage->cluster = cluster_of(&given);
    accept_client(stage);
}

/* begin(&stage, .lease_ms = 50). The grace period is over when the test says so. */
#define begin(stage, ...) begin_with(stage, &(soon_cluster_options){.servers = listen_of(stage), ##__VA_ARGS__})

/* Takes a submit, and copies its unique. Returns the attempt. */
static inline uint32_t hear_submit(struct stage *stage, char unique[65])
{
    struct soon__packet packet = hear(stage, SOON__SUBMIT_JOB);
    struct soon__call_message call;

    copy_text(unique, 65, packet.arguments[1]);
    cr_assert_eq(soon__read_call(&call, packet.arguments[2]), 0);
    return call.attempt;
}

/* Takes an order to that worker about this job, and gives it a handle. */
static inline void hear_order(struct stage *stage, enum soon__order expected, const char *worker, const char *unique)
{
    struct soon__packet packet = hear(stage, SOON__SUBMIT_JOB_HIGH_BG);
    struct soon__order_message order;
    char function[64];

    copy_text(function, sizeof function, packet.arguments[0]);
    cr_assert_str_eq(function + strlen("cancel@"), worker);
    cr_assert_eq(soon__read_order(&order, packet.arguments[2]), 0);
    cr_assert_eq(order.order, expected);
    cr_assert_str_eq(order.unique, unique);
    say_text(stage, SOON__JOB_CREATED, "H:order");
}

/*
 * What is said of a job
 */

static inline void say_message(struct stage *stage, const char *handle, enum soon__packet_type type,
                               struct soon__message_writer *writer)
{
    soon_bytes arguments[2] = {text_bytes(handle)};

    cr_assert_eq(soon__writer_end(writer, &arguments[1]), 0);
    say(stage, type, arguments, 2);
    soon__writer_fini(writer);
}

static inline void starts_on(struct stage *stage, const char *handle, const char *worker)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_start(&writer, &(struct soon__start_message){.host = "far", .worker = worker});
    say_message(stage, handle, SOON__WORK_DATA, &writer);
}

static inline void starts(struct stage *stage, const char *handle)
{
    starts_on(stage, handle, "far-1");
}

static inline void lives(struct stage *stage, const char *handle)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_alive(&writer);
    say_message(stage, handle, SOON__WORK_DATA, &writer);
}

static inline void gives(struct stage *stage, const char *handle, int value)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_result(&writer, 0);
    soon__put_item_result(&writer, &(struct soon__item_result_message){.result = {&value, sizeof value}});
    say_message(stage, handle, SOON__WORK_COMPLETE, &writer);
}

static inline void ends_with(struct stage *stage, const char *handle, int code)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_error(&writer, &(struct soon__error_message){.code = code,
                                                             .started = true,
                                                             .attempt = 1,
                                                             .host = "far",
                                                             .worker = "far-1",
                                                             .message = "it failed, far away"});
    say_message(stage, handle, SOON__WORK_EXCEPTION, &writer);
}

static inline void fails(struct stage *stage, const char *handle)
{
    say_text(stage, SOON__WORK_FAIL, handle);
}

static inline void say_status(struct stage *stage, const char *handle, bool known, bool running)
{
    say(stage, SOON__STATUS_RES,
        (const soon_bytes[]){text_bytes(handle), text_bytes(known ? "1" : "0"), text_bytes(running ? "1" : "0"),
                             text_bytes("0"), text_bytes("0")},
        5);
}

/* Waits until so many flights are in that state. */
static inline void await_state(struct stage *stage, enum soon__flight_state state, size_t count)
{
    test_wait_until(flights_in(stage->cluster, state) == count);
}

/* A task that the server has, as "H:1". */
static inline soon_future *submit_created(struct stage *stage, const soon_submit_options *options, char unique[65])
{
    soon_future *f = submit_far(stage->cluster, options);

    hear_submit(stage, unique);
    say_text(stage, SOON__JOB_CREATED, "H:1");
    return f;
}

static inline soon_future *submit_running(struct stage *stage, const soon_submit_options *options, char unique[65])
{
    soon_future *f = submit_created(stage, options, unique);

    starts(stage, "H:1");
    test_wait_until(soon_future_running(f));
    return f;
}

/* A task that was cancelled, and that the server is asked to forget. */
static inline soon_future *submit_withdrawn(struct stage *stage, char unique[65])
{
    soon_future *f = submit_created(stage, NULL, unique);

    await_state(stage, SOON__FLIGHT_CREATED, 1);
    (void)soon_future_cancel(f);
    hear_line(stage, "cancel job H:1");
    return f;
}

static inline void assert_cancelled(soon_future *f, bool started)
{
    assert_ends(f, -ECANCELED);
    cr_assert(soon_future_cancelled(f));
    cr_assert_eq(soon_future_error(f)->started, started);
}

#endif

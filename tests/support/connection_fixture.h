/*
 * connection_fixture.h - connections to Gearman servers on a loop that the test runs, and what their owners are told.
 */
#ifndef SOON_TESTS_SUPPORT_CONNECTION_FIXTURE_H
#define SOON_TESTS_SUPPORT_CONNECTION_FIXTURE_H

#include "../harness/test.h"

#include "../../executor/cluster/both/connection_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

enum { PEER_PACKETS = 64 };

/* A packet that came, with a copy of its arguments, each with a NUL behind it. */
struct peer_packet {
    enum soon__packet_type type;
    size_t count;
    char *arguments[SOON__PACKET_ARGUMENTS];
    size_t sizes[SOON__PACKET_ARGUMENTS];
};

/* The owner of a connection. */
struct peer {
    struct soon__connection *connection;
    struct soon__servers *servers;
    struct soon__connection_options options;
    int ups, losses, failures, drained, closed; /* how often it was told */
    int code;                                   /* of the last loss or failure */
    char text[512];
    struct peer_packet packets[PEER_PACKETS]; /* those that were not taken yet, up to `came` */
    size_t came, taken;
    char lines[PEER_PACKETS][128];
    size_t lines_came;
    int refuse; /* what `packet` and `line` return */
    void (*on_up)(struct peer *peer);
    void (*on_packet)(struct peer *peer, const struct soon__packet *packet); /* in the place of `packets` */
    void (*on_down)(struct peer *peer);
    void (*on_drained)(struct peer *peer);
};

static uv_loop_t loop;

/* Runs the loop until the condition holds; for ever if it never does. */
#define run_until(...)                                                                                                 \
    while (!(__VA_ARGS__))                                                                                             \
    uv_run(&loop, UV_RUN_ONCE)

static inline void peer_up(void *owner)
{
    struct peer *peer = owner;

    peer->ups++;
    if (peer->on_up)
        peer->on_up(peer);
}

static inline int peer_packet(void *owner, const struct soon__packet *packet)
{
    struct peer *peer = owner;
    struct peer_packet *to = &peer->packets[peer->came];

    if (peer->on_packet) {
        peer->on_packet(peer, packet);
        return peer->refuse;
    }
    cr_assert_lt(peer->came, PEER_PACKETS);
    *to = (struct peer_packet){.type = packet->type, .count = packet->count};
    for (size_t i = 0; i < packet->count; i++) {
        to->sizes[i] = packet->arguments[i].size;
        to->arguments[i] = calloc(1, to->sizes[i] + 1);
        if (to->sizes[i] > 0)
            memcpy(to->arguments[i], packet->arguments[i].data, to->sizes[i]);
    }
    peer->came++;
    return peer->refuse;
}

static inline int peer_line(void *owner, const char *line, size_t size)
{
    struct peer *peer = owner;

    cr_assert_lt(peer->lines_came, PEER_PACKETS);
    cr_assert_lt(size, sizeof *peer->lines);
    memcpy(peer->lines[peer->lines_came], line, size);
    peer->lines[peer->lines_came++][size] = '\0';
    return peer->refuse;
}

static inline void peer_down(void *owner, int code, const char *text, bool was_up)
{
    struct peer *peer = owner;

    cr_assert_lt(code, 0);
    cr_assert_not(soon__connection_is_up(peer->connection));
    peer->losses += was_up;
    peer->failures += !was_up;
    peer->code = code;
    snprintf(peer->text, sizeof peer->text, "%s", text);
    if (peer->on_down)
        peer->on_down(peer);
}

static inline void peer_drained(void *owner)
{
    struct peer *peer = owner;

    peer->drained++;
    if (peer->on_drained)
        peer->on_drained(peer);
}

static inline void peer_closed(void *owner)
{
    struct peer *peer = owner;

    peer->closed++;
}

/* Where the test sets no time of its own nothing is too slow for it. */
static inline void peer_set_times(struct soon__connection_options *options)
{
    enum { LONG_MS = 3600000 };

    options->silence_ms = options->silence_ms ? options->silence_ms : LONG_MS;
    options->answer_ms = options->answer_ms ? options->answer_ms : LONG_MS;
    options->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : LONG_MS;
}

/* `options` of the peer, which is zeroed otherwise, may be set before. */
static inline void peer_begin(struct peer *peer, const char *servers)
{
    static const struct soon__connection_events events = {peer_up,   peer_packet,  peer_line,
                                                          peer_down, peer_drained, peer_closed};

    cr_assert_eq(soon__servers_parse(&peer->servers, servers), 0);
    if (!peer->options.loop)
        peer->options.loop = &loop;
    peer->options.servers = peer->servers;
    peer_set_times(&peer->options);
    cr_assert_eq(soon__connection_new(&peer->connection, &peer->options, &events, peer), 0);
}

static inline void peer_end(struct peer *peer)
{
    soon__connection_close(peer->connection, 0);
    run_until(peer->closed);
    cr_assert_eq(peer->closed, 1);
    soon__connection_free(peer->connection);
    soon__servers_free(peer->servers);
    for (size_t i = 0; i < peer->came; i++) {
        for (size_t j = 0; j < peer->packets[i].count; j++)
            free(peer->packets[i].arguments[j]);
    }
}

static inline void peer_connect(struct peer *peer, const char *servers)
{
    peer_begin(peer, servers);
    run_until(peer->ups == 1);
}

/* Writes a packet whose arguments are strings, up to a NULL. */
#define peer_say(peer, type, ...) peer_say_all(peer, type, (const char *const[]){__VA_ARGS__, NULL})
static inline void peer_say_all(struct peer *peer, enum soon__packet_type type, const char *const *texts)
{
    soon_bytes arguments[SOON__PACKET_ARGUMENTS];
    size_t count = 0;

    for (; texts[count]; count++)
        arguments[count] = (soon_bytes){texts[count], strlen(texts[count])};
    cr_assert_eq(soon__connection_write(peer->connection, type, arguments, count), 0);
}

/* Waits for the next packet, which must be of that type. */
static inline const struct peer_packet *peer_hear(struct peer *peer, enum soon__packet_type type)
{
    const struct peer_packet *packet;

    run_until(peer->came > peer->taken);
    packet = &peer->packets[peer->taken++];
    cr_assert_eq(packet->type, type, "%s came", soon__packet_name(packet->type));
    return packet;
}

static inline void open_loop(void)
{
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(uv_loop_init(&loop), 0);
}

static inline void close_loop(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

#endif

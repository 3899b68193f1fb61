/*
 * connection_internal.h - one connection to a Gearman server, kept up: it is made anew whenever it is lost.
 *
 *     DOWN ---its time has come---> RESOLVING ---> CONNECTING ---> GREETING ---> UP ---closed by its owner---> LEAVING
 *      ^                               |               |              |          |                               |
 *      +---------- another server, a longer pause -----+--------------+----------+ lost, or silent for too long  |
 *                                                                                                                v
 *      from each of them, closed by its owner without a word to say ----------------------------------------> CLOSED
 *
 * GREETING: the other side has taken the connection, and has not spoken. It is UP when it has answered a first question
 * (ECHO_REQ, or `version` where it speaks text): the system takes connections for a program that is stopped, and on a
 * port of this machine that nobody listens to a connection may meet itself.
 *
 * C1  All of it is on the thread of its loop. It knows no executor.
 * C2  An epoch is one time that it was UP, counted from 1 on. What is written goes to the server of this epoch, or
 *     nowhere: when the connection is lost, what was not sent is dropped, and its owner, who is told, decides what is
 *     to be said again.
 * C3  What is written in one turn of the loop leaves in one piece at the end of that turn, or in a flush.
 * C4  A server that says nothing is asked, and is lost if it does not answer in time. So is one that takes nothing for
 *     as long as both times together. The answers to these questions are the connection's: its owner does not see
 *     them, and does not ask them.
 * C5  Servers are tried in their order, beginning with the one after that which was lost, and each of their addresses.
 *     The first round begins at once. Each full round of failures doubles the pause before the next, from 50 ms to 2 s,
 *     give or take a quarter. To have been UP for less than a second is a failure, too.
 * C6  Nothing that a server sends, or does not send, ends the program, blocks the loop, or grows without a limit.
 *     On the library's loop soon__library_poll_uv() is called first. A program with a loop of its own ignores SIGPIPE.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_CONNECTION_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_CONNECTION_INTERNAL_H

#include "packet_internal.h"
#include "servers_internal.h"

#include <uv.h>

struct soon__connection;

/* What its owner is told, on the loop. None may free the connection, but for `closed`. All else is allowed in each. */
struct soon__connection_events {
    void (*up)(void *owner);
    /* 0; or a negative code: this server makes no sense, and the connection is dropped, with that code. The packet is
     * lent for the call. */
    int (*packet)(void *owner, const struct soon__packet *packet);
    /* With `is_text`, in the place of `packet`: a line without its end. */
    int (*line)(void *owner, const char *line, size_t size);
    /* It was UP and is not any more; or an attempt has failed, then `was_up` is false. `text` says which server and
     * why, and is lent for the call. */
    void (*down)(void *owner, int code, const char *text, bool was_up);
    /* What waits to be sent was above the high-water mark, and is below the low one. NULL: nobody asks. */
    void (*drained)(void *owner);
    void (*closed)(void *owner); /* the last call: its memory may go, by soon__connection_free() */
};

struct soon__connection_options {
    uv_loop_t *loop;
    const struct soon__servers *servers; /* lent */
    bool is_text;                        /* it speaks the server's text protocol, line by line */
    size_t packet_max;                   /* of one that comes; 0: 2 GiB. Of a line: 64 KiB */
    size_t high_water, low_water;        /* in bytes; 0: 4 MiB and 1 MiB */
    int64_t connect_timeout_ms;          /* for each address, up to the first answer; and to look them up; 0: 5,000 */
    int64_t silence_ms;                  /* after so long without a byte it is asked; 0: 5,000 */
    int64_t answer_ms;                   /* and is lost after so long without an answer; 0: 12,000 */
};

/* 0 or -ENOMEM. It is DOWN, and begins to connect in the loop's next turn. */
int soon__connection_new(struct soon__connection **ret, const struct soon__connection_options *options,
                         const struct soon__connection_events *events, void *owner);
/* Begins to close it for ever: what was written before is still sent if that takes no longer than `linger_ms`, and the
 * server is waited for to have read it. `closed` is told then, and nothing before it. Any number of times; a shorter
 * time counts. */
void soon__connection_close(struct soon__connection *connection, int64_t linger_ms);
/* In `closed`, or after it. NULL is allowed. */
void soon__connection_free(struct soon__connection *connection);

bool soon__connection_is_up(const struct soon__connection *connection);
uint64_t soon__connection_epoch(const struct soon__connection *connection); /* 0: it was never UP */
/* "10.0.0.5:4730", of the server that it has, or tries, or had. Lent until it changes. */
const char *soon__connection_server(const struct soon__connection *connection);
/* So many attempts have failed since it was UP. */
unsigned soon__connection_failures(const struct soon__connection *connection);

/* Writes a packet, whose arguments are copied; or the bytes of a line with its end. 0; -ENOTCONN: it is not UP;
 * -EMSGSIZE: more than a packet can hold; -ENOMEM. Then nothing was written. */
int soon__connection_write(struct soon__connection *connection, enum soon__packet_type type,
                           const soon_bytes *arguments, size_t count);
int soon__connection_write_text(struct soon__connection *connection, const char *text);
/* The same, but lets the caller make the last argument where it is sent from. `arguments` are the `count` before it.
 * `*ret` has room for `last_size` bytes, to be filled before this turn of the loop ends. */
int soon__connection_write_space(struct soon__connection *connection, enum soon__packet_type type,
                                 const soon_bytes *arguments, size_t count, size_t last_size, void **ret);
/* Sends what was written here and now, as far as it can be sent at once; `drained` may be told. Not UP: nothing. */
void soon__connection_flush(struct soon__connection *connection);
/* What waits to be sent was above the high-water mark, and `drained` was not told yet: better wait for that. */
bool soon__connection_is_crowded(const struct soon__connection *connection);
/* Drops it as if it were lost, for its owner has found out that the server is of no use. `down` is told before this
 * returns. Not connected: nothing. */
void soon__connection_drop(struct soon__connection *connection, int code, const char *text);

#endif

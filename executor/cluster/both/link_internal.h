/*
 * link_internal.h - one TCP connection to one address, from the attempt to its end. It knows no protocol.
 *
 *     connecting ---> there ---> let go ---> freed, by the loop, after its handles have closed
 *          |                        ^
 *          +-- refused, timed out --+
 *
 * K1  What is written in one turn of the loop leaves in one piece: before the loop sleeps again. That holds for a loop
 *     of libuv's, and for the library's, whose jobs write outside of libuv: an idle handle makes libuv want to run at
 *     once, and it runs before libuv polls. Or earlier, if its owner says so.
 * K2  Its owner lets it go, or is told that it is lost and lets it go then. After that it hears nothing more of it.
 * K3  In a forked child the handles are closed by library_uv.c. libuv then tells of each request that it is cancelled:
 *     these calls touch nothing.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_LINK_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_LINK_INTERNAL_H

#include "packet_internal.h"

#include <sys/socket.h>
#include <uv.h>

struct soon__link;

/* On the loop. The owner may let the link go in each. */
struct soon__link_events {
    void (*connected)(void *owner);
    void (*came)(void *owner, struct soon__packet_reader *reader); /* bytes have been added there */
    void (*sent)(void *owner);                                     /* less waits than before */
    /* UV_EOF: the other side has closed it. */
    void (*lost)(void *owner, int code);
};

/* 0, or a negative errno: no memory, no descriptors, no way to that address. `limit` is that of a packet. */
int soon__link_new(struct soon__link **ret, uv_loop_t *loop, const struct sockaddr *address, size_t limit,
                   const struct soon__link_events *events, void *owner);
void soon__link_let_go(struct soon__link *link); /* NULL is allowed */

/* Room for bytes that leave at the end of this turn, to be filled before it. 0 or -ENOMEM. */
int soon__link_space(struct soon__link *link, size_t size, void **ret);
/* Sends what was written, as far as that goes at once. Its owner may be told `sent`, and nothing else. */
void soon__link_flush(struct soon__link *link);
/* So many bytes were written so far; so many of them have left. */
uint64_t soon__link_written(const struct soon__link *link);
uint64_t soon__link_sent(const struct soon__link *link);
/* Nothing more is written: the other side is told so. When nothing waits. */
void soon__link_end(struct soon__link *link);

#endif

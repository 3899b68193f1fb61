/*
 * listen.h - the socket that connections come from. On the loop.
 *
 * libwebsockets could listen by itself. Here connections are counted before they cost anything, and a process that is
 * out of descriptors waits for the next tick, where polling on would keep the loop busy.
 */
#ifndef SERVICE_LISTEN_H
#define SERVICE_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct service;

struct listener {
    struct service *service;
    uv_poll_t poll;
    int fd; /* -1: closed */
    int port;
    bool paused, is_loopback, is_ipv6;
};

/* Binds and listens. Returns: 0, or a negative errno value. */
int listener_open(struct listener *listener, struct service *service);

/* Accepts. */
void listener_start(struct listener *listener);

/* Goes on after a pause. */
void listener_tick(struct listener *listener);

void listener_close(struct listener *listener);

#endif

/*
 * service.h - the service as a whole: one loop, one thread, and what is on it.
 *
 *     SERVING --SIGTERM--> DRAINING --the pool is gone--> STOPPING --all handles are closed--> main() returns
 *
 * DRAINING: the pool takes no jobs, and ends those that it has; whoever asks is still answered. At the deadline, or
 * with a second signal, what still runs is killed. STOPPING: the streams get their last events, then the connections
 * close.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "events.h"
#include "jobs.h"
#include "listen.h"
#include "options.h"
#include "page.h"

#include <stdbool.h>
#include <uv.h>

struct lws_context;
struct lws_vhost;

enum phase { SERVING, DRAINING, STOPPING };

struct service {
    struct options options;
    enum phase phase;
    bool killed; /* jobs did not end by themselves */
    uv_loop_t loop;
    soon_loop *on;
    uv_signal_t terminate, interrupt;
    uv_timer_t tick, last_words;
    int looks; /* of last_words */
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct jobs jobs;
    struct events events;
    struct listener listener;
    struct page page;
    size_t connections;
    double started_s;
    uint64_t requests[6];   /* answered, by the first digit of the status */
    size_t receiving_bytes; /* room for bodies that are not there yet */
};

#endif

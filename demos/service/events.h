/*
 * events.h - streams of server-sent events. On the loop.
 *
 * A stream has no queue. It remembers up to which change it has told, and when its connection takes more, it tells what
 * has changed since, as it is then. So a slow reader costs no memory; it gets fewer events, and the last state of all.
 */
#ifndef SERVICE_EVENTS_H
#define SERVICE_EVENTS_H

#include "jobs.h"

#include <stdint.h>

struct lws;
struct stream;

struct events {
    struct jobs *jobs;
    struct stream *first;
    size_t count;
    bool stopping;
};

void events_init(struct events *events, struct jobs *jobs);

/* Begins a stream, of one job, which comes first as it is; or of all, from now on: NULL. NULL: no memory. */
struct stream *events_open(struct events *events, struct lws *wsi, struct job *job);

/* Ends it; NULL is ignored. */
void events_close(struct events *events, struct stream *stream);

/* A job has changed: the streams that tell of it will. */
void events_changed(struct events *events, const struct job *job);

/* The connection takes more. Returns: 0; -1: the stream has ended. */
int events_write(struct stream *stream);

/* To be called once a second: keeps quiet connections alive, and closes those that have taken nothing for long. */
void events_tick(struct events *events);

/* From now on streams end when they have told all. */
void events_stop(struct events *events);

#endif

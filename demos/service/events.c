/*
 * events.c - a list of streams, and what each has told. On the loop.
 */
#include "events.h"
#include "job_json.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

enum {
    WRITE_MAX = 16 * 1024, /* bytes of events at once */
    QUIET_S = 15,          /* then a comment is sent */
    STUCK_S = 60           /* then a client that takes nothing is dropped */
};

struct stream {
    struct stream *next, **at;
    struct events *events;
    struct lws *wsi;
    uint64_t job;  /* its number; 0: all jobs */
    uint64_t told; /* up to this change */
    int quiet_s;   /* since it last wrote */
};

void events_init(struct events *events, struct jobs *jobs)
{
    *events = (struct events){.jobs = jobs};
}

struct stream *events_open(struct events *events, struct lws *wsi, struct job *job)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    *stream = (struct stream){.next = events->first, .at = &events->first, .events = events, .wsi = wsi};
    stream->job = job ? job->number : 0;
    stream->told = job ? 0 : events->jobs->last_change;
    if (stream->next)
        stream->next->at = &stream->next;
    events->first = stream;
    events->count++;
    return stream;
}

void events_close(struct events *events, struct stream *stream)
{
    if (!stream)
        return;
    *stream->at = stream->next;
    if (stream->next)
        stream->next->at = stream->at;
    events->count--;
    free(stream);
}

void events_changed(struct events *events, const struct job *job)
{
    for (struct stream *stream = events->first; stream; stream = stream->next)
        if (stream->job == 0 || stream->job == job->number)
            lws_callback_on_writable(stream->wsi);
}

/* The job whose change the stream has to tell next; NULL: none. */
static struct job *next_of(const struct stream *stream)
{
    struct job *job = stream->events->jobs->changed_last;
    if (stream->job) {
        job = jobs_find(stream->events->jobs, stream->job);
        return job && job->change > stream->told ? job : NULL;
    }
    if (!job || job->change <= stream->told)
        return NULL;
    while (job->changed_before && job->changed_before->change > stream->told)
        job = job->changed_before;
    return job;
}

/* Adds an event, if it fits. Returns: its bytes; 0: it does not fit. */
static size_t add_event(char *at, size_t room, struct job *job)
{
    static const char head[] = "event: job\ndata: ";
    char *text = job_text(job);
    size_t length = text ? strlen(text) : 0, size = sizeof head - 1 + length + 2;
    if (text && size <= room) {
        memcpy(at, head, sizeof head - 1);
        memcpy(at + sizeof head - 1, text, length);
        memcpy(at + sizeof head - 1 + length, "\n\n", 2);
    }
    free(text);
    return text && size <= room ? size : 0;
}

/* Whether nothing more will come. */
static bool is_over(const struct stream *stream)
{
    const struct job *job = stream->job ? jobs_find(stream->events->jobs, stream->job) : NULL;
    if (next_of(stream))
        return false;
    return stream->events->stopping || (stream->job && (!job || job_has_ended(job)));
}

int events_write(struct stream *stream)
{
    unsigned char buffer[LWS_PRE + WRITE_MAX];
    size_t size = 0, added;
    if (lws_partial_buffered(stream->wsi))
        return 0; /* it will call again */
    for (struct job *job; (job = next_of(stream)); stream->told = job->change, size += added)
        if ((added = add_event((char *)buffer + LWS_PRE + size, WRITE_MAX - size, job)) == 0)
            break;
    if (!size && stream->quiet_s >= QUIET_S)
        size = (size_t)snprintf((char *)buffer + LWS_PRE, WRITE_MAX, ":\n\n");
    if (size && lws_write(stream->wsi, buffer + LWS_PRE, size, LWS_WRITE_HTTP) < 0)
        return -1;
    if (size)
        stream->quiet_s = 0;
    if (is_over(stream))
        return -1; /* libwebsockets sends what it still has */
    if (size && next_of(stream))
        lws_callback_on_writable(stream->wsi);
    return 0;
}

void events_tick(struct events *events)
{
    for (struct stream *stream = events->first, *next; stream; stream = next) {
        next = stream->next;
        stream->quiet_s++;
        if (stream->quiet_s == QUIET_S)
            lws_callback_on_writable(stream->wsi);
        else if (stream->quiet_s > STUCK_S)
            lws_set_timeout(stream->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC); /* which frees it */
    }
}

void events_stop(struct events *events)
{
    events->stopping = true;
    for (struct stream *stream = events->first; stream; stream = stream->next)
        lws_callback_on_writable(stream->wsi);
}

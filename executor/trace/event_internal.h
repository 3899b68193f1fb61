/*
 * event_internal.h - one thing that has happened, as a trace keeps it until it is written: bytes of a fixed size, which
 * refer to nothing.
 */
#ifndef SOON_EXECUTOR_TRACE_EVENT_INTERNAL_H
#define SOON_EXECUTOR_TRACE_EVENT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum soon__trace_kind {
    SOON__TRACE_ROW,     /* `row` is called `text`; a worker process is a row, and a process with that name, too */
    SOON__TRACE_SUBMIT,  /* the thread `row` has submitted the task `id`, from `begin_ns` to `end_ns` */
    SOON__TRACE_WAIT,    /* the task `id` has waited for a worker, and left the queue without a run: `code` */
    SOON__TRACE_RUN,     /* a worker has run the task `id`, or an item of it, with the outcome `code` */
    SOON__TRACE_ARROW,   /* from `from` to `begin_ns` on `row` */
    SOON__TRACE_TASKS,   /* so many tasks wait, `value`, and run, `code` */
    SOON__TRACE_WORKERS, /* so many workers live: `value` */
    SOON__TRACE_MARK,    /* `text` has happened on `row`, at `begin_ns` */
};

enum soon__trace_flags {
    SOON__TRACE_IS_ITEM = 1,    /* RUN: of an item of a chunk */
    SOON__TRACE_IS_CHUNK = 2,   /* RUN: of all items of a chunk, one after the other */
    SOON__TRACE_IS_PROCESS = 4, /* ROW: of a worker process */
    SOON__TRACE_IS_AGAIN = 8,   /* RUN: the task comes back, to be tried again or for the rest of its items */
};

/* A line of the picture: a thread of the program, or a worker process, whose `tid` is its `pid`. */
struct soon__trace_row {
    int32_t pid, tid;
};

/* Where an arrow begins: at this time on that row. */
struct soon__trace_point {
    struct soon__trace_row row; /* a `tid` of 0: there is no arrow */
    int64_t ns;
};

enum { SOON__TRACE_TEXT = 72, SOON__TRACE_LABEL = 88, SOON__TRACE_EXECUTOR = 16 };

/* Times are of soon__clock_ns(). */
struct soon__trace_event {
    uint8_t kind, flags;
    int32_t code;  /* RUN, WAIT: 0 or an error */
    int32_t value; /* of counts; RUN: how many items a chunk has */
    struct soon__trace_row row;
    struct soon__trace_point from; /* RUN: where the task was submitted */
    uint64_t id;
    int64_t queued_ns; /* RUN, WAIT: from when on it has waited for a worker; 0: it has not */
    int64_t begin_ns, end_ns;
    char executor[SOON__TRACE_EXECUTOR]; /* its name; "": none */
    char text[SOON__TRACE_TEXT];         /* the function of a task; the name of a row or mark. Cut */
    char label[SOON__TRACE_LABEL];       /* cut; "": none */
};
_Static_assert(sizeof(struct soon__trace_event) == 248, "a cell of the ring is 256 bytes");

/* May it take the room that is kept for what is rare and that all else is read by? */
static inline bool soon__trace_is_rare(const struct soon__trace_event *event)
{
    return event->kind == SOON__TRACE_ROW || event->kind == SOON__TRACE_MARK || event->kind == SOON__TRACE_WORKERS;
}

#endif

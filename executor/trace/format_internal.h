/*
 * format_internal.h - events as lines of the Trace Event format, in JSON.
 *
 * Times are in microseconds from the start of the trace, with three decimals. An event may be several lines, and each
 * begins with ",\n".
 */
#ifndef SOON_EXECUTOR_TRACE_FORMAT_INTERNAL_H
#define SOON_EXECUTOR_TRACE_FORMAT_INTERNAL_H

#include "event_internal.h"

#include <stddef.h>

/* No event takes more bytes than that. */
enum { SOON__TRACE_LINES_MAX = 8192 };

/* What all events of a trace have in common. */
struct soon__trace_format {
    int32_t pid;        /* of the program */
    int64_t started_ns; /* when the trace began */
    uint64_t arrows;    /* how many there are so far: each has a number of its own */
};

/* Writes it to `to`, which has room for SOON__TRACE_LINES_MAX bytes. Returns how many it took. */
size_t soon__trace_format(struct soon__trace_format *format, const struct soon__trace_event *event, char *to);
/* The same for the name of the program. */
size_t soon__trace_format_program(const struct soon__trace_format *format, const char *name, char *to);
/* The same for a mark that says how many events are missing by now. */
size_t soon__trace_format_dropped(const struct soon__trace_format *format, uint64_t dropped, int64_t now, char *to);
/* Copies a text, cut to `size` with its NUL. NULL: "". */
void soon__trace_copy(char *to, size_t size, const char *text);

#endif

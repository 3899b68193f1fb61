/*
 * file_internal.h - the file of a trace: a JSON array with an event in each line, which is closed again after each
 * write.
 *
 *     [
 *     {"name":"soon_trace", ... "dropped":                   0}},
 *     {...},
 *     {...}
 *     ]
 *
 * F1  What is added goes over the last three bytes, "\n]\n", and ends with the same. So the file is whole whenever
 *     nothing is being written; a program that is killed in the midst of that leaves one without its end, which the
 *     format allows.
 * F2  What could not be added as a whole is taken back: the file is as long as before, with its end. That needs no
 *     room, since these bytes were there already. So a full disk leaves a whole file.
 * F3  The number of events that are missing stands in the first line, with as many columns as it may ever need. It is
 *     written over there, which needs no room either.
 * F4  The file is locked, since another program may have been told to write to it, too: that finds it busy, and leaves
 *     it alone.
 */
#ifndef SOON_EXECUTOR_TRACE_FILE_INTERNAL_H
#define SOON_EXECUTOR_TRACE_FILE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct soon__trace_file {
    int fd;
    off_t end;       /* where "\n]\n" is */
    off_t number_at; /* F3 */
    uint64_t number;
};

/* Opens it, empties it, and writes the first line: of which process it is, and since when, on the monotonic clock. 0;
 * -EBUSY (F4); -ESPIPE: nobody can write at a place of it, as of a pipe; or what the system has said. */
int soon__trace_file_open(struct soon__trace_file *file, const char *path, pid_t pid, int64_t started_ns);
/* Adds lines, each of which begins with ",\n". There is room for three more bytes behind them. 0, or why nothing was
 * added. */
int soon__trace_file_add(struct soon__trace_file *file, char *lines, size_t size);
/* F3 */
void soon__trace_file_set_dropped(struct soon__trace_file *file, uint64_t dropped);
void soon__trace_file_close(struct soon__trace_file *file);
/* For its owner, who has written it to its end: a forked child that has not closed its copy yet shares the lock, and
 * would keep it. */
void soon__trace_file_unlock(struct soon__trace_file *file);

#endif

/*
 * writer_internal.h - the thread that writes a trace: it takes events out of the ring, and adds their lines to the
 * file.
 *
 * Nobody waits for it but soon_trace_stop() and the end of the program. It sleeps until it is told that the ring is
 * half full, or for `flush_ns`. It has all signals blocked: so what a full disk or a limit on files sends to the thread
 * that writes (SIGXFSZ, SIGPIPE) does not end the program.
 */
#ifndef SOON_EXECUTOR_TRACE_WRITER_INTERNAL_H
#define SOON_EXECUTOR_TRACE_WRITER_INTERNAL_H

#include "file_internal.h"
#include "format_internal.h"
#include "ring_internal.h"

#include <pthread.h>

enum { SOON__TRACE_TEXT_SIZE = 64 << 10 };

/* All that a trace needs while it runs, in one mapping. */
struct soon__trace_writer {
    struct soon__trace_ring ring;
    _Alignas(64) _Atomic uint32_t bell; /* it sleeps on it: 1 when rung */
    _Atomic bool stopping;
    pthread_t thread;
    uint32_t number; /* of this trace among those of the process, from 1 */
    int64_t flush_ns;
    struct soon__trace_format format;
    size_t size; /* of the mapping */
    /* Its thread's; after that has been joined, the joiner's. */
    struct {
        struct soon__trace_file file;
        int error;       /* the first that a write gave; 0: none */
        uint64_t lost;   /* events that could not be written */
        uint64_t told;   /* so many missing events are told of in the file */
        uint64_t events; /* in `text` */
        size_t used;     /* of `text` */
        char text[SOON__TRACE_TEXT_SIZE + SOON__TRACE_LINES_MAX];
    } own;
    struct soon__trace_cell cells[];
};

/* Makes one with a ring of about `buffer_size` bytes, opens the file, and starts the thread. 0, or a negative errno. */
int soon__trace_writer_start(struct soon__trace_writer **ret, const char *path, size_t buffer_size, int64_t flush_ns,
                             uint32_t number);
/* Writes what is in the ring, and ends the thread. No thread pushes any more, or what it pushes now may be lost. */
void soon__trace_writer_stop(struct soon__trace_writer *writer);
/* Closes the file. Returns 0, or the first error of a write. After that, or in a forked child, it can be freed. */
int soon__trace_writer_close(struct soon__trace_writer *writer);
void soon__trace_writer_free(struct soon__trace_writer *writer);
/* Any thread. */
void soon__trace_writer_wake(struct soon__trace_writer *writer);

#endif

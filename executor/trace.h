/**
 * @file trace.h
 * Traces: what ran where and when, in a file that https://ui.perfetto.dev and chrome://tracing open.
 *
 *     SOON_TRACE=trace.json ./program
 *
 * writes one without a change to the program; soon_trace_start() and soon_trace_stop() do so for a part of it. There is
 * a row for each worker and for each thread that submits; on it a slice for each task, with its function, label and
 * outcome; arrows from the submit to the start, and from a task to those that waited for it; the waits in each queue;
 * counts of workers and of waiting tasks; and marks for workers that start, die, are killed and are replaced. See
 * "Watching" in the documentation.
 *
 * The file is a JSON array, with an event in each line. It is whole whenever it is not just being written, and so also
 * after a crash of the program, up to what was written then. What comes faster than it can be written is dropped and
 * counted: no task ever waits for the file.
 *
 * @addtogroup soon_traces
 * @{
 */
#ifndef SOON_EXECUTOR_TRACE_H
#define SOON_EXECUTOR_TRACE_H

#include "../futures/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Every field: 0 is the default. A negative value is -EINVAL. */
typedef struct soon_trace_options {
    /** In bytes: memory for what was not written yet, of which an event takes 256. 0: 8 MiB. */
    size_t buffer_size SOON__ZERO;
    /** What has happened is in the file after so many milliseconds, or when half the memory is full. 0: 100. */
    int64_t flush_every_ms SOON__ZERO;
} soon_trace_options;

/**
 * Begins a trace of all executors of this process. What is submitted from now on is in it; a task that was submitted
 * before is not. soon_trace_start() is the form to use in programs.
 *
 * The file is made, or emptied. It is locked while it is written, so that another program that was told to write to it
 * leaves it alone. Worker processes and forked children never write to it: what runs in workers is told by the parent.
 * A trace that was not stopped is written to its end when the program calls exit().
 *
 * With the environment variable SOON_TRACE, a trace to the file of that name begins with the first executor of the
 * program. In programs that are set-user-ID, or have rights by other means, that is ignored. So is a file that cannot
 * be opened.
 *
 * Ownership: path and options are copied.
 * Threads: any thread. Blocks for as long as opening the file takes.
 * Returns: 0; else
 * - -EINVAL: NULL as the path, or an option makes no sense;
 * - -EALREADY: a trace is written already, or is just being stopped;
 * - -EBUSY: another process writes a trace to that file;
 * - -ESPIPE: it is no file in which one can go back, but a pipe or the like;
 * - -ENOENT, -EACCES, -ENOSPC, -ENXIO ...: it cannot be opened or written;
 * - -ENOMEM, -EAGAIN: no memory, or no thread to write it.
 */
SOON_API SOON_MUST_USE int soon_trace_start_sized(const char *path, const soon_trace_options *options, size_t size);

/** soon_trace_start_sized() with the options' size that this program was compiled with. `options` NULL: defaults. */
static inline SOON_MUST_USE int soon_trace_start(const char *path, const soon_trace_options *options)
{
    return soon_trace_start_sized(path, options, sizeof *options);
}

/**
 * Ends the trace: writes what is left, and closes the file. A task that runs now is not in it.
 *
 * Threads: any thread; of several at once one ends it. Blocks until all is written.
 * Returns: 0; else
 * - -EALREADY: no trace is written, or another thread is just ending it;
 * - -ENOSPC, -EFBIG, -EIO ...: the first error of a write. The file is whole, and tells how many events are missing.
 */
SOON_API int soon_trace_stop(void);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

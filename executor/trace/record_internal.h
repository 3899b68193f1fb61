/*
 * record_internal.h - how the rest of the library tells a trace what happens. Any thread; never blocks, and runs no
 * user code, so it may be called under any lock.
 *
 * While no trace is written, soon__trace_is_on() is one load and one branch, and nothing else of this is called.
 */
#ifndef SOON_EXECUTOR_TRACE_RECORD_INTERNAL_H
#define SOON_EXECUTOR_TRACE_RECORD_INTERNAL_H

#include "event_internal.h"

#include <stdatomic.h>
#include <stddef.h>

struct soon__trace_writer;

/* The one writer; NULL: no trace is written. The other word counts the threads that are about to use it, so that it is
 * not freed under them: a thread counts itself, and looks then whether there is one. */
struct soon__trace_gate {
    _Alignas(64) _Atomic(struct soon__trace_writer *) writer;
    _Atomic uint32_t inside;
};
extern struct soon__trace_gate soon__trace_gate;

static inline bool soon__trace_is_on(void)
{
    /* Relaxed: a thread that sees it late has missed something that was not in time. */
    return atomic_load_explicit(&soon__trace_gate.writer, memory_order_relaxed) != NULL;
}

/* Records it, if a trace is written. */
void soon__trace_record(const struct soon__trace_event *event);
/* The row of the calling thread, which gets its name in each trace that it appears in. */
struct soon__trace_row soon__trace_own_row(void);
/* The number of the trace that is written, or was written last; 0: there was none. Each has another one. */
uint32_t soon__trace_number(void);

/* Opens the gate for a writer, which may be used from now on; and closes it, and waits until no thread uses it any
 * more. Only under what keeps traces apart: trace.c. */
void soon__trace_gate_open(struct soon__trace_writer *writer);
void soon__trace_gate_close(bool wait);
/* In a forked child: the writer is left to the parent. Returns it. */
struct soon__trace_writer *soon__trace_gate_forget(void);

#endif

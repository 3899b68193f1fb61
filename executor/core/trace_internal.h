/*
 * trace_internal.h - when a trace begins by itself.
 */
#ifndef SOON_EXECUTOR_CORE_TRACE_INTERNAL_H
#define SOON_EXECUTOR_CORE_TRACE_INTERNAL_H

/* For each new executor. The first call in a program starts the trace that SOON_TRACE asks for, if it does; a worker
 * process has the variable from its parent, and leaves the file to that. Any thread. */
void soon__trace_start_asked(void);

#endif

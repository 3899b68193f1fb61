/*
 * tracer_internal.h - what a trace shows of calls and workers.
 */
#ifndef SOON_EXECUTOR_CORE_TRACER_INTERNAL_H
#define SOON_EXECUTOR_CORE_TRACER_INTERNAL_H

/* From now on each call is sampled, and its moments are recorded. The gate is open. It takes a lock. */
void soon__tracer_begin(void);
/* Before the gate is closed; or in a forked child. */
void soon__tracer_end(void);

#endif

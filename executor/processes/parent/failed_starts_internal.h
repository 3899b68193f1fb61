/*
 * failed_starts_internal.h - worker processes that did not become ready. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_FAILED_STARTS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_FAILED_STARTS_INTERNAL_H

#include "state_internal.h"

/* P14. A process could not be started, or not become ready, because something was short. */
void soon__process_pool_start_was_short(struct soon__process_pool *pool, int code);
/* A process has become ready: starts that failed before it count no more. */
void soon__process_pool_start_succeeded_locked(struct soon__process_pool *pool);
/* A process did not become ready, for `why`. `killed`: by a signal from outside. */
void soon__process_pool_start_failed(struct soon__process_pool *pool, bool killed, int code, const char *why);

#endif

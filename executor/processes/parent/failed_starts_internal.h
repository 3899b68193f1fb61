/*
 * failed_starts_internal.h - worker processes that did not become ready. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_FAILED_STARTS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_FAILED_STARTS_INTERNAL_H

#include "state_internal.h"

/* P14. One could not be started, or not become ready, for want of something. */
void soon__process_pool_start_was_short(struct soon__process_pool *pool, int code);
/* One has become ready: what failed before it counts no more. */
void soon__process_pool_start_succeeded_locked(struct soon__process_pool *pool);
/* One did not get ready, for `why`. `killed`: by somebody else. */
void soon__process_pool_start_failed(struct soon__process_pool *pool, bool killed, int code, const char *why);

#endif

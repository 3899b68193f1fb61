/*
 * supervisor_internal.h - what the library's loop does for a process pool as a whole.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_SUPERVISOR_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_SUPERVISOR_INTERNAL_H

#include "state_internal.h"

/* Of a new pool: its jobs, and the first of them is posted. */
void soon__process_pool_watch(struct soon__process_pool *pool);

#endif

/*
 * start_internal.h - a worker process is started. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_START_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_START_INTERNAL_H

#include "state_internal.h"

/* Starts one, which was counted already. */
void soon__process_begin(struct soon__process_pool *pool);

#endif

/*
 * agenda_internal.h - what the library's loop is asked to do for a process pool.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_AGENDA_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_AGENDA_INTERNAL_H

#include "state_internal.h"

/* The loop is to look at the pool: now, or `when` comes at the latest. */
void soon__process_pool_alarm_locked(struct soon__process_pool *pool, int64_t when);
void soon__process_pool_look_soon_locked(struct soon__process_pool *pool);
/* A call that is nobody's ends with `code`, on the loop: callbacks do not belong where it was found. */
void soon__process_pool_refuse_locked(struct soon__process_pool *pool, soon_call *call, int code);

#endif

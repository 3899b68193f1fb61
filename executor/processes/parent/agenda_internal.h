/*
 * agenda_internal.h - what the library's loop is asked to do for a process pool.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_AGENDA_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_AGENDA_INTERNAL_H

#include "state_internal.h"

/* Makes the loop look at the pool: when `when` comes at the latest; or now. */
void soon__process_pool_alarm_locked(struct soon__process_pool *pool, int64_t when);
void soon__process_pool_look_soon_locked(struct soon__process_pool *pool);
/* Makes the loop end a call with `code`. The call is the caller's, and in no queue and no slot: ending it runs
 * callbacks, which may not run where it was found. */
void soon__process_pool_refuse_locked(struct soon__process_pool *pool, soon_call *call, int code);

#endif

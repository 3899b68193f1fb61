/*
 * stage_internal.h - the states of a worker process, under the mutex. Any thread.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_STAGE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_STAGE_INTERNAL_H

#include "state_internal.h"

/* Not counted among those that take work any more. */
void soon__process_leave_service_locked(struct soon__process *process, int stage);
/* It gets no more work, what it has not claimed goes back, and then it is to go: because of the task in `slot`, which
 * fails with `code`, or with all that it has: SOON__SLOTS. Any number of times (P13). */
void soon__process_condemn_locked(struct soon__process *process, int code, uint32_t slot);
/* True, if the tasks that it was condemned for have ended by themselves: it is let live. */
bool soon__process_reprieve_locked(struct soon__process *process);

#endif

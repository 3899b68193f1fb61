/*
 * sentence_internal.h - a worker process is to be ended, or is let live after all (P13).
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_SENTENCE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_SENTENCE_INTERNAL_H

#include "state_internal.h"

/* Because of the task in `slot`, which fails with `code`; the first code counts. Any thread. */
void soon__process_condemn_task_locked(struct soon__process *process, uint32_t slot, int code);
/* With all that it has. Any number of times. Any thread. */
void soon__process_condemn_locked(struct soon__process *process, enum soon__why why);
/* If each task that it was condemned for has ended by itself, and it was not condemned as a whole, lets it live and
 * returns true. */
bool soon__process_reprieve_locked(struct soon__process *process);

#endif

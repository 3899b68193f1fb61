/*
 * stage_internal.h - the states of a worker process.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_STAGE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_STAGE_INTERNAL_H

#include "state_internal.h"

/* Changes its stage, and the pool's counts of those that take work. Any thread. */
void soon__process_enter_locked(struct soon__process *process, enum soon__stage to);
/* It has come further in its start. Loop thread only. */
void soon__process_advance(struct soon__process *process, enum soon__begun to);
/* It is to end, or has ended, for `why`, unless an earlier reason counts. Any thread. */
void soon__process_blame_locked(struct soon__process *process, enum soon__why why);
/* The reason is not in the process, but in its pool. */
static inline bool soon__why_is_ours(enum soon__why why)
{
    return why >= SOON__WHY_UNWANTED;
}
/* P13. What a task fails with that was lost: SOON_EWORKERDIED if the process has ended by itself. Under the mutex, or
 * on its loop thread when it is dead. */
int soon__process_cause_of(const struct soon__process *process, const struct soon__assignment *lost);

#endif

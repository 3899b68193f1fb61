/*
 * death_internal.h - the end of a worker process. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_DEATH_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_DEATH_INTERNAL_H

#include "state_internal.h"

/* It has died, or its death cannot be watched. */
void soon__process_died(struct soon__process *process);
/* For a process that we could not end and that does not end by itself: it has become another program, or stands still.
 * Its tasks are given up as lost. The process itself is still waited for: it keeps its place until it is gone (P12). */
void soon__process_abandon(struct soon__process *process);

#endif

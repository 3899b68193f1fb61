/*
 * death_internal.h - the end of a worker process. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_DEATH_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_DEATH_INTERNAL_H

#include "state_internal.h"

void soon__process_died(struct soon__process *process);
/* It could not be ended, nor does it do that itself: it has become another program, or stands still. Its tasks are waited
 * for no longer. It is: its place is its own until it is gone (P12). */
void soon__process_abandon(struct soon__process *process);

#endif

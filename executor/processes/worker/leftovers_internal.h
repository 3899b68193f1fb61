/*
 * leftovers_internal.h - what a task leaves behind in its worker process, and the next one is not to meet.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_LEFTOVERS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_LEFTOVERS_INTERNAL_H

/* Once, when all that has tasks was loaded. 0 or -ENOMEM. */
int soon__leftovers_init(void);
/* After each task, before its outcome is told: writes what it has printed, cancels its alarm. */
void soon__leftovers_clear(void);

#endif

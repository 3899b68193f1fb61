/*
 * leftovers_internal.h - what a task leaves behind in its worker process, and the next task is not to find.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_LEFTOVERS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_LEFTOVERS_INTERNAL_H

/* Once, when all objects that have tasks are loaded. 0 or -ENOMEM. */
int soon__leftovers_init(void);
/* Writes what the task has printed, and cancels its alarm. After each task, before its outcome is told. */
void soon__leftovers_clear(void);

#endif

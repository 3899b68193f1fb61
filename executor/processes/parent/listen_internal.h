/*
 * listen_internal.h - the library's loop hears of a worker. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_LISTEN_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_LISTEN_INTERNAL_H

#include "state_internal.h"

/* For its watches. */
void soon__process_on_bell(struct soon__watch *watch);
void soon__process_on_control(struct soon__watch *watch);
/* P8. Checks whether what it has written is possible. */
void soon__process_inspect(struct soon__process *process);
/* Ends a process that is CONDEMNED, unless each task for which it was has ended meanwhile. */
void soon__process_execute(struct soon__process *process);

#endif

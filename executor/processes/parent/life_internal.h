/*
 * life_internal.h - a worker process while it lives. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_LIFE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_LIFE_INTERNAL_H

#include "state_internal.h"

/* For its `timer`: it was to be ready, or gone, by now. */
void soon__process_on_overdue(uv_timer_t *timer);
/* Its HELLO has come. */
void soon__process_has_greeted(struct soon__process *process);
/* Its initializer has ended, and may have failed; or the worker had no room for it. */
void soon__process_is_initialised(struct soon__process *process);
/* It cannot become ready, for `code`. Ends it. If something was short, that does not count against the
 * program (P14). */
void soon__process_start_is_short(struct soon__process *process, int code);
/* It has written what no worker writes: ends it at once. */
void soon__process_drop_corrupt(struct soon__process *process);
/* Signals it; each signal once. */
void soon__process_kill(struct soon__process *process, int signal);
/* Signals it with SIGTERM, or, if there is no grace period, with SIGKILL. */
void soon__process_stop(struct soon__process *process);
/* Asks it to end by itself, since it has nothing to do. */
void soon__process_retire_locked(struct soon__process *process, enum soon__recycled why);

#endif

/*
 * life_internal.h - a worker process while it lives. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_LIFE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_LIFE_INTERNAL_H

#include "state_internal.h"

/* It was to be ready, or gone, by now: of its `timer`. */
void soon__process_on_overdue(uv_timer_t *timer);
/* It has said HELLO. */
void soon__process_has_greeted(struct soon__process *process);
/* Its initializer has ended, for good or not; or there was no room for it in the worker. */
void soon__process_is_initialised(struct soon__process *process);
/* It cannot become ready for want of something: ended, and not held against the program (P14). */
void soon__process_start_is_short(struct soon__process *process, int code);
/* It writes nonsense. */
void soon__process_drop_corrupt(struct soon__process *process);
/* Signals it, once with each. */
void soon__process_kill(struct soon__process *process, int signal);
/* The same with SIGTERM, if there is a grace period, or SIGKILL. */
void soon__process_stop(struct soon__process *process);
/* It has nothing to do: asked to end by itself. */
void soon__process_retire_locked(struct soon__process *process);

#endif

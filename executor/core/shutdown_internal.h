/*
 * shutdown_internal.h - closing an executor, for what does that without waiting: soon_executor_end(), signals.
 */
#ifndef SOON_EXECUTOR_CORE_SHUTDOWN_INTERNAL_H
#define SOON_EXECUTOR_CORE_SHUTDOWN_INTERNAL_H

#include "executor_internal.h"

/* Begins a shutdown, or goes on with a stronger mode; waits for nothing. 0, or what the class says. */
int soon__executor_begin_shutdown(soon_executor *executor, soon_shutdown mode);
/* Whether a wait for its end on this thread would, or could, wait for itself. `executor` may be gone: its address
 * alone is compared. */
bool soon__executor_may_not_wait(const soon_executor *executor);

#endif

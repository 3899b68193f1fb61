/*
 * run_pending_internal.h - what a worker does that waits for a call by way of another future.
 */
#ifndef SOON_EXECUTOR_MAPS_RUN_PENDING_INTERNAL_H
#define SOON_EXECUTOR_MAPS_RUN_PENDING_INTERNAL_H

#include "../../futures/future_internal.h"

/* For the `help` of a class whose future ends when `call` does. Runs the call on this thread, if it is pending and this
 * thread is a worker that can. Returns whether it ran. NULL allowed: nothing runs. */
bool soon__run_pending(soon_future *call);

#endif

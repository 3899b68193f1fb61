/*
 * run_pending.c - what a worker does that waits for a call by way of another future.
 */
#include "run_pending_internal.h"

bool soon__run_pending(soon_future *call)
{
    struct soon__thread *self = soon__thread_self();
    int rc = 0;

    if (!call || soon_future_state(call) != SOON_PENDING)
        return false;
    if (call->class->help && call->class->help(call))
        return true;
    if (self->parking) {
        rc = self->parking->before_park(self->worker, call, true); /* it does not sleep */
        if (rc == 0)
            self->parking->after_park(self->worker); /* it is not this call that the thread is going to sleep for */
    }
    return rc > 0;
}

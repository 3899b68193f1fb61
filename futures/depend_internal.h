/*
 * depend_internal.h - what an unfinished future waits for.
 */
#ifndef SOON_FUTURES_DEPEND_INTERNAL_H
#define SOON_FUTURES_DEPEND_INTERNAL_H

#include "future_internal.h"

/* Returns whether an unfinished future can only be finished by what is on this thread's stack, or has yet to run on
 * this thread. */
bool soon__thread_is_inside(const soon_future *future);

/* Returns whether an unfinished future may have to wait for one that it was made of, or is itself one, for which `what`
 * returns true. `what` is called without a lock. `by_callback`: a callback comes between that future and this one. */
bool soon__future_needs(soon_future *future, bool (*what)(soon_future *at, const void *data, bool by_callback),
                        const void *data);

#endif

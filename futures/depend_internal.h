/*
 * depend_internal.h - what an unfinished future waits for.
 */
#ifndef SOON_FUTURES_DEPEND_INTERNAL_H
#define SOON_FUTURES_DEPEND_INTERNAL_H

#include "future_internal.h"

/* Whether `future`, unfinished, can only be finished by what this thread's stack is in the middle of, or has yet to do. */
bool soon__thread_is_inside(const soon_future *future);

/* Whether `future`, unfinished, cannot finish, or may not, before another unfinished one that it was made of, or itself, for
 * which `what` is true. That is asked without a lock. `by_callback`: a callback comes between that one and `future`. */
bool soon__future_needs(soon_future *future, bool (*what)(soon_future *at, const void *data, bool by_callback),
                        const void *data);

#endif

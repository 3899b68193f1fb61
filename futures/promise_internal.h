/*
 * promise_internal.h - the maker's half: a view on a future that it may resolve. Calls are promises too.
 */
#ifndef SOON_FUTURES_PROMISE_INTERNAL_H
#define SOON_FUTURES_PROMISE_INTERNAL_H

#include "future_internal.h"
#include "promise.h"

struct soon_promise {
    soon_future future; /* first */
};

/* Its maker lets go of it: unresolved, it fails with SOON_EABANDONED. */
void soon__promise_abandon(soon_promise *promise);

#endif

/*
 * promise_internal.h - the maker's half: a future that the maker may resolve. Calls are promises too.
 */
#ifndef SOON_FUTURES_PROMISE_INTERNAL_H
#define SOON_FUTURES_PROMISE_INTERNAL_H

#include "future_internal.h"
#include "promise.h"

struct soon_promise {
    soon_future future; /* first */
};

/* The maker gives the promise up: if it is unresolved, its future fails with SOON_EABANDONED. */
void soon__promise_abandon(soon_promise *promise);

#endif

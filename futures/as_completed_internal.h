/*
 * as_completed_internal.h - a set of futures that is waited for with a condition.
 */
#ifndef SOON_FUTURES_AS_COMPLETED_INTERNAL_H
#define SOON_FUTURES_AS_COMPLETED_INTERNAL_H

#include "as_completed.h"

/* soon_as_completed_next() sleeps until a future is done that is `awaited`, or all are. For a set that no other thread
 * knows of yet. `awaited` is called under the future's LOCK. */
void soon__as_completed_await(soon_as_completed *set, bool (*awaited)(const soon_future *done));

#endif

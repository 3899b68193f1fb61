/*
 * wait_internal.h - what soon_wait() asks of a set.
 */
#ifndef SOON_FUTURES_WAIT_INTERNAL_H
#define SOON_FUTURES_WAIT_INTERNAL_H

#include "future_internal.h"
#include "wait.h"

/* Of a set that nobody else knows of: from now on next() sleeps until one has failed, or all are done. */
void soon__as_completed_until_failure(soon_as_completed *set);

/* A cancellation does not count. */
static inline bool soon__future_has_failed(const soon_future *future)
{
    return (soon__future_word(future) & (SOON__STATE | SOON__FAILED)) == (SOON__FINISHED | SOON__FAILED);
}

#endif

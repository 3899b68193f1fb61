/*
 * then_internal.h - calls that wait for a future. Such a call pins its executor, and keeps a drain from beginning,
 * until its wait is over.
 */
#ifndef SOON_EXECUTOR_CORE_THEN_INTERNAL_H
#define SOON_EXECUTOR_CORE_THEN_INTERNAL_H

#include "call_internal.h"

/* Submits the call when `first` is done; nobody else knows it yet. 0, or SOON_ESHUTDOWN, and it is still the
 * caller's. */
int soon__then_begin(soon_call *call, soon_future *first);
void soon__thens_cancel(soon_executor *executor);

#endif

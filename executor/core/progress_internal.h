/*
 * progress_internal.h - listening to a future's progress, for submits and maps.
 */
#ifndef SOON_EXECUTOR_CORE_PROGRESS_INTERNAL_H
#define SOON_EXECUTOR_CORE_PROGRESS_INTERNAL_H

#include "progress_listener_internal.h"

/* Releases nothing if it fails. 0; SOON_EINVALIDSTATE: it is done; -ENOMEM; SOON_ESHUTDOWN; SOON_EFORKED; -EMFILE
 * ... */
int soon__progress_listen(soon_future *future, const struct soon__progress_request *request);
/* After it, when others know the future: has it checked, where nobody tells of its progress. */
void soon__progress_start(soon_future *future);

#endif

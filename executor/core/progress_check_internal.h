/*
 * progress_check_internal.h - the part of a hub that the library's loop has.
 */
#ifndef SOON_EXECUTOR_CORE_PROGRESS_CHECK_INTERNAL_H
#define SOON_EXECUTOR_CORE_PROGRESS_CHECK_INTERNAL_H

#include "progress_listener_internal.h"

void soon__progress_check_init(struct soon__progress_hub *hub);
/* With the future's LOCK, while it is unfinished: there may be something to tell. */
void soon__progress_wake_locked(struct soon__progress_hub *hub);
/* The future is done, and nothing is checked any more. */
void soon__progress_check_end(struct soon__progress_hub *hub);

#endif

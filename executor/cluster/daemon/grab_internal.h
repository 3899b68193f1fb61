/*
 * grab_internal.h - asking servers for jobs, no more than there are idle slots (D2).
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_GRAB_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_GRAB_INTERNAL_H

#include "state_internal.h"

/* Asks wherever there may be jobs, in turns, as long as slots are idle; and lets servers that have none know that they
 * shall call. Whenever something has changed. */
void soon__grab(struct soon__daemon *daemon);
/* A grab was answered. */
void soon__grab_answered(struct soon__source *source, bool with_job);
/* The server calls. */
void soon__grab_woken(struct soon__source *source);

#endif

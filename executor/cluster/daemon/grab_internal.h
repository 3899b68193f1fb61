/*
 * grab_internal.h - asking servers for jobs, no more than can be run soon (D2).
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_GRAB_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_GRAB_INTERNAL_H

#include "state_internal.h"

/* Asks wherever there may be jobs, in turns, as long as slots are idle; and lets servers that have none know that they
 * shall call. Whenever something has changed. */
void soon__grab(struct soon__daemon *daemon);
/* A grab was answered. */
void soon__grab_answered(struct soon__source *source, bool with_job);
/* The task of a job has ended: how long it took says whether its function is short. */
void soon__grab_measure(const struct soon__gearman_job *job);
/* A job of the source has gone. */
void soon__grab_ended(struct soon__source *source);
/* The server calls, or is there again. */
void soon__grab_woken(struct soon__source *source);

#endif

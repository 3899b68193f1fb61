/*
 * end_internal.h - the task of a job has ended.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_END_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_END_INTERNAL_H

#include "state_internal.h"

/* Is called on the loop. `data` is the job, which is gone then. */
void soon__gearman_job_done(soon_future *future, void *data);
/* Whether a failure with this code is the pool's, and not the job's: then the daemon stops, and gives the job back. */
bool soon__end_is_pools(struct soon__daemon *daemon, int code);

#endif

/*
 * start_internal.h - from an assigned job to a task of the pool.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_START_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_START_INTERNAL_H

#include "state_internal.h"

/* Submits what a workload says. The job has its offer. 0; or why there is no task, with a sentence in `*ret_why`, which
 * is lent until this thread calls the library again. */
int soon__gearman_job_submit(struct soon__gearman_job *job, soon_bytes workload, const char **ret_why);

#endif

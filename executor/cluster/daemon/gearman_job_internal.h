/*
 * gearman_job_internal.h - the jobs that the daemon has, from the assignment until their tasks have ended.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_GEARMAN_JOB_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_GEARMAN_JOB_INTERNAL_H

#include "state_internal.h"

/* RUNNING, without a task. 0; -ENOMEM; -EPROTO: handle or unique are longer than Gearman's can be. */
int soon__gearman_job_new(struct soon__gearman_job **ret, struct soon__source *source, soon_bytes handle,
                          soon_bytes unique);
/* Gives up its future, too. */
void soon__gearman_job_free(struct soon__gearman_job *job);
/* One that is RUNNING. NULL: there is none of this unique. */
struct soon__gearman_job *soon__gearman_job_find(struct soon__daemon *daemon, const char *unique);
/* D3: of this source; of all, with NULL. Their tasks are asked to end, and killed when their time is over. */
void soon__gearman_jobs_lose(struct soon__daemon *daemon, struct soon__source *source);

#endif

/*
 * report_internal.h - what the daemon tells of a job, to its server: on the connection that it came by.
 *
 * What cannot be told, since there is no memory or the connection refuses it, ends the connection: the server then
 * gives the job to another, which is better than a job that nobody ends.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_REPORT_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_REPORT_INTERNAL_H

#include "state_internal.h"

/* All of these are for jobs that are RUNNING. */
void soon__report_start(struct soon__gearman_job *job); /* ours alone */
void soon__report_alive(struct soon__gearman_job *job); /* ours alone */
/* WORK_STATUS, if it has changed. */
void soon__report_progress(struct soon__gearman_job *job);
/* The job ends without having begun. */
void soon__report_refusal(struct soon__gearman_job *job, int code, const char *why);
/* The job's task is done. */
void soon__report_outcome(struct soon__gearman_job *job);

#endif

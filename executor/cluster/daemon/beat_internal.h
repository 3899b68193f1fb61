/*
 * beat_internal.h - what is due again and again while there are jobs: heartbeats, progress, and the end of the daemon's
 * patience with tasks whose jobs are LOST.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_BEAT_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_BEAT_INTERNAL_H

#include "state_internal.h"

int soon__beat_init(struct soon__daemon *daemon);
/* There is a new job. */
void soon__beat_begin(struct soon__daemon *daemon, const struct soon__gearman_job *job);
void soon__beat_fini(struct soon__daemon *daemon);

#endif

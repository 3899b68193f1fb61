/*
 * metrics_internal.h - numbers for Prometheus: in a file for its node exporter, or by HTTP on a local socket.
 *
 * They are the daemon's own set, and the part of soon_executor_stats() that an operator of a worker machine looks at. A
 * program with more executors, and with histograms, writes its own: demos/service shows how.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_METRICS_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_METRICS_INTERNAL_H

#include "state_internal.h"

#include <stdio.h>

/* As the option `metrics` says; without it `*ret` is NULL. 0; -ENOMEM; what the system says of the file or socket. */
int soon__metrics_new(struct soon__metrics **ret, struct soon__daemon *daemon);
/* Writes the file once more; closes what is on the loop, which then frees it. NULL is allowed. */
void soon__metrics_free(struct soon__metrics *metrics);

void soon__metrics_write(FILE *to, const struct soon__daemon *daemon);

#endif

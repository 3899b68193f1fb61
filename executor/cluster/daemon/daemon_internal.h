/*
 * daemon_internal.h - the daemon as a whole: from its pool's start to its end.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_DAEMON_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_DAEMON_INTERNAL_H

#include "options_internal.h"

/* Works until it is told to end. Returns the status to exit with. */
int soon__daemon_run(const struct soon__daemon_options *options);

#endif

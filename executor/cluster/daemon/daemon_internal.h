/*
 * daemon_internal.h - the daemon as a whole: from a pool that is ready to the end of its loop.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_DAEMON_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_DAEMON_INTERNAL_H

#include "options_internal.h"

/* Works until it is told to end. Returns the status to exit with. */
int soon__daemon_run(const struct soon__daemon_options *options);

#endif

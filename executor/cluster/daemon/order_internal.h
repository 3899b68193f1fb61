/*
 * order_internal.h - what clients order by the daemon's control function: to cancel or kill one of their jobs.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_ORDER_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_ORDER_INTERNAL_H

#include "state_internal.h"

/* An order that cannot be read, or is for a job that is not here any more, changes nothing. */
void soon__order_obey(struct soon__daemon *daemon, soon_bytes message);

#endif

/*
 * look_internal.h - the loop's look at a cluster. Loop thread only.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_LOOK_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_LOOK_INTERNAL_H

#include "state_internal.h"

/* Has the loop begin: it connects, and looks whenever it is posted to. Any thread, once. */
void soon__cluster_start(struct soon__cluster *cluster);

#endif

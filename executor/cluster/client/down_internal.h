/*
 * down_internal.h - the last step of a cluster's end. Loop thread only.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_DOWN_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_DOWN_INTERNAL_H

#include "state_internal.h"

/* One of `open` is closed. With the last one, if it `is_closing`, the cluster is down, and may be gone on return. */
void soon__cluster_closed_one(struct soon__cluster *cluster);

#endif

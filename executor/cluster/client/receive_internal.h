/*
 * receive_internal.h - what comes from the server. Loop thread only.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_RECEIVE_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_RECEIVE_INTERNAL_H

#include "state_internal.h"

/* 0; -EPROTO: no server says that. */
int soon__cluster_receive(struct soon__cluster *cluster, const struct soon__packet *packet);

#endif

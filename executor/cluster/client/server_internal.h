/*
 * server_internal.h - the server that the calls are with: it is there, it is lost, there is none. Loop thread only.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_SERVER_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_SERVER_INTERNAL_H

#include "state_internal.h"

/* Begins to connect. 0, or a negative code. */
int soon__cluster_connect(struct soon__cluster *cluster);
/* Closes what is open of connections. What was said is still sent if that takes no longer than `linger_ms`. */
void soon__cluster_disconnect(struct soon__cluster *cluster, int64_t linger_ms);
/* How long there may still be none until all calls fail: SOON__NEVER while there is one. */
int64_t soon__cluster_lost_at(const struct soon__cluster *cluster);

#endif

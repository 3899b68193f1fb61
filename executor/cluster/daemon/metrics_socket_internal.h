/*
 * metrics_socket_internal.h - one answer by HTTP for whoever connects to a local socket, whatever was asked.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_METRICS_SOCKET_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_METRICS_SOCKET_INTERNAL_H

#include "state_internal.h"

#include <stdio.h>

struct soon__metrics_socket;
typedef void soon__metrics_write_fn(FILE *to, const struct soon__daemon *daemon);

/* A socket that is there already, of a daemon that has died, is replaced. 0; -ENOMEM; what bind() or listen() say. */
int soon__metrics_socket_new(struct soon__metrics_socket **ret, struct soon__daemon *daemon, const char *path,
                             soon__metrics_write_fn *write);
/* Closes everything on the loop, which then frees it. */
void soon__metrics_socket_free(struct soon__metrics_socket *self);

#endif

/*
 * notify_internal.h - tells systemd how the daemon is: sd_notify's protocol, which is a datagram to a local socket.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_NOTIFY_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_NOTIFY_INTERNAL_H

#include "../../../futures/error.h"

/* "READY=1\nSTATUS=..." Without NOTIFY_SOCKET in the environment nobody is told. Never blocks. */
void soon__notify(const char *format, ...) SOON_PRINTF(1, 2);

#endif

/*
 * source_internal.h - the two connections to one server, and what comes by them.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_SOURCE_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_SOURCE_INTERNAL_H

#include "state_internal.h"

/* Makes both connections; they begin to connect in the loop's next turn. 0 or -ENOMEM, then nothing was made. */
int soon__source_open(struct soon__source *source, struct soon__daemon *daemon, const struct soon__server *server);
/* D5: as soon as none of its jobs runs, its functions are taken back. */
void soon__source_withdraw(struct soon__source *source);
void soon__source_close(struct soon__source *source, int64_t linger_ms);
void soon__source_fini(struct soon__source *source);

#endif

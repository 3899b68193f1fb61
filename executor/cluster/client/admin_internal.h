/*
 * admin_internal.h - the textual connection to the server that the work goes to: `cancel job`, `status`, `workers`.
 *
 * A1  There is one for each epoch of the work connection, to the same server, since a handle means something there
 *     alone. It is closed when that is lost.
 * A2  Answers come in the order of what was asked. To what was asked before it was up, nothing was sent: it is sent
 *     then.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_ADMIN_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_ADMIN_INTERNAL_H

#include "state_internal.h"

/* The work connection is up. Without memory there is none in this epoch. Loop thread only, as all. */
void soon__admin_open(struct soon__cluster *cluster);
/* It is lost, or the executor ends: what was said is still sent if that takes no longer than `linger_ms`. */
void soon__admin_close(struct soon__cluster *cluster, int64_t linger_ms);
/* The server is to forget this job: WORK_FAIL comes to that. */
void soon__admin_cancel(struct soon__flight *flight);
/* Asks what the threads in `locked.questions` want to know, if nothing is asked yet. */
void soon__admin_ask(struct soon__cluster *cluster);
/* Those threads get `rc`. */
void soon__questions_fail(struct soon__cluster *cluster, int rc);

#endif

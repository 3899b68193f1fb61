/*
 * result_internal.h - the result of a task or of the items of a chunk, written where it is sent from.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_RESULT_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_RESULT_INTERNAL_H

#include "../../items.h"
#include "../both/message_internal.h"
#include "state_internal.h"

/* Of a job whose task has succeeded, or whose map is done. 0, or what the connection has refused it with. */
int soon__result_write(struct soon__gearman_job *job);
/* What is lent by `error` is lent by this, too. */
struct soon__error_message soon__error_message_of(const struct soon__gearman_job *job, const soon_error *error);

#endif

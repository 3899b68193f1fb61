/*
 * executor_table_internal.h - all executors of the process, so that they can be walked.
 */
#ifndef SOON_EXECUTOR_CORE_EXECUTOR_TABLE_INTERNAL_H
#define SOON_EXECUTOR_CORE_EXECUTOR_TABLE_INTERNAL_H

#include "executor_internal.h"

/* It is whole: from here on walks find it. `name` is copied; NULL: none. */
void soon__executor_publish(soon_executor *executor, const char *name);
/* Its memory is about to be freed. One that was never published is not there either. */
void soon__executor_withdraw(soon_executor *executor);

/* Whether each call of each executor is sampled; for all that there are, and all that come. */
void soon__executors_sample_all(bool all);
bool soon__executors_are_sampled(void);

#endif

/*
 * linger_internal.h - a thread that waits for a call looks at replies for a short time.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_LINGER_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_LINGER_INTERNAL_H

#include "state_internal.h"

/* As soon__executor_class.linger. */
void soon__process_pool_linger(void *self, soon_call *call, int64_t deadline);

#endif

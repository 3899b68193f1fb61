/*
 * spin_internal.h - a thread that waits for a call looks at replies for a short time.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_SPIN_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_SPIN_INTERNAL_H

#include "state_internal.h"

/* As soon__executor_class.spin. */
void soon__process_pool_spin(void *self, soon_call *call, int64_t deadline);

#endif

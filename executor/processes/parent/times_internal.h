/*
 * times_internal.h - the times that a worker process tells of a sampled request.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_TIMES_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_TIMES_INTERNAL_H

#include "state_internal.h"

/* Takes them into the sample of the call, if it has one. The slot is the caller's: it was answered and not released, or
 * its process is dead. */
void soon__process_take_times(const struct soon__process *process, const struct soon__assignment *assignment,
                              uint32_t slot);

#endif

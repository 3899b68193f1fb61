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
/* Tells a trace of the item `index` of its call: it has ended, by the reply that was just taken in. */
void soon__process_tell_item(const struct soon__process *process, const struct soon__assignment *assignment,
                             size_t index, enum soon__ending how);
/* The same of the item that was under way when the process died. */
void soon__process_tell_lost_item(const struct soon__process *process, const struct soon__assignment *lost,
                                  uint32_t slot, size_t index);

#endif

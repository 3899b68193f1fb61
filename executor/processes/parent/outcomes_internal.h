/*
 * outcomes_internal.h - from the bytes of a reply to an outcome. By the thread that takes in replies (P7).
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_OUTCOMES_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_OUTCOMES_INTERNAL_H

#include "state_internal.h"

/* Reads an outcome, whose result goes to `space` or, if that is NULL, to memory of its own. False: no worker sends
 * this, and there is no outcome. */
bool soon__process_read_outcome(struct soon__process *process, const struct soon__reply *reply, const soon_call *call,
                                void *space, struct soon__outcome *ret);
/* Copies the progress that the task in this slot has last told to its future, which has none after a further try that
 * told none. */
void soon__process_keep_progress(struct soon__process *process, uint32_t slot, soon_call *call);

#endif

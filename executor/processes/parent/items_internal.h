/*
 * items_internal.h - the items of a chunk in a worker process, and what became of them. By the thread that takes in
 * replies (P7).
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_ITEMS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_ITEMS_INTERNAL_H

#include "state_internal.h"

/* Takes in a reply with the results of several items that have succeeded. False: no worker sends this. */
bool soon__process_take_items(struct soon__process *process, struct soon__assignment *assignment,
                              const struct soon__reply *reply);
/* Takes in a reply with the outcome of one item. False: no worker sends this. */
bool soon__process_take_item(struct soon__process *process, struct soon__assignment *assignment,
                             const struct soon__reply *reply);
/* Reads why the rest of a chunk did not start. False: no worker sends this. */
bool soon__process_read_cut(struct soon__process *process, const struct soon__reply *reply, soon_call *call,
                            struct soon__outcome *ret);
/* Takes in the items that a dead worker has finished without a reply. Returns how many items of the chunk have ended in
 * all. */
size_t soon__process_recover_items(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot);

#endif

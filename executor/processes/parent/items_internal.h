/*
 * items_internal.h - the items of a chunk in a worker process, and what became of them. By who reads (P7).
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_ITEMS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_ITEMS_INTERNAL_H

#include "state_internal.h"

/* Results of items that have succeeded, one behind the other. False: nonsense. */
bool soon__process_take_items(struct soon__process *process, struct soon__assignment *assignment,
                              const struct soon__reply *reply);
/* One item, with all that an outcome may have. False: nonsense. */
bool soon__process_take_item(struct soon__process *process, struct soon__assignment *assignment,
                             const struct soon__reply *reply);
/* The rest of a chunk did not start, for `reply->code`. False: nonsense. */
bool soon__process_read_cut(struct soon__process *process, const struct soon__reply *reply, soon_call *call,
                            struct soon__outcome *ret);
/* What a dead worker had finished of a chunk and not told: how many items of it have ended in all. */
size_t soon__process_recover_items(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot);
/* One has ended with `outcome`, which is taken. */
void soon__item_end(soon_call *call, size_t index, struct soon__outcome *outcome);

#endif

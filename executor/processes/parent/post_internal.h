/*
 * post_internal.h - a call gets into a slot of a worker process.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_POST_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_POST_INTERNAL_H

#include "marshal_internal.h"

enum { SOON__PRIORITY_BITS = 24 };

/* In which order calls are to run: higher priorities, in the highest bits, first, then by number. */
uint64_t soon__post_order(const soon_call *call);
/* A plain call (marshal_internal.h), which fits into any slot. A wake is to follow. */
void soon__process_post_plain_locked(struct soon__process *process, soon_call *call, uint32_t function, int64_t now);
/* The first of the queue; false: it does not fit there now. Takes time if that is long to copy: `*now` goes with it. */
bool soon__process_post_first_locked(struct soon__process *process, int64_t *now);
/* Makes a call of the initializer, which the process has, and posts it. 0, or why it could not. Loop thread, without
 * the mutex. */
int soon__process_post_initializer(struct soon__process *process);
/* One wake for all that was published to each process: before the mutex is given back. */
void soon__process_pool_wake_all_locked(struct soon__process_pool *pool);

#endif

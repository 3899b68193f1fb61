/*
 * post_internal.h - a call gets into a slot of a worker process.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_POST_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_POST_INTERNAL_H

#include "marshal_internal.h"

enum { SOON__PRIORITY_BITS = 24 };

/* Calls are to run in the order of these: higher priorities first, then by number. The priority is in the
 * highest bits. */
uint64_t soon__post_order(const soon_call *call);
/* Posts a plain call (marshal_internal.h), which fits into any slot. The caller is to wake the worker. */
void soon__process_post_plain_locked(struct soon__process *process, soon_call *call, uint32_t function, int64_t now);
/* Posts the first call of the queue. False: it does not fit there now. If it took long to copy, `*now` is the time
 * after that. */
bool soon__process_post_first_locked(struct soon__process *process, int64_t *now);
/* Makes a call of the initializer, which is in the process's table, and posts it. 0 or a negative error. Loop thread,
 * without the mutex. */
int soon__process_post_initializer(struct soon__process *process);
/* Wakes each worker to which something was published, once. To be called before the mutex is left. */
void soon__process_pool_wake_all_locked(struct soon__process_pool *pool);

#endif

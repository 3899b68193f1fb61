/*
 * dispatch_internal.h - from the queue to the slots of worker processes, and back.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_DISPATCH_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_DISPATCH_INTERNAL_H

#include "state_internal.h"

/* Gives what is queued to the processes that are ready, and asks the loop for more processes if some are missing. May
 * leave the mutex while it copies. */
void soon__process_pool_dispatch_locked(struct soon__process_pool *pool, int64_t now);
/* False: there is nothing to dispatch, and no process has more than another. */
static inline bool soon__process_pool_may_hand_out_locked(const struct soon__process_pool *pool)
{
    return pool->backlog.locked.queue.count || pool->locked.assigned ||
           soon__inject_is_open(soon__inject_load(&pool->backlog.inject));
}
/* Posts a plain call (marshal_internal.h), if nothing comes before it and there is a place. False: it is to
 * be queued. */
bool soon__process_pool_post_plain_locked(struct soon__process_pool *pool, soon_call *call);
/* Moves what is in the injector to the queue. */
void soon__process_pool_queue_injected_locked(struct soon__process_pool *pool);
/* P9. Opens the injector (SOON__BUSY) or closes it (SOON__SHUT), and moves what was in it to the queue. True: there was
 * some. */
bool soon__process_pool_inject_locked(struct soon__process_pool *pool, uintptr_t mode);
/* Returns a call that had begun, and is the caller's, to the queue; or ends it, if nothing more of it is to run. */
void soon__process_pool_take_again(struct soon__process_pool *pool, soon_call *call, enum soon__ending how);
/* P11. May another process be started? */
bool soon__process_pool_may_start_locked(struct soon__process_pool *pool);
/* Forgets the processes that are wanted and were not started yet. */
void soon__process_pool_want_none_locked(struct soon__process_pool *pool);

#endif

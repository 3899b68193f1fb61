/*
 * dispatch_internal.h - from the queue to the slots of worker processes, and back.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_DISPATCH_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_DISPATCH_INTERNAL_H

#include "state_internal.h"

/* Hands out what is queued to those that are ready; may leave the mutex while it copies. Then what the loop is needed
 * for is posted. */
void soon__process_pool_dispatch_locked(struct soon__process_pool *pool, int64_t now);
/* Else there is nothing to hand out, and nobody has more than another. */
static inline bool soon__process_pool_may_hand_out_locked(const struct soon__process_pool *pool)
{
    return pool->backlog.locked.queue.count || pool->locked.assigned ||
           soon__inject_is_open(soon__inject_load(&pool->backlog.inject));
}
/* A plain call (marshal_internal.h): posts it, if nothing comes before it and there is a place. False: it is to be
 * queued. */
bool soon__process_pool_post_plain_locked(struct soon__process_pool *pool, soon_call *call);
/* What came in without the mutex goes to the queue. */
void soon__process_pool_take_in_locked(struct soon__process_pool *pool);
/* P9. Lets submits come in so, by SOON__BUSY, or not, by SOON__SHUT. True: some had come until then. */
bool soon__process_pool_inject_locked(struct soon__process_pool *pool, uintptr_t mode);
/* A call that had begun and is nobody's goes back to the queue, or is ended if nothing more of it is to run. */
void soon__process_pool_take_again(struct soon__process_pool *pool, soon_call *call);
/* P11 */
bool soon__process_pool_may_start_locked(struct soon__process_pool *pool);
/* Those that are wanted and not started yet are not counted any more. */
void soon__process_pool_want_none_locked(struct soon__process_pool *pool);

#endif

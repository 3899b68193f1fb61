/*
 * agenda.c - what a process pool asks the library's loop to do for it: to look at the pool now, or at a certain time,
 * and to end calls that cannot be ended where they were found.
 */
#include "agenda_internal.h"

void soon__process_pool_alarm_locked(struct soon__process_pool *pool, int64_t when)
{
    if (when >= pool->locked.alarm)
        return;
    pool->locked.alarm = when;
    soon__process_pool_look_soon_locked(pool); /* which sets its timer */
}

void soon__process_pool_look_soon_locked(struct soon__process_pool *pool)
{
    if (pool->locked.look_posted || pool->locked.close_posted)
        return;
    pool->locked.look_posted = true;
    soon__library_loop_post(&pool->loop.look);
}

void soon__process_pool_refuse_locked(struct soon__process_pool *pool, soon_call *call, int code)
{
    soon__call_move(call, SOON__CALL_REFUSED);
    call->next = pool->locked.refused;
    call->refusal = code;
    pool->locked.refused = call;
    pool->backlog.locked.ended[soon__ending_of_code(code)]++;
    soon__process_pool_look_soon_locked(pool); /* which ends it, outside the mutex */
}

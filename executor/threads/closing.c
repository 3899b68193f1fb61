/*
 * closing.c - a thread pool is shut down, or breaks: all that wait hear of it, and what is pending is cancelled or
 * fails.
 */
#include "closing_internal.h"

#include "scheduler_internal.h"

static void wake_all_locked(struct soon__pool *pool)
{
    while (pool->locked.in[SOON__WORKER_IDLE])
        soon__worker_ring(soon__pool_pop_idle_locked(pool, SOON__WORKER_RUNNING));
}

void soon__pool_shut_down(struct soon__pool *pool, soon_shutdown mode, soon_promise *down)
{
    soon_call *pending = NULL;

    soon__pool_lock(pool);
    soon__backlog_close_locked(&pool->backlog, down);
    soon__pool_take_in_locked(pool);
    if (mode >= SOON_CANCEL_PENDING)
        pending = soon__backlog_take_all_locked(&pool->backlog, &pool->backlog.locked.ended[SOON__ENDED_CANCELLED]);
    wake_all_locked(pool);
    soon__pool_end_if_empty_locked(pool);
    soon__pool_unlock(pool);
    soon__calls_cancel(pending);
}

void soon__pool_fail_pending(struct soon__pool *pool)
{
    struct soon__error *why;
    soon_call *pending = NULL;

    soon__pool_lock(pool);
    why = soon__error_ref(pool->backlog.locked.why);
    soon__pool_take_in_locked(pool);
    if (why)
        pending = soon__backlog_take_all_locked(&pool->backlog, &pool->backlog.locked.ended[SOON__ENDED_OTHERWISE]);
    soon__pool_unlock(pool);
    soon__calls_fail(pending, why);
    soon__error_unref(why);
}

void soon__pool_break(struct soon__pool *pool, struct soon__error *why)
{
    soon_error fields = {.code = SOON_EBROKEN};
    struct soon__error *broken = soon__error_newf(&fields, "the initializer failed: %s", why->public.message);

    soon__error_unref(why);
    soon__pool_lock(pool);
    soon__backlog_break_locked(&pool->backlog, broken);
    wake_all_locked(pool);
    soon__pool_unlock(pool);
    soon__error_unref(broken);
    soon__pool_fail_pending(pool);
}

/*
 * closing.c - how a process pool stops taking work: it is shut down, or broken; and what is pending then.
 */
#include "closing_internal.h"

#include "../../pools/backlog_internal.h"
#include "agenda_internal.h"
#include "dispatch_internal.h"
#include "slots_internal.h"

#include <signal.h>

/* Takes out every call that has not started, as a list by `next`. */
static soon_call *take_pending_locked(struct soon__process_pool *pool)
{
    soon_call *queued = soon__queue_take_all(&pool->backlog.locked.queue), *posted, **end = &queued;

    while (*end)
        end = &(*end)->next;
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        posted = soon__process_take_unclaimed_locked(process);
        *end = posted;
        while (*end)
            end = &(*end)->next;
    }
    return queued;
}

static size_t length_of(const soon_call *calls)
{
    size_t length = 0;

    for (; calls; calls = calls->next)
        length++;
    return length;
}

int soon__process_pool_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct soon__process_pool *pool = self;
    soon_call *pending = NULL;
    int stop = mode == SOON_KILL ? SIGKILL : mode == SOON_TERMINATE ? SIGTERM : 0;

    soon__mutex_lock(&pool->backlog.mutex);
    soon__backlog_close_locked(&pool->backlog, down);
    pool->locked.at_least = 0; /* a thread that boots is told of the end */
    (void)soon__process_pool_inject_locked(pool, SOON__SHUT);
    if (pool->locked.stop != SIGKILL && stop)
        pool->locked.stop = stop;
    pool->locked.dropping |= mode >= SOON_CANCEL_PENDING;
    if (mode >= SOON_CANCEL_PENDING) {
        pending = take_pending_locked(pool);
        pool->backlog.locked.ended[SOON__ENDED_CANCELLED] += length_of(pending);
    }
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__calls_cancel(pending);
    return 0;
}

static void fail_pending(struct soon__process_pool *pool, struct soon__error *why, bool broken)
{
    soon_call *pending;

    soon__mutex_lock(&pool->backlog.mutex);
    if (broken)
        soon__backlog_break_locked(&pool->backlog, why);
    (void)soon__process_pool_inject_locked(pool, SOON__SHUT);
    pending = take_pending_locked(pool);
    pool->backlog.locked.ended[SOON__ENDED_OTHERWISE] += length_of(pending);
    soon__condition_tell_all(&pool->backlog.place);
    soon__condition_tell_all(&pool->backlog.ready);
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__calls_fail(pending, why);
    soon__error_unref(why);
}

void soon__process_pool_break(struct soon__process_pool *pool, struct soon__error *why)
{
    fail_pending(pool, why, true);
}

void soon__process_pool_fail_pending(struct soon__process_pool *pool, struct soon__error *why)
{
    fail_pending(pool, why, false);
}

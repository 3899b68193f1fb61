/*
 * shutdown.c - how a program closes an executor, and waits for its workers to be there or gone. What an executor is
 * stands in executor.c, with the invariants.
 */
#include "shutdown_internal.h"

#include "../../futures/await_internal.h"
#include "../../futures/failed_internal.h"
#include "notice_internal.h"
#include "then_internal.h"

#include <errno.h>

/* I1 */
static void request(soon_executor *executor, soon_shutdown mode)
{
    pthread_mutex_lock(&executor->mutex);
    /* Relaxed, both: the mutex orders them; a task that reads it without needs to see nothing else. */
    if (atomic_load_explicit(&executor->requested, memory_order_relaxed) < (int)mode)
        atomic_store_explicit(&executor->requested, (int)mode, memory_order_relaxed);
    pthread_mutex_unlock(&executor->mutex);
}

int soon__executor_begin_shutdown(soon_executor *executor, soon_shutdown mode)
{
    struct soon__pinned visit;
    int rc;

    if (!soon__executor_try_pin(executor))
        return 0;
    soon__executor_enter(executor, &visit); /* I3 */
    /* Relaxed: the class decides under its own lock; this only spares it late submits, and an imap late items. */
    atomic_store_explicit(&executor->entry, SOON_ESHUTDOWN, memory_order_relaxed);
    request(executor, mode);
    if (mode >= SOON_CANCEL_PENDING)
        soon__thens_cancel(executor);
    rc = soon__executor_advance(executor);
    if (mode >= SOON_TERMINATE) /* what is pending is gone: it would start where what runs gives in */
        soon__notices_tell_executor(executor);
    soon__executor_leave(executor, &visit);
    return rc;
}

bool soon__executor_may_not_wait(const soon_executor *executor)
{
    return soon__thread_in_executor(executor) || soon__thread_has_pinned(executor) || soon__thread_self()->of_library ||
           soon__thread_in_callback();
}

static bool is_done(const soon_future *down)
{
    return soon__word_final(soon__future_word(down));
}

/* `executor` may be gone. */
static int await_down(soon_executor *executor, soon_future *down, int64_t deadline)
{
    if (is_done(down))
        return 0;
    if (soon__executor_may_not_wait(executor))
        return deadline == SOON__POLL ? -ETIMEDOUT : SOON_EDEADLK;
    return soon__future_await(down, deadline);
}

static int shut_down(soon_executor *executor, soon_shutdown mode, int64_t timeout_ms)
{
    int64_t deadline = soon__deadline(timeout_ms);
    int rc = soon__executor_check(executor);
    soon_future *down;

    if (rc == 0 && (mode < SOON_DRAIN || mode > SOON_KILL))
        rc = soon__refuse(-EINVAL, "mode = %d is none of soon_shutdown", (int)mode);
    if (rc == 0)
        rc = soon__check_timeout(timeout_ms);
    if (rc < 0)
        return rc;
    down = soon__future_ref(executor->down_future); /* I3 */
    if (!is_done(down))
        rc = soon__executor_begin_shutdown(executor, mode);
    if (rc == 0)
        rc = await_down(executor, down, deadline);
    soon__future_unref(down);
    return rc;
}

int soon_executor_shutdown(soon_executor *executor, soon_shutdown mode, int64_t timeout_ms)
{
    return soon__failed(shut_down(executor, mode, timeout_ms), "soon_executor_shutdown");
}

soon_future *soon_executor_down(soon_executor *executor)
{
    int rc = soon__executor_check(executor);

    return rc < 0 ? soon__future_new_failed(rc, "soon_executor_down", NULL, NULL, NULL)
                  : soon_future_ref(executor->down_future);
}

static int boot(soon_executor *executor, int64_t timeout_ms)
{
    int rc = soon__executor_check(executor);

    if (rc == 0)
        rc = soon__check_timeout(timeout_ms);
    if (rc < 0)
        return rc;
    if (soon__thread_in_executor(executor))
        return SOON_EDEADLK;
    return executor->klass.boot ? executor->klass.boot(executor->self, soon__deadline(timeout_ms)) : 0;
}

int soon_executor_boot(soon_executor *executor, int64_t timeout_ms)
{
    return soon__failed(boot(executor, timeout_ms), "soon_executor_boot");
}

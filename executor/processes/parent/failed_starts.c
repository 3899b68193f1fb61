/*
 * failed_starts.c - worker processes that could not be started, or did not become ready: when the next start is tried,
 * and when the pool gives up (P14). Loop thread only.
 */
#include "failed_starts_internal.h"

#include "../../loops/library_timer_internal.h"
#include "agenda_internal.h"
#include "closing_internal.h"
#include "dispatch_internal.h"

#include <limits.h>
#include <stdlib.h>

enum { KILLED_AT_ONCE = 16 }; /* so many starts in a row that a signal has ended are repeated at once */
#define BACK_OFF_FIRST_NS INT64_C(10000000)
#define BACK_OFF_MAX_NS INT64_C(1000000000)

static int64_t back_off_locked(const struct soon__process_pool *pool)
{
    int short_starts = pool->locked.starts.shorted;
    int times = pool->locked.starts.failed + short_starts + (short_starts > 0);

    if (times > 1)
        return times > 7 ? BACK_OFF_MAX_NS : BACK_OFF_FIRST_NS << (times - 2);
    return pool->locked.starts.killed > KILLED_AT_ONCE ? BACK_OFF_FIRST_NS : 0;
}

/* As long as the allowed number of starts may take. */
static int64_t patience_ms(const struct soon__process_pool *pool)
{
    int64_t ms;

    if (pool->options.max_restarts < 0 ||
        __builtin_mul_overflow(pool->options.start_timeout_ns / 1000000, pool->options.max_restarts, &ms))
        return INT64_MAX;
    return ms;
}

/* A signal from outside says nothing about the program. So starts that end by one break the pool only if no worker was
 * ready for patience_ms(). */
static bool gives_up_locked(const struct soon__process_pool *pool, int64_t now)
{
    if (pool->options.max_restarts < 0 || pool->locked.ready)
        return false;
    return pool->locked.starts.failed >= pool->options.max_restarts ||
           (pool->locked.starts.killed >= pool->options.max_restarts &&
            (now - pool->locked.starts.failing_since_ns) / 1000000 >= patience_ms(pool));
}

/* Until when a shortage may last before what is pending fails. */
static int64_t short_until(const struct soon__process_pool *pool)
{
    int64_t ms = patience_ms(pool);

    return pool->locked.starts.short_since_ns && ms < INT64_MAX / 1000000
               ? soon__later(pool->locked.starts.short_since_ns, ms * 1000000)
               : SOON__NEVER;
}

/* Notes a shortage. True: no worker was ready for as long as patience_ms() says. The time begins anew when a worker is
 * ready, or when none was wanted for a while. */
static bool is_short_for_long_locked(struct soon__process_pool *pool, int64_t now)
{
    int64_t since = pool->locked.starts.short_since_ns;
    bool anew = now - pool->locked.starts.last_short_ns > 3 * BACK_OFF_MAX_NS + pool->options.start_timeout_ns;

    pool->locked.starts.last_short_ns = now;
    pool->locked.starts.short_since_ns = pool->locked.ready ? 0 : !since || anew ? now : since;
    return pool->locked.starts.short_since_ns && now >= short_until(pool);
}

void soon__process_pool_start_was_short(struct soon__process_pool *pool, int code)
{
    soon_error fields = {.code = code};
    int64_t now = soon__clock_ns();
    bool give_up;

    soon__mutex_lock(&pool->backlog.mutex);
    pool->locked.starts.shorted += pool->locked.starts.shorted < INT_MAX;
    soon__process_pool_want_none_locked(pool);
    give_up = is_short_for_long_locked(pool, now);
    if (give_up) { /* for calls that come later the time begins anew */
        pool->locked.starts.shorted = 1;
        pool->locked.starts.short_since_ns = 0;
    }
    pool->locked.starts.again_at = soon__later(now, back_off_locked(pool));
    if (pool->locked.starts.again_at > short_until(pool))
        pool->locked.starts.again_at = short_until(pool);
    if (pool->locked.at_least)
        pool->backlog.locked.start_error = code;
    soon__condition_tell_all(&pool->backlog.ready);
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->backlog.mutex);
    if (give_up)
        soon__process_pool_fail_pending(pool, soon__error_newf(&fields, "no worker could be started in %lld ms: %s",
                                                               (long long)patience_ms(pool), soon__shortage(code)));
}

void soon__process_pool_start_failed(struct soon__process_pool *pool, bool killed, int code, const char *why)
{
    soon_error fields = {.code = SOON_EBROKEN};
    int64_t now = soon__clock_ns();
    bool give_up;
    int times;

    soon__mutex_lock(&pool->backlog.mutex);
    if (!pool->locked.starts.failed && !pool->locked.starts.killed)
        pool->locked.starts.failing_since_ns = now;
    pool->locked.starts.failed += !killed;
    pool->locked.starts.killed += killed;
    times = pool->locked.starts.failed + pool->locked.starts.killed;
    pool->locked.starts.again_at = soon__later(now, back_off_locked(pool));
    soon__process_pool_want_none_locked(pool);
    give_up = gives_up_locked(pool, now);
    if (code && (pool->locked.at_least || give_up))
        pool->backlog.locked.start_error = code;
    soon__condition_tell_all(&pool->backlog.ready);
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->backlog.mutex);
    if (give_up)
        soon__process_pool_break(
            pool,
            soon__error_newf(&fields, "%d workers in a row died before they were ready, the last one %s", times, why));
}

void soon__process_pool_start_succeeded_locked(struct soon__process_pool *pool)
{
    pool->locked.starts.failed = pool->locked.starts.killed = pool->locked.starts.shorted = 0;
    pool->locked.starts.short_since_ns = 0;
    pool->locked.starts.again_at = 0;
    if (pool->locked.ready >= pool->options.max)
        pool->locked.at_least = 0; /* they may retire again, even before the boot has seen this */
    soon__condition_tell_all(&pool->backlog.ready);
}

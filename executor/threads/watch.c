/*
 * watch.c - what the library's loop does for a thread pool: it starts workers, expires queue limits, retires workers
 * that are idle for too long, joins those that have ended, and tells when all is over. Loop thread only.
 */
#include "watch_internal.h"

#include "../loops/library_timer_internal.h"
#include "life_internal.h"
#include "scheduler_internal.h"

#include <stddef.h>

/* What it has found under the mutex, to be done without. */
struct findings {
    soon_call *expired; /* a list by `next` */
    size_t starts;
    int64_t next; /* when to watch next */
    bool is_last;
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A list by `next` of those whose queue limit is over. */
static soon_call *expire_locked(struct soon__pool *pool, int64_t now)
{
    soon_call *expired = NULL, **end = &expired, *call;

    while ((call = soon__queue_pop_expired(&pool->backlog.locked.queue, now))) {
        soon__pool_freed_locked(pool);
        pool->backlog.locked.ended[SOON__ENDED_EXPIRED]++;
        *end = call;
        end = &call->next;
    }
    *end = NULL;
    return expired;
}

/* Retires the worker that is idle for the longest time, if that is too long; NULL: it is not. Lowers `*next` to when it
 * will be. */
static struct soon__worker *retire_locked(struct soon__pool *pool, int64_t now, int64_t *next)
{
    struct soon__worker **last = &pool->locked.idlers, *worker;
    int64_t due;

    if (!*last || (!pool->options.all_retire && soon__pool_threads_locked(pool) <= pool->options.max))
        return NULL;
    while ((*last)->locked.next_idle)
        last = &(*last)->locked.next_idle;
    worker = *last;
    due = worker->locked.idle_since + pool->options.idle_limit_ns;
    if (due > now) {
        *next = earlier(due, *next);
        return NULL;
    }
    *last = NULL;
    soon__worker_become(worker, SOON__WORKER_IDLE, SOON__WORKER_LEAVING);
    /* Relaxed: a number to be shown. */
    soon__backlog_recycled_locked(&pool->backlog, SOON__RECYCLED_IDLE, worker->number,
                                  atomic_load_explicit(&worker->id, memory_order_relaxed));
    return worker;
}

/* `join_at`: when to try again to join those that have ended. */
static void find_locked(struct soon__pool *pool, int64_t now, int64_t join_at, struct findings *ret)
{
    struct soon__worker *worker;

    ret->expired = expire_locked(pool, now);
    ret->next = earlier(join_at, soon__queue_next_limit(&pool->backlog.locked.queue));
    while ((worker = retire_locked(pool, now, &ret->next)))
        soon__worker_ring(worker);
    ret->starts = pool->locked.to_start;
    pool->locked.to_start = 0;
    pool->locked.alarm = ret->next;
    ret->is_last = pool->locked.is_over && !pool->locked.watch_posted;
}

static void on_closed(uv_handle_t *handle)
{
    struct soon__pool *pool = handle->data;
    soon_promise *down = pool->backlog.locked.down; /* nobody else is left */

    soon__future_ref(&down->future); /* the pool may be freed as soon as it is resolved */
    soon_promise_set_result(down, NULL, 0);
    soon__future_unref(&down->future);
}

static void on_timer(uv_timer_t *timer);

static void open_timer(struct soon__pool *pool)
{
    assert(soon__library_on_loop());
    if (pool->loop.timer.data)
        return;
    uv_timer_init(soon__library_uv(), &pool->loop.timer);
    pool->loop.timer.data = pool;
}

static void watch(struct soon__pool *pool, bool posted)
{
    int64_t now = soon__clock_ns(), join_at;
    struct findings found;
    soon_call *next;

    open_timer(pool);
    join_at = soon__workers_join(pool, now);
    soon__pool_lock(pool);
    if (posted)
        pool->locked.watch_posted = false; /* from here on the job may be posted again */
    find_locked(pool, now, join_at, &found);
    soon__pool_unlock(pool);
    soon__loop_timer(&pool->loop.timer, on_timer, found.next);
    for (; found.starts; found.starts--)
        soon__worker_start(pool);
    for (; found.expired; found.expired = next) {
        next = found.expired->next;
        soon__call_fail(found.expired, soon__call_error(found.expired, SOON_EEXPIRED, NULL));
    }
    if (found.is_last)
        uv_close((uv_handle_t *)&pool->loop.timer, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
    watch(timer->data, false);
}

void soon__pool_watch(struct soon__job *job)
{
    watch((struct soon__pool *)((char *)job - offsetof(struct soon__pool, loop.watch)), true);
}

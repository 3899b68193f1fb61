/*
 * watch.c - what the library's loop does for a pool: expires queue limits, retires idle workers, joins those that have
 * ended, and tells when all is over. It starts them, too: worker.c. Loop thread only.
 */
#include "state_internal.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum { JOIN_TRIES = 100 };
#define JOIN_AGAIN_FIRST_NS INT64_C(1000000)
#define JOIN_AGAIN_MAX_NS INT64_C(100000000)

static void open_timer(struct soon__pool *pool)
{
    assert(soon__library_on_loop());
    if (pool->timer.data)
        return;
    uv_timer_init(soon__library_uv(), &pool->timer);
    pool->timer.data = pool;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* I5 */
static bool join(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    int rc = EBUSY;

    for (int tries = 0; tries < JOIN_TRIES && rc == EBUSY; tries++) {
        rc = pthread_tryjoin_np(worker->thread, NULL);
        if (rc == EBUSY)
            sched_yield(); /* most often it is a matter of microseconds */
    }
    if (rc == EBUSY)
        return false;
    free(worker);
    soon__pool_lock(pool);
    pool->locked.unjoined--;
    soon__pool_close_if_empty_locked(pool);
    soon__pool_unlock(pool);
    return true;
}

void soon__worker_ended(struct soon__job *job)
{
    struct soon__worker *worker = (struct soon__worker *)job;
    struct soon__pool *pool = worker->pool;

    assert(soon__library_on_loop());
    if (join(worker))
        return;
    worker->next_ended = pool->ended;
    pool->ended = worker;
    pool->join_again_ns = JOIN_AGAIN_FIRST_NS;
    soon__pool_lock(pool);
    soon__pool_alarm_locked(pool, soon__clock_ns() + pool->join_again_ns);
    soon__pool_unlock(pool);
}

/* When to try again; SOON__NEVER: all are joined. */
static int64_t join_ended(struct soon__pool *pool, int64_t now)
{
    struct soon__worker **link = &pool->ended, *next;

    while (*link) {
        next = (*link)->next_ended;
        if (join(*link))
            *link = next;
        else
            link = &(*link)->next_ended;
    }
    if (!pool->ended)
        return SOON__NEVER;
    pool->join_again_ns = earlier(2 * pool->join_again_ns, JOIN_AGAIN_MAX_NS);
    return now + pool->join_again_ns;
}

/* The longest idle one that has been so for too long, which retires; NULL: none. Sets when the next will be. */
static struct soon__worker *retire_locked(struct soon__pool *pool, int64_t now, int64_t *next)
{
    struct soon__worker **last = &pool->locked.idlers, *worker;
    int64_t due;

    if (!pool->locked.idle || (!pool->all_retire && pool->locked.threads <= pool->max))
        return NULL;
    while ((*last)->next_idle)
        last = &(*last)->next_idle;
    worker = *last;
    due = worker->idle_since + pool->idle_limit_ns;
    if (due > now) {
        *next = earlier(due, *next);
        return NULL;
    }
    *last = NULL;
    worker->retired = true;
    pool->locked.idle--;
    pool->locked.threads--;
    return worker;
}

static void on_closed(uv_handle_t *handle)
{
    struct soon__pool *pool = handle->data;
    soon_promise *down = pool->down;

    soon__future_ref(&down->future); /* the pool may be freed as soon as it is resolved */
    soon_promise_set_result(down, NULL, 0);
    soon__future_unref(&down->future);
}

static void on_timer(uv_timer_t *timer);

/* `posted`: by its job. */
static void look(struct soon__pool *pool, bool posted)
{
    soon_call *expired = NULL, **end = &expired, *call, *after;
    struct soon__worker *worker;
    int64_t now = soon__clock_ns(), again, next;
    bool last;

    open_timer(pool);
    again = join_ended(pool, now);
    soon__pool_lock(pool);
    if (posted)
        pool->locked.look_posted = false; /* from here on the job may be posted again */
    while ((call = soon__queue_pop_expired(&pool->locked.queue, now))) {
        soon__pool_freed_locked(pool);
        pool->locked.failed++;
        *end = call;
        end = &call->next;
    }
    *end = NULL;
    next = earlier(again, soon__queue_next_limit(&pool->locked.queue));
    while ((worker = retire_locked(pool, now, &next)))
        soon__worker_ring(worker);
    pool->locked.alarm = next;
    last = pool->locked.closing && !pool->locked.look_posted;
    soon__pool_unlock(pool);
    soon__loop_timer(&pool->timer, on_timer, next);
    for (call = expired; call; call = after) {
        after = call->next;
        soon__call_fail(call, soon__call_error(call, SOON_EEXPIRED, NULL));
    }
    if (last)
        uv_close((uv_handle_t *)&pool->timer, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data, false);
}

void soon__pool_look(struct soon__job *job)
{
    look((struct soon__pool *)job, true);
}

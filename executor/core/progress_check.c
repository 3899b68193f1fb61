/*
 * progress_check.c - when listeners are called: the library's loop checks a future's progress when it has moved, and
 * when a listener that was called lately may be called again. The invariants are in progress.c.
 */
#include "progress_check_internal.h"

#include "../../futures/aside_internal.h"
#include "../loops/library_timer_internal.h"

#include <assert.h>

struct plan {
    int64_t next;      /* when to check again for those that are not told yet; SOON__NEVER: all are */
    int64_t next_told; /* when the first of the others may be called again, after a change */
};

/* Claims those that are due. */
static struct soon__progress_way *find_due_locked(struct soon__progress_hub *hub, soon_progress progress, int64_t now,
                                                  struct plan *ret)
{
    struct soon__progress_way *due = NULL, **end = &due;
    int64_t at, *next;

    *ret = (struct plan){SOON__NEVER, SOON__NEVER};
    for (struct soon__progress_listener *l = hub->locked.over ? NULL : hub->locked.listeners; l; l = l->locked.next) {
        bool some = soon__progress_differs(progress, l->locked.told), waits = hub->polls || some;

        at = l->locked.again_at > now ? l->locked.again_at : waits ? soon__later(now, l->every_ns) : now;
        if (some && l->locked.again_at <= now && !l->ways[SOON__PROGRESS_TICK].posted)
            end = soon__progress_claim_locked(l, SOON__PROGRESS_TICK, end);
        next = waits ? &ret->next : &ret->next_told;
        *next = at < *next ? at : *next;
    }
    *end = NULL;
    return due;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct soon__progress_hub *hub, int64_t when)
{
    if (!hub->loop.timer.data) {
        uv_timer_init(soon__library_uv(), &hub->loop.timer);
        hub->loop.timer.data = hub;
    }
    soon__loop_timer(&hub->loop.timer, on_timer, when);
}

static bool is_over(struct soon__progress_hub *hub)
{
    bool over;

    pthread_mutex_lock(&hub->mutex);
    over = hub->locked.over;
    pthread_mutex_unlock(&hub->mutex);
    return over;
}

/* L1. False: there is more to tell. */
static bool may_rest(struct soon__progress_hub *hub, soon_progress told)
{
    if (is_over(hub))
        return true;
    /* Release and acquire: LOCK orders it with what soon_future_progress() reads next, and with the thread that sets
     * that. */
    atomic_store_explicit(&hub->awake, false, memory_order_release);
    return !soon__progress_differs(soon_future_progress(hub->future), told) ||
           atomic_exchange_explicit(&hub->awake, true, memory_order_acq_rel);
}

static void check(struct soon__progress_hub *hub)
{
    struct soon__progress_way *due;
    soon_progress progress;
    struct plan plan;
    int64_t now;

    assert(soon__library_on_loop());
    hub->loop.rests = false;
    do {
        now = soon__clock_ns();
        progress = soon_future_progress(hub->future);
        pthread_mutex_lock(&hub->mutex);
        due = find_due_locked(hub, progress, now, &plan);
        pthread_mutex_unlock(&hub->mutex);
        soon__progress_post(due);
        if (plan.next != SOON__NEVER)
            set_timer(hub, plan.next_told > now && plan.next_told < plan.next ? plan.next_told : plan.next);
        if (plan.next != SOON__NEVER && plan.next_told > now)
            return;
    } while (!may_rest(hub, progress));
    hub->loop.rests = true;
}

/* L1. One check on its way is enough: it is in a list, and must not be posted again before it has begun. */
static void on_timer(uv_timer_t *timer)
{
    struct soon__progress_hub *hub = timer->data;

    /* Acquire and release: as in may_rest(). */
    if (hub->loop.rests && atomic_exchange_explicit(&hub->awake, true, memory_order_acq_rel))
        return;
    check(hub);
}

static void run_check(struct soon__job *job)
{
    check(SOON__PROGRESS_OF(hub, check, job));
}

static void on_closed(uv_handle_t *timer)
{
    soon__future_unref(((struct soon__progress_hub *)timer->data)->future);
}

static void run_close(struct soon__job *job)
{
    struct soon__progress_hub *hub = SOON__PROGRESS_OF(hub, close, job);

    if (hub->loop.timer.data)
        uv_close((uv_handle_t *)&hub->loop.timer, on_closed);
    else
        soon__future_unref(hub->future);
}

/* L1, L2: with LOCK, while it is unfinished. */
void soon__progress_wake_locked(struct soon__progress_hub *hub)
{
    /* Acquire and release: as in may_rest(). */
    if (atomic_exchange_explicit(&hub->awake, true, memory_order_acq_rel))
        return;
    if (!hub->open)
        soon__future_ref(hub->future);
    hub->open = true;
    soon__library_loop_post(&hub->check);
}

void soon__progress_check_init(struct soon__progress_hub *hub)
{
    hub->check.run = run_check;
    hub->close.run = run_close;
}

void soon__progress_check_end(struct soon__progress_hub *hub)
{
    if (hub->open)
        soon__library_loop_post(&hub->close);
}

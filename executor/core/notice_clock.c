/*
 * notice_clock.c - time limits of tasks that have a notice and run in this process. A task that blocks does not read
 * the clock, so a timer of the library's loop is set for the first limit that will be over. Callbacks run on the
 * library's callback thread. In a worker process the parent tells of limits.
 *
 * A timer that is not needed any more rings once, which does no harm.
 */
#include "notice_clock_internal.h"

#include "../loops/library_loop_internal.h"
#include "../loops/library_timer_internal.h"
#include "notice_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct clock {
    uint32_t generation;
    struct clock *inherited; /* the parent's, whose loop it belongs to; reachable for leak checkers */
    bool is_open;            /* loop thread only, as the timer */
    uv_timer_t timer;
    struct soon__job set, tell;
    _Atomic bool is_set, tells; /* the jobs are posted */
};

static _Atomic(struct clock *) current;

static void on_timer(uv_timer_t *timer);

static struct clock *of_this_process(void)
{
    /* Acquire: pairs with the exchange in soon__notice_clock_start(). */
    struct clock *clock = atomic_load_explicit(&current, memory_order_acquire);

    return clock && clock->generation == soon__generation() ? clock : NULL;
}

static void expire(struct clock *clock)
{
    bool callbacks;
    int64_t next = soon__notices_expire(soon__clock_ns(), &callbacks);

    /* Acquire-release: the job's memory; it is free again when tell() has said so. */
    if (callbacks && !atomic_exchange_explicit(&clock->tells, true, memory_order_acq_rel))
        soon__library_callbacks_post(&clock->tell);
    soon__loop_timer(&clock->timer, on_timer, next);
}

static void on_timer(uv_timer_t *timer)
{
    expire(timer->data);
}

static void set(struct soon__job *job)
{
    struct clock *clock = (struct clock *)((char *)job - offsetof(struct clock, set));

    assert(soon__library_on_loop());
    /* Before it reads the limits: for a notice that is listed from here on the job is posted again. */
    atomic_exchange_explicit(&clock->is_set, false, memory_order_acq_rel);
    if (!clock->is_open) {
        uv_timer_init(soon__library_uv(), &clock->timer);
        clock->timer.data = clock;
        clock->is_open = true;
    }
    expire(clock);
}

static void tell(struct soon__job *job)
{
    struct clock *clock = (struct clock *)((char *)job - offsetof(struct clock, tell));

    atomic_exchange_explicit(&clock->tells, false, memory_order_acq_rel); /* as in set() */
    soon__notices_tell_expired();
}

int soon__notice_clock_start(void)
{
    struct clock *clock, *before = atomic_load_explicit(&current, memory_order_acquire);
    int rc = soon__library_start();

    if (rc < 0 || of_this_process())
        return rc;
    clock = calloc(1, sizeof *clock);
    if (!clock)
        return -ENOMEM;
    clock->generation = soon__generation();
    clock->inherited = before;
    clock->set.run = set;
    clock->tell.run = tell;
    /* Release publishes it. */
    if (!atomic_compare_exchange_strong_explicit(&current, &before, clock, memory_order_acq_rel, memory_order_relaxed))
        free(clock); /* another thread was first */
    return 0;
}

void soon__notice_clock_set(void)
{
    struct clock *clock = of_this_process();

    if (!atomic_exchange_explicit(&clock->is_set, true, memory_order_acq_rel))
        soon__library_loop_post(&clock->set);
}

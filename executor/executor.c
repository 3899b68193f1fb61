/*
 * executor.c - what all executors share: checks, submitting, shutting down, freeing. What runs the tasks is behind `klass`.
 *
 *     open --shutdown(mode)--> closing --no then left--> klass.shutdown --> down (its promise) --free--> gone
 *
 * I1  `requested` only grows. Each mode above `begun` is given to the class once nothing that was accepted could be refused by
 *     it: thens that wait are counted, and a stronger mode than a drain cancels them first.
 * I2  A pin keeps the executor from being freed, and a shutdown from returning 0, while another thread is inside on behalf of
 *     a future of it. Who takes a pin has proof that the executor lives: an unfinished future's LOCK, or being inside a call.
 * I3  After unpin() nothing of the executor is touched but the address of its word.
 */
#include "executor_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PINS_AWAITED UINT32_C(0x80000000)

int soon__executor_check(const soon_executor *executor)
{
    if (!executor)
        return -EINVAL;
    return executor->generation == soon__generation() ? 0 : SOON_EFORKED;
}

void soon__executor_pin(soon_executor *executor)
{
    /* Relaxed: what proves that it lives also orders this before the wait for pins. */
    atomic_fetch_add_explicit(&executor->pins, 1, memory_order_relaxed);
}

void soon__executor_unpin(soon_executor *executor)
{
    /* Release: pairs with the acquire in wait_for_pins(). */
    uint32_t pins = atomic_fetch_sub_explicit(&executor->pins, 1, memory_order_release);

    if (pins & PINS_AWAITED)
        soon__unpark_all(&executor->pins); /* I3 */
}

static int wait_for_pins(soon_executor *executor, int64_t deadline)
{
    uint32_t pins = atomic_load_explicit(&executor->pins, memory_order_acquire);

    while (pins & ~PINS_AWAITED) {
        if (!(pins & PINS_AWAITED)) {
            pins = atomic_fetch_or_explicit(&executor->pins, PINS_AWAITED, memory_order_acquire) | PINS_AWAITED;
            continue;
        }
        if (soon__deadline_check(deadline) < 0)
            return -ETIMEDOUT;
        soon__park(&executor->pins, pins, deadline);
        pins = atomic_load_explicit(&executor->pins, memory_order_acquire);
    }
    return 0;
}

/*
 * Making and freeing
 */

int soon__executor_new(soon_executor **ret, const soon_executor_class *klass, void *self,
                       const struct soon__executor_extra *extra, soon_full when_full)
{
    soon_executor *executor = calloc(1, sizeof *executor);
    int rc;

    if (!executor)
        return -ENOMEM;
    rc = soon_promise_new(&executor->down, NULL);
    if (rc < 0) {
        free(executor);
        return rc;
    }
    executor->down_future = soon__future_ref(&executor->down->future);
    memcpy(&executor->klass, klass, klass->size < sizeof executor->klass ? klass->size : sizeof executor->klass);
    executor->self = self;
    executor->extra = extra;
    executor->when_full = when_full == SOON_FULL_DEFAULT ? SOON_FULL_BLOCK : when_full;
    executor->generation = soon__generation();
    pthread_mutex_init(&executor->mutex, NULL);
    executor->locked.requested = executor->locked.begun = -1;
    *ret = executor;
    return 0;
}

/* `down` was resolved, or never will be. */
void soon__executor_destroy(soon_executor *executor)
{
    soon_promise_free(executor->down);
    soon__future_unref(executor->down_future);
    pthread_mutex_destroy(&executor->mutex);
    free(executor);
}

static bool is_down(const soon_executor *executor)
{
    return soon__word_final(soon__future_word(executor->down_future));
}

int soon_executor_free(soon_executor *executor)
{
    struct soon__thread *self = soon__thread_self();
    int rc;

    if (!executor)
        return 0;
    rc = soon__executor_check(executor);
    if (rc < 0)
        return rc;
    if (soon__thread_in_executor(executor) || (!is_down(executor) && (self->of_library || soon__thread_in_callback())))
        return SOON_EDEADLK;
    rc = soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    if (rc < 0 && !is_down(executor))
        return rc;
    wait_for_pins(executor, SOON__NEVER);
    if (executor->klass.free)
        executor->klass.free(executor->self);
    soon__executor_destroy(executor);
    return 0;
}

/*
 * Shutting down
 */

int soon__executor_advance(soon_executor *executor)
{
    int mode = -1;

    pthread_mutex_lock(&executor->mutex);
    if (executor->locked.deferred_count == 0 && executor->locked.begun < executor->locked.requested)
        mode = executor->locked.begun = executor->locked.requested;
    pthread_mutex_unlock(&executor->mutex);
    return mode < 0 ? 0 : executor->klass.shutdown(executor->self, (soon_shutdown)mode, executor->down);
}

static int begin_shutdown(soon_executor *executor, soon_shutdown mode)
{
    int rc;

    soon__executor_pin(executor);
    /* Relaxed: the class decides under its own lock; this only spares it late submits. */
    atomic_store_explicit(&executor->closing, 1, memory_order_relaxed);
    if (mode >= SOON_TERMINATE)
        atomic_store_explicit(&executor->terminating, 1, memory_order_relaxed);
    pthread_mutex_lock(&executor->mutex);
    if (executor->locked.requested < (int)mode)
        executor->locked.requested = mode;
    pthread_mutex_unlock(&executor->mutex);
    if (mode >= SOON_CANCEL_PENDING)
        soon__thens_cancel(executor);
    rc = soon__executor_advance(executor);
    soon__executor_unpin(executor);
    return rc;
}

int soon_executor_shutdown(soon_executor *executor, soon_shutdown mode, int64_t timeout_ms)
{
    int64_t deadline = soon__deadline(timeout_ms);
    int rc = soon__executor_check(executor);

    if (rc < 0)
        return rc;
    if (mode < SOON_DRAIN || mode > SOON_KILL || timeout_ms < SOON_FOREVER)
        return -EINVAL;
    if (!is_down(executor)) {
        rc = begin_shutdown(executor, mode);
        if (rc < 0)
            return rc;
    }
    if (soon__thread_in_executor(executor) || soon__thread_self()->of_library || soon__thread_in_callback()) {
        if (is_down(executor))
            return 0;
        return timeout_ms == 0 ? -ETIMEDOUT : SOON_EDEADLK;
    }
    rc = soon__future_await(executor->down_future, deadline);
    return rc < 0 ? rc : wait_for_pins(executor, deadline);
}

soon_future *soon_executor_down(soon_executor *executor)
{
    int rc = soon__executor_check(executor);

    return rc < 0 ? soon__future_new_failed(rc, NULL, NULL, NULL) : soon_future_ref(executor->down_future);
}

int soon_executor_boot(soon_executor *executor, int64_t timeout_ms)
{
    int rc = soon__executor_check(executor);

    if (rc < 0)
        return rc;
    if (timeout_ms < SOON_FOREVER)
        return -EINVAL;
    if (soon__thread_in_executor(executor))
        return SOON_EDEADLK;
    if (!executor->extra || !executor->extra->boot)
        return 0;
    return executor->extra->boot(executor->self, soon__deadline(timeout_ms));
}

void soon_executor_stats_sized(soon_executor *executor, soon_stats *ret, size_t size)
{
    soon_stats stats = {0};

    if (!soon__check(ret, "soon_executor_stats: NULL"))
        return;
    if (soon__executor_check(executor) == 0 && executor->klass.stats)
        executor->klass.stats(executor->self, &stats);
    if (size > sizeof stats)
        memset((char *)ret + sizeof stats, 0, size - sizeof stats);
    memcpy(ret, &stats, size < sizeof stats ? size : sizeof stats);
}

size_t soon__executor_width(soon_executor *executor)
{
    soon_stats stats;

    if (executor->extra && executor->extra->width)
        return executor->extra->width(executor->self);
    soon_executor_stats(executor, &stats);
    return stats.workers ? stats.workers : 1;
}

/*
 * executor.c - what all executors share: checks, submitting, shutting down, freeing. What runs the tasks is behind
 * `klass`.
 *
 *     open --shutdown(mode)--> closing --no then left--> klass.shutdown
 *                                  --its promise resolved, no pin left--> down --free--> gone
 *
 * I1  `requested` only grows. Each mode above `begun` is given to the class once nothing that was accepted could be
 *     refused by it: thens that wait are counted, and a stronger mode than a drain cancels them first.
 * I2  A pin keeps the executor from being down while a thread is inside on behalf of a future of it, or a future that was
 *     made of its calls is not resolved: that of soon_apply_async(), a then that waits. Who takes a pin has proof that the
 *     executor lives: an unfinished future's LOCK, or being inside a call.
 * I3  Once it is down, a callback of that may free it: who has told so, or has given back a pin, touches it no more.
 *     A thread with a pin runs no callback of a user's, since that could wait for the end. What else it may run of a user's,
 *     a release or a class's function, finds the pin in the thread's frames (struct soon__pinned): there a wait for the end
 *     is SOON_EDEADLK.
 */
#include "../../futures/await_internal.h"
#include "../../futures/block_internal.h"
#include "../../futures/callback_internal.h"
#include "../../futures/complete_internal.h"
#include "../../futures/failed_internal.h"
#include "executor_internal.h"
#include "notice_internal.h"
#include "on_signal_internal.h"
#include "role_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* I3 */
static void tell_down(soon_executor *executor)
{
    soon_future *source = &executor->down->future, *down = soon__future_ref(executor->down_future);

    if (soon__future_claim(down)) {
        soon__future_set_error(down, soon__error_ref(soon__future_failure(source)));
        soon__future_publish(down, soon__future_word(source) & SOON__STATE);
    }
    soon__future_unref(down);
}

void soon__executor_pin(soon_executor *executor)
{
    /* Relaxed: what proves that it lives also orders this before the end. */
    atomic_fetch_add_explicit(&executor->pins, 1, memory_order_relaxed);
}

bool soon__executor_try_pin(soon_executor *executor)
{
    uint32_t pins = atomic_load_explicit(&executor->pins, memory_order_relaxed);

    while (pins && !atomic_compare_exchange_weak_explicit(&executor->pins, &pins, pins + 1, memory_order_relaxed,
                                                          memory_order_relaxed))
        ;
    return pins > 0;
}

void soon__executor_unpin(soon_executor *executor)
{
    /* Release what was done inside, acquire what others did, before the last one tells of the end. */
    if (atomic_fetch_sub_explicit(&executor->pins, 1, memory_order_acq_rel) == 1)
        tell_down(executor);
}

static void on_down(soon_future *down, void *data)
{
    (void)down;
    soon__executor_unpin(data); /* the class's own */
}

void soon__executor_enter(soon_executor *executor, struct soon__pinned *ret_visit)
{
    soon__pinned_begin(ret_visit, executor);
}

void soon__executor_leave(soon_executor *executor, struct soon__pinned *visit)
{
    soon__executor_unpin(executor);
    soon__pinned_end(visit);
}

/*
 * The future of its end
 */

struct down {
    soon_future future; /* first */
    soon_executor *of;  /* the executor, which it outlives: its address */
};

static void destroy_down(soon_future *future)
{
    soon__future_fini(future);
    soon__block_free(future, sizeof(struct down));
}

/* No reader can cancel the end. */
static bool keep_down(soon_future *future, void *owner)
{
    (void)future;
    (void)owner;
    return false;
}

static bool is_of(const soon_future *future, const void *executor)
{
    soon_call *call = soon__call_of(future);

    return call && call->executor == executor;
}

/* Callbacks of a soon_apply_async() come before it: that have begun here, wait for their turn here, or will do so. */
static bool is_blocked_here(const soon_future *future)
{
    soon_executor *executor = ((const struct down *)future)->of; /* it lives: its end has not been told */

    if (soon__thread_in_executor(executor) || soon__thread_has_pinned(executor))
        return true;
    /* One that is open may get another any time. */
    if (soon__library_on_callbacks() && executor->extra && executor->extra->ends_on_loop &&
        !soon__executor_refusal(executor))
        return true;
    /* Relaxed: those of this thread it has counted itself; of the others there may be none soon, which does not matter. */
    if (!atomic_load_explicit(&executor->applied, memory_order_relaxed))
        return false;
    return (soon__library_on_callbacks() && executor->extra && executor->extra->ends_on_loop) ||
           soon__thread_has_queued(is_of, executor);
}

static const struct soon__class down_class = {
    .destroy = destroy_down, .take_back = keep_down, .is_blocked_here = is_blocked_here};

static int new_down(soon_executor *executor)
{
    struct down *down = soon__block_new(sizeof *down);
    int rc;

    if (!down)
        return -ENOMEM;
    rc = soon_promise_new(&executor->down, NULL);
    if (rc < 0) {
        soon__block_free(down, sizeof *down);
        return rc;
    }
    down->of = executor;
    executor->down_future = &down->future;
    soon__future_init(executor->down_future, &down_class, 0, 1);
    executor->on_down = (struct soon__callback){.kind = SOON__CALLBACK_INTERNAL, .fn = on_down, .data = executor};
    soon__future_add_callback(&executor->down->future, &executor->on_down);
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
    rc = new_down(executor);
    if (rc < 0) {
        free(executor);
        return rc;
    }
    memcpy(&executor->klass, klass, klass->size < sizeof executor->klass ? klass->size : sizeof executor->klass);
    executor->self = self;
    executor->extra = extra;
    executor->call_flags = extra && extra->linger ? SOON__CALL_LINGERS : extra && extra->spins ? SOON__CALL_SPINS : 0;
    executor->when_full = when_full == SOON_FULL_DEFAULT ? SOON_FULL_BLOCK : when_full;
    executor->generation = soon__generation();
    atomic_init(&executor->pins, 1); /* the class's own: until its promise is resolved */
    pthread_mutex_init(&executor->mutex, NULL);
    atomic_init(&executor->requested, -1);
    executor->locked.begun = -1;
    *ret = executor;
    return 0;
}

/* `down` was resolved, or never will be. */
void soon__executor_destroy(soon_executor *executor)
{
    soon__notices_trim();
    soon_promise_free(executor->down);
    soon__future_unref(executor->down_future);
    soon_shared_unref(executor->shared);
    pthread_mutex_destroy(&executor->mutex);
    free(executor);
}

static bool is_done(const soon_future *down)
{
    return soon__word_final(soon__future_word(down));
}

int soon__no_executor(void)
{
    if (soon__role() == SOON__ROLE_WORKER)
        return soon__refuse(
            -EINVAL, "the executor is NULL, as that of a task in a worker process is: submit from the program, with "
                     ".after or soon_then() for what comes next; or make a pool here, in an initializer");
    return soon__is_null("the executor");
}

/* For its end. `executor` may be gone: its address alone is compared. */
static bool may_not_wait(const soon_executor *executor)
{
    return soon__thread_in_executor(executor) || soon__thread_has_pinned(executor) || soon__thread_self()->of_library ||
           soon__thread_in_callback();
}

void soon__executor_finish(soon_executor *executor)
{
    soon__on_signal_free(executor);
    executor->freeing = true;
    if (executor->klass.free)
        executor->klass.free(executor->self);
    soon__executor_destroy(executor);
}

static int free_executor(soon_executor *executor)
{
    int rc = soon__executor_check(executor);

    if (rc < 0)
        return rc;
    /* Relaxed: it is to tell a mistake of one thread. */
    if (atomic_load_explicit(&executor->given_up, memory_order_relaxed))
        return soon__refuse(-EINVAL, "soon_executor_end() has it, and will free it");
    if (executor->freeing || soon__thread_in_executor(executor) ||
        (!is_done(executor->down_future) && may_not_wait(executor)))
        return soon__refuse(
            SOON_EDEADLK, "the end would wait for what this thread is in the middle of; soon_executor_end() does not");
    rc = soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    if (rc == 0)
        soon__executor_finish(executor);
    return rc;
}

int soon_executor_free(soon_executor *executor)
{
    return executor ? soon__failed(free_executor(executor), "soon_executor_free") : 0;
}

/*
 * Shutting down
 */

void soon__executor_break(soon_executor *executor)
{
    int open = 0;

    /* Relaxed: who has seen it and asks for the reason takes the mutex under which this is called. */
    atomic_compare_exchange_strong_explicit(&executor->refusal, &open, SOON_EBROKEN, memory_order_relaxed,
                                            memory_order_relaxed);
}

int soon__executor_advance(soon_executor *executor)
{
    int mode = -1, before, requested, rc;

    pthread_mutex_lock(&executor->mutex);
    before = executor->locked.begun;
    /* Relaxed: it is written under the mutex. */
    requested = atomic_load_explicit(&executor->requested, memory_order_relaxed);
    if (executor->locked.deferred_count == 0 && before < requested)
        mode = executor->locked.begun = requested;
    pthread_mutex_unlock(&executor->mutex);
    if (mode < 0)
        return 0;
    rc = executor->klass.shutdown(executor->self, (soon_shutdown)mode, executor->down);
    if (rc < 0) { /* the next shutdown asks again */
        pthread_mutex_lock(&executor->mutex);
        if (executor->locked.begun == mode)
            executor->locked.begun = before;
        pthread_mutex_unlock(&executor->mutex);
    }
    return rc;
}

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
    atomic_store_explicit(&executor->refusal, SOON_ESHUTDOWN, memory_order_relaxed);
    request(executor, mode);
    if (mode >= SOON_CANCEL_PENDING)
        soon__thens_cancel(executor);
    rc = soon__executor_advance(executor);
    if (mode >= SOON_TERMINATE) /* what is pending is gone: it would start where what runs gives in */
        soon__notices_tell_executor(executor);
    soon__executor_leave(executor, &visit);
    return rc;
}

static int await_down(soon_executor *executor, soon_future *down, int64_t deadline)
{
    if (is_done(down))
        return 0;
    if (may_not_wait(executor))
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
    if (!executor->extra || !executor->extra->boot)
        return 0;
    return executor->extra->boot(executor->self, soon__deadline(timeout_ms));
}

int soon_executor_boot(soon_executor *executor, int64_t timeout_ms)
{
    return soon__failed(boot(executor, timeout_ms), "soon_executor_boot");
}

void soon_executor_stats_sized(soon_executor *executor, soon_stats *ret, size_t size)
{
    soon_stats stats = {0};

    if (!soon__check(ret, "soon_executor_stats: NULL"))
        return;
    if (soon__executor_check(executor) == 0 && executor->klass.stats)
        executor->klass.stats(executor->self, &stats);
    if (soon__executor_check(executor) == 0 && executor->extra && executor->extra->width)
        stats.workers_max = executor->extra->width(executor->self);
    if (size > sizeof stats)
        memset((char *)ret + sizeof stats, 0, size - sizeof stats);
    memcpy(ret, &stats, size < sizeof stats ? size : sizeof stats);
}

const soon_error *soon_executor_error(soon_executor *executor)
{
    int rc = soon__executor_check(executor);
    struct soon__error *error;

    if (rc == 0)
        rc = soon__executor_refusal(executor);
    if (rc == 0)
        return &soon__error_none;
    if (rc == -EINVAL || rc == SOON_EFORKED)
        return &soon__error_static(rc, false)->public;
    error = soon__executor_reason(executor, rc);
    soon__error_unref(error); /* the executor has it as long as it lives, or it is static */
    return &error->public;
}

enum { WORKERS_AT_ONCE = 64 };

/* Each of theirs may be larger, or smaller, than ours. */
static void give_workers(soon_worker *ret, size_t size, const soon_worker *ours, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memset((char *)ret + i * size, 0, size);
        memcpy((char *)ret + i * size, &ours[i], size < sizeof *ours ? size : sizeof *ours);
    }
}

size_t soon_executor_workers_sized(soon_executor *executor, soon_worker *ret, size_t count, size_t size)
{
    soon_worker few[WORKERS_AT_ONCE], *ours = few;
    size_t there = 0;

    if (soon__executor_check(executor) < 0 || !executor->extra ||
        !soon__check(ret || !count, "soon_executor_workers: NULL"))
        return 0;
    if (count > WORKERS_AT_ONCE && soon__array_fits(count, sizeof *ours))
        ours = malloc(count * sizeof *ours);
    if (!ours || count <= WORKERS_AT_ONCE)
        ours = few;
    if (ours == few && count > WORKERS_AT_ONCE)
        count = WORKERS_AT_ONCE; /* no memory for more */
    there = executor->extra->workers(executor->self, ours, count);
    give_workers(ret, size, ours, there < count ? there : count);
    if (ours != few)
        free(ours);
    return there;
}

size_t soon__executor_width(soon_executor *executor)
{
    soon_stats stats;

    if (executor->extra && executor->extra->width)
        return executor->extra->width(executor->self);
    soon_executor_stats(executor, &stats);
    return stats.workers ? stats.workers : 1;
}

/*
 * thread.c - the record of the calling thread.
 */
#include "thread_internal.h"

#include "error_internal.h"
#include "future_internal.h"
#include "slab_internal.h"

#include <errno.h>
#include <pthread.h>

_Thread_local struct soon__thread soon__this_thread;

/* How long a signal that has come just before a sleep may stay unseen. */
#define INTERRUPT_LOOK_NS INT64_C(50000000)

bool soon__thread_is_busy(void)
{
    return soon__this_thread.frames || soon__this_thread.of_library || soon__this_thread.turns.in_internals ||
           soon__this_thread.turns.in_callbacks || soon__this_thread.turns.below;
}

bool soon__thread_in_executor(const void *executor)
{
    for (struct soon__frame *frame = soon__this_thread.frames; frame; frame = frame->below) {
        if (frame->executor == executor)
            return true;
    }
    return false;
}

bool soon__thread_in_callback(void)
{
    for (struct soon__frame *frame = soon__this_thread.frames; frame; frame = frame->below) {
        if (!frame->executor && !frame->holds)
            return true;
    }
    return false;
}

bool soon__thread_holds(const void *owner)
{
    for (struct soon__frame *frame = soon__this_thread.frames; frame; frame = frame->below) {
        if (frame->holds == owner)
            return true;
    }
    return false;
}

bool soon__thread_has_queued(bool (*matches)(const soon_future *, const void *), const void *what)
{
    for (const struct soon__turns *turns = &soon__this_thread.turns; turns; turns = turns->below) {
        for (const soon_future *f = turns->callbacks.head; f; f = f->link) {
            if (matches(f, what))
                return true;
        }
    }
    return false;
}

void soon__pinned_begin(struct soon__pinned *pinned, const void *owner)
{
    pinned->frame = (struct soon__frame){.below = soon__this_thread.frames, .holds = owner};
    soon__this_thread.frames = &pinned->frame;
    pinned->callbacks_held = soon__callbacks_hold();
}

void soon__pinned_end(struct soon__pinned *pinned)
{
    soon__this_thread.frames = pinned->frame.below;
    soon__callbacks_release(pinned->callbacks_held);
}

void soon__thread_set_aside(struct soon__thread_saved *ret_saved)
{
    *ret_saved = (struct soon__thread_saved){.some = true, .turns = soon__this_thread.turns};
    soon__this_thread.turns = (struct soon__turns){.below = &ret_saved->turns};
}

void soon__thread_take_up(const struct soon__thread_saved *saved)
{
    soon__this_thread.turns = saved->turns;
}

bool soon__thread_others_end(soon_future *future)
{
    return !soon__this_thread.parking || soon__this_thread.parking->is_others(soon__this_thread.worker, future);
}

int soon__thread_before_park(bool others)
{
    const struct soon__parking *parking = soon__this_thread.parking;

    return parking ? parking->help(soon__this_thread.worker, NULL, others) : 0;
}

void soon__thread_after_park(void)
{
    if (soon__this_thread.parking)
        soon__this_thread.parking->unparked(soon__this_thread.worker);
}

void soon_thread_set_interrupt(soon_interrupt_fn check, void *data)
{
    soon__this_thread.interrupt.check = check;
    soon__this_thread.interrupt.data = data;
}

int soon__wait_check(int64_t deadline)
{
    soon_interrupt_fn check = soon__this_thread.interrupt.check;
    int rc = soon__deadline_check(deadline);

    return rc == 0 && check && check(soon__this_thread.interrupt.data) ? -EINTR : rc;
}

void soon__wait_park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    int64_t look = soon__this_thread.interrupt.check ? soon__clock_ns() + INTERRUPT_LOOK_NS : SOON__NEVER;

    soon__park(word, expected, look < deadline ? look : deadline);
}

int soon__long_wait_begin(struct soon__long_wait *ret)
{
    int rc = soon__thread_before_park(true);

    if (rc == 0)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ret->cancel_state);
    return rc;
}

void soon__long_wait_end(const struct soon__long_wait *wait)
{
    pthread_setcancelstate(wait->cancel_state, NULL);
    soon__thread_after_park();
}

/* The one thread of a forked child is no worker and no thread of the library's: those are the parent's. */
static void forget_worker(void)
{
    soon__this_thread.parking = NULL;
    soon__this_thread.worker = NULL;
    soon__this_thread.pool = NULL;
    soon__this_thread.of_library = false;
    soon__this_thread.sink = NULL;
}

static pthread_key_t end_key;
static bool has_end_key;
static _Atomic bool end_key_is_used;

static void end(void *data)
{
    (void)data;
    soon__this_thread.end_is_watched = false;
    soon__failures_thread_ends();
    soon__slab_thread_ends();
}

bool soon__thread_watch_end(void)
{
    if (!soon__this_thread.end_is_watched) {
        soon__stay_loaded();
        /* Relaxed: read when the object is unloaded, which it is not any more. */
        atomic_store_explicit(&end_key_is_used, true, memory_order_relaxed);
        soon__this_thread.end_is_watched = has_end_key && pthread_setspecific(end_key, &soon__this_thread) == 0;
    }
    return soon__this_thread.end_is_watched;
}

__attribute__((constructor)) static void begin(void)
{
    has_end_key = pthread_key_create(&end_key, end) == 0;
    (void)soon__at_fork(NULL, NULL, forget_worker); /* one of the first: there is room */
}

/* An object that is unloaded again without having used the library takes its key along. */
__attribute__((destructor)) static void finish(void)
{
    if (has_end_key && !atomic_load_explicit(&end_key_is_used, memory_order_relaxed))
        pthread_key_delete(end_key);
}

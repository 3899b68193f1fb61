/*
 * run_callbacks.c - running the callbacks of done futures on this thread, in order.
 *
 * A thread that completes a future drains the internal continuations of it, and of what those complete, then the users'
 * callbacks of all these. What is completed inside a callback waits until that has returned. So running is iterative.
 */
#include "run_callbacks_internal.h"

#include "callback_internal.h"

/* Runs the internal continuations of the futures in the list, and of those that this thread completes meanwhile, one
 * after the other: so a chain of a million thens needs no stack. */
static void drain_internals(struct soon__thread *self)
{
    struct soon__callback *callback;
    soon_future *future;

    self->queues.in_internals = true;
    while ((future = self->queues.internals.head)) { /* it stays in the list while they run: depend.c looks there */
        while ((callback = soon__callback_next(future, 1 << SOON__CALLBACK_INTERNAL)))
            soon__callback_run(future, callback);
        soon__future_list_pop(&self->queues.internals);
        soon__future_list_push(&self->queues.callbacks, future);
    }
    self->queues.in_internals = false;
}

static void run_users(soon_future *future)
{
    struct soon__thread *self = soon__thread_self();
    struct soon__callback *callback;

    if (self->parking)
        self->parking->before_user_code(self->worker);
    self->queues.running = future;
    while ((callback = soon__callback_next(future, ~0u)))
        soon__callback_run(future, callback);
    self->queues.running = NULL;
    soon__future_unref(future);
}

/* Takes those to their loops that come before all others: no user code runs for that. So on a loop callbacks come in
 * the order in which futures were completed, whether these have others besides or not. */
static void deliver_first(soon_future *future)
{
    struct soon__callback *callback;

    while ((callback = soon__callback_next(future, 1 << SOON__CALLBACK_POSTED)))
        soon__callback_run(future, callback);
}

static bool has_callbacks(soon_future *future)
{
    bool some;

    if (soon__future_is_pre_fork(future))
        return false;
    soon__future_lock(future);
    some = future->locked.callbacks && !future->locked.callbacks->next->delivered;
    soon__future_unlock(future);
    return some;
}

/* Callbacks come after the last call about progress, so they run on the thread that makes it. Returns true if that has
 * taken over. */
static bool run_elsewhere(soon_future *future)
{
    struct soon__progress_hook *hook = future->aside && !soon__future_is_pre_fork(future) ? future->aside->hook : NULL;

    return hook && hook->runs_callbacks(hook);
}

static void drain_callbacks(struct soon__thread *self)
{
    soon_future *future;

    self->queues.in_callbacks = true;
    while ((future = soon__future_list_pop(&self->queues.callbacks))) {
        if (run_elsewhere(future))
            continue;
        if (self->sink)
            deliver_first(future);
        if (self->sink && has_callbacks(future))
            self->sink(future);
        else
            run_users(future);
    }
    self->queues.in_callbacks = false;
}

void soon__future_run_sunk(soon_future *future)
{
    struct soon__thread *self = soon__thread_self();

    /* Relaxed: the mutex of the list that it came by orders it. */
    if (!soon__word_refs(atomic_load_explicit(&future->word, memory_order_relaxed))) {
        soon__future_destroy(future);
        return;
    }
    soon__future_list_push(&self->queues.callbacks, future);
    if (!self->queues.in_callbacks)
        drain_callbacks(self);
}

/* Called inside a callback it leaves the rest to the loop further down the stack, which is draining the lists. */
void soon__future_run_callbacks(soon_future *future)
{
    struct soon__thread *self = soon__thread_self();

    soon__future_list_push(&self->queues.internals, future);
    if (self->queues.in_internals)
        return;
    drain_internals(self);
    if (!self->queues.in_callbacks)
        drain_callbacks(self);
}

bool soon__callbacks_defer(void)
{
    struct soon__thread *self = soon__thread_self();
    bool held = self->queues.in_callbacks;

    self->queues.in_callbacks = true;
    return held;
}

void soon__callbacks_resume(bool held)
{
    struct soon__thread *self = soon__thread_self();

    self->queues.in_callbacks = held;
    if (!held && !self->queues.in_internals && self->queues.callbacks.head)
        drain_callbacks(self);
}

bool soon__thread_has_queued(bool (*matches)(const soon_future *, const void *), const void *what)
{
    for (const struct soon__callback_queues *queues = &soon__this_thread.queues; queues; queues = queues->below) {
        for (const soon_future *f = queues->callbacks.head; f; f = f->link) {
            if (matches(f, what))
                return true;
        }
    }
    return false;
}

void soon__pinned_begin(struct soon__pinned *pinned, const void *owner)
{
    pinned->frame = (struct soon__frame){.below = soon__this_thread.frames, .pinned = owner};
    soon__this_thread.frames = &pinned->frame;
    pinned->callbacks_deferred = soon__callbacks_defer();
}

void soon__pinned_end(struct soon__pinned *pinned)
{
    soon__this_thread.frames = pinned->frame.below;
    soon__callbacks_resume(pinned->callbacks_deferred);
}

/*
 * promise.c - futures that their maker resolves.
 *
 * The maker's reference is one of the library. Hooks run between pin and unpin. Freeing the promise waits until no
 * other thread is inside a hook, so that the maker may free the hooks' `data` right after it.
 */
#include "promise_internal.h"

#include "aside_internal.h"
#include "await_internal.h"
#include "block_internal.h"
#include "complete_internal.h"
#include "failed_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct promise {
    soon_promise base; /* first; the future is first in it */
    soon_promise_hooks hooks;
    _Atomic uint32_t pins;
};

static struct promise *of_future(const soon_future *future)
{
    return (struct promise *)future;
}

static void destroy(soon_future *future)
{
    soon__future_fini(future);
    soon__block_free(future, sizeof(struct promise));
}

static void *pin(soon_future *future)
{
    /* Relaxed: LOCK orders it before the final state, which soon_promise_free() sees before it reads the count. */
    atomic_fetch_add_explicit(&of_future(future)->pins, 1, memory_order_relaxed);
    return of_future(future);
}

static void unpin(void *owner)
{
    struct promise *promise = owner;

    /* Release: what the hook did; pairs with the acquire in wait_for_hooks(). The reader's reference keeps the
     * block. */
    atomic_fetch_sub_explicit(&promise->pins, 1, memory_order_release);
    soon__unpark_all(&promise->pins);
}

static void cancelled(soon_future *future, void *owner, bool taken)
{
    struct promise *promise = owner;
    struct soon__thread *self = soon__thread_self();
    struct soon__frame frame = {.below = self->frames};

    (void)future;
    (void)taken;
    if (!promise->hooks.on_cancel)
        return;
    self->frames = &frame;
    promise->hooks.on_cancel(&promise->base, promise->hooks.data);
    self->frames = frame.below;
}

static int kill_running(soon_future *future, void *owner)
{
    struct promise *promise = owner;
    struct soon__thread *self = soon__thread_self();
    struct soon__frame frame = {.below = self->frames};
    int rc;

    (void)future;
    if (!promise->hooks.on_kill)
        return -ENOTSUP;
    self->frames = &frame;
    rc = promise->hooks.on_kill(&promise->base, promise->hooks.data);
    self->frames = frame.below;
    return rc;
}

static const struct soon__class promise_class = {
    .destroy = destroy, .pin = pin, .unpin = unpin, .cancelled = cancelled, .kill = kill_running};

int soon_promise_new(soon_promise **ret, const soon_promise_hooks *hooks)
{
    struct promise *promise;

    if (!ret)
        return soon__failed(soon__is_null("ret"), "soon_promise_new");
    promise = soon__block_new(sizeof *promise);
    *ret = promise ? &promise->base : NULL;
    if (!promise)
        return soon__failed(-ENOMEM, "soon_promise_new");
    soon__future_init(&promise->base.future, &promise_class, 0, 1);
    promise->hooks = hooks ? *hooks : (soon_promise_hooks){0};
    atomic_init(&promise->pins, 0);
    return 0;
}

soon_future *soon_promise_future(soon_promise *promise)
{
    return soon__check(promise, "soon_promise_future: NULL") ? soon_future_ref(&promise->future) : soon__future_nomem();
}

/* Pins of this thread do not count: a hook may free its own promise. */
static void wait_for_hooks(struct promise *promise)
{
    uint32_t pins, mine = 0;

    for (struct soon__frame *frame = soon__thread_self()->frames; frame; frame = frame->below)
        mine += frame->pinned == promise;
    while ((pins = atomic_load_explicit(&promise->pins, memory_order_acquire)) > mine)
        soon__park(&promise->pins, pins, SOON__NEVER);
}

void soon__promise_abandon(soon_promise *promise)
{
    soon_future *future = &promise->future;

    if (!soon__word_final(soon__future_word(future)))
        soon__future_end(future, SOON__FINISHED, soon__error_static(SOON_EABANDONED, soon__future_has_started(future)));
}

void soon_promise_free(soon_promise *promise)
{
    if (!promise || !soon__check(promise->future.class == &promise_class, "soon_promise_free: a call's promise"))
        return;
    /* In a forked child nobody waits for the future, and a thread that is inside a hook is not here. */
    if (!soon__future_is_pre_fork(&promise->future)) {
        soon__promise_abandon(promise);
        wait_for_hooks((struct promise *)promise);
    }
    soon__future_unref(&promise->future);
}

/* Returns 0; -EINVAL; SOON_EFORKED: an unfinished future of the parent is the parent's to resolve, and a thread that is
 * not here may have its LOCK. */
static int check_maker(const soon_promise *promise)
{
    if (!promise)
        return soon__is_null("the promise");
    return soon__future_is_pre_fork(&promise->future) && !soon__word_final(soon__future_word(&promise->future))
               ? SOON_EFORKED
               : 0;
}

static int set_running(soon_promise *promise)
{
    uint32_t word;
    int rc = check_maker(promise);

    if (rc < 0)
        return rc;
    word = soon__future_word(&promise->future);
    /* A reader has cancelled it before it began, but could not take it back. */
    if ((word & SOON__STATE) == SOON__PENDING && (word & SOON__CANCEL_REQUESTED) &&
        soon__future_end(&promise->future, SOON__CANCELLED, &soon__error_cancelled))
        return -ECANCELED;
    if (soon__future_start(&promise->future))
        return 0;
    word = soon__future_stable_word(&promise->future);
    return (word & SOON__STATE) == SOON__CANCELLED ? -ECANCELED : SOON_EINVALIDSTATE;
}

int soon_promise_set_running(soon_promise *promise)
{
    return soon__failed(set_running(promise), "soon_promise_set_running");
}

/* `done`: this call has resolved it. Else another thread does: then this waits, so that the future is done when its
 * maker hears of it. */
static int resolved(soon_promise *promise, bool done)
{
    if (!done)
        (void)soon__future_stable_word(&promise->future);
    return done ? 0 : SOON_EINVALIDSTATE;
}

static int set_result(soon_promise *promise, const void *data, size_t size)
{
    void *copy = NULL;
    int rc = check_maker(promise);

    if (rc < 0)
        return rc;
    if (!data && size)
        return soon__refuse(-EINVAL, "data is NULL, size = %zu", size);
    if (soon__word_final(soon__future_word(&promise->future)))
        return SOON_EINVALIDSTATE;
    if (size) {
        copy = malloc(size);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, data, size);
    }
    if (!soon__future_claim(&promise->future)) {
        free(copy);
        return resolved(promise, false);
    }
    soon__future_publish_bytes(&promise->future, copy, size, SOON__RESULT_ON_HEAP);
    return 0;
}

int soon_promise_set_result(soon_promise *promise, const void *data, size_t size)
{
    return soon__failed(set_result(promise, data, size), "soon_promise_set_result");
}

int soon_promise_set_payload(soon_promise *promise, soon_buffer *buffer)
{
    int rc = buffer ? check_maker(promise) : soon__is_null("the buffer");

    if (rc == 0)
        rc = soon__future_set_payload(&promise->future, buffer);
    else
        soon_buffer_unref(buffer);
    return soon__failed(rc, "soon_promise_set_payload");
}

int soon_promise_add_payload(soon_promise *promise, soon_buffer *buffer)
{
    int rc = buffer ? check_maker(promise) : soon__is_null("the buffer");

    if (rc == 0)
        rc = soon__future_add_payload(&promise->future, buffer);
    else
        soon_buffer_unref(buffer);
    return soon__failed(rc, "soon_promise_add_payload");
}

/* A code of ours says what happened to the task; any other number is the exception of the task. */
static bool is_our_code(int code)
{
    return code <= SOON_ERAISED && soon__error_static(code, false);
}

int soon_promise_set_exception(soon_promise *promise, int code, const char *format, ...)
{
    soon_error fields = {.code = is_our_code(code) ? code : SOON_ERAISED, .raised = code};
    struct soon__error *error;
    va_list args;
    int rc = code ? check_maker(promise) : soon__refuse(-EINVAL, "code = 0 is no failure");

    if (rc < 0)
        return soon__failed(rc, "soon_promise_set_exception");
    if (fields.code == code)
        fields.raised = 0;
    fields.started = soon__future_has_started(&promise->future);
    va_start(args, format);
    error = soon__error_new(&fields, format, args);
    va_end(args);
    rc = resolved(promise, soon__future_end(&promise->future, SOON__FINISHED, error));
    return soon__failed(rc, "soon_promise_set_exception");
}

int soon_promise_set_error(soon_promise *promise, const soon_error *error)
{
    int rc = error ? check_maker(promise) : soon__is_null("the error");
    struct soon__error *copy;

    if (error && error->code >= 0)
        rc = soon__refuse(-EINVAL, "error->code = %d is not negative", error->code);
    if (rc == 0) {
        copy = soon__error_newf(error, error->message ? "%s" : NULL, error->message);
        rc = resolved(promise, soon__future_end(&promise->future, SOON__FINISHED, copy));
    }
    return soon__failed(rc, "soon_promise_set_error");
}

int soon_promise_set_cancelled(soon_promise *promise)
{
    struct soon__error *error;
    int rc = check_maker(promise);

    if (rc == 0) {
        error = soon__error_static(-ECANCELED, soon__future_has_started(&promise->future));
        rc = resolved(promise, soon__future_end(&promise->future, SOON__CANCELLED, error));
    }
    return soon__failed(rc, "soon_promise_set_cancelled");
}

void soon_promise_set_progress(soon_promise *promise, uint64_t done, uint64_t total)
{
    if (soon__check(promise, "soon_promise_set_progress: NULL"))
        soon__future_set_progress(&promise->future, done, total);
}

bool soon_promise_cancel_requested(const soon_promise *promise)
{
    uint32_t word;

    if (!soon__check(promise, "soon_promise_cancel_requested: NULL"))
        return false;
    word = soon__future_word(&promise->future);
    return (word & SOON__CANCEL_REQUESTED) || (word & SOON__STATE) == SOON__CANCELLED;
}

/*
 * apply.c - soon_apply_async(): one call, with a callback for its result and one for its error.
 *
 *     inner: the call's future --done--> callback or error_callback --> outer: the caller's future has the outcome
 *
 * One of the two callbacks has run before the outer future is done. It runs in a frame that names the outer future, so
 * that a wait for that inside it is SOON_EDEADLK. done() calls it, which is `on_done` of the inner future, registered
 * before anybody can run the call: otherwise a fast worker would make it run on the submitting thread. A cancel of the
 * outer future cancels the inner one and does nothing else: the outcome comes back the same way.
 *
 * The executor is pinned until the outer future is done. The callbacks may run on another thread than the worker's, and
 * after the worker's end, and a shutdown waits for them, too.
 */
#include "../../futures/block_internal.h"
#include "../../futures/complete_internal.h"
#include "../../futures/failed_internal.h"
#include "../core/call_class_internal.h"
#include "../core/executor_internal.h"
#include "run_pending_internal.h"

#include <errno.h>

struct apply {
    soon_future future; /* first; the outer one */
    soon_future *inner; /* a reader's reference; set before anybody but the submitting thread knows the outer one */
    soon_executor *executor; /* a pin; NULL: it could not be pinned, so the call is refused */
    soon_value_fn callback;
    soon_error_fn error_callback;
    void *data;
    bool told; /* a callback has run */
};

static struct apply *of_future(const soon_future *future)
{
    return (struct apply *)future;
}

static void destroy(soon_future *future)
{
    soon_future_unref(of_future(future)->inner);
    soon__future_fini(future);
    soon__block_free(future, sizeof(struct apply));
}

static bool take_back(soon_future *future, void *owner)
{
    (void)future;
    (void)owner;
    return false;
}

static void cancelled(soon_future *future, void *owner, bool taken)
{
    (void)owner;
    (void)taken;
    soon_future_cancel(of_future(future)->inner);
}

static int kill_inner(soon_future *future, void *owner)
{
    (void)owner;
    return soon_future_kill(of_future(future)->inner);
}

static soon_future *inner(const soon_future *future)
{
    return of_future(future)->inner;
}

static bool needs_callback(const soon_future *future)
{
    (void)future;
    return true;
}

static int help(soon_future *future)
{
    return soon__run_pending(of_future(future)->inner);
}

static const struct soon__class apply_class = {.destroy = destroy,
                                               .take_back = take_back,
                                               .cancelled = cancelled,
                                               .kill = kill_inner,
                                               .help = help,
                                               .source = inner,
                                               .needs_callback = needs_callback,
                                               .lender = inner};

/* As a callback of `outer`. A wait for `outer` here would wait for itself; one for the executor's end, for our pin. */
static void call_back(const struct apply *apply, const soon_future *outer, const struct soon__error *error,
                      soon_bytes result)
{
    struct soon__thread *self = soon__thread_self();
    struct soon__frame pin = {.below = self->frames, .pinned = apply->executor};
    struct soon__frame frame = {.below = &pin, .future = outer};

    self->frames = &frame;
    if (error && apply->error_callback)
        apply->error_callback(&error->public, apply->data);
    else if (!error && apply->callback)
        apply->callback(result, apply->data);
    self->frames = pin.below;
}

static void done(soon_future *call, void *data)
{
    struct apply *apply = data;
    soon_executor *executor = apply->executor;

    apply->told = true;
    call_back(apply, &apply->future, soon__future_error(call), (soon_bytes){call->result, call->result_size});
    if (soon__future_claim(&apply->future))
        soon__future_publish_as(&apply->future, call);
    if (apply->error_callback)
        soon__future_failure(&apply->future); /* error_callback has seen it: it counts as looked at */
    soon__future_unref(&apply->future);
    if (executor) {
        /* Relaxed: see is_blocked_here() of the future of its end. */
        atomic_fetch_sub_explicit(&executor->applied, 1, memory_order_relaxed);
        soon__executor_unpin(executor);
    }
}

/* The argument is taken, and the caller told, although nothing will run. */
static soon_future *without_memory(const soon_function *function, const void *arg, size_t size,
                                   soon_error_fn error_callback, void *data)
{
    struct apply apply = {.error_callback = error_callback, .data = data};

    if (arg && soon__function_is_valid(function) && function->free_arg && size == function->arg_size)
        function->free_arg((void *)arg);
    call_back(&apply, NULL, &soon__error_nomem, (soon_bytes){NULL, 0});
    return soon__future_nomem();
}

soon_future *soon_apply_async_bytes(soon_executor *executor, const soon_function *function, const void *arg,
                                    size_t size, soon_value_fn callback, soon_error_fn error_callback, void *data)
{
    struct apply *apply = soon__block_new(sizeof *apply);
    soon_submit_options options = {.on_done = done, .on_done_data = apply};

    if (!apply)
        return without_memory(function, arg, size, error_callback, data);
    *apply = (struct apply){.callback = callback, .error_callback = error_callback, .data = data};
    if (soon__executor_check(executor) == 0 && soon__executor_try_pin(executor)) {
        apply->executor = executor;
        atomic_fetch_add_explicit(&executor->applied, 1, memory_order_relaxed);
    }
    soon__future_init(&apply->future, &apply_class, 1, 1);
    apply->inner = soon_submit_bytes(executor, function, arg, size, &options);
    /* Without a call, done() has run already; or it has not, for lack of memory. */
    if (!soon__call_of(apply->inner) && !apply->told)
        done(apply->inner, apply);
    return &apply->future;
}

/*
 * executor.c - what all executors share: the class behind which tasks run, pins, and the future of the end.
 *
 *     open --shutdown(mode)--> closing --no call waits any more--> the class's shutdown
 *                                  --its promise resolved, no pin left--> down --free--> gone
 *
 * I1  `requested` only grows (shutdown.c). The class is told of each mode above `begun` once nothing that was accepted
 *     could be refused by it: calls that wait for others are counted, and a stronger mode than a drain cancels them
 *     first.
 * I2  A pin keeps the executor from being down while a thread is inside on behalf of a future of it, or while a future
 *     that was made of its calls is not resolved: that of soon_apply_async(), of a call that waits for others. A thread
 *     that takes a pin has proof that the executor lives: an unfinished future's LOCK, or that it is inside a call.
 * I3  Once it is down, a callback of that may free it: a thread that has told so, or has given back a pin, touches it
 *     no more. A thread with a pin runs no callback of a user's, since that could wait for the end. What else it may
 *     run of a user's, a release or a class's function, finds the pin in the thread's frames (struct soon__pinned):
 *     there a wait for the end is SOON_EDEADLK.
 */
#include "executor_internal.h"

#include "../../futures/block_internal.h"
#include "../../futures/callback_internal.h"
#include "../../futures/complete_internal.h"
#include "../../futures/run_callbacks_internal.h"
#include "../loops/library_loop_internal.h"
#include "role_internal.h"

#include <errno.h>
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
    return future->class->executor && future->class->executor(future) == executor;
}

/* Callbacks of a soon_apply_async() come before it: those that have begun on this thread, are queued on it, or will
 * be. */
static bool is_blocked_here(const soon_future *future)
{
    soon_executor *executor = ((const struct down *)future)->of; /* it lives: its end has not been told */

    if (soon__thread_in_executor(executor) || soon__thread_has_pinned(executor))
        return true;
    /* One that is open may get another any time. */
    if (soon__library_on_callbacks() && executor->klass.ends_on_loop && !soon__executor_refusal(executor))
        return true;
    /* Relaxed: those of this thread it has counted itself; of the others there may be none soon, which does not
     * matter. */
    if (!atomic_load_explicit(&executor->applied, memory_order_relaxed))
        return false;
    return (soon__library_on_callbacks() && executor->klass.ends_on_loop) || soon__thread_has_queued(is_of, executor);
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

int soon__executor_new(soon_executor **ret, const struct soon__executor_class *klass, void *self, soon_full when_full)
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
    executor->klass = *klass;
    executor->self = self;
    executor->when_full = when_full == SOON_FULL_DEFAULT ? SOON_FULL_BLOCK : when_full;
    executor->generation = soon__generation();
    atomic_init(&executor->pins, 1); /* the class's own: until its promise is resolved */
    pthread_mutex_init(&executor->mutex, NULL);
    atomic_init(&executor->requested, -1);
    atomic_init(&executor->entry, SOON__LONG_WAY); /* until it is published */
    executor->locked.begun = -1;
    *ret = executor;
    return 0;
}

/* `down` was resolved, or never will be. */
void soon__executor_destroy(soon_executor *executor)
{
    soon_promise_free(executor->down);
    soon__future_unref(executor->down_future);
    soon_shared_unref(executor->shared);
    pthread_mutex_destroy(&executor->mutex);
    free(executor);
}

int soon__no_executor(void)
{
    if (soon__role() == SOON__ROLE_WORKER)
        return soon__refuse(
            -EINVAL, "the executor is NULL, as that of a task in a worker process is: submit from the program, with "
                     ".after or soon_then() for what comes next; or make a pool here, in an initializer");
    return soon__is_null("the executor");
}

/*
 * Shutting down
 */

int soon__options_read(void *ret, size_t known, const void *options, size_t size)
{
    memset(ret, 0, known);
    if (!options)
        return 0;
    memcpy(ret, options, size < known ? size : known);
    for (size_t i = known; i < size; i++) {
        if (((const char *)options)[i])
            return soon__refuse(-EINVAL,
                                "byte %zu of the options is set, and this library knows %zu: an option of a newer "
                                "header",
                                i, known);
    }
    return 0;
}

/*
 * Closing
 */

void soon__executor_break(soon_executor *executor)
{
    int entry = atomic_load_explicit(&executor->entry, memory_order_relaxed);

    /* Relaxed: a thread that has seen it and asks for the reason takes the mutex under which this is called. */
    while (entry >= 0 && !atomic_compare_exchange_weak_explicit(&executor->entry, &entry, SOON_EBROKEN,
                                                                memory_order_relaxed, memory_order_relaxed))
        ;
}

int soon__executor_advance(soon_executor *executor)
{
    int mode = -1, before, requested, rc;

    pthread_mutex_lock(&executor->mutex);
    before = executor->locked.begun;
    /* Relaxed: it is written under the mutex. */
    requested = atomic_load_explicit(&executor->requested, memory_order_relaxed);
    if (executor->locked.waiting_count == 0 && before < requested)
        mode = executor->locked.begun = requested;
    pthread_mutex_unlock(&executor->mutex);
    if (mode < 0)
        return 0;
    rc = executor->klass.public.shutdown(executor->self, (soon_shutdown)mode, executor->down);
    if (rc < 0) { /* the next shutdown asks again */
        pthread_mutex_lock(&executor->mutex);
        if (executor->locked.begun == mode)
            executor->locked.begun = before;
        pthread_mutex_unlock(&executor->mutex);
    }
    return rc;
}

/*
 * Questions
 */

struct soon__error *soon__executor_own_reason(soon_executor *executor, int code)
{
    return code == SOON_EBROKEN && executor->klass.reason ? executor->klass.reason(executor->self) : NULL;
}

struct soon__error *soon__executor_reason(soon_executor *executor, int code)
{
    struct soon__error *error = soon__executor_own_reason(executor, code);

    return error ? error : soon__error_ref(soon__error_static(code, false));
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

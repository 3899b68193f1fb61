/*
 * progress.c - progress that is pushed: a listener is called on a loop, or on the library's callback thread, at most as
 * often as it has asked for.
 *
 *     set --moved--> check (library's loop) --due--> tick --> listener called     until the future is done, then
 *                     ^        |
 *                     +--timer-+                     final --> called, if there is more to tell --> released
 *
 * Few futures have listeners. Those have a hub beside their progress, which is made with the first listener and freed
 * with the future. Other tasks pay nothing for it, and a task that sets its progress waits for nobody.
 *
 * L1  `awake` says that a check is on its way, or that the timer is set for when a listener may be called. A thread
 *     that sets a progress and finds `awake` clear posts a check. The check clears it when all listeners are told, or
 *     when one that is told may be called again at once, so that a slow listener does not delay a quick one. Then the
 *     check reads the progress again: either it or the thread that sets it sees the other, since both read and write
 *     under the future's LOCK. Where nobody tells that the progress has moved (a worker process, the items of a map),
 *     it is checked again and again: `polls`.
 * L2  `open` changes under LOCK. It says that a job of the hub, or its timer, may be on the library's loop. The hub
 *     then has a reference of the future. When the future is done, the job `close` is posted, which closes the timer
 *     and gives up the reference.
 * L3  The tick and the final call of a listener are two entries. The thread that completes the future posts the final
 *     one before it runs users' callbacks, whatever the tick is doing. So the final call comes before them on the same
 *     loop, and a tick that comes later finds that the listener is gone.
 * L4  Without a loop everything runs on the callback thread, and the users' callbacks of such a future go there too,
 *     after the final call.
 * L5  A listener that is gone is called no more. Its data is released as soon as it is not running. Its memory is freed
 *     when, besides, none of its entries is on its way. Until then its loop counts the listener, and each entry.
 * L6  No thread has LOCK and the hub's mutex at the same time. Nothing is posted under the mutex, since a push to a
 *     loop whose handle somebody has closed drops all that is there, which may free futures.
 */
#include "progress_check_internal.h"

#include "../../futures/aside_internal.h"
#include "../../futures/callback_internal.h"
#include "../../futures/run_callbacks_internal.h"
#include "call_class_internal.h"

#include <errno.h>
#include <stdlib.h>

static void moved(struct soon__progress_hook *hook)
{
    soon__progress_wake_locked((struct soon__progress_hub *)hook);
}

void soon__progress_start(soon_future *future)
{
    if (!soon__future_lock_unfinished(future))
        return;
    if (future->aside && future->aside->hook)
        soon__progress_wake_locked((struct soon__progress_hub *)future->aside->hook);
    soon__future_unlock(future);
}

/*
 * The end of the future
 */

/* Claims the final calls of all listeners that have a loop, or of one that has none (L4). */
static struct soon__progress_way *claim_last_locked(struct soon__progress_hub *hub, bool with_loop)
{
    struct soon__progress_way *last = NULL, **end = &last;

    for (struct soon__progress_listener *l = hub->locked.listeners; l && (with_loop || !last); l = l->locked.next) {
        if ((l->loop != NULL) == with_loop)
            end = soon__progress_claim_locked(l, SOON__PROGRESS_FINAL, end);
        *end = NULL;
    }
    return last;
}

/* L3. This is an internal continuation, so it runs before all users' callbacks. */
static void ended(soon_future *future, void *data)
{
    struct soon__progress_hub *hub = data;
    struct soon__progress_way *last;

    (void)future;
    pthread_mutex_lock(&hub->mutex);
    hub->locked.over = true;
    last = claim_last_locked(hub, true);
    pthread_mutex_unlock(&hub->mutex);
    soon__progress_post(last);
    soon__progress_check_end(hub);
}

/* L4. On the callback thread. */
static void run_callbacks(struct soon__job *job)
{
    struct soon__progress_hub *hub = SOON__PROGRESS_OF(hub, callbacks, job);
    struct soon__progress_way *last;

    do {
        pthread_mutex_lock(&hub->mutex);
        last = claim_last_locked(hub, false);
        pthread_mutex_unlock(&hub->mutex);
        if (last)
            soon__progress_run(last);
    } while (last);
    soon__future_run_sunk(hub->future);
}

static bool runs_callbacks(struct soon__progress_hook *hook)
{
    struct soon__progress_hub *hub = (struct soon__progress_hub *)hook;
    struct soon__progress_listener *listener;
    bool some = false;

    pthread_mutex_lock(&hub->mutex);
    for (listener = hub->locked.listeners; listener && !hub->locked.callbacks_posted; listener = listener->locked.next)
        some |= !listener->loop;
    hub->locked.callbacks_posted |= some;
    pthread_mutex_unlock(&hub->mutex);
    if (!some)
        return false;
    soon__future_set_bits(hub->future, SOON__SUNK);
    soon__library_callbacks_post(&hub->callbacks);
    return true;
}

/* Frees the hub with its future. Listeners are left only where the submit has failed. Then their data is still the
 * caller's, and is not released. */
static void destroy(struct soon__progress_hook *hook)
{
    struct soon__progress_hub *hub = (struct soon__progress_hub *)hook;
    struct soon__progress_listener *listener, *next;

    for (listener = hub->locked.listeners; listener; listener = next) {
        next = listener->locked.next;
        soon__progress_listener_free(listener);
    }
    pthread_mutex_destroy(&hub->mutex);
    free(hub);
}

/*
 * Listening
 */

/* Does nobody tell when this future's progress moves? The caller has LOCK, and the future is unfinished: so its
 * executor is still there. */
static bool has_to_be_asked_locked(const soon_future *future)
{
    const soon_call *call = soon__call_of(future);

    if (call)
        return call->executor->klass.refresh;
    return future->class->refresh || future->class->progress || future->class->lender;
}

static struct soon__progress_hub *hub_new(soon_future *future)
{
    struct soon__progress_hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return NULL;
    hub->hook = (struct soon__progress_hook){.moved = moved, .runs_callbacks = runs_callbacks, .destroy = destroy};
    hub->future = future;
    hub->ended = (struct soon__callback){.kind = SOON__CALLBACK_INTERNAL, .fn = ended, .data = hub};
    soon__progress_check_init(hub);
    hub->callbacks.run = run_callbacks;
    pthread_mutex_init(&hub->mutex, NULL);
    return hub;
}

/* 0; SOON_EINVALIDSTATE: it is done; SOON_EFORKED; -ENOMEM. */
static int hub_of(struct soon__progress_hub **ret, soon_future *future)
{
    struct soon__progress_hub *fresh;
    int rc;

    if (soon__future_is_pre_fork(future) && !soon__word_final(soon__future_word(future)))
        return SOON_EFORKED;
    fresh = hub_new(future);
    rc = fresh ? soon__future_lock_aside(future) : -ENOMEM;
    if (rc == 0) {
        *ret = (struct soon__progress_hub *)future->aside->hook;
        if (!*ret) {
            *ret = fresh;
            fresh->polls = has_to_be_asked_locked(future);
            soon__future_add_internal_locked(future, &fresh->ended);
            future->aside->hook = &fresh->hook;
            fresh = NULL;
        }
        soon__future_unlock(future);
    }
    if (fresh)
        destroy(&fresh->hook);
    return rc;
}

/* False: the future is done. */
static bool append(struct soon__progress_hub *hub, struct soon__progress_listener *listener)
{
    struct soon__progress_listener **end = &hub->locked.listeners;
    bool over;

    pthread_mutex_lock(&hub->mutex);
    over = hub->locked.over;
    while (*end)
        end = &(*end)->locked.next;
    if (!over)
        *end = listener;
    pthread_mutex_unlock(&hub->mutex);
    return !over;
}

int soon__progress_listen(soon_future *future, const struct soon__progress_request *request)
{
    struct soon__progress_listener *listener;
    struct soon__progress_hub *hub = NULL;
    int rc = soon__library_start();

    if (rc == 0)
        rc = hub_of(&hub, future);
    if (rc < 0)
        return rc;
    listener = soon__progress_listener_new(hub, request);
    if (!listener)
        return -ENOMEM;
    rc = request->loop ? soon__loop_count_in(request->loop) : 0;
    if (rc < 0) {
        free(listener);
        return rc;
    }
    if (append(hub, listener))
        return 0;
    soon__progress_listener_free(listener);
    return SOON_EINVALIDSTATE;
}

static int add(soon_future *future, const struct soon__progress_request *request)
{
    int rc;

    if (!future || !request->fn)
        return soon__is_null(future ? "fn" : "the future");
    if (request->every_ms < 0)
        return soon__refuse(-EINVAL, "every_ms = %lld is negative", (long long)request->every_ms);
    rc = soon__future_is_immortal(future) ? SOON_EINVALIDSTATE : soon__progress_listen(future, request);
    if (rc == 0)
        soon__progress_start(future);
    return rc;
}

int soon_future_add_progress_callback(soon_future *future, soon_loop *loop, int64_t every_ms, soon_progress_fn fn,
                                      void *data, soon_free_fn release)
{
    const struct soon__progress_request request = {loop, every_ms, fn, data, release};
    int rc = add(future, &request);

    if (rc < 0 && release)
        release(data);
    return rc == SOON_EINVALIDSTATE ? 0 : soon__failed(rc, "soon_future_add_progress_callback");
}

static struct soon__progress_listener *find_locked(struct soon__progress_hub *hub, soon_progress_fn fn,
                                                   const void *data)
{
    struct soon__progress_listener *listener = hub->locked.listeners;

    while (listener && (listener->fn != fn || listener->data != data))
        listener = listener->locked.next;
    return listener;
}

static struct soon__progress_hub *existing_hub(soon_future *future)
{
    struct soon__progress_hub *hub;

    if (soon__future_is_pre_fork(future) || soon__future_is_immortal(future))
        return NULL;
    soon__future_lock(future);
    hub = future->aside ? (struct soon__progress_hub *)future->aside->hook : NULL;
    soon__future_unlock(future);
    return hub;
}

bool soon_future_remove_progress_callback(soon_future *future, soon_progress_fn fn, void *data)
{
    struct soon__progress_parting parting = {NULL, NULL, NULL};
    struct soon__progress_listener *listener;
    struct soon__progress_hub *hub;

    if (!soon__check(future, "soon_future_remove_progress_callback: NULL"))
        return false;
    hub = existing_hub(future);
    if (!hub)
        return false;
    pthread_mutex_lock(&hub->mutex);
    listener = find_locked(hub, fn, data);
    if (listener) {
        soon__progress_leave_locked(listener);
        parting = soon__progress_part_locked(listener);
    }
    pthread_mutex_unlock(&hub->mutex);
    soon__progress_part(parting);
    return listener != NULL;
}

/*
 * progress_listener.c - one that listens for a future's progress: its calls, on a loop or on the callback thread, and
 * its end. The invariants are in progress.c.
 */
#include "progress_listener_internal.h"

#include "../../futures/aside_internal.h"
#include "../loops/library_timer_internal.h"

#include <stdlib.h>

#define EVERY_NS INT64_C(100000000)

void soon__progress_leave_locked(struct soon__progress_listener *listener)
{
    struct soon__progress_listener **link = &listener->hub->locked.listeners;

    while (*link != listener)
        link = &(*link)->locked.next;
    *link = listener->locked.next;
    listener->locked.gone = true;
}

struct soon__progress_parting soon__progress_part_locked(struct soon__progress_listener *listener)
{
    struct soon__progress_parting parting = {NULL, listener->data, NULL};

    if (!listener->locked.gone || listener->locked.running)
        return parting;
    parting.release = listener->locked.release;
    listener->locked.release = NULL;
    if (!listener->ways[SOON__PROGRESS_TICK].posted && !listener->ways[SOON__PROGRESS_FINAL].posted)
        parting.listener = listener;
    return parting;
}

void soon__progress_listener_free(struct soon__progress_listener *listener)
{
    soon_loop *loop = listener->loop;

    free(listener);
    if (loop)
        soon__loop_count_out(loop);
}

void soon__progress_part(struct soon__progress_parting parting)
{
    if (parting.release)
        parting.release(parting.data);
    if (parting.listener)
        soon__progress_listener_free(parting.listener);
}

/*
 * Its calls
 */

static void call(const struct soon__progress_listener *listener, soon_future *future, soon_progress progress)
{
    struct soon__calling calling;

    soon__calling_begin(&calling);
    listener->fn(future, progress, listener->data);
    soon__calling_end(&calling);
}

/* Is it to be called? With what is there now, not what was there when it was posted. */
static bool begin_call(struct soon__progress_way *way, soon_progress *ret)
{
    struct soon__progress_listener *listener = way->listener;
    bool calls;

    *ret = soon_future_progress(listener->hub->future);
    pthread_mutex_lock(&listener->hub->mutex);
    calls = !listener->locked.gone && soon__progress_differs(*ret, listener->locked.told);
    listener->locked.running = calls;
    listener->locked.told = *ret;
    listener->locked.again_at = soon__later(soon__clock_ns(), listener->every_ns);
    pthread_mutex_unlock(&listener->hub->mutex);
    return calls;
}

bool soon__progress_run(struct soon__progress_way *way)
{
    struct soon__progress_listener *listener = way->listener;
    struct soon__progress_hub *hub = listener->hub;
    soon_future *future = hub->future;
    struct soon__progress_parting parting;
    soon_progress progress;
    bool calls = begin_call(way, &progress);

    if (calls)
        call(listener, future, progress);
    pthread_mutex_lock(&hub->mutex);
    way->posted = listener->locked.running = false; /* until here it was this call's (L5) */
    if (way == &listener->ways[SOON__PROGRESS_FINAL] && !listener->locked.gone)
        soon__progress_leave_locked(listener);
    parting = soon__progress_part_locked(listener);
    pthread_mutex_unlock(&hub->mutex);
    soon__progress_part(parting);
    soon__future_unref(future);
    return calls;
}

static void run_entry(struct soon__loop_entry *entry)
{
    struct soon__progress_way *way = SOON__PROGRESS_OF(way, entry, entry);
    soon_loop *loop = way->listener->loop;

    if (!soon__progress_run(way))
        soon__loop_ran_nothing(loop);
}

static void run_job(struct soon__job *job)
{
    soon__progress_run(SOON__PROGRESS_OF(way, job, job));
}

/* On the callback thread: nobody will call it any more. */
static void run_dropped(struct soon__job *job)
{
    struct soon__progress_way *way = SOON__PROGRESS_OF(way, job, job);
    struct soon__progress_listener *listener = way->listener;
    struct soon__progress_hub *hub = listener->hub;
    soon_future *future = hub->future;
    struct soon__progress_parting parting;

    pthread_mutex_lock(&hub->mutex);
    way->posted = false;
    if (!listener->locked.gone)
        soon__progress_leave_locked(listener);
    parting = soon__progress_part_locked(listener);
    pthread_mutex_unlock(&hub->mutex);
    soon__progress_part(parting);
    soon__future_unref(future);
}

/* On any thread. */
static void drop_entry(struct soon__loop_entry *entry)
{
    struct soon__progress_way *way = SOON__PROGRESS_OF(way, entry, entry);

    way->job.run = run_dropped;
    soon__library_callbacks_post(&way->job);
}

struct soon__progress_way **soon__progress_claim_locked(struct soon__progress_listener *listener, int which,
                                                        struct soon__progress_way **link)
{
    struct soon__progress_way *way = &listener->ways[which];

    way->posted = true;
    soon__future_ref(listener->hub->future);
    *link = way;
    return &way->next;
}

void soon__progress_post(struct soon__progress_way *way)
{
    struct soon__progress_way *next;

    for (; way; way = next) {
        soon_loop *loop = way->listener->loop;

        next = way->next;
        if (loop) {
            soon__loop_count_again(loop);
            soon__loop_push(loop, &way->entry);
        } else {
            soon__library_callbacks_post(&way->job);
        }
    }
}

struct soon__progress_listener *soon__progress_listener_new(struct soon__progress_hub *hub,
                                                            const struct soon__progress_request *request)
{
    struct soon__progress_listener *listener = calloc(1, sizeof *listener);

    if (!listener)
        return NULL;
    *listener = (struct soon__progress_listener){.hub = hub,
                                                 .loop = request->loop,
                                                 .fn = request->fn,
                                                 .data = request->data,
                                                 .every_ns = request->every_ms > INT64_MAX / 1000000 ? SOON__NEVER
                                                             : request->every_ms ? request->every_ms * 1000000
                                                                                 : EVERY_NS,
                                                 .locked.release = request->release};
    for (int i = 0; i < 2; i++)
        listener->ways[i] = (struct soon__progress_way){
            .entry = {.run = run_entry, .drop = drop_entry}, .job.run = run_job, .listener = listener};
    return listener;
}

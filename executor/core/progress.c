/*
 * progress.c - progress that is pushed: who listens to a future's progress is called on a loop, or on the library's callback
 * thread, not more often than asked for.
 *
 *     set --moved--> look (library's loop) --due--> tick --> listener called     until the future is done, then
 *                     ^        |
 *                     +--timer-+                    final --> called, if there is more to tell --> released
 *
 * Few futures have listeners. Those that do have a hub beside their progress, made with the first listener, freed with the
 * future; tasks pay nothing for it, and one that sets its progress waits for nobody.
 *
 * L1  `awake`: a look is on its way, or the timer is set for when somebody may be called. Who sets a progress and finds it clear
 *     posts one. The look clears it when all is told, or somebody who is may be called at once: a slow one who is not told yet
 *     does not hold up a quick one. Then it reads the progress again: one of the two sees the other, since both read and write
 *     under the future's LOCK. What nobody tells of (a worker process, a map's items) is looked at again and again instead: `polls`.
 * L2  `open`, under LOCK: something of the hub may be on the library's loop; it has a reference of the future until the job is
 *     through that is posted when the future is done.
 * L3  A tick and the final call of a listener are entries of their own. The thread that completes the future posts the final
 *     one before it goes on to users' callbacks, whatever a tick is doing: so on one loop it comes before them, and a tick that
 *     comes later finds a listener that is gone.
 * L4  Without a loop all is on the callback thread, and the users' callbacks of such a future go there too, after the final
 *     call.
 * L5  A listener that is gone is called no more. Its memory goes when no entry of it is on its way and it is not running; its
 *     data when it is not running. The loop counts it until then, and each entry.
 * L6  LOCK and the hub's mutex are not held at the same time, and nothing is posted under the mutex: a push to a loop that
 *     somebody has closed drops what is there.
 */
#include "progress_internal.h"

#include "../../futures/aside_internal.h"
#include "../../futures/callback_internal.h"
#include "../../futures/run_callbacks_internal.h"
#include "call_class_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define OF(type, member, pointer) ((struct type *)((char *)(pointer)-offsetof(struct type, member)))
#define EVERY_NS INT64_C(100000000)

enum { TICK, FINAL };

/* One of the two ways to a listener: with a loop an entry there, else a job of the callback thread. */
struct way {
    struct soon__loop_entry entry;
    struct soon__job job; /* also of one whose loop is lost */
    struct listener *listener;
    struct way *next; /* of those that one thread has claimed, and is about to post */
    bool posted;      /* under the mutex; with a reference of the future */
};

struct hub;
struct listener {
    struct hub *hub;
    soon_loop *loop; /* counts it; NULL: the callback thread */
    soon_progress_fn fn;
    void *data;
    int64_t every_ns;
    struct way ways[2];
    /* Under the mutex. */
    struct listener *next;
    soon_free_fn release; /* NULL: none, or it is done */
    soon_progress told;
    int64_t again_at;
    bool running, gone;
};

struct hub {
    struct soon__progress_hook hook; /* first */
    soon_future *future;             /* whose it is */
    struct soon__callback ended;
    struct soon__job look, close, callbacks;
    bool polls, open;   /* L1, L2 */
    _Atomic bool awake; /* L1 */
    bool rests;         /* library's loop only: the last look has cleared it, so who sets it posts one, timer or not */
    uv_timer_t timer;   /* library's loop only; data NULL: not made yet */
    pthread_mutex_t mutex;
    struct {
        struct listener *listeners; /* in order of registration */
        bool over;                  /* the future is done */
        bool callbacks_posted;      /* L4 */
    } locked;
};

static bool differs(soon_progress a, soon_progress b)
{
    return a.done != b.done || a.total != b.total;
}

/*
 * A listener's end
 */

/* What is to be done outside of the mutex (L5). */
struct parting {
    soon_free_fn release;
    void *data;
    struct listener *listener;
};

static void leave_locked(struct listener *listener)
{
    struct listener **link = &listener->hub->locked.listeners;

    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    listener->gone = true;
}

static struct parting part_locked(struct listener *listener)
{
    struct parting parting = {NULL, listener->data, NULL};

    if (!listener->gone || listener->running)
        return parting;
    parting.release = listener->release;
    listener->release = NULL;
    if (!listener->ways[TICK].posted && !listener->ways[FINAL].posted)
        parting.listener = listener;
    return parting;
}

static void listener_free(struct listener *listener)
{
    soon_loop *loop = listener->loop;

    free(listener);
    if (loop)
        soon__loop_count_out(loop);
}

static void part(struct parting parting)
{
    if (parting.release)
        parting.release(parting.data);
    if (parting.listener)
        listener_free(parting.listener);
}

/*
 * A turn: a call, or none
 */

static void call(const struct listener *listener, soon_future *future, soon_progress progress)
{
    struct soon__calling calling;

    soon__calling_begin(&calling);
    listener->fn(future, progress, listener->data);
    soon__calling_end(&calling);
}

/* Is it to be called? With what is there now, not what was there when it was posted. */
static bool begin_turn(struct way *way, soon_progress *ret)
{
    struct listener *listener = way->listener;
    bool calls;

    *ret = soon_future_progress(listener->hub->future);
    pthread_mutex_lock(&listener->hub->mutex);
    calls = !listener->gone && differs(*ret, listener->told);
    listener->running = calls;
    listener->told = *ret;
    listener->again_at = soon__later(soon__clock_ns(), listener->every_ns);
    pthread_mutex_unlock(&listener->hub->mutex);
    return calls;
}

static void run_turn(struct way *way)
{
    struct listener *listener = way->listener;
    struct hub *hub = listener->hub;
    soon_future *future = hub->future;
    struct parting parting;
    soon_progress progress;

    if (begin_turn(way, &progress))
        call(listener, future, progress);
    pthread_mutex_lock(&hub->mutex);
    way->posted = listener->running = false; /* until here it was this turn's (L5) */
    if (way == &listener->ways[FINAL] && !listener->gone)
        leave_locked(listener);
    parting = part_locked(listener);
    pthread_mutex_unlock(&hub->mutex);
    part(parting);
    soon__future_unref(future);
}

static void run_entry(struct soon__loop_entry *entry)
{
    run_turn(OF(way, entry, entry));
}

static void run_job(struct soon__job *job)
{
    run_turn(OF(way, job, job));
}

/* On the callback thread: nobody will call it any more. */
static void run_dropped(struct soon__job *job)
{
    struct way *way = OF(way, job, job);
    struct listener *listener = way->listener;
    struct hub *hub = listener->hub;
    soon_future *future = hub->future;
    struct parting parting;

    pthread_mutex_lock(&hub->mutex);
    way->posted = false;
    if (!listener->gone)
        leave_locked(listener);
    parting = part_locked(listener);
    pthread_mutex_unlock(&hub->mutex);
    part(parting);
    soon__future_unref(future);
}

/* On any thread. */
static void drop_entry(struct soon__loop_entry *entry)
{
    struct way *way = OF(way, entry, entry);

    way->job.run = run_dropped;
    soon__library_callbacks_post(&way->job);
}

/* From here on the listener stays until its turn. Where the next one is to be linked. */
static struct way **claim_locked(struct listener *listener, int which, struct way **link)
{
    struct way *way = &listener->ways[which];

    way->posted = true;
    soon__future_ref(listener->hub->future);
    *link = way;
    return &way->next;
}

static void post_all(struct way *way)
{
    struct way *next;

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

/*
 * Looks, on the library's loop
 */

struct plan {
    int64_t next;      /* when to look again for those that are not told yet; SOON__NEVER: all are */
    int64_t next_told; /* when the first of the others may be called again, after a change */
};

/* Claims those that are due. */
static struct way *find_due_locked(struct hub *hub, soon_progress progress, int64_t now, struct plan *ret)
{
    struct way *due = NULL, **end = &due;
    int64_t at, *next;

    *ret = (struct plan){SOON__NEVER, SOON__NEVER};
    for (struct listener *l = hub->locked.over ? NULL : hub->locked.listeners; l; l = l->next) {
        bool some = differs(progress, l->told), waits = hub->polls || some;

        at = l->again_at > now ? l->again_at : waits ? soon__later(now, l->every_ns) : now;
        if (some && l->again_at <= now && !l->ways[TICK].posted)
            end = claim_locked(l, TICK, end);
        next = waits ? &ret->next : &ret->next_told;
        *next = at < *next ? at : *next;
    }
    *end = NULL;
    return due;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct hub *hub, int64_t when)
{
    if (!hub->timer.data) {
        uv_timer_init(soon__library_uv(), &hub->timer);
        hub->timer.data = hub;
    }
    soon__loop_timer(&hub->timer, on_timer, when);
}

static bool is_over(struct hub *hub)
{
    bool over;

    pthread_mutex_lock(&hub->mutex);
    over = hub->locked.over;
    pthread_mutex_unlock(&hub->mutex);
    return over;
}

/* L1. False: there is more to tell. */
static bool may_rest(struct hub *hub, soon_progress told)
{
    if (is_over(hub))
        return true;
    /* Release and acquire: LOCK orders it with what soon_future_progress() reads next, and with who sets that. */
    atomic_store_explicit(&hub->awake, false, memory_order_release);
    return !differs(soon_future_progress(hub->future), told) ||
           atomic_exchange_explicit(&hub->awake, true, memory_order_acq_rel);
}

static void look(struct hub *hub)
{
    struct way *due;
    soon_progress progress;
    struct plan plan;
    int64_t now;

    assert(soon__library_on_loop());
    hub->rests = false;
    do {
        now = soon__clock_ns();
        progress = soon_future_progress(hub->future);
        pthread_mutex_lock(&hub->mutex);
        due = find_due_locked(hub, progress, now, &plan);
        pthread_mutex_unlock(&hub->mutex);
        post_all(due);
        if (plan.next != SOON__NEVER)
            set_timer(hub, plan.next_told > now && plan.next_told < plan.next ? plan.next_told : plan.next);
        if (plan.next != SOON__NEVER && plan.next_told > now)
            return;
    } while (!may_rest(hub, progress));
    hub->rests = true;
}

/* L1. A look that is on its way already is enough: it is in a list, and must not be posted again before it has begun. */
static void on_timer(uv_timer_t *timer)
{
    struct hub *hub = timer->data;

    /* Acquire and release: as in may_rest(). */
    if (hub->rests && atomic_exchange_explicit(&hub->awake, true, memory_order_acq_rel))
        return;
    look(hub);
}

static void run_look(struct soon__job *job)
{
    look(OF(hub, look, job));
}

static void on_closed(uv_handle_t *timer)
{
    soon__future_unref(((struct hub *)timer->data)->future);
}

static void run_close(struct soon__job *job)
{
    struct hub *hub = OF(hub, close, job);

    if (hub->timer.data)
        uv_close((uv_handle_t *)&hub->timer, on_closed);
    else
        soon__future_unref(hub->future);
}

/* L1, L2: with LOCK, while it is unfinished. */
static void wake_locked(struct hub *hub)
{
    /* Acquire and release: as in may_rest(). */
    if (atomic_exchange_explicit(&hub->awake, true, memory_order_acq_rel))
        return;
    if (!hub->open)
        soon__future_ref(hub->future);
    hub->open = true;
    soon__library_loop_post(&hub->look);
}

static void moved(struct soon__progress_hook *hook)
{
    wake_locked((struct hub *)hook);
}

void soon__progress_start(soon_future *future)
{
    if (!soon__future_lock_unfinished(future))
        return;
    if (future->aside && future->aside->hook)
        wake_locked((struct hub *)future->aside->hook);
    soon__future_unlock(future);
}

/*
 * The end of the future
 */

/* Claims the final calls of those with a loop, or of one without (L4). */
static struct way *claim_last_locked(struct hub *hub, bool with_loop)
{
    struct way *last = NULL, **end = &last;

    for (struct listener *l = hub->locked.listeners; l && (with_loop || !last); l = l->next) {
        if ((l->loop != NULL) == with_loop)
            end = claim_locked(l, FINAL, end);
        *end = NULL;
    }
    return last;
}

/* L3. An internal continuation: before all users' callbacks. */
static void ended(soon_future *future, void *data)
{
    struct hub *hub = data;
    struct way *last;

    (void)future;
    pthread_mutex_lock(&hub->mutex);
    hub->locked.over = true;
    last = claim_last_locked(hub, true);
    pthread_mutex_unlock(&hub->mutex);
    post_all(last);
    if (hub->open)
        soon__library_loop_post(&hub->close);
}

/* L4. On the callback thread. */
static void run_callbacks(struct soon__job *job)
{
    struct hub *hub = OF(hub, callbacks, job);
    struct way *last;

    do {
        pthread_mutex_lock(&hub->mutex);
        last = claim_last_locked(hub, false);
        pthread_mutex_unlock(&hub->mutex);
        if (last)
            run_turn(last);
    } while (last);
    soon__future_run_sunk(hub->future);
}

static bool runs_callbacks(struct soon__progress_hook *hook)
{
    struct hub *hub = (struct hub *)hook;
    struct listener *listener;
    bool some = false;

    pthread_mutex_lock(&hub->mutex);
    for (listener = hub->locked.listeners; listener && !hub->locked.callbacks_posted; listener = listener->next)
        some |= !listener->loop;
    hub->locked.callbacks_posted |= some;
    pthread_mutex_unlock(&hub->mutex);
    if (!some)
        return false;
    soon__future_set_bits(hub->future, SOON__SUNK);
    soon__library_callbacks_post(&hub->callbacks);
    return true;
}

/* With the future, or with a call that was never submitted: its data is the caller's. */
static void destroy(struct soon__progress_hook *hook)
{
    struct hub *hub = (struct hub *)hook;
    struct listener *listener, *next;

    for (listener = hub->locked.listeners; listener; listener = next) {
        next = listener->next;
        listener_free(listener);
    }
    pthread_mutex_destroy(&hub->mutex);
    free(hub);
}

/*
 * Listening
 */

/* Does nobody tell of its progress? With LOCK, while it is unfinished: its executor is there. */
static bool has_to_be_asked_locked(const soon_future *future)
{
    const soon_call *call = soon__call_of(future);

    if (call)
        return call->executor->klass.look;
    return future->class->refresh || future->class->progress || future->class->lender;
}

static struct hub *hub_new(soon_future *future)
{
    struct hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return NULL;
    hub->hook = (struct soon__progress_hook){.moved = moved, .runs_callbacks = runs_callbacks, .destroy = destroy};
    hub->future = future;
    hub->ended = (struct soon__callback){.kind = SOON__CALLBACK_INTERNAL, .fn = ended, .data = hub};
    hub->look.run = run_look;
    hub->close.run = run_close;
    hub->callbacks.run = run_callbacks;
    pthread_mutex_init(&hub->mutex, NULL);
    return hub;
}

/* 0; SOON_EINVALIDSTATE: it is done; SOON_EFORKED; -ENOMEM. */
static int hub_of(struct hub **ret, soon_future *future)
{
    struct hub *fresh;
    int rc;

    if (soon__future_is_pre_fork(future) && !soon__word_final(soon__future_word(future)))
        return SOON_EFORKED;
    fresh = hub_new(future);
    rc = fresh ? soon__future_lock_aside(future) : -ENOMEM;
    if (rc == 0) {
        *ret = (struct hub *)future->aside->hook;
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

static struct listener *listener_new(struct hub *hub, const struct soon__progress_request *request)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (!listener)
        return NULL;
    *listener = (struct listener){.hub = hub,
                                  .loop = request->loop,
                                  .fn = request->fn,
                                  .data = request->data,
                                  .every_ns = request->every_ms > INT64_MAX / 1000000 ? SOON__NEVER
                                              : request->every_ms                     ? request->every_ms * 1000000
                                                                                      : EVERY_NS,
                                  .release = request->release};
    for (int i = 0; i < 2; i++)
        listener->ways[i] =
            (struct way){.entry = {.run = run_entry, .drop = drop_entry}, .job.run = run_job, .listener = listener};
    return listener;
}

/* False: the future is done. */
static bool append(struct hub *hub, struct listener *listener)
{
    struct listener **end = &hub->locked.listeners;
    bool over;

    pthread_mutex_lock(&hub->mutex);
    over = hub->locked.over;
    while (*end)
        end = &(*end)->next;
    if (!over)
        *end = listener;
    pthread_mutex_unlock(&hub->mutex);
    return !over;
}

int soon__progress_listen(soon_future *future, const struct soon__progress_request *request)
{
    struct listener *listener;
    struct hub *hub = NULL;
    int rc = soon__library_start();

    if (rc == 0)
        rc = hub_of(&hub, future);
    if (rc < 0)
        return rc;
    listener = listener_new(hub, request);
    if (!listener)
        return -ENOMEM;
    rc = request->loop ? soon__loop_count_in(request->loop) : 0;
    if (rc < 0) {
        free(listener);
        return rc;
    }
    if (append(hub, listener))
        return 0;
    listener_free(listener);
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

static struct listener *find_locked(struct hub *hub, soon_progress_fn fn, const void *data)
{
    struct listener *listener = hub->locked.listeners;

    while (listener && (listener->fn != fn || listener->data != data))
        listener = listener->next;
    return listener;
}

static struct hub *existing_hub(soon_future *future)
{
    struct hub *hub;

    if (soon__future_is_pre_fork(future) || soon__future_is_immortal(future))
        return NULL;
    soon__future_lock(future);
    hub = future->aside ? (struct hub *)future->aside->hook : NULL;
    soon__future_unlock(future);
    return hub;
}

bool soon_future_remove_progress_callback(soon_future *future, soon_progress_fn fn, void *data)
{
    struct parting parting = {NULL, NULL, NULL};
    struct listener *listener;
    struct hub *hub;

    if (!soon__check(future, "soon_future_remove_progress_callback: NULL"))
        return false;
    hub = existing_hub(future);
    if (!hub)
        return false;
    pthread_mutex_lock(&hub->mutex);
    listener = find_locked(hub, fn, data);
    if (listener) {
        leave_locked(listener);
        parting = part_locked(listener);
    }
    pthread_mutex_unlock(&hub->mutex);
    part(parting);
    return listener != NULL;
}

/*
 * members.c - the futures of a bar: each is counted by its callback, on whichever thread completes it, so that neither
 * the count nor the reference waits for a terminal.
 *
 * The drawer looks at those that run. It holds the mutex meanwhile, which each callback takes, so it looks at no more
 * than LOOK_MAX futures at a time, from the one that was added first on. A running one that stands further behind is
 * seen once those before it are done. Counts are exact in any case.
 */
#include "members_internal.h"

#include "../executor/map.h"
#include "../futures/refuse_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MAX = 1024 };

static void link_locked(struct soon__member *member)
{
    soon_progress_bar *bar = member->bar;

    member->previous = bar->locked.last;
    *(bar->locked.last ? &bar->locked.last->next : &bar->locked.first) = member;
    bar->locked.last = member;
    member->linked = true;
    member->number = ++bar->locked.added;
    bar->locked.items += member->items;
}

/* B4. Returns whether it was in the list. */
static bool unlink_locked(struct soon__member *member)
{
    soon_progress_bar *bar = member->bar;

    if (!member->linked)
        return false;
    *(member->previous ? &member->previous->next : &bar->locked.first) = member->next;
    *(member->next ? &member->next->previous : &bar->locked.last) = member->previous;
    member->linked = false;
    return true;
}

static void discard(struct soon__member *member)
{
    soon__bar_unref(member->bar);
    soon_future_unref(member->future);
    free(member);
}

static void add_failures(soon_progress_bar *bar, uint64_t failed, uint64_t cancelled)
{
    /* Relaxed, both: they are only shown. */
    if (failed > 0)
        atomic_fetch_add_explicit(&bar->failed, failed, memory_order_relaxed);
    if (cancelled > 0)
        atomic_fetch_add_explicit(&bar->cancelled, cancelled, memory_order_relaxed);
}

void soon__members_count_failure(soon_progress_bar *bar, const soon_future *future)
{
    size_t failed = 0;

    if (soon_map_count(future, NULL, &failed) > 0)
        add_failures(bar, failed, 0);
    else if (soon_future_cancelled(future))
        add_failures(bar, 0, 1);
    else if (soon_future_done(future) && !soon_future_succeeded(future))
        add_failures(bar, 1, 0);
}

/* The future is done: on the thread that has completed it. */
static void ended(soon_future *future, void *data)
{
    struct soon__member *member = data;
    soon_progress_bar *bar = member->bar;
    soon_progress progress = soon_future_progress(future);

    pthread_mutex_lock(&bar->mutex);
    soon__members_count_failure(bar, future); /* as it goes from the list, where the drawer counts it */
    if (unlink_locked(member)) {
        bar->locked.done += member->items;
        bar->locked.progress += progress.done;
        bar->locked.progress_total += progress.total;
    }
    pthread_mutex_unlock(&bar->mutex);
    discard(member);
}

/* The callback will not run. */
static void take_back(struct soon__member *member)
{
    soon_progress_bar *bar = member->bar;

    pthread_mutex_lock(&bar->mutex);
    unlink_locked(member);
    bar->locked.items -= member->items;
    pthread_mutex_unlock(&bar->mutex);
    discard(member);
}

int soon__members_add(soon_progress_bar *bar, soon_future *future)
{
    struct soon__member *member = calloc(1, sizeof *member);
    size_t items = soon_map_count(future, NULL, NULL);

    if (!member)
        return -ENOMEM;
    *member = (struct soon__member){
        .bar = bar, .future = soon_future_ref(future), .items = items > 0 ? items : 1, .is_map = items > 0};
    soon__bar_ref(bar);
    pthread_mutex_lock(&bar->mutex);
    link_locked(member);
    pthread_mutex_unlock(&bar->mutex);

    int rc = soon_future_add_done_callback(future, ended, member);
    if (rc < 0)
        take_back(member);
    return rc;
}

/* B4. It is unlinked before the mutex is released, so that each is met once, also one whose callback runs just now. */
void soon__members_let_go(soon_progress_bar *bar)
{
    struct soon__member *member;

    for (;;) {
        pthread_mutex_lock(&bar->mutex);
        member = bar->locked.first;
        soon_future *future = member ? soon_future_ref(member->future) : NULL;
        if (member)
            unlink_locked(member);
        pthread_mutex_unlock(&bar->mutex);
        if (!member)
            return;
        if (soon_future_remove_done_callback(future, ended, member))
            discard(member);
        soon_future_unref(future);
    }
}

/*
 * What is shown
 */

static void add_row(struct soon__view *view, const struct soon__member *member, soon_progress progress)
{
    struct soon__row *row = &view->rows[view->row_count++];
    const char *label = soon_future_label(member->future);

    row->progress = progress;
    if (*label)
        snprintf(row->label, sizeof row->label, "%s", label);
    else
        snprintf(row->label, sizeof row->label, "%s %llu", member->is_map ? "map" : "task",
                 (unsigned long long)member->number);
}

/* A future that has begun. It may be done, and its callback not have run yet: then it counts as done, lest the bar goes
 * back. `*ret_total` 0: it has not said of how much. */
static void add_begun(soon_progress_bar *bar, struct soon__view *view, const struct soon__member *member,
                      uint64_t *ret_total)
{
    bool is_done = soon_future_done(member->future);
    soon_progress progress = soon_future_progress(member->future);
    size_t done, failed;

    if (member->is_map) {
        progress.total = soon_map_count(member->future, &done, &failed);
        progress.done = done;
        view->failed += failed;
    }
    if (is_done && !member->is_map && !soon_future_succeeded(member->future))
        ++*(soon_future_cancelled(member->future) ? &view->cancelled : &view->failed);
    *ret_total = progress.total;
    if (view->adds_progress || member->is_map)
        view->done += progress.done;
    else if (is_done)
        view->done++;
    else if (progress.total > 0)
        view->running += progress.done < progress.total ? (double)progress.done / (double)progress.total : 1;
    if (!is_done && view->row_count < bar->options.tasks_max)
        add_row(view, member, progress);
}

static void look_at_members_locked(soon_progress_bar *bar, struct soon__view *view)
{
    const struct soon__member *member = bar->locked.first;
    uint64_t known = bar->locked.progress_total, total;
    bool all_known = true;

    view->done += view->adds_progress ? bar->locked.progress : bar->locked.done;
    for (int i = 0; member && i < LOOK_MAX; member = member->next, i++) {
        total = 0;
        if (member->is_map || soon_future_state(member->future) != SOON_PENDING)
            add_begun(bar, view, member, &total);
        known += total;
        all_known = all_known && total > 0;
    }
    if (!view->adds_progress)
        view->total = bar->locked.items;
    else if (all_known && !member)
        view->total = known;
}

void soon__members_look(soon_progress_bar *bar, struct soon__view *view)
{
    view->adds_progress = bar->options.counts == SOON_PROGRESS_BAR_PROGRESS;
    /* Relaxed, all: they are only shown. What has ended before finish() is seen, by the display's mutex. */
    view->done = atomic_load_explicit(&bar->counted, memory_order_relaxed);
    view->total = view->row_count = 0;
    view->running = 0;

    pthread_mutex_lock(&bar->mutex);
    view->failed = atomic_load_explicit(&bar->failed, memory_order_relaxed);
    view->cancelled = atomic_load_explicit(&bar->cancelled, memory_order_relaxed);
    snprintf(bar->drawer.label, sizeof bar->drawer.label, "%s", bar->locked.label ? bar->locked.label : "");
    look_at_members_locked(bar, view);
    pthread_mutex_unlock(&bar->mutex);

    uint64_t total = atomic_load_explicit(&bar->total, memory_order_relaxed);
    if (total > 0)
        view->total = total;
    view->label = bar->drawer.label;
    view->unit = bar->unit;
    view->scale = bar->options.scale;
}

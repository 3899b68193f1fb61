/*
 * wait.c - soon_wait().
 *
 * ALL_COMPLETED waits for one future after the other, the last first: queues are mostly served in order, so that
 * most of the others are done by then; and inside a worker each may be run here. The other modes leave a waiter with
 * each unfinished future, which all point to one word that the thread sleeps on.
 */
#include "wait.h"

#include "depend_internal.h"
#include "future_internal.h"
#include "set_internal.h"

#include <errno.h>
#include <stdlib.h>

struct group;

struct note {
    struct soon__waiter waiter; /* first */
    struct group *group;
    soon_future *future; /* NULL: not registered */
};

struct group {
    _Atomic uint32_t over; /* the thread sleeps on it; 1: something it waits for has happened */
    _Atomic size_t left;   /* FIRST_EXCEPTION: unfinished ones */
    soon_when when;
    struct note *notes;
    size_t count;
};

static bool has_failed(const soon_future *future)
{
    /* FIRST_EXCEPTION does not count a cancellation. */
    return (soon__future_word(future) & SOON__STATE) == SOON__FINISHED && soon__future_error(future);
}

static void notify(struct soon__waiter *waiter, soon_future *future)
{
    struct group *group = ((struct note *)waiter)->group;

    /* Acquire-release: the thread that is woken sees what each completion saw. */
    if (atomic_fetch_sub_explicit(&group->left, 1, memory_order_acq_rel) != 1 && group->when != SOON_FIRST_COMPLETED &&
        !has_failed(future))
        return;
    atomic_store_explicit(&group->over, 1, memory_order_release); /* pairs with the acquire in sleep_on() */
    soon__unpark_all(&group->over);
}

/* Registers with all that are unfinished. True: no need to sleep. */
static bool register_notes(struct group *group, soon_future *const *futures)
{
    for (size_t i = 0; i < group->count; i++) {
        struct note *note = &group->notes[i];

        *note = (struct note){.waiter.notify = notify, .group = group};
        if (soon__future_add_waiter(futures[i], &note->waiter)) {
            note->future = futures[i];
            continue;
        }
        if (atomic_fetch_sub_explicit(&group->left, 1, memory_order_acq_rel) == 1 ||
            group->when == SOON_FIRST_COMPLETED || has_failed(futures[i])) {
            group->count = i + 1;
            return true;
        }
    }
    return false;
}

/* One of them is enough; unless all must come if none fails. */
static bool others_end(const struct group *group)
{
    bool all = group->when == SOON_FIRST_EXCEPTION;

    for (size_t i = 0; i < group->count; i++) {
        if (group->notes[i].future && soon__thread_others_end(group->notes[i].future) != all)
            return !all;
    }
    return all;
}

static int sleep_on(struct group *group, int64_t deadline)
{
    /* Acquire: pairs with the release in notify(). */
    while (!atomic_load_explicit(&group->over, memory_order_acquire)) {
        int rc = soon__deadline_check(deadline);

        if (rc == 0)
            rc = soon__thread_before_park(others_end(group));
        if (rc < 0)
            return rc;
        soon__park(&group->over, 0, deadline);
        soon__thread_after_park();
    }
    return 0;
}

static int wait_for_first(soon_future *const *futures, size_t count, soon_when when, int64_t deadline)
{
    struct group group = {.when = when, .count = count};
    int rc = 0;

    group.notes = malloc(count * sizeof *group.notes);
    if (!group.notes)
        return -ENOMEM;
    atomic_init(&group.over, 0);
    atomic_init(&group.left, count);
    if (!register_notes(&group, futures))
        rc = sleep_on(&group, deadline);
    for (size_t i = 0; i < group.count; i++) {
        if (group.notes[i].future)
            soon__future_remove_waiter(group.notes[i].future, &group.notes[i].waiter);
    }
    free(group.notes);
    return rc;
}

static int wait_for_all(soon_future *const *futures, size_t count, int64_t deadline)
{
    for (size_t i = count; i-- > 0;) {
        int rc = soon__future_await(futures[i], deadline);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* One look before any wait: is it over already, could it never end? */
static int look(soon_future *const *futures, size_t count, soon_when when, int64_t deadline, bool *ret_over)
{
    bool inside = soon__thread_is_busy() && deadline != SOON__POLL;
    size_t done = 0, stuck = 0;

    *ret_over = false;
    for (size_t i = 0; i < count; i++) {
        if (soon__word_final(soon__future_word(futures[i]))) {
            done++;
            *ret_over |= when == SOON_FIRST_COMPLETED || (when == SOON_FIRST_EXCEPTION && has_failed(futures[i]));
        } else if (soon__future_is_foreign(futures[i])) {
            return SOON_EFORKED;
        } else if (inside && soon__thread_is_inside(futures[i])) {
            stuck++;
        }
    }
    *ret_over |= done == count;
    if (!*ret_over && stuck && (when == SOON_ALL_COMPLETED || done + stuck == count))
        return SOON_EDEADLK;
    return 0;
}

/* How many are done, each once; from the same look as `ret_done`. */
static int64_t snapshot(struct soon__set *seen, struct soon__member *members, soon_future *const *futures, size_t count,
                        bool *ret_done)
{
    int64_t done = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_done = soon__word_final(soon__future_word(futures[i]));

        if (ret_done)
            ret_done[i] = is_done;
        if (is_done && (soon__future_is_immortal(futures[i]) || soon__set_add(seen, &members[i], futures[i]) > 0))
            done++;
    }
    return done;
}

static int wait_until(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms)
{
    int64_t deadline = soon__deadline(timeout_ms);
    bool over;
    int rc = look(futures, count, when, deadline, &over);

    if (rc < 0 || over || !timeout_ms)
        return rc;
    return when == SOON_ALL_COMPLETED ? wait_for_all(futures, count, deadline)
                                      : wait_for_first(futures, count, when, deadline);
}

int64_t soon_wait(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms, bool *ret_done)
{
    struct soon__set seen = {NULL, 0, 0};
    struct soon__member *members;
    int64_t rc = -ENOMEM;

    if ((!futures && count) || !soon__array_fits(count, sizeof *futures))
        return -EINVAL;
    if (when < SOON_ALL_COMPLETED || when > SOON_FIRST_EXCEPTION || timeout_ms < SOON_FOREVER)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (!futures[i])
            return -EINVAL;
    }
    if (count == 0)
        return 0;
    members = soon__array_fits(count, sizeof *members) ? malloc(count * sizeof *members) : NULL;
    if (members && soon__set_reserve(&seen, count) == 0)
        rc = wait_until(futures, count, when, timeout_ms);
    if (rc == 0 || rc == -ETIMEDOUT)
        rc = snapshot(&seen, members, futures, count, ret_done);
    soon__set_fini(&seen);
    free(members);
    return rc;
}

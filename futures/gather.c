/*
 * gather.c - one future for many: soon_gather() waits for all of them, soon_any() for the first that succeeds.
 *
 * One object for both. It leaves an internal continuation with each member; the last of them (or, for any, the first
 * success) completes it. The object is held by its readers and by every continuation that has not run; it holds its
 * members to its own end, since it lends their errors and results.
 */
#include "future_internal.h"
#include "wait.h"

#include <errno.h>
#include <stdlib.h>

struct member {
    struct soon__callback callback;
    soon_future *future;
};

struct group {
    soon_future future; /* first */
    bool any;
    _Atomic size_t left;           /* members whose continuation has not run */
    _Atomic(soon_future *) winner; /* any: whose outcome it lends */
    struct soon__members cancelling;
    size_t count;
    struct member members[];
};

static struct group *of_future(const soon_future *future)
{
    return (struct group *)future;
}

static void destroy(soon_future *future)
{
    struct group *group = of_future(future);

    soon__future_fini(future);
    for (size_t i = 0; i < group->count; i++)
        soon__future_unref(group->members[i].future);
    free(group);
}

static struct soon__members *members(soon_future *future)
{
    return &of_future(future)->cancelling;
}

static soon_future *member(soon_future *future, size_t index)
{
    struct group *group = of_future(future);

    return index < group->count ? soon__future_ref(group->members[index].future) : NULL;
}

static soon_future *lender(const soon_future *future)
{
    /* Acquire: pairs with the release in complete_any(). */
    return atomic_load_explicit(&of_future(future)->winner, memory_order_acquire);
}

static bool takes_first(const soon_future *future)
{
    return of_future(future)->any;
}

static const struct soon__class group_class = {
    .destroy = destroy, .members = members, .member = member, .lender = lender, .takes_first = takes_first};

/* The first in order; NULL: none. All are looked at. */
static struct soon__error *first_error(struct group *group)
{
    struct soon__error *first = NULL, *error;

    for (size_t i = 0; i < group->count; i++) {
        error = soon__future_failure(group->members[i].future);
        if (error && !first)
            first = error;
    }
    return first;
}

static void complete(struct group *group)
{
    struct soon__error *error = first_error(group);

    if (error)
        soon__future_fail(&group->future, soon__error_ref(error));
    else if (soon__future_claim(&group->future))
        soon__future_publish(&group->future, SOON__FINISHED);
}

static void complete_any(struct group *group, soon_future *member)
{
    soon_future *none = NULL;

    if (soon__word_final(soon__future_word(&group->future)))
        return;
    /* Release: whoever sees the winner sees its outcome; the first one stays. */
    if (atomic_compare_exchange_strong_explicit(&group->winner, &none, member, memory_order_release,
                                                memory_order_relaxed))
        soon__future_adopt(&group->future, member);
}

static void member_done(soon_future *future, void *data)
{
    struct group *group = data;

    if (group->any && !soon__future_failure(future))
        complete_any(group, future);
    /* Acquire-release: the last one sees what the others saw. */
    if (atomic_fetch_sub_explicit(&group->left, 1, memory_order_acq_rel) == 1)
        complete(group);
    soon__future_unref(&group->future);
}

static soon_future *group_new(soon_future *const *futures, size_t count, bool any)
{
    struct group *group;

    if ((!futures && count) || !soon__array_fits(count, sizeof *futures) || (any && !count))
        return soon__future_new_failed(-EINVAL, NULL, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!futures[i])
            return soon__future_new_failed(-EINVAL, NULL, NULL, NULL);
    }
    if (count > (SIZE_MAX - sizeof *group) / sizeof *group->members)
        return soon__future_nomem();
    group = malloc(sizeof *group + count * sizeof *group->members);
    if (!group)
        return soon__future_nomem();
    soon__future_init(&group->future, &group_class, 1, 1);
    group->any = any;
    group->count = count;
    atomic_init(&group->left, count + 1); /* one for this function, so that it does not end half registered */
    atomic_init(&group->winner, NULL);
    for (size_t i = 0; i < count; i++) {
        struct member *member = &group->members[i];

        member->future = soon__future_ref(futures[i]);
        member->callback = (struct soon__callback){.kind = SOON__CALLBACK_INTERNAL, .fn = member_done, .data = group};
    }
    return &group->future;
}

static soon_future *group_start(soon_future *future)
{
    struct group *group = of_future(future);

    if (future->class != &group_class)
        return future;
    for (size_t i = 0; i < group->count; i++) {
        struct member *member = &group->members[i];
        int rc;

        soon__future_ref(future);
        rc = soon__future_add_callback(member->future, &member->callback);
        if (rc < 0)
            soon__future_fail(future, soon__error_static(rc));
        if (rc <= 0)
            member_done(member->future, group);
    }
    if (atomic_fetch_sub_explicit(&group->left, 1, memory_order_acq_rel) == 1)
        complete(group);
    soon__future_unref(future);
    return future;
}

soon_future *soon_gather(soon_future *const *futures, size_t count)
{
    return group_start(group_new(futures, count, false));
}

soon_future *soon_any(soon_future *const *futures, size_t count)
{
    return group_start(group_new(futures, count, true));
}

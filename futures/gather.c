/*
 * gather.c - soon_gather() waits for all of them, soon_any() for the first that succeeds.
 *
 *     made --every member registered--> waiting --the last one, or the winner--> done
 *                                          +------nobody can want it any more--> given up
 *
 * Both are a group. It leaves an internal continuation with each member. The last of them (for soon_any(), the first
 * success) completes the group. A group keeps references of its members to its own end, since it lends their errors and
 * results.
 *
 * G1  A group that is done or given up takes back the continuations that have not run. So a group of a short task and
 *     of a future that lives long leaves nothing with the latter.
 * G2  When the group is done, its own first callback does that, which is registered after the continuations with the
 *     members. If it is done by then, group_start() does it.
 * G3  The future has a reference of itself until it is done. Continuations keep only the block (`blocks`). So when all
 *     other references are gone, and there is no callback, nobody can want the outcome: the group is given up. That is
 *     decided under LOCK, and so is the reference that a continuation takes to complete the group: one of the two comes
 *     first.
 * G4  Nothing recurses for a group in a group: a future that is given up inside a destroy waits in a list.
 */
#include "gather_internal.h"

#include "block_internal.h"
#include "callback_internal.h"
#include "complete_internal.h"
#include "failed_internal.h"
#include "wait.h"

#include <errno.h>

struct group;

struct member {
    struct soon__callback callback;
    struct group *group;
    soon_future *future; /* a reference */
    _Atomic bool ran;    /* its continuation */
};

struct group {
    soon_future future;         /* first */
    struct soon__callback over; /* G2 */
    bool any;
    struct {
        bool given_up;             /* G3 */
    } locked;                      /* under LOCK */
    _Atomic size_t blocks;         /* counts the future, and continuations that have neither run nor been taken back */
    _Atomic size_t left;           /* members whose continuation has not run */
    _Atomic bool failed;           /* a member has failed */
    _Atomic(soon_future *) winner; /* soon_any(): the member whose outcome it lends */
    struct soon__members cancelling;
    size_t count;
    struct member members[];
};

static struct group *of_future(const soon_future *future)
{
    return (struct group *)future;
}

static size_t size_of(size_t count)
{
    return sizeof(struct group) + count * sizeof(struct member);
}

static void block_unref(struct group *group)
{
    /* Release our use of the block, acquire that of the others, before the last one frees it. */
    if (atomic_fetch_sub_explicit(&group->blocks, 1, memory_order_acq_rel) == 1)
        soon__block_free(group, size_of(group->count));
}

/* G1. A group that is `done` marks every error as seen, also those that are still to come. */
static void let_go(struct group *group, bool done)
{
    for (size_t i = 0; i < group->count; i++) {
        struct member *member = &group->members[i];

        /* Relaxed: a hint that saves taking LOCK, under which the callback is found or not. */
        if (atomic_load_explicit(&member->ran, memory_order_relaxed))
            continue;
        if (done)
            soon__future_set_bits(member->future, SOON__LOOKED);
        if (!soon__future_is_pre_fork(member->future) && soon__future_take_callback(member->future, &member->callback))
            block_unref(group);
    }
}

/* G2 */
static void over(soon_future *future, void *data)
{
    (void)data;
    let_go(of_future(future), true);
    soon__future_unref(future); /* G3 */
}

static void destroy(soon_future *future)
{
    struct group *group = of_future(future);

    if (group->locked.given_up)
        let_go(group, false);
    soon__future_fini(future);
    for (size_t i = 0; i < group->count; i++)
        soon__future_unref(group->members[i].future);
    block_unref(group);
}

/* G3. `refs` are the references if no thread but the caller has any. */
static bool give_up(soon_future *future, uint64_t refs)
{
    struct group *group = of_future(future);

    if (!soon__future_lock_unfinished(future))
        return false;
    /* Relaxed: a thread that adds the first other reference needs LOCK for that. */
    group->locked.given_up = soon__word_refs(atomic_load_explicit(&future->word, memory_order_relaxed)) == refs &&
                             future->locked.callbacks == &group->over && group->over.next == &group->over;
    soon__future_unlock(future);
    return group->locked.given_up;
}

/* Takes a reference for a continuation that is about to complete the group. Returns false if it is done, or given
 * up. */
static bool enter(struct group *group)
{
    bool wanted;

    if (!soon__future_lock_unfinished(&group->future))
        return false;
    wanted = !group->locked.given_up;
    if (wanted)
        soon__future_ref(&group->future);
    soon__future_unlock(&group->future);
    return wanted;
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
    /* Acquire: pairs with the release in complete(). */
    return atomic_load_explicit(&of_future(future)->winner, memory_order_acquire);
}

static bool takes_first(const soon_future *future)
{
    return of_future(future)->any;
}

static const struct soon__class group_class = {.destroy = destroy,
                                               .members = members,
                                               .member = member,
                                               .takes_first = takes_first,
                                               .lender = lender,
                                               .give_up = give_up,
                                               .counting = SOON__WATCHED};

soon_future *soon__group_member(const soon_future *group, size_t index)
{
    return index < soon__group_count(group) ? of_future(group)->members[index].future : NULL;
}

size_t soon__group_count(const soon_future *group)
{
    return group->class == &group_class ? of_future(group)->count : 0;
}

/* Returns the first error in the order of the members, all of which are done. */
static struct soon__error *first_error(struct group *group)
{
    struct soon__error *error = NULL;

    /* Relaxed: `left` orders it. */
    for (size_t i = 0; !error && i < group->count && atomic_load_explicit(&group->failed, memory_order_relaxed); i++)
        error = soon__future_error(group->members[i].future);
    return error;
}

/* `winner` is that of a soon_any(); NULL: all members are done. */
static void complete(struct group *group, soon_future *winner)
{
    if (!enter(group))
        return;
    if (soon__future_claim(&group->future)) {
        /* Release: whoever sees the winner sees its outcome. */
        atomic_store_explicit(&group->winner, winner, memory_order_release);
        if (winner) {
            soon__future_publish_as(&group->future, winner);
        } else {
            soon__future_set_error(&group->future, soon__error_ref(first_error(group)));
            soon__future_publish(&group->future, SOON__FINISHED);
        }
    }
    soon__future_unref(&group->future);
}

static void member_done(soon_future *future, void *data)
{
    struct member *member = data;
    struct group *group = member->group;

    atomic_store_explicit(&member->ran, true, memory_order_relaxed);
    if (soon__future_failure(future))
        atomic_store_explicit(&group->failed, true, memory_order_relaxed);
    else if (group->any)
        complete(group, future);
    /* Acquire-release: the last one sees what the others saw. */
    if (atomic_fetch_sub_explicit(&group->left, 1, memory_order_acq_rel) == 1)
        complete(group, NULL);
    block_unref(group);
}

static struct group *block_new(soon_future *const *futures, size_t count, bool any)
{
    struct group *group = NULL;

    if (count <= (SIZE_MAX - sizeof *group) / sizeof *group->members)
        group = soon__block_new(size_of(count));
    if (!group)
        return NULL;
    *group = (struct group){.any = any,
                            .over = {.kind = SOON__CALLBACK_INTERNAL, .fn = over},
                            .blocks = 1,
                            .left = count + 1, /* one for group_start(), so that it does not end half registered */
                            .count = count};
    for (size_t i = 0; i < count; i++) {
        struct member *member = &group->members[i];

        *member = (struct member){.group = group, .future = soon__future_ref(futures[i])};
        member->callback = (struct soon__callback){.kind = SOON__CALLBACK_INTERNAL, .fn = member_done, .data = member};
    }
    return group;
}

static void group_start(struct group *group)
{
    for (size_t i = 0; i < group->count && !soon__word_final(soon__future_word(&group->future)); i++) {
        struct member *member = &group->members[i];
        int rc;

        /* Relaxed: ours is there. */
        atomic_fetch_add_explicit(&group->blocks, 1, memory_order_relaxed);
        rc = soon__future_add_callback(member->future, &member->callback);
        if (rc < 0)
            soon__future_end(&group->future, SOON__FINISHED, soon__error_static(rc, false));
        if (rc <= 0)
            member_done(member->future, member);
    }
    if (atomic_fetch_sub_explicit(&group->left, 1, memory_order_acq_rel) == 1)
        complete(group, NULL);
    if (soon__future_add_callback(&group->future, &group->over) == 0)
        over(&group->future, NULL);
}

static soon_future *group_new(soon_future *const *futures, size_t count, bool any)
{
    struct group *group;

    int rc = soon__check_futures(futures, count);

    if (rc == 0 && any && !count)
        rc = soon__refuse(-EINVAL, "count = 0: none of no futures can succeed");
    if (rc < 0)
        return soon__future_new_failed(rc, any ? "soon_any" : "soon_gather", NULL, NULL, NULL);
    group = block_new(futures, count, any);
    if (!group)
        return soon__future_nomem();
    soon__future_init(&group->future, &group_class, 1, 1);
    group_start(group);
    return &group->future;
}

soon_future *soon_gather(soon_future *const *futures, size_t count)
{
    return group_new(futures, count, false);
}

soon_future *soon_any(soon_future *const *futures, size_t count)
{
    return group_new(futures, count, true);
}

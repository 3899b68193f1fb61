/*
 * cancel.c - cancelling and killing a future, and the other futures that follow from it.
 *
 * A cancel pins the owner and asks it to take the task back. If it does, the cancel claims the future, publishes
 * CANCELLED and runs internal continuations; else it sets CANCEL_REQUESTED. After class->cancelled() the owner is
 * unpinned, and users' callbacks run (I7). Last, it goes on with the futures that are to be cancelled next.
 */
#include "await_internal.h"
#include "complete_internal.h"
#include "future_internal.h"
#include "run_callbacks_internal.h"

#include <errno.h>

/* The futures that are to be cancelled next. There is no recursion, since thens and groups make chains of any
 * length. */
struct more {
    soon_future *next;           /* a reference */
    struct soon__members *group; /* the innermost group whose members are being cancelled */
};

static void cancel_members(soon_future *future, bool callbacks, struct more *more)
{
    struct soon__members *members = future->class->members(future);

    *members = (struct soon__members){.outer = more->group, .group = soon__future_ref(future), .callbacks = callbacks};
    more->group = members;
}

static void members_are_cancelled(struct more *more)
{
    struct soon__members members = *more->group;

    more->group = members.outer;
    if (members.callbacks)
        soon__future_run_callbacks(members.group);
    soon__future_unref(members.group);
}

/* Returns a reference; NULL: there are no more. */
static soon_future *next_to_cancel(struct more *more)
{
    soon_future *next = more->next;

    more->next = NULL;
    while (!next && more->group) {
        next = more->group->group->class->member(more->group->group, more->group->next++);
        if (!next)
            members_are_cancelled(more);
    }
    return next;
}

static bool take_back(soon_future *future, void *owner, bool pending)
{
    const struct soon__class *class = future->class;

    if (pending && class->take_back && class->take_back(future, owner))
        return true;
    if (!class->take_back_again)
        return false;
    /* Set before the owner is asked: a thread that is about to give the task its next try sees it. */
    soon__future_set_bits(future, SOON__CANCEL_REQUESTED);
    return class->take_back_again(future, owner);
}

/* The owner of a future, while this thread has it pinned. */
struct pin {
    void *owner;
    bool pending; /* the future had not begun when it was pinned */
    struct soon__pinned pinned;
};

/* Returns false if the future is done, or was made before a fork. */
static bool pin_owner(soon_future *future, struct pin *pin)
{
    const struct soon__class *class = future->class;

    if (!soon__future_lock_unfinished(future))
        return false;
    pin->owner = class->pin ? class->pin(future) : NULL;
    pin->pending = (soon__future_word(future) & SOON__STATE) == SOON__PENDING;
    soon__future_unlock(future);
    if (class->pin)
        soon__pinned_begin(&pin->pinned, pin->owner);
    return true;
}

static void unpin_owner(soon_future *future, struct pin *pin)
{
    if (!future->class->pin)
        return;
    future->class->unpin(pin->owner);
    soon__pinned_end(&pin->pinned);
}

/* Publishes CANCELLED if this thread may, else asks the task to end. Returns whether it has published. */
static bool resolve(soon_future *future, const struct pin *pin, bool taken, bool *ret_callbacks)
{
    /* If there is no owner to ask, the word says whether it has begun meanwhile. */
    bool won = taken ? soon__future_claim(future)
                     : pin->pending && !future->class->take_back && soon__future_claim_pending(future);

    *ret_callbacks = false;
    if (won) {
        soon__future_set_error(future, soon__future_has_started(future) ? &soon__error_cancelled_between
                                                                        : &soon__error_cancelled);
        *ret_callbacks = soon__future_publish_quietly(future, SOON__CANCELLED);
    } else {
        soon__future_set_bits(future, SOON__CANCEL_REQUESTED);
    }
    return won;
}

static bool cancel_one(soon_future *future, struct more *more)
{
    const struct soon__class *class = future->class;
    bool taken, won, callbacks;
    struct pin pin;

    soon__future_refresh(future);
    if (!pin_owner(future, &pin))
        return (soon__future_word(future) & SOON__STATE) == SOON__CANCELLED;
    taken = take_back(future, pin.owner, pin.pending);
    won = resolve(future, &pin, taken, &callbacks);
    if (class->cancelled)
        class->cancelled(future, pin.owner, taken || won);
    /* I7. The callbacks of a group run when its members are cancelled. */
    if (callbacks && !class->members)
        soon__future_run_callbacks(future);
    unpin_owner(future, &pin);
    if (won && class->members)
        cancel_members(future, callbacks, more);
    if (taken && class->also_cancel)
        more->next = class->also_cancel(future);
    if (taken && class->taken_back)
        class->taken_back(future);
    return won || (soon__future_stable_word(future) & SOON__STATE) == SOON__CANCELLED;
}

bool soon_future_cancel(soon_future *future)
{
    struct more more = {NULL, NULL};
    soon_future *next;
    bool cancelled;

    if (!soon__check(future, "soon_future_cancel: NULL"))
        return false;
    cancelled = cancel_one(future, &more);
    while ((next = next_to_cancel(&more))) {
        cancel_one(next, &more);
        soon__future_unref(next);
    }
    return cancelled;
}

size_t soon_futures_cancel(soon_future *const *futures, size_t count)
{
    size_t cancelled = 0;

    if (!soon__check(futures || !count, "soon_futures_cancel: NULL") ||
        !soon__check(soon__array_fits(count, sizeof *futures), "soon_futures_cancel: no array is so long"))
        return 0;
    for (size_t i = 0; i < count; i++)
        cancelled += futures[i] && soon_future_cancel(futures[i]);
    return cancelled;
}

/* Groups in groups are killed to this depth, so that the stack does not grow with what a program builds. */
enum { KILL_DEPTH_MAX = 32 };

static int kill_at(soon_future *future, int depth);

/* Kills each member that can be. Returns the best result of one. */
static int kill_members(soon_future *group, int depth)
{
    int rc = SOON_EINVALIDSTATE;
    soon_future *member;

    for (size_t i = 0; (member = group->class->member(group, i)); i++) {
        int killed = depth < KILL_DEPTH_MAX ? kill_at(member, depth + 1) : -ENOTSUP;

        if (killed == 0 || (killed == -ENOTSUP && rc < 0))
            rc = killed;
        soon__future_unref(member);
    }
    return rc;
}

static int kill_one(soon_future *future, void *owner, int depth)
{
    if (future->class->member)
        return kill_members(future, depth);
    return future->class->kill ? future->class->kill(future, owner) : -ENOTSUP;
}

static int kill_at(soon_future *future, int depth)
{
    struct pin pin;
    int rc;

    if (!pin_owner(future, &pin))
        return soon__word_final(soon__future_word(future)) ? SOON_EINVALIDSTATE : SOON_EFORKED;
    rc = kill_one(future, pin.owner, depth);
    unpin_owner(future, &pin);
    return rc;
}

int soon_future_kill(soon_future *future)
{
    return soon__failed(future ? kill_at(future, 0) : soon__is_null("the future"), "soon_future_kill");
}

/*
 * future.c - the state machine behind a future.
 *
 *     PENDING --start--> RUNNING --+
 *        |                         |
 *        +------ claim ------------+--> COMPLETING --publish--> FINISHED
 *                                                 \--publish--> CANCELLED
 *
 * COMPLETING comes in two kinds, so that readers go on seeing what was before it.
 *
 * A plain call of a pool's own takes none of these arrows but the last, from PENDING to FINISHED: who has taken it out of the
 * pool is the only one who may begin or end it, and says that it has begun in the call: class->has_begun().
 *
 * I1  State moves only along these arrows, by compare-exchange on one word: of a worker, a canceller, an expired
 *     limit and a shutdown one alone wins `claim`.
 * I2  The outcome is written by who won `claim`, before `publish`; it is read only after an acquire load saw a final
 *     state. So it needs no lock and never changes afterwards.
 * I3  LOCK, a bit of the word, guards the lists of waiters and callbacks. Publishing while there is, or was, one
 *     takes LOCK: whoever registered under LOCK before sees its notification, whoever comes later sees the final state.
 * I4  Waiters are notified under LOCK, so that one who gives up need only take LOCK once to be forgotten. No user code
 *     runs under it.
 * I5  Publishing allocates nothing. Callbacks are taken off one at a time, so that a remove is exact until the last
 *     moment.
 * I6  A thread that sleeps on the word has set PARKED in the value it sleeps on; who stores the final state clears
 *     it and wakes.
 * I7  Who cancels a future keeps its owner pinned until the internal continuations have run: what the library makes of that
 *     future (a map, a group, a then) is through before the owner can be down. Users' callbacks wait until the pin is back,
 *     since one may free the owner.
 */
#include "future_internal.h"

#include "slab_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void soon__future_init(soon_future *future, const struct soon__class *class, uint32_t readers, uint32_t library)
{
    *future = (soon_future){.word = readers * SOON__READER + library * SOON__LIBRARY,
                            .class = class,
                            .generation = (uint16_t)soon__generation()};
}

/* What it has beside a result in its block. */
static __attribute__((noinline)) void drop_outcome(soon_future *future, uint32_t word)
{
    if ((word & SOON__FAILED) && (word & (SOON__LOOKED | SOON__STATE)) == SOON__FINISHED)
        soon__error_unhandled(future->failure);
    if (word & SOON__RESULT_ON_HEAP)
        free((void *)future->result);
    else if (word & SOON__RESULT_MAPPED)
        soon__shm_unmap(future->result, future->result_size);
    if (word & SOON__FAILED)
        soon__error_unref(future->failure);
}

static __attribute__((noinline)) void drop_aside(struct soon__aside *aside)
{
    soon_buffer_unref(aside->payload);
    soon__buffers_free(aside->further);
    if (aside->hook)
        aside->hook->destroy(aside->hook);
    free(aside);
}

void soon__future_fini(soon_future *future)
{
    uint32_t word = soon__future_word(future);

    if (word & (SOON__FAILED | SOON__RESULT_ON_HEAP | SOON__RESULT_MAPPED))
        drop_outcome(future, word);
    if (future->aside)
        drop_aside(future->aside);
}

/*
 * References
 */

static __attribute__((noinline)) void destroy_slowly(soon_future *future)
{
    struct soon__thread *self = soon__thread_self();

    if (self->sink) {
        self->sink(future);
        return;
    }
    /* One that held another, and that another: one after the other, not one inside the other. */
    if (self->in_destroy) {
        soon__future_list_push(&self->doomed, future);
        return;
    }
    self->in_destroy = true;
    do {
        if (self->parking)
            self->parking->held_up(self->worker);
        future->class->destroy(future);
    } while ((future = soon__future_list_pop(&self->doomed)));
    self->in_destroy = false;
}

/* What runs no user code and lets go of no other future. `word`: as it would be, it may still have the last reference. */
static inline bool destroy_alone(soon_future *future, uint64_t word)
{
    if (!(future->block & SOON__BLOCK_ALONE) || future->aside || word & SOON__FAILED)
        return false;
    if (word & (SOON__RESULT_ON_HEAP | SOON__RESULT_MAPPED))
        drop_outcome(future, (uint32_t)word);
    soon__block_free(future, (future->block & SOON__BLOCK_STEPS) * (size_t)16);
    return true;
}

void soon__future_destroy(soon_future *future)
{
    if (!destroy_alone(future, atomic_load_explicit(&future->word, memory_order_relaxed)))
        destroy_slowly(future);
}

/* Whose last reference, `unit`, is the caller's: nobody else can have it any more. */
static inline void give_up_last(soon_future *future, uint64_t word, uint64_t unit)
{
    if (destroy_alone(future, word))
        return;
    atomic_store_explicit(&future->word, word - unit, memory_order_relaxed);
    destroy_slowly(future);
}

/* One reference less, `unit`. */
static __attribute__((noinline)) void unref_watched(soon_future *future, uint64_t unit)
{
    /* Acquire, release: as in soon_future_unref(). */
    uint64_t word = atomic_load_explicit(&future->word, memory_order_acquire), left;

    do {
        if (!soon__check(unit == SOON__LIBRARY || word >= SOON__READER, "soon_future_unref: one unref too many"))
            return;
        left = word - unit;
        if (soon__word_refs(left) == SOON__LIBRARY && future->class->give_up(future, soon__word_refs(word)))
            left -= SOON__LIBRARY; /* nobody else has one, or can get it */
    } while (
        !atomic_compare_exchange_weak_explicit(&future->word, &word, left, memory_order_acq_rel, memory_order_acquire));
    if (!soon__word_refs(left))
        soon__future_destroy(future);
}

soon_future *soon__future_ref(soon_future *future)
{
    if (!soon__future_is_immortal(future))
        atomic_fetch_add_explicit(&future->word, SOON__LIBRARY, memory_order_relaxed);
    return future;
}

void soon__future_give(soon_future *future)
{
    if (!soon__future_is_immortal(future))
        atomic_fetch_add_explicit(&future->word, SOON__READER - SOON__LIBRARY, memory_order_relaxed);
}

void soon__future_unref(soon_future *future)
{
    uint64_t word;

    if (future->class->counting != SOON__COUNTED) {
        if (future->class->counting == SOON__WATCHED)
            unref_watched(future, SOON__LIBRARY);
        return;
    }
    /* Acquire: as below. */
    word = atomic_load_explicit(&future->word, memory_order_acquire);
    if (soon__word_refs(word) == SOON__LIBRARY) {
        give_up_last(future, word, SOON__LIBRARY);
        return;
    }
    /* Release our use of the block, acquire that of the others, before the last one destroys it. */
    if (soon__word_refs(atomic_fetch_sub_explicit(&future->word, SOON__LIBRARY, memory_order_acq_rel)) == SOON__LIBRARY)
        soon__future_destroy(future);
}

soon_future *soon_future_ref(soon_future *future)
{
    if (soon__check(future, "soon_future_ref: NULL") && !soon__future_is_immortal(future))
        atomic_fetch_add_explicit(&future->word, SOON__READER, memory_order_relaxed);
    return future;
}

void soon_future_unref(soon_future *future)
{
    uint64_t word;

    if (!future || future->class->counting != SOON__COUNTED) {
        if (future && future->class->counting == SOON__WATCHED)
            unref_watched(future, SOON__READER);
        return;
    }
    /* Acquire: if it is the last one, what the others have done; pairs with the release below. */
    word = atomic_load_explicit(&future->word, memory_order_acquire);
    do {
        if (soon__word_refs(word) == SOON__READER) {
            give_up_last(future, word, SOON__READER);
            return;
        }
        if (!soon__check(word >= SOON__READER, "soon_future_unref: one unref too many"))
            return;
        /* As in soon__future_unref(). */
    } while (!atomic_compare_exchange_weak_explicit(&future->word, &word, word - SOON__READER, memory_order_acq_rel,
                                                    memory_order_acquire));
}

/*
 * LOCK
 */

void soon__future_lock(soon_future *future)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);

    for (int spins = 0;;) {
        if (!(word & SOON__LOCK)) {
            /* Acquire: pairs with the release of unlock(). */
            if (atomic_compare_exchange_weak_explicit(&future->word, &word, word | SOON__LOCK, memory_order_acquire,
                                                      memory_order_relaxed))
                return;
            continue;
        }
        if (spins++ < 64) { /* it is held for a few instructions: look again first */
            word = atomic_load_explicit(&future->word, memory_order_relaxed);
            continue;
        }
        if (!(word & SOON__LOCK_WANTED) &&
            !atomic_compare_exchange_weak_explicit(&future->word, &word, word | SOON__LOCK_WANTED, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        soon__park(soon__future_bed(future), (uint32_t)word | SOON__LOCK_WANTED, SOON__NEVER);
        word = atomic_load_explicit(&future->word, memory_order_relaxed);
    }
}

void soon__future_unlock(soon_future *future)
{
    uint64_t word =
        atomic_fetch_and_explicit(&future->word, ~(uint64_t)(SOON__LOCK | SOON__LOCK_WANTED), memory_order_release);

    if (word & SOON__LOCK_WANTED)
        soon__unpark_all(soon__future_bed(future));
}

void soon__future_set_bits(soon_future *future, uint32_t bits)
{
    if (~atomic_load_explicit(&future->word, memory_order_relaxed) & bits)
        atomic_fetch_or_explicit(&future->word, bits, memory_order_relaxed);
}

bool soon__future_give_up_taken(soon_future *future)
{
    /* Acquire: nobody else can have it any more, what they did is done, to the word too. */
    uint64_t word = atomic_load_explicit(&future->word, memory_order_acquire);

    if (soon__word_refs(word) != SOON__READER || future->class->counting != SOON__COUNTED)
        return false;
    give_up_last(future, word | SOON__TAKEN, SOON__READER);
    return true;
}

/* Its LOCK may be held by a thread that is not here. */
bool soon__future_is_pre_fork(const soon_future *future)
{
    return future->generation != (uint16_t)soon__generation() && !soon__future_is_immortal(future);
}

/* False, and not locked: it is final, or of the parent. */
bool soon__future_lock_unfinished(soon_future *future)
{
    if (soon__word_final(soon__future_word(future)) || soon__future_is_pre_fork(future))
        return false;
    soon__future_lock(future);
    if (!soon__word_final(soon__future_word(future)))
        return true;
    soon__future_unlock(future);
    return false;
}

/*
 * The arrows
 */

/* Moves the state from one of two to another; the flags stay. False: it was in neither. */
static bool move(soon_future *future, uint32_t from, uint32_t to, uint32_t or_from, uint32_t or_to)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed), next;

    do {
        if ((word & SOON__STATE) == from)
            next = (word & ~(uint64_t)SOON__STATE) | to;
        else if ((word & SOON__STATE) == or_from)
            next = (word & ~(uint64_t)SOON__STATE) | or_to;
        else
            return false;
        /* Acquire and release order nothing here (I2 starts at publish), but make start() and claim() points that
         * agree with what their callers did before. */
    } while (
        !atomic_compare_exchange_weak_explicit(&future->word, &word, next, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

bool soon__future_start(soon_future *future)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);

    /* As in move(). */
    while ((word & SOON__STATE) == SOON__PENDING) {
        if (atomic_compare_exchange_weak_explicit(&future->word, &word, word | SOON__RUNNING, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

bool soon__future_claim(soon_future *future)
{
    return move(future, SOON__PENDING, SOON__COMPLETING_PENDING, SOON__RUNNING, SOON__COMPLETING_RUNNING);
}

/* The same for a future that has not begun. */
static bool claim_pending(soon_future *future)
{
    return move(future, SOON__PENDING, SOON__COMPLETING_PENDING, SOON__PENDING, SOON__COMPLETING_PENDING);
}

/* Stores the final state, and gives up `refs`, unless one of these flags is set; returns what the word was. */
static inline uint64_t store_final(soon_future *future, uint32_t state, uint64_t refs, uint32_t unless)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);

    do {
        if (word & unless)
            break;
        /* Release publishes the outcome (I2); pairs with the acquire in soon__future_word(). */
    } while (!atomic_compare_exchange_weak_explicit(&future->word, &word,
                                                    ((word & ~(uint64_t)(SOON__STATE | SOON__PARKED)) | state) - refs,
                                                    memory_order_acq_rel, memory_order_relaxed));
    return word;
}

static __attribute__((noinline)) void wake_sleepers(soon_future *future)
{
    struct soon__wakes *wakes = soon__thread_self()->wakes;

    if (wakes && wakes->count < sizeof wakes->words / sizeof *wakes->words)
        wakes->words[wakes->count++] = soon__future_bed(future);
    else
        soon__unpark_all(soon__future_bed(future));
}

void soon__wakes_hold(struct soon__wakes *wakes)
{
    wakes->count = 0;
    soon__thread_self()->wakes = wakes;
}

void soon__wakes_release(struct soon__wakes *wakes)
{
    soon__thread_self()->wakes = NULL;
    /* What is not there any more nobody sleeps on; another word at its place is looked at again by who does. */
    for (unsigned i = 0; i < wakes->count; i++)
        soon__unpark_all(wakes->words[i]);
}

static void notify_waiters_locked(soon_future *future)
{
    struct soon__waiter *waiter, *next;

    for (waiter = future->waiters; waiter; waiter = next) {
        next = waiter->next;
        waiter->link = NULL;
        waiter->notify(waiter, future); /* it may be gone after this */
    }
    future->link = NULL; /* from now on the field is the link of a list of done futures */
}

/* In one step, which gives up `refs`, if there is nobody to tell but who sleeps for it. False: nothing was done. */
static inline bool publish_bare(soon_future *future, uint32_t state, uint64_t refs)
{
    uint64_t word = store_final(future, state, refs, SOON__LOCK | SOON__LISTS);

    if (word & (SOON__LOCK | SOON__LISTS))
        return false;
    if (word & SOON__PARKED)
        wake_sleepers(future); /* by its address: it may be gone */
    if (refs && soon__word_refs(word) == refs)
        soon__future_destroy(future);
    return true;
}

/* True: soon__future_run_callbacks() is to follow, which has a reference. */
static bool publish_lists(soon_future *future, uint32_t state)
{
    bool callbacks;
    uint64_t word;

    soon__future_lock(future);
    callbacks = future->callbacks != NULL;
    word = store_final(future, callbacks && soon__thread_self()->sink ? state | SOON__SUNK : state, 0, 0);
    notify_waiters_locked(future);
    if (callbacks) {
        soon__future_ref(future);
        soon__callbacks_order_locked(future);
    }
    soon__future_unlock(future);
    if (word & SOON__PARKED)
        wake_sleepers(future);
    return callbacks;
}

static __attribute__((noinline)) void publish_slowly(soon_future *future, uint32_t state, uint64_t refs)
{
    /* Relaxed: a hint. */
    if (atomic_load_explicit(&future->word, memory_order_relaxed) & SOON__FOR_LOOP &&
        soon__future_publish_to_loop(future, state, refs))
        return;
    if (publish_lists(future, state))
        soon__future_run_callbacks(future);
    if (refs)
        soon__future_unref(future);
}

void soon__future_publish(soon_future *future, uint32_t state)
{
    if (!publish_bare(future, state, 0))
        publish_slowly(future, state, 0);
}

bool soon__future_publish_bare(soon_future *future, uint32_t state)
{
    return publish_bare(future, state, SOON__LIBRARY);
}

void soon__future_publish_and_unref(soon_future *future, uint32_t state)
{
    if (!publish_bare(future, state, SOON__LIBRARY))
        publish_slowly(future, state, SOON__LIBRARY);
}

void soon__future_publish_bytes(soon_future *future, const void *data, size_t size, uint32_t owned)
{
    future->result = data;
    future->result_size = size;
    if (owned)
        soon__future_set_bits(future, owned);
    soon__future_publish(future, SOON__FINISHED);
}

void soon__future_set_error(soon_future *future, struct soon__error *error)
{
    if (!error)
        return;
    future->failure = error;
    soon__future_set_bits(future, SOON__FAILED); /* published with the state */
}

bool soon__future_end(soon_future *future, uint32_t state, struct soon__error *error)
{
    if (!soon__future_claim(future)) {
        soon__error_unref(error);
        return false;
    }
    soon__future_set_error(future, error);
    soon__future_publish(future, state);
    return true;
}

void soon__future_publish_as(soon_future *future, soon_future *source)
{
    soon__future_set_bits(source, SOON__LOOKED);
    future->result = source->result;
    future->result_size = source->result_size;
    soon__future_set_error(future, soon__error_ref(soon__future_error(source)));
    soon__future_publish(future, soon__future_word(source) & SOON__STATE);
}

struct soon__error *soon__future_failure(soon_future *future)
{
    struct soon__error *error = soon__future_error(future);

    if (error)
        soon__future_set_bits(future, SOON__LOOKED);
    return error;
}

/*
 * Waiters
 */

bool soon__future_add_waiter(soon_future *future, struct soon__waiter *waiter)
{
    waiter->link = NULL;
    if (!soon__future_lock_unfinished(future))
        return false;
    waiter->next = future->waiters;
    if (waiter->next)
        waiter->next->link = &waiter->next;
    waiter->link = &future->waiters;
    future->waiters = waiter;
    soon__future_set_bits(future, SOON__LISTS);
    soon__future_unlock(future);
    return true;
}

void soon__future_remove_waiter(soon_future *future, struct soon__waiter *waiter)
{
    if (soon__future_is_pre_fork(future) || soon__future_is_immortal(future))
        return;
    soon__future_lock(future);
    if (waiter->link) {
        *waiter->link = waiter->next;
        if (waiter->next)
            waiter->next->link = waiter->link;
        waiter->link = NULL;
    }
    soon__future_unlock(future);
}

/*
 * Cancel and kill
 */

/* What else is to be cancelled, because this was: no recursion, since thens and groups make chains without end. */
struct more {
    soon_future *next;           /* a reference */
    struct soon__members *group; /* the innermost */
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

/* A reference. NULL: that was all. */
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
    /* Before the owner is asked: if it is on its way to its next try just now, who takes it there sees this. */
    soon__future_set_bits(future, SOON__CANCEL_REQUESTED);
    return class->take_back_again(future, owner);
}

static bool cancel_one(soon_future *future, struct more *more)
{
    const struct soon__class *class = future->class;
    bool pending, taken, won, callbacks = false;
    struct soon__pinned pinned;
    void *owner;

    soon__future_look(future);
    if (!soon__future_lock_unfinished(future))
        return (soon__future_word(future) & SOON__STATE) == SOON__CANCELLED;
    owner = class->pin ? class->pin(future) : NULL;
    pending = (soon__future_word(future) & SOON__STATE) == SOON__PENDING;
    soon__future_unlock(future);
    if (class->pin)
        soon__pinned_begin(&pinned, owner);

    taken = take_back(future, owner, pending);
    /* Without an owner to ask it is the word that tells whether it has begun meanwhile. */
    won = taken ? soon__future_claim(future) : pending && !class->take_back && claim_pending(future);
    if (won) {
        soon__future_set_error(future, soon__future_has_started(future) ? &soon__error_cancelled_between
                                                                        : &soon__error_cancelled);
        callbacks = !publish_bare(future, SOON__CANCELLED, 0) && publish_lists(future, SOON__CANCELLED);
    } else {
        soon__future_set_bits(future, SOON__CANCEL_REQUESTED);
    }
    if (class->cancelled)
        class->cancelled(future, owner, taken || won);
    /* I7. A group's follow when its members are cancelled. */
    if (callbacks && !class->members)
        soon__future_run_callbacks(future);
    if (class->pin) {
        class->unpin(owner);
        soon__pinned_end(&pinned);
    }
    if (won && class->members)
        cancel_members(future, callbacks, more);
    if (taken && class->also_cancel)
        more->next = class->also_cancel(future);
    if (taken && class->taken_back)
        class->taken_back(future);
    return won || (soon__future_settled(future) & SOON__STATE) == SOON__CANCELLED;
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

/* Groups in groups are killed to a depth: the stack does not grow with what a program builds. */
enum { KILL_DEPTH_MAX = 32 };

static int kill_at(soon_future *future, int depth);

/* Each that can be. What it returns is the best that was said of one. */
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
    struct soon__pinned pinned;
    void *owner;
    int rc;

    if (!soon__future_lock_unfinished(future))
        return soon__word_final(soon__future_word(future)) ? SOON_EINVALIDSTATE : SOON_EFORKED;
    owner = future->class->pin ? future->class->pin(future) : NULL;
    soon__future_unlock(future);
    if (future->class->pin)
        soon__pinned_begin(&pinned, owner);
    rc = kill_one(future, owner, depth);
    if (future->class->pin) {
        future->class->unpin(owner);
        soon__pinned_end(&pinned);
    }
    return rc;
}

int soon_future_kill(soon_future *future)
{
    return soon__failed(future ? kill_at(future, 0) : soon__is_null("the future"), "soon_future_kill");
}

void soon_futures_unref(soon_future *const *futures, size_t count)
{
    if (!soon__check(futures || !count, "soon_futures_unref: NULL") ||
        !soon__check(soon__array_fits(count, sizeof *futures), "soon_futures_unref: no array is so long"))
        return;
    for (size_t i = 0; i < count; i++)
        soon_future_unref(futures[i]);
}

size_t soon_futures_alive(void)
{
    return soon__blocks_alive();
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

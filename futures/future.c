/*
 * future.c - the word of a future: references, LOCK, the first half of its states; and the waiters.
 *
 * The states and the invariants I1 to I7 are in future_internal.h.
 */
#include "future_internal.h"

#include "block_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void soon__future_init(soon_future *future, const struct soon__class *class, uint32_t readers, uint32_t library)
{
    *future = (soon_future){.word = readers * SOON__READER + library * SOON__LIBRARY,
                            .class = class,
                            .generation = (uint16_t)soon__generation()};
}

/* Releases what the outcome has beside the block. */
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
    /* Destroying a future may give up the last reference of another: one is destroyed after the other, not inside
     * it. */
    if (self->in_destroy) {
        soon__future_list_push(&self->doomed, future);
        return;
    }
    self->in_destroy = true;
    do {
        if (self->parking)
            self->parking->before_user_code(self->worker);
        future->class->destroy(future);
    } while ((future = soon__future_list_pop(&self->doomed)));
    self->in_destroy = false;
}

/* Destroys a future for which that runs no user code and gives up no other future; returns false for any other. `word`
 * is its word, which may still have the last reference. */
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

/* The caller has the last reference, `unit`: no other thread can get one any more. */
static inline void give_up_last(soon_future *future, uint64_t word, uint64_t unit)
{
    if (destroy_alone(future, word))
        return;
    atomic_store_explicit(&future->word, word - unit, memory_order_relaxed);
    destroy_slowly(future);
}

/* Gives up a reference, `unit`. */
static __attribute__((noinline)) void unref_watched(soon_future *future, uint64_t unit)
{
    /* Acquire, release: as in soon_future_unref(). */
    uint64_t word = atomic_load_explicit(&future->word, memory_order_acquire), left;

    do {
        if (!soon__check(unit == SOON__LIBRARY || word >= SOON__READER, "soon_future_unref: one unref too many"))
            return;
        left = word - unit;
        if (soon__word_refs(left) == SOON__LIBRARY && future->class->give_up(future, soon__word_refs(word)))
            left -= SOON__LIBRARY; /* no other thread has a reference, or can get one */
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
    /* Release: our use of the block. Acquire: that of the others, before the last one destroys it. */
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
    /* Acquire: what the others have done, if this is the last reference; pairs with the release below. */
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
        if (spins++ < 64) { /* LOCK is held for a few instructions only: looking again is faster than sleeping */
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
    /* Acquire: if this is the last reference, what the others did to the future, and to its word. */
    uint64_t word = atomic_load_explicit(&future->word, memory_order_acquire);

    if (soon__word_refs(word) != SOON__READER || future->class->counting != SOON__COUNTED)
        return false;
    give_up_last(future, word | SOON__TAKEN, SOON__READER);
    return true;
}

bool soon__future_is_pre_fork(const soon_future *future)
{
    return future->generation != (uint16_t)soon__generation() && !soon__future_is_immortal(future);
}

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

bool soon__future_start(soon_future *future)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);

    /* The outcome is ordered by publishing (I2). Acquire and release order here what callers did before start and
     * claim. */
    while ((word & SOON__STATE) == SOON__PENDING) {
        if (atomic_compare_exchange_weak_explicit(&future->word, &word, soon__word_move(word, SOON__RUNNING),
                                                  memory_order_acq_rel, memory_order_relaxed))
            return true;
    }
    return false;
}

static inline bool claim(soon_future *future, bool pending_only)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed), next;

    do {
        if ((word & SOON__STATE) == SOON__PENDING)
            next = soon__word_move(word, SOON__COMPLETING_PENDING);
        else if ((word & SOON__STATE) == SOON__RUNNING && !pending_only)
            next = soon__word_move(word, SOON__COMPLETING_RUNNING);
        else
            return false;
        /* As in soon__future_start(). */
    } while (
        !atomic_compare_exchange_weak_explicit(&future->word, &word, next, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

bool soon__future_claim(soon_future *future)
{
    return claim(future, false);
}

bool soon__future_claim_pending(soon_future *future)
{
    return claim(future, true);
}

void soon__future_set_error(soon_future *future, struct soon__error *error)
{
    if (!error)
        return;
    future->failure = error;
    soon__future_set_bits(future, SOON__FAILED); /* published with the state */
}

struct soon__error *soon__future_failure(soon_future *future)
{
    struct soon__error *error = soon__future_error(future);

    if (error)
        soon__future_set_bits(future, SOON__LOOKED);
    return error;
}

void soon__future_refresh(soon_future *future)
{
    const struct soon__class *class = future->class;
    void *owner;

    if (!class->refresh || !soon__future_lock_unfinished(future))
        return;
    owner = class->pin ? class->pin(future) : NULL;
    soon__future_unlock(future);
    class->refresh(future, owner);
    if (class->unpin)
        class->unpin(owner);
}

/*
 * Waiters
 */

bool soon__future_add_waiter(soon_future *future, struct soon__waiter *waiter)
{
    waiter->link = NULL;
    if (!soon__future_lock_unfinished(future))
        return false;
    waiter->next = future->locked.waiters;
    if (waiter->next)
        waiter->next->link = &waiter->next;
    waiter->link = &future->locked.waiters;
    future->locked.waiters = waiter;
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

int soon__check_futures(soon_future *const *futures, size_t count)
{
    if (!soon__array_fits(count, sizeof *futures))
        return soon__refuse(-EINVAL, "count = %zu: there is no such array", count);
    if (!futures && count)
        return soon__is_null("futures");
    for (size_t i = 0; i < count; i++) {
        if (!futures[i])
            return soon__refuse(-EINVAL, "futures[%zu] is NULL", i);
    }
    return 0;
}

/*
 * inject_internal.h - the injector: a lock-free stack in which submits leave calls for a pool without its mutex, while
 * nobody has to be woken for them.
 *
 *     one word:  the calls that came, the latest first, by `next`  |  mode  |  QUEUED  |  SEARCHER
 *
 * N1  The mode says what one more task needs. Mode and QUEUED are written under the pool's mutex alone.
 * N2  SEARCHER stands for one worker that looks for work, or is about to. Any thread that finds it clear may set it,
 *     with the mutex or without, for itself or for a worker that it wakes. That worker clears it.
 * N3  A push succeeds only if the word says, in the same step, that somebody will look at what was pushed. Otherwise
 *     the call goes the way through the mutex. A thread that changes the word so that nobody will look takes out, in
 *     the same step, all that was pushed before.
 */
#ifndef SOON_EXECUTOR_POOLS_INJECT_INTERNAL_H
#define SOON_EXECUTOR_POOLS_INJECT_INTERNAL_H

#include "../core/call_internal.h"

enum {
    SOON__SEARCHER = 1,
    SOON__QUEUED = 2, /* something is in the queue, which takes the mutex */
    SOON__MODE = 12,  /* one of: */
    SOON__NEEDED = 0, /* a worker has to look for one more task: the searcher, or one that is woken or started for it */
    SOON__BUSY = 4,   /* as many work as may, and they look when their tasks have ended */
    SOON__CROWDED = 8, /* the same, but they have to take the mutex before they go on */
    SOON__SHUT = 12,   /* nothing is taken */
    SOON__INJECT_FLAGS = 15,
};
_Static_assert((int)SOON__CALL_ALIGNMENT > (int)SOON__INJECT_FLAGS, "the flags lie below the address of a call");

struct soon__inject {
    _Atomic uintptr_t word;
};

static inline uintptr_t soon__inject_load(const struct soon__inject *inject)
{
    /* Relaxed: a hint. A thread that acts on it takes the mutex, or exchanges the word. */
    return atomic_load_explicit(&inject->word, memory_order_relaxed);
}

static inline soon_call *soon__inject_latest(uintptr_t word)
{
    return (soon_call *)(word & ~(uintptr_t)SOON__INJECT_FLAGS);
}

/* N3 */
static inline bool soon__inject_is_open(uintptr_t word)
{
    return (word & SOON__MODE) == SOON__NEEDED ? word & SOON__SEARCHER : (word & SOON__MODE) != SOON__SHUT;
}

/* False: it is not open. */
static inline bool soon__inject_push(struct soon__inject *inject, soon_call *call)
{
    uintptr_t word = soon__inject_load(inject);

    soon__call_move(call, SOON__CALL_INJECTED);
    while (soon__inject_is_open(word)) {
        call->next = soon__inject_latest(word);
        /* Release: the call; pairs with the acquire of the thread that takes it. */
        if (atomic_compare_exchange_weak_explicit(&inject->word, &word, (uintptr_t)call | (word & SOON__INJECT_FLAGS),
                                                  memory_order_release, memory_order_relaxed))
            return true;
    }
    soon__call_move(call, SOON__CALL_IN_HAND);
    return false;
}

/* N2. True: SEARCHER was clear, and the caller has set it. */
static inline bool soon__inject_search(struct soon__inject *inject)
{
    /* Release: a thread that sees it, and leaves a call to the searcher, sees it before an outcome that is published
     * later. */
    return !(soon__inject_load(inject) & SOON__SEARCHER) &&
           !(atomic_fetch_or_explicit(&inject->word, SOON__SEARCHER, memory_order_release) & SOON__SEARCHER);
}

/* With the mutex: takes all that has come, the latest first. `is_searcher`: the caller clears SEARCHER, which stands
 * for it. */
static inline soon_call *soon__inject_take_locked(struct soon__inject *inject, bool is_searcher)
{
    uintptr_t keep = is_searcher ? SOON__INJECT_FLAGS - SOON__SEARCHER : SOON__INJECT_FLAGS;

    if (!is_searcher && !soon__inject_latest(soon__inject_load(inject)))
        return NULL;
    /* Acquire: the calls. */
    return soon__inject_latest(atomic_fetch_and_explicit(&inject->word, keep, memory_order_acquire));
}

/* The same without the mutex, by the searcher, and clears SEARCHER. NULL: nothing has come, or it takes the mutex to go
 * on; SEARCHER stays. */
static inline soon_call *soon__inject_take(struct soon__inject *inject)
{
    uintptr_t word = soon__inject_load(inject);

    do {
        if (!soon__inject_latest(word) || word & SOON__QUEUED ||
            ((word & SOON__MODE) != SOON__NEEDED && (word & SOON__MODE) != SOON__BUSY))
            return NULL;
        /* Acquire: the calls. Sequentially consistent: for threads/deque.c, Q3. */
    } while (!atomic_compare_exchange_weak_explicit(&inject->word, &word, word & SOON__MODE, memory_order_seq_cst,
                                                    memory_order_relaxed));
    return soon__inject_latest(word);
}

/* With the mutex: sets mode and QUEUED. Returns whether it is open then; if it is not, `*ret` is what has come. */
static inline bool soon__inject_set_locked(struct soon__inject *inject, uintptr_t flags, soon_call **ret)
{
    uintptr_t word = soon__inject_load(inject), next;
    bool open;

    *ret = NULL;
    do {
        next = (word & ~(uintptr_t)(SOON__MODE | SOON__QUEUED)) | flags;
        open = soon__inject_is_open(next);
        if (!open)
            next &= SOON__INJECT_FLAGS;
        if (next == word)
            return open;
        /* As in soon__inject_take(). */
    } while (
        !atomic_compare_exchange_weak_explicit(&inject->word, &word, next, memory_order_seq_cst, memory_order_relaxed));
    if (!open)
        *ret = soon__inject_latest(word);
    return open;
}

#endif

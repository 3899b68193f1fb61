/*
 * inject_internal.h - where submits leave calls for a pool without its mutex, while nobody has to be told of them.
 *
 *     one word:  the calls that came, the latest first, by `next`  |  mode  |  QUEUED  |  SEARCHER
 *
 * The mode says what one more task takes. It and QUEUED are written under the pool's mutex alone. SEARCHER stands for one
 * worker that is about to look: whoever finds it clear may set it, with the mutex or without, and that worker clears it.
 * A push succeeds if the word says in the same step that somebody will look; else the call goes to the mutex. Who makes it
 * say otherwise takes out, in the same step, what has come until then.
 */
#ifndef SOON_EXECUTOR_POOLS_INJECT_INTERNAL_H
#define SOON_EXECUTOR_POOLS_INJECT_INTERNAL_H

#include "../core/call_internal.h"

enum {
    SOON__SEARCHER = 1,
    SOON__QUEUED = 2, /* there is something in the queue, for who has the mutex */
    SOON__MODE = 12,
    SOON__NEEDED = 0,  /* somebody has to look for it: the searcher, or one that is woken or started */
    SOON__BUSY = 4,    /* as many work as are to, and look when they are through */
    SOON__CROWDED = 8, /* the same, but they are to take the mutex before they go on */
    SOON__SHUT = 12,   /* a refusal */
    SOON__INJECT_FLAGS = 15,
};
_Static_assert((int)SOON__CALL_ALIGNMENT > (int)SOON__INJECT_FLAGS, "the flags lie below the address of a call");

struct soon__inject {
    _Atomic uintptr_t word;
};

static inline uintptr_t soon__inject_look(const struct soon__inject *inject)
{
    /* Relaxed: a hint; who acts on it takes the mutex, or exchanges the word. */
    return atomic_load_explicit(&inject->word, memory_order_relaxed);
}

static inline soon_call *soon__inject_latest(uintptr_t word)
{
    return (soon_call *)(word & ~(uintptr_t)SOON__INJECT_FLAGS);
}

static inline bool soon__inject_is_open(uintptr_t word)
{
    return (word & SOON__MODE) == SOON__NEEDED ? word & SOON__SEARCHER : (word & SOON__MODE) != SOON__SHUT;
}

/* False: it needs the mutex. */
static inline bool soon__inject_push(struct soon__inject *inject, soon_call *call)
{
    uintptr_t word = soon__inject_look(inject);

    soon__call_move(call, SOON__CALL_INJECTED);
    while (soon__inject_is_open(word)) {
        call->next = soon__inject_latest(word);
        /* Release: the call; pairs with the acquire of who takes it. */
        if (atomic_compare_exchange_weak_explicit(&inject->word, &word, (uintptr_t)call | (word & SOON__INJECT_FLAGS),
                                                  memory_order_release, memory_order_relaxed))
            return true;
    }
    soon__call_move(call, SOON__CALL_IN_HAND);
    return false;
}

/* True: the caller is the searcher now; or who it does that for. */
static inline bool soon__inject_search(struct soon__inject *inject)
{
    /* Release: who sees it and leaves a call to the searcher sees it before an outcome that is published after it. */
    return !(soon__inject_look(inject) & SOON__SEARCHER) &&
           !(atomic_fetch_or_explicit(&inject->word, SOON__SEARCHER, memory_order_release) & SOON__SEARCHER);
}

/* With the mutex. What has come, the latest first; `searcher`: which the caller is, and is not any more. */
static inline soon_call *soon__inject_take_locked(struct soon__inject *inject, bool searcher)
{
    uintptr_t keep = searcher ? SOON__INJECT_FLAGS - SOON__SEARCHER : SOON__INJECT_FLAGS;

    if (!searcher && !soon__inject_latest(soon__inject_look(inject)))
        return NULL;
    /* Acquire: the calls. */
    return soon__inject_latest(atomic_fetch_and_explicit(&inject->word, keep, memory_order_acquire));
}

/* The same without the mutex, by the searcher, which is not any more then. NULL, and it still is: there is nothing, or it
 * needs the mutex. */
static inline soon_call *soon__inject_take(struct soon__inject *inject)
{
    uintptr_t word = soon__inject_look(inject);

    do {
        if (!soon__inject_latest(word) || word & SOON__QUEUED ||
            ((word & SOON__MODE) != SOON__NEEDED && (word & SOON__MODE) != SOON__BUSY))
            return NULL;
        /* Acquire: the calls. Sequentially consistent: for deque.c, Q3. */
    } while (!atomic_compare_exchange_weak_explicit(&inject->word, &word, word & SOON__MODE, memory_order_seq_cst,
                                                    memory_order_relaxed));
    return soon__inject_latest(word);
}

/* With the mutex. Sets mode and QUEUED; returns whether it is open then. If it is not, `*ret` is what has come. */
static inline bool soon__inject_set_locked(struct soon__inject *inject, uintptr_t flags, soon_call **ret)
{
    uintptr_t word = soon__inject_look(inject), next;
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

/*
 * complete.c - storing an outcome, and waking and telling those that wait for it.
 */
#include "complete_internal.h"

#include "callback_internal.h"
#include "run_callbacks_internal.h"

/* Stores the final state, and adds `more` to the word, unless one of the flags `unless` is set. Returns what the word
 * was. */
static inline uint64_t store_final(soon_future *future, uint32_t state, uint64_t more, uint32_t unless)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);

    do {
        if (word & unless)
            break;
        /* Release publishes the outcome (I2); pairs with the acquire in soon__future_word(). */
    } while (!atomic_compare_exchange_weak_explicit(&future->word, &word,
                                                    soon__word_move(word & ~(uint64_t)SOON__PARKED, state) + more,
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

void soon__wakes_collect(struct soon__wakes *wakes)
{
    wakes->count = 0;
    soon__thread_self()->wakes = wakes;
}

void soon__wakes_flush(struct soon__wakes *wakes)
{
    soon__thread_self()->wakes = NULL;
    /* A future may be gone by now: then nobody sleeps on its word. A thread that sleeps on another word at the same
     * address wakes for no reason, and looks again. */
    for (unsigned i = 0; i < wakes->count; i++)
        soon__unpark_all(wakes->words[i]);
}

static void notify_waiters_locked(soon_future *future)
{
    struct soon__waiter *waiter, *next;

    for (waiter = future->locked.waiters; waiter; waiter = next) {
        next = waiter->next;
        waiter->link = NULL;
        waiter->notify(waiter, future); /* after this the waiter may be gone */
    }
    future->link = NULL; /* from now on the field is the link of a list of done futures */
}

/* Publishes in one step, which gives up `refs` too, if only threads that sleep on the word are to be told; else returns
 * false. */
static inline bool publish_bare(soon_future *future, uint32_t state, uint64_t refs)
{
    uint64_t word = store_final(future, state, -refs, SOON__LOCK | SOON__LISTS);

    if (word & (SOON__LOCK | SOON__LISTS))
        return false;
    if (word & SOON__PARKED)
        wake_sleepers(future); /* it may be gone: only its address is used */
    if (refs && soon__word_refs(word) == refs)
        soon__future_destroy(future);
    return true;
}

/* Returns true if soon__future_run_callbacks() is to follow, for which this has taken a reference. */
static bool publish_lists(soon_future *future, uint32_t state)
{
    bool callbacks;
    uint64_t word;

    soon__future_lock(future);
    callbacks = future->locked.callbacks != NULL;
    word = store_final(future, state, callbacks && soon__thread_self()->sink ? SOON__SUNK : 0, 0);
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

/* Publishes, and gives up `refs`, if a callback on a loop is all that there is to tell: that is so for most of them,
 * since they come with the submit. One step stores the state, gives LOCK back and counts the loop's reference. Returns
 * false, and does nothing, if there is more to tell. */
static bool publish_to_loop(soon_future *future, uint32_t state, uint64_t refs)
{
    struct soon__callback *callback;
    uint64_t word;

    soon__future_lock(future);
    callback = future->locked.callbacks;
    if (future->locked.waiters || !callback || callback->next != callback || callback->kind != SOON__CALLBACK_POSTED) {
        soon__future_unlock(future);
        return false;
    }
    callback->delivered = true;
    future->link = NULL;
    word = atomic_load_explicit(&future->word, memory_order_relaxed);
    /* Release: the outcome, and what LOCK guards. */
    while (!atomic_compare_exchange_weak_explicit(
        &future->word, &word,
        soon__word_move(word & ~(uint64_t)(SOON__PARKED | SOON__LOCK | SOON__LOCK_WANTED), state) + SOON__LIBRARY -
            refs,
        memory_order_acq_rel, memory_order_relaxed))
        continue;
    if (word & (SOON__PARKED | SOON__LOCK_WANTED))
        soon__unpark_all(soon__future_bed(future));
    callback->deliver(callback, future);
    return true;
}

static __attribute__((noinline)) void publish_slowly(soon_future *future, uint32_t state, uint64_t refs)
{
    /* Relaxed: a hint. */
    if (atomic_load_explicit(&future->word, memory_order_relaxed) & SOON__FOR_LOOP &&
        publish_to_loop(future, state, refs))
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

bool soon__future_publish_quietly(soon_future *future, uint32_t state)
{
    return !publish_bare(future, state, 0) && publish_lists(future, state);
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

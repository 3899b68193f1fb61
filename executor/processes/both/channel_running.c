/*
 * channel_running.c - what the two sides tell each other of a claimed request while it runs: the parent asks a task to
 * end, or holds the items of a chunk; the worker tells of its progress.
 */
#include "channel_running_internal.h"

#include "../../system/cpu_internal.h"

#include <assert.h>

/*
 * The parent's side.
 */

static void ask(const struct soon__channel *channel, uint32_t slot, uint32_t what)
{
    struct soon__requests *requests = channel->requests;

    assert(slot < SOON__SLOTS);
    /* Relaxed: nothing is published by it, and the fence orders it. */
    atomic_store_explicit(&requests->cancel_requested[slot], what, memory_order_relaxed);
    /* D7: pairs with the fence in soon__channel_listen(): it is seen to listen here, or sees there that it is asked. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&channel->replies->listens, memory_order_relaxed))
        return;
    /* Release publishes what is asked; pairs with the acquire in soon__channel_cancel_bell(). The pool's mutex is held
     * here. */
    atomic_fetch_add_explicit(&requests->cancel_bell, 1, memory_order_release);
    soon__shared_unpark(&requests->cancel_bell);
}

void soon__channel_request_cancel(const struct soon__channel *channel, uint32_t slot)
{
    /* Relaxed: the parent alone writes it. */
    if (atomic_load_explicit(&channel->requests->cancel_requested[slot], memory_order_relaxed) != SOON__STOP)
        ask(channel, slot, 1);
}

void soon__channel_request_stop(const struct soon__channel *channel, uint32_t slot)
{
    ask(channel, slot, SOON__STOP);
}

void soon__channel_stop_none(const struct soon__channel *channel)
{
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        /* Relaxed, both: the parent alone writes it, and nothing is published by it. */
        if (atomic_load_explicit(&channel->requests->cancel_requested[slot], memory_order_relaxed) == SOON__STOP)
            atomic_store_explicit(&channel->requests->cancel_requested[slot], 0, memory_order_relaxed);
    }
}

void soon__channel_hold(const struct soon__channel *channel, uint32_t slot, uint64_t *ret_item, int64_t *ret_started)
{
    struct soon__status *status = &channel->replies->status[slot];
    uint32_t none = 0;

    assert(slot < SOON__SLOTS);
    /* Relaxed, all: the fence orders them. A cancel request stays as it is, since it stops the items as well. */
    atomic_compare_exchange_strong_explicit(&channel->requests->cancel_requested[slot], &none, SOON__HOLD,
                                            memory_order_relaxed, memory_order_relaxed);
    /* Pairs with the fence that the worker executes before each item: it sees the request, or its item is seen here. */
    atomic_thread_fence(memory_order_seq_cst);
    *ret_item = atomic_load_explicit(&status->item, memory_order_relaxed);
    *ret_started = atomic_load_explicit(&status->started_ns, memory_order_relaxed);
}

void soon__channel_let_go(const struct soon__channel *channel, uint32_t slot)
{
    uint32_t held = SOON__HOLD;

    assert(slot < SOON__SLOTS);
    /* Relaxed, both: nothing is published by it. */
    atomic_compare_exchange_strong_explicit(&channel->requests->cancel_requested[slot], &held, 0, memory_order_relaxed,
                                            memory_order_relaxed);
}

bool soon__channel_progress(const struct soon__channel *channel, uint32_t slot, uint64_t *ret_done, uint64_t *ret_total)
{
    struct soon__status *status = &channel->replies->status[slot];

    assert(slot < SOON__SLOTS);
    for (int tries = 0; tries < 100; tries++, soon__cpu_relax()) {
        /* Acquire: the pair is read after this; pairs with the release store in soon__channel_set_progress(). */
        uint32_t before = atomic_load_explicit(&status->progress_sequence, memory_order_acquire);
        /* Relaxed: the sequence says whether the two belong together. */
        uint64_t done = atomic_load_explicit(&status->progress[before & 1].done, memory_order_relaxed);
        uint64_t total = atomic_load_explicit(&status->progress[before & 1].total, memory_order_relaxed);

        /* The pair was read before this; pairs with the release fence in soon__channel_set_progress(). */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&status->progress_sequence, memory_order_relaxed) != before)
            continue;
        *ret_done = done;
        *ret_total = total;
        return true;
    }
    return false;
}

/*
 * The worker's side.
 */

void soon__channel_set_progress(const struct soon__channel *channel, uint32_t slot, uint64_t done, uint64_t total)
{
    struct soon__status *status = &channel->replies->status[slot];
    /* Relaxed: this process alone writes it. */
    uint32_t sequence = atomic_load_explicit(&status->progress_sequence, memory_order_relaxed) + 1;

    /* The sequence was on the other pair before this one changes; pairs with the acquire fence in
     * soon__channel_progress(). */
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&status->progress[sequence & 1].done, done, memory_order_relaxed);
    atomic_store_explicit(&status->progress[sequence & 1].total, total, memory_order_relaxed);
    /* Release publishes the pair; pairs with the acquire in soon__channel_progress(). */
    atomic_store_explicit(&status->progress_sequence, sequence, memory_order_release);
}

uint32_t soon__channel_asked(const struct soon__channel *channel, uint32_t slot)
{
    /* Relaxed: nothing is read through it. */
    return atomic_load_explicit(&channel->requests->cancel_requested[slot], memory_order_relaxed);
}

bool soon__channel_is_stopped(const struct soon__channel *channel, uint64_t sequence)
{
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        /* Relaxed: nothing is read through it. */
        if (atomic_load_explicit(&channel->requests->request[slot].sequence, memory_order_relaxed) == sequence)
            return soon__channel_asked(channel, slot) == SOON__STOP;
    }
    return false;
}

void soon__channel_listen(const struct soon__channel *channel, bool listens)
{
    /* Relaxed: the fence orders it. */
    atomic_store_explicit(&channel->replies->listens, listens, memory_order_relaxed);
    /* D7: pairs with the fence in ask(). */
    atomic_thread_fence(memory_order_seq_cst);
}

uint32_t soon__channel_cancel_bell(const struct soon__channel *channel)
{
    /* Acquire: a thread that sees the new bell sees what is asked; pairs with the release in ask(). */
    return atomic_load_explicit(&channel->requests->cancel_bell, memory_order_acquire);
}

void soon__channel_await_cancel(const struct soon__channel *channel, uint32_t bell)
{
    soon__shared_park(&channel->requests->cancel_bell, bell, SOON__NEVER); /* looks at the bell again itself */
}

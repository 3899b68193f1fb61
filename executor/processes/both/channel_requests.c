/*
 * channel_requests.c - posting, claiming and taking back requests, and how a worker sleeps until there is one.
 *
 *     post            sequence: release ------> claim             sequence: acquire (the request)
 *     claim           slot: release ----------> look              slot: acquire (the status)
 *
 * The fence is that of D3. A wake of the worker has none: its store of the bell and its look whether the worker sleeps
 * are sequentially consistent, which has the same effect and is one instruction less.
 */
#include "channel_requests_internal.h"

#include "../../core/spin_internal.h"
#include "../../system/ipc_internal.h"
#include "channel_running_internal.h"

#include <assert.h>
#include <string.h>

/*
 * The parent's side.
 */

void soon__channel_init(const struct soon__channel *channel, uint64_t last)
{
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        channel->parent_notes->before[slot] = soon__slot_word(last, SOON__SLOT_TAKEN);
        /* Relaxed: there is no worker yet. */
        atomic_store_explicit(&channel->replies->claims[slot], soon__slot_word(last, SOON__SLOT_TAKEN),
                              memory_order_relaxed);
    }
}

void soon__channel_wake(const struct soon__channel *channel, uint64_t filled)
{
    struct soon__requests *requests = channel->requests;
    /* Relaxed: the parent alone writes it. */
    uint32_t bell = atomic_load_explicit(&requests->post_bell, memory_order_relaxed);

    /* Relaxed: the bell's release publishes it. */
    atomic_store_explicit(&requests->filled, filled, memory_order_relaxed);
    /* Release: a worker that sees the new bell sees what was published; pairs with the acquire in post_bell(). D3: this
     * store and the load below pair with the fence in soon__channel_await_request(): the worker sees the bell, or is
     * seen asleep here. */
    atomic_store_explicit(&requests->post_bell, bell + 1, memory_order_seq_cst);
    if (atomic_load_explicit(&channel->replies->asleep, memory_order_seq_cst))
        soon__shared_unpark(&requests->post_bell);
}

void soon__channel_wake_anyway(const struct soon__channel *channel)
{
    soon__shared_unpark(&channel->requests->post_bell);
    soon__shared_unpark(&channel->requests->room_bell);
}

void soon__channel_publish(const struct soon__channel *channel, uint32_t slot, uint64_t sequence)
{
    struct soon__requests *requests = channel->requests;
    uint64_t last, filled, bit = UINT64_C(1) << slot;

    assert(slot < SOON__SLOTS);
    /* Relaxed, all three: the parent alone writes them, and the release below publishes `filled`: a worker that finds
     * this request looks also for those that were posted before it. */
    last = atomic_load_explicit(&requests->request[slot].sequence, memory_order_relaxed);
    filled = atomic_load_explicit(&requests->filled, memory_order_relaxed);
    if (!(filled & bit))
        atomic_store_explicit(&requests->filled, filled | bit, memory_order_relaxed);
    assert(sequence > last);
    if (last && channel->parent_notes->before[slot] >> 2 != last) /* there was a request, which was not taken back */
        channel->parent_notes->before[slot] = soon__slot_word(last, SOON__SLOT_CLAIMED);
    /* Relaxed: the next store publishes it. */
    atomic_store_explicit(&requests->cancel_requested[slot], 0, memory_order_relaxed);
    /* Release publishes the request, its body in the area too; pairs with the acquire in look_at(). */
    atomic_store_explicit(&requests->request[slot].sequence, sequence, memory_order_release);
}

/* Is this the last request that was posted there? */
static bool is_last(const struct soon__requests *requests, uint32_t slot, uint64_t sequence)
{
    /* Relaxed: the parent alone writes it. */
    return atomic_load_explicit(&requests->request[slot].sequence, memory_order_relaxed) == sequence;
}

bool soon__channel_take_back(const struct soon__channel *channel, uint32_t slot, uint64_t sequence)
{
    struct soon__requests *requests = channel->requests;
    uint64_t taken = soon__slot_word(sequence, SOON__SLOT_TAKEN), before;

    assert(slot < SOON__SLOTS);
    before = channel->parent_notes->before[slot];
    /* D1. Acquire: nothing that fills the slot again moves above this; on failure it is as in soon__channel_look(). */
    if (!is_last(requests, slot, sequence) || before == taken ||
        !atomic_compare_exchange_strong_explicit(&channel->replies->claims[slot], &before, taken, memory_order_acquire,
                                                 memory_order_acquire))
        return false;
    channel->parent_notes->before[slot] = taken;
    return true;
}

enum soon__look soon__channel_look(const struct soon__channel *channel, uint32_t slot, uint64_t sequence)
{
    uint64_t word;

    assert(slot < SOON__SLOTS);
    /* Acquire: what is read of the status is of this claim, and not of an older one; pairs with the release
     * in claim(). */
    word = atomic_load_explicit(&channel->replies->claims[slot], memory_order_acquire);
    if (!is_last(channel->requests, slot, sequence))
        return SOON__LOOK_GARBAGE;
    if (word == channel->parent_notes->before[slot])
        return SOON__LOOK_UNCLAIMED;
    return word == soon__slot_word(sequence, SOON__SLOT_CLAIMED) ? SOON__LOOK_CLAIMED : SOON__LOOK_GARBAGE;
}

bool soon__channel_is_asleep(const struct soon__channel *channel)
{
    /* Relaxed: a worker that has claimed is awake, and soon__channel_look() has acquired the claim. */
    bool asleep = atomic_load_explicit(&channel->replies->asleep, memory_order_relaxed);

    /* It had published its replies before it slept; pairs with the fence in soon__channel_reply(). */
    atomic_thread_fence(memory_order_acquire);
    return asleep;
}

void soon__channel_retire(const struct soon__channel *channel)
{
    /* Relaxed: the bell's release publishes it. */
    atomic_store_explicit(&channel->requests->retire, 1, memory_order_relaxed);
    /* Relaxed: the parent alone writes it. */
    soon__channel_wake(channel, atomic_load_explicit(&channel->requests->filled, memory_order_relaxed));
}

/*
 * The worker's side.
 */

/* Takes the first of the requests that were found. */
static struct soon__found take_first(struct soon__worker_notes *notes)
{
    struct soon__found first = notes->found[notes->first++];

    notes->count--;
    notes->found_slots &= ~(UINT64_C(1) << first.slot);
    return first;
}

/* Drops the request that was found in this slot: it was taken back, and the slot was filled anew. */
static void forget(struct soon__worker_notes *notes, uint32_t slot)
{
    struct soon__found *place = &notes->found[notes->first], *end = place + notes->count;

    while (place->slot != slot)
        place++;
    memmove(place, place + 1, (size_t)(end - place - 1) * sizeof *place);
    notes->count--;
    notes->found_slots &= ~(UINT64_C(1) << slot);
}

/* Adds it behind the requests that come before it: mostly that is at the end. */
static void note(struct soon__worker_notes *notes, struct soon__found found)
{
    struct soon__found *place;

    if (notes->first + notes->count == sizeof notes->found / sizeof *notes->found) {
        memmove(notes->found, &notes->found[notes->first], notes->count * sizeof *notes->found);
        notes->first = 0;
    }
    place = &notes->found[notes->first + notes->count++];
    for (; place > &notes->found[notes->first] && place[-1].order > found.order; place--)
        *place = place[-1];
    *place = found;
    notes->found_slots |= UINT64_C(1) << found.slot;
}

/* True: it has found a request that it had not found before. */
static inline bool look_at(const struct soon__channel *channel, uint32_t slot)
{
    const struct soon__request *request = &channel->requests->request[slot];
    struct soon__worker_notes *notes = channel->worker_notes;
    struct soon__found found = {.slot = slot};

    /* Acquire: the request; pairs with the release in soon__channel_publish(). */
    found.sequence = atomic_load_explicit(&request->sequence, memory_order_acquire);
    if (found.sequence == notes->seen[slot])
        return false;
    if (notes->found_slots & UINT64_C(1) << slot)
        forget(notes, slot);
    /* Relaxed: the claim checks the word. */
    found.word = atomic_load_explicit(&channel->replies->claims[slot], memory_order_relaxed);
    /* It is settled if its number is not above that of the word. If this is no word at all, a task has written
     * over it. */
    if (found.sequence <= found.word >> 2 || !(found.word & SOON__SLOT_CLAIMED))
        return false;
    /* Relaxed: if it was taken back, this may be the order of the next request. The claim fails then. */
    found.order = atomic_load_explicit(&request->order, memory_order_relaxed);
    notes->seen[slot] = found.sequence;
    note(notes, found);
    return true;
}

/* The slots in which something may be posted. Relaxed: if there are more, the bell has changed, or will. Slot 0 is
 * always among them, since spin() looks there before the bell has changed. */
static uint64_t filled_slots(const struct soon__channel *channel)
{
    return atomic_load_explicit(&channel->requests->filled, memory_order_relaxed) | 1;
}

/* Looks once in each slot that may be filled. True: it has found something new. */
static bool scan(const struct soon__channel *channel)
{
    bool found = false;

    for (uint64_t slots = filled_slots(channel); slots; slots &= slots - 1)
        found |= look_at(channel, (uint32_t)__builtin_ctzll(slots));
    return found;
}

/* Scans until there is nothing new: a request that is posted during a scan, in a slot that was passed already, may come
 * before one that is found after it. That slot may be one in which another was found, which was taken back since. So
 * requests are claimed in their order (D6). */
static void look(const struct soon__channel *channel)
{
    while (scan(channel))
        continue;
}

/* Makes the status that of a task that has not started. Before the claim, since the parent may read it from then on. */
static void reset_status(const struct soon__channel *channel, uint32_t slot)
{
    struct soon__status *status = &channel->replies->status[slot];

    /* Relaxed, all: the claim publishes them. */
    atomic_store_explicit(&status->items_first, 0, memory_order_relaxed);
    atomic_store_explicit(&status->items_finished, 0, memory_order_relaxed);
    atomic_store_explicit(&status->items_offset, 0, memory_order_relaxed);
    atomic_store_explicit(&status->item, 0, memory_order_relaxed);
    soon__channel_set_progress(channel, slot, 0, 0);
    atomic_store_explicit(&status->started_ns, INT64_MAX, memory_order_relaxed);
}

static bool claim(struct soon__replies *replies, struct soon__found found)
{
    /* D1. Release publishes the status; pairs with the acquire in soon__channel_look(). The request was acquired when
     * it was found. Relaxed on failure: nothing is read then. */
    return atomic_compare_exchange_strong_explicit(&replies->claims[found.slot], &found.word,
                                                   soon__slot_word(found.sequence, SOON__SLOT_CLAIMED),
                                                   memory_order_release, memory_order_relaxed);
}

/* Acquire: a worker that sees the new bell sees what was published; pairs with the release in soon__channel_wake(). */
static uint32_t post_bell(const struct soon__channel *channel)
{
    return atomic_load_explicit(&channel->requests->post_bell, memory_order_acquire);
}

/* Searches, unless there is something to claim, and nothing can have come before that (D6). */
static void find_all(const struct soon__channel *channel)
{
    struct soon__worker_notes *notes = channel->worker_notes;
    uint32_t bell = post_bell(channel);

    if (notes->count && bell == notes->post_bell)
        return;
    notes->post_bell = bell;
    look(channel);
}

bool soon__channel_claim(const struct soon__channel *channel, uint32_t *ret_slot, uint64_t *ret_sequence)
{
    struct soon__found found;

    for (;;) {
        find_all(channel);
        if (!channel->worker_notes->count)
            return false;
        found = take_first(channel->worker_notes);
        reset_status(channel, found.slot);
        if (claim(channel->replies, found))
            break;
        /* It was taken back, or a task has written over the word: so it is to be found again. */
        channel->worker_notes->seen[found.slot] = 0;
    }
    if (channel->replies->tell_claims)
        soon__bell_ring(channel->bell);
    *ret_slot = found.slot;
    *ret_sequence = found.sequence;
    return true;
}

void soon__channel_restore_claim(const struct soon__channel *channel, uint32_t slot, uint64_t sequence)
{
    /* Relaxed: this is the value that it had, and the reply that follows publishes it. */
    atomic_store_explicit(&channel->replies->claims[slot], soon__slot_word(sequence, SOON__SLOT_CLAIMED),
                          memory_order_relaxed);
}

bool soon__channel_is_retired(const struct soon__channel *channel)
{
    /* Relaxed: the flag is all there is to tell. */
    return atomic_load_explicit(&channel->requests->retire, memory_order_relaxed);
}

/* Spins for `spin_ns` at most. True: the bell has changed, or the number of the request in slot 0: a worker that has
 * nothing to do gets its next request there, and the number comes with that, before the bell. */
struct spin {
    const struct soon__channel *channel;
    uint64_t sequence; /* of the first slot, before */
    uint32_t bell;     /* before */
};

static bool has_request(void *data)
{
    const struct spin *before = data;

    /* Relaxed: the claim reads it with acquire. */
    return atomic_load_explicit(&before->channel->requests->request[0].sequence, memory_order_relaxed) !=
               before->sequence ||
           post_bell(before->channel) != before->bell;
}

static bool spin(const struct soon__channel *channel, uint32_t bell)
{
    /* Relaxed: as in has_request(). */
    uint64_t sequence = atomic_load_explicit(&channel->requests->request[0].sequence, memory_order_relaxed);
    /* Relaxed: a number that means nothing else. */
    int64_t until = atomic_load_explicit(&channel->requests->spin_ns, memory_order_relaxed);

    if (until == 0)
        return post_bell(channel) != bell;
    return soon__spin_until(has_request, &(struct spin){channel, sequence, bell}, soon__clock_ns() + until);
}

void soon__channel_await_request(const struct soon__channel *channel)
{
    struct soon__replies *replies = channel->replies;
    /* As it was before the search: a request that was published after that has changed it. */
    uint32_t bell = channel->worker_notes->post_bell;

    if (soon__channel_is_retired(channel) || spin(channel, bell))
        return;
    /* Relaxed: the fence orders it. */
    atomic_store_explicit(&replies->asleep, 1, memory_order_relaxed);
    /* D3: pairs with soon__channel_wake(): the new bell is seen here, or that sees the worker asleep. */
    atomic_thread_fence(memory_order_seq_cst);
    if (post_bell(channel) == bell)
        soon__shared_park(&channel->requests->post_bell, bell, SOON__NEVER);
    /* Relaxed: one wake too many does no harm. */
    atomic_store_explicit(&replies->asleep, 0, memory_order_relaxed);
}

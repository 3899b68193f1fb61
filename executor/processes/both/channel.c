/*
 * channel.c - posting, claiming and taking back requests; the ring of replies; sleeping and waking across processes. The
 * states and the invariants D1 to D6 are in desk_internal.h.
 *
 *     post            sequence: release ------> claim             sequence: acquire (the request)
 *     claim           slot: release ----------> look              slot: acquire (the status)
 *     reply           number: release --------> next_reply        number: acquire (the reply, its body)
 *     ack             acked: release --> has_room, reply,  acked: acquire (the place may be written)
 *                                               await_ack
 *
 * The fences are those of D3. A wake of the worker has none: to store the bell and to look whether it sleeps are sequentially
 * consistent, which is the same for one step less.
 */
#include "channel_internal.h"

#include "../../system/cpu_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "locks of libatomic do not cross processes");
_Static_assert((SOON__REPLIES & (SOON__REPLIES - 1)) == 0, "counts wrap to places");
_Static_assert(sizeof(struct soon__reply) % sizeof(uint64_t) == 0, "copied by words");

__attribute__((weak)) void soon__process_point(enum soon__point point)
{
    (void)point;
}

static uint64_t word_of(uint64_t sequence, uint64_t state)
{
    return sequence << 2 | state;
}

/*
 * The parent's side: requests.
 */

void soon__channel_init(const struct soon__channel *channel, uint64_t last)
{
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        channel->requests->before[slot] = word_of(last, SOON__SLOT_TAKEN);
        /* Relaxed: there is no worker yet. */
        atomic_store_explicit(&channel->replies->claims[slot], word_of(last, SOON__SLOT_TAKEN), memory_order_relaxed);
    }
}

void soon__channel_wake(const struct soon__channel *channel, uint64_t filled)
{
    struct soon__requests *requests = channel->requests;
    /* Relaxed: ours. */
    uint32_t bell = atomic_load_explicit(&requests->post_bell, memory_order_relaxed);

    /* Relaxed: the bell's release publishes it. */
    atomic_store_explicit(&requests->filled, filled, memory_order_relaxed);
    /* Who sees the bell changed sees why; pairs with the acquire in soon__channel_await_request(). D3, both: pairs with the fence
     * there: it sees the bell, or we see it asleep. */
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
    uint64_t last;

    assert(slot < SOON__SLOTS);
    /* Relaxed: ours. */
    last = atomic_load_explicit(&requests->request[slot].sequence, memory_order_relaxed);
    assert(sequence > last);
    if (last && requests->before[slot] >> 2 != last) /* there was one, and it was not taken back */
        requests->before[slot] = word_of(last, SOON__SLOT_CLAIMED);
    /* Relaxed: the next store publishes it. */
    atomic_store_explicit(&requests->cancel_requested[slot], 0, memory_order_relaxed);
    /* Release publishes the request, its body in the area too; pairs with the acquire in look_at(). */
    atomic_store_explicit(&requests->request[slot].sequence, sequence, memory_order_release);
}

/* Of what was posted there, is it the last? */
static bool is_last(const struct soon__requests *requests, uint32_t slot, uint64_t sequence)
{
    /* Relaxed: ours. */
    return atomic_load_explicit(&requests->request[slot].sequence, memory_order_relaxed) == sequence;
}

bool soon__channel_take_back(const struct soon__channel *channel, uint32_t slot, uint64_t sequence)
{
    struct soon__requests *requests = channel->requests;
    uint64_t taken = word_of(sequence, SOON__SLOT_TAKEN), before;

    assert(slot < SOON__SLOTS);
    before = requests->before[slot];
    /* D1. Acquire: nothing that fills the slot again moves above it; and on failure, as in soon__channel_look(). */
    if (!is_last(requests, slot, sequence) || before == taken ||
        !atomic_compare_exchange_strong_explicit(&channel->replies->claims[slot], &before, taken, memory_order_acquire,
                                                 memory_order_acquire))
        return false;
    requests->before[slot] = taken;
    return true;
}

enum soon__look soon__channel_look(const struct soon__channel *channel, uint32_t slot, uint64_t sequence)
{
    uint64_t word;

    assert(slot < SOON__SLOTS);
    /* Acquire: the status of this claim, and none of an older one; pairs with the release in claim(). */
    word = atomic_load_explicit(&channel->replies->claims[slot], memory_order_acquire);
    if (!is_last(channel->requests, slot, sequence))
        return SOON__LOOK_GARBAGE;
    if (word == channel->requests->before[slot])
        return SOON__LOOK_UNCLAIMED;
    return word == word_of(sequence, SOON__SLOT_CLAIMED) ? SOON__LOOK_CLAIMED : SOON__LOOK_GARBAGE;
}

bool soon__channel_is_asleep(const struct soon__channel *channel)
{
    /* Relaxed: it wakes before it claims, and soon__channel_look() has acquired the claim. */
    bool asleep = atomic_load_explicit(&channel->replies->asleep, memory_order_relaxed);

    /* Its replies were published before it slept: pairs with the fence in soon__channel_reply(). */
    atomic_thread_fence(memory_order_acquire);
    return asleep;
}

static void ask(const struct soon__channel *channel, uint32_t slot, uint32_t what)
{
    struct soon__requests *requests = channel->requests;

    assert(slot < SOON__SLOTS);
    /* Relaxed: the flag is all there is to tell, and the fence orders it. */
    atomic_store_explicit(&requests->cancel_requested[slot], what, memory_order_relaxed);
    /* D7: pairs with the fence in soon__channel_listen(): we see that it listens, or it sees that it is asked. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&channel->replies->listens, memory_order_relaxed))
        return;
    /* Release: the flag; pairs with the acquire in soon__channel_cancel_bell(). It is under the pool's mutex that we ask. */
    atomic_fetch_add_explicit(&requests->cancel_bell, 1, memory_order_release);
    soon__shared_unpark(&requests->cancel_bell);
}

void soon__channel_request_cancel(const struct soon__channel *channel, uint32_t slot)
{
    /* Relaxed: ours. */
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
        /* Relaxed, both: ours; and a flag. */
        if (atomic_load_explicit(&channel->requests->cancel_requested[slot], memory_order_relaxed) == SOON__STOP)
            atomic_store_explicit(&channel->requests->cancel_requested[slot], 0, memory_order_relaxed);
    }
}

void soon__channel_hold(const struct soon__channel *channel, uint32_t slot, uint64_t *ret_item, int64_t *ret_started)
{
    struct soon__status *status = &channel->replies->status[slot];
    uint32_t none = 0;

    assert(slot < SOON__SLOTS);
    /* Relaxed, all: the fence orders them. A cancel request stays: it stops the rest too. */
    atomic_compare_exchange_strong_explicit(&channel->requests->cancel_requested[slot], &none, SOON__HOLD,
                                            memory_order_relaxed, memory_order_relaxed);
    /* Pairs with the fence of the worker before each item: it sees the request, or we see that item. */
    atomic_thread_fence(memory_order_seq_cst);
    *ret_item = atomic_load_explicit(&status->item, memory_order_relaxed);
    *ret_started = atomic_load_explicit(&status->started_ns, memory_order_relaxed);
}

void soon__channel_let_go(const struct soon__channel *channel, uint32_t slot)
{
    uint32_t held = SOON__HOLD;

    assert(slot < SOON__SLOTS);
    /* Relaxed, both: the flag is all there is to tell. */
    atomic_compare_exchange_strong_explicit(&channel->requests->cancel_requested[slot], &held, 0, memory_order_relaxed,
                                            memory_order_relaxed);
}

bool soon__channel_progress(const struct soon__channel *channel, uint32_t slot, uint64_t *ret_done, uint64_t *ret_total)
{
    struct soon__status *status = &channel->replies->status[slot];

    assert(slot < SOON__SLOTS);
    for (int tries = 0; tries < 100; tries++, soon__cpu_relax()) {
        /* Acquire: the two are read after it; pairs with the release store in soon__channel_set_progress(). */
        uint32_t before = atomic_load_explicit(&status->progress_sequence, memory_order_acquire);
        /* Relaxed: the sequence tells whether they belong together. */
        uint64_t done = atomic_load_explicit(&status->progress[before & 1].done, memory_order_relaxed);
        uint64_t total = atomic_load_explicit(&status->progress[before & 1].total, memory_order_relaxed);

        /* The two were read before it; pairs with the release fence in soon__channel_set_progress(). */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&status->progress_sequence, memory_order_relaxed) != before)
            continue;
        *ret_done = done;
        *ret_total = total;
        return true;
    }
    return false;
}

void soon__channel_retire(const struct soon__channel *channel)
{
    /* Relaxed: the bell's release publishes it. */
    atomic_store_explicit(&channel->requests->retire, 1, memory_order_relaxed);
    /* Relaxed: ours. */
    soon__channel_wake(channel, atomic_load_explicit(&channel->requests->filled, memory_order_relaxed));
}

/*
 * The parent's side: replies. D4 is the law here.
 */

typedef uint64_t __attribute__((may_alias)) word;
enum {
    WORDS = sizeof(struct soon__reply) / sizeof(word),
    SHORT_WORDS = 64 / sizeof(word),
    SHORT_BODY = SOON__REPLY_SHORT_MAX / sizeof(word),
};

/* Reads every word once, whoever changes them meanwhile; not the number. */
static void copy_reply(struct soon__reply *to, const struct soon__reply *from)
{
    const volatile word *source = (const volatile word *)from;
    word *target = (word *)to;

    target[0] = 0;
    for (size_t i = 1; i < SHORT_WORDS; i++)
        target[i] = source[i];
    for (size_t i = SHORT_WORDS; i < WORDS; i++)
        target[i] = to->flags & SOON__REPLY_IS_SHORT ? 0 : source[i];
}

enum { BODY_PARTS = 4 };

/* The sizes of what lies in its body: result, payload, message, what is beside. */
static void body_sizes(const struct soon__reply *reply, uint64_t ret[BODY_PARTS])
{
    ret[0] = reply->flags & SOON__REPLY_RESULT_SENT ? 0 : reply->result_size;
    ret[1] = reply->flags & SOON__REPLY_PAYLOAD_SENT ? 0 : reply->payload_size;
    ret[2] = reply->message_size;
    ret[3] = reply->flags & SOON__REPLY_HAS_BESIDE ? reply->count : 0;
}

static bool body_is_within(const struct soon__reply *reply)
{
    uint64_t sizes[BODY_PARTS], room = SOON__REPLY_INLINE, end = 0;

    if (reply->flags & SOON__REPLY_IN_AREA) {
        if (reply->offset > SOON__REPLY_AREA)
            return false;
        room = SOON__REPLY_AREA - reply->offset;
    }
    body_sizes(reply, sizes);
    for (int i = 0; i < BODY_PARTS; i++) {
        if (sizes[i] == 0)
            continue;
        if (sizes[i] > room) /* before it is added, so that no sum overflows */
            return false;
        end = soon__body_round(end) + sizes[i];
    }
    return end <= room;
}

/* Flags go with what they are about. */
static bool flags_make_sense(const struct soon__reply *reply)
{
    uint32_t flags = reply->flags;

    if (flags & ~(uint32_t)SOON__REPLY_FLAGS)
        return false;
    if (flags & SOON__REPLY_HAS_PAYLOAD ? reply->kind == SOON__REPLY_ITEMS : reply->payload_size > 0)
        return false;
    if (flags & SOON__REPLY_PAYLOAD_SENT && (!(flags & SOON__REPLY_HAS_PAYLOAD) || reply->payload_size == 0))
        return false;
    if (flags & (SOON__REPLY_HAS_BESIDE | SOON__REPLY_BESIDE_SENT) &&
        (!(flags & SOON__REPLY_HAS_PAYLOAD) || !(flags & SOON__REPLY_HAS_BESIDE)))
        return false;
    if (flags & SOON__REPLY_RESULT_SENT && (reply->kind == SOON__REPLY_ITEMS || reply->result_size == 0))
        return false;
    return reply->code != 0 || !(flags & (SOON__REPLY_NOT_STARTED | SOON__REPLY_CANCELLED));
}

static bool outcome_makes_sense(const struct soon__reply *reply)
{
    uint64_t last;

    if (reply->kind == SOON__REPLY_ITEMS &&
        (reply->code != 0 || reply->count == 0 || __builtin_add_overflow(reply->first, reply->count, &last)))
        return false;
    if (reply->code == 0)
        return reply->message_size == 0;
    return reply->code < 0 && reply->result_size == 0 && !(reply->flags & SOON__REPLY_HAS_PAYLOAD);
}

static bool reply_makes_sense(const struct soon__reply *reply)
{
    return reply->slot < SOON__SLOTS && reply->kind > 0 && reply->kind < SOON__REPLY_KINDS && flags_make_sense(reply) &&
           outcome_makes_sense(reply) && body_is_within(reply);
}

/* The number that a place of the ring has until the reply after `head` others is there. */
static uint64_t number_before(uint64_t head)
{
    return head < SOON__REPLIES ? 0 : head + 1 - SOON__REPLIES;
}

bool soon__channel_next_short(const struct soon__channel *channel, uint64_t head, struct soon__short_reply *ret)
{
    const volatile struct soon__reply *next = &channel->replies->reply[head % SOON__REPLIES]; /* each field read once */

    /* Acquire: the reply; pairs with the release in soon__channel_reply(). */
    if (atomic_load_explicit(&next->number, memory_order_acquire) != head + 1)
        return false;
    ret->sequence = next->sequence;
    ret->size = next->result_size;
    ret->slot = next->slot;
    for (int i = 0; i < SHORT_BODY; i++)
        ret->body[i] = ((const volatile word *)next->bytes)[i];
    return next->flags == SOON__REPLY_IS_SHORT && next->kind == SOON__REPLY_DONE && next->code == 0 &&
           ret->slot < SOON__SLOTS && ret->size <= SOON__REPLY_SHORT_MAX;
}

int soon__channel_next_reply(const struct soon__channel *channel, uint64_t *head, struct soon__reply *ret)
{
    const struct soon__reply *next = &channel->replies->reply[*head % SOON__REPLIES];
    struct soon__reply reply;
    /* Acquire: the reply and its body; pairs with the release in soon__channel_reply(). */
    uint64_t number = atomic_load_explicit(&next->number, memory_order_acquire);

    if (number == number_before(*head))
        return 0;
    if (number != *head + 1)
        return -EPROTO;
    copy_reply(&reply, next);
    if (reply.flags & SOON__REPLY_IS_SHORT && reply.result_size > SOON__REPLY_SHORT_MAX)
        return -EPROTO;
    reply.flags &= ~(uint32_t)SOON__REPLY_IS_SHORT;
    if (!reply_makes_sense(&reply))
        return -EPROTO;
    *ret = reply;
    ++*head;
    return 1;
}

const unsigned char *soon__channel_reply_body(const struct soon__channel *channel, const struct soon__reply *reply)
{
    return reply->flags & SOON__REPLY_IN_AREA ? channel->reply_area + reply->offset : reply->bytes;
}

void soon__channel_ack(const struct soon__channel *channel, uint64_t head)
{
    struct soon__requests *requests = channel->requests;

    /* Release: we are through with the places and the bodies; pairs with the acquire in soon__channel_acked(). */
    atomic_store_explicit(&requests->acked, head, memory_order_release);
    /* Release: who sees the bell changed sees why; pairs with the acquire in soon__channel_await_ack(). */
    atomic_fetch_add_explicit(&requests->room_bell, 1, memory_order_release);
    /* D3: pairs with the fence in soon__channel_await_ack(): it sees the bell, or we see it starve. */
    atomic_thread_fence(memory_order_seq_cst);
    /* Relaxed: the fence orders it. */
    if (atomic_load_explicit(&channel->replies->starved, memory_order_relaxed))
        soon__shared_unpark(&requests->room_bell);
}

bool soon__channel_has_replies(const struct soon__channel *channel, uint64_t head, uint64_t count)
{
    const struct soon__reply *last = &channel->replies->reply[(head + count - 1) % SOON__REPLIES];

    /* Relaxed: who reads the reply looks again, with acquire. */
    return atomic_load_explicit(&last->number, memory_order_relaxed) != number_before(head + count - 1);
}

void soon__channel_turn_bell_on(const struct soon__channel *channel)
{
    if (++channel->requests->wants == 0)
        channel->requests->wants = 1;
    /* Relaxed: what is published next publishes it, or a fence orders it. */
    atomic_store_explicit(&channel->requests->bell_wanted, channel->requests->wants, memory_order_relaxed);
}

bool soon__channel_want_bell(const struct soon__channel *channel, uint64_t head)
{
    soon__channel_turn_bell_on(channel);
    /* D3: pairs with the fence in soon__channel_reply(): we see the reply, or it sees that the bell is wanted. */
    atomic_thread_fence(memory_order_seq_cst);
    return soon__channel_has_replies(channel, head, 1);
}

void soon__channel_want_no_bell(const struct soon__channel *channel)
{
    /* Relaxed: a ring too many does no harm. */
    atomic_store_explicit(&channel->requests->bell_wanted, 0, memory_order_relaxed);
}

/*
 * The worker's side: requests.
 */

/* The first of those found. */
static struct soon__found take_first(struct soon__channel_notes *notes)
{
    struct soon__found first = notes->found[notes->first++];

    notes->count--;
    notes->found_slots &= ~(UINT64_C(1) << first.slot);
    return first;
}

/* One of this slot was taken back, and the slot was filled anew. */
static void forget(struct soon__channel_notes *notes, uint32_t slot)
{
    struct soon__found *place = &notes->found[notes->first], *end = place + notes->count;

    while (place->slot != slot)
        place++;
    memmove(place, place + 1, (size_t)(end - place - 1) * sizeof *place);
    notes->count--;
    notes->found_slots &= ~(UINT64_C(1) << slot);
}

/* Behind those of its order: mostly the last. */
static void note(struct soon__channel_notes *notes, struct soon__found found)
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

static inline void look_at(const struct soon__channel *channel, uint32_t slot)
{
    const struct soon__request *request = &channel->requests->request[slot];
    struct soon__channel_notes *notes = channel->notes;
    struct soon__found found = {.slot = slot};

    /* Acquire: the request; pairs with the release in soon__channel_publish(). */
    found.sequence = atomic_load_explicit(&request->sequence, memory_order_acquire);
    if (found.sequence == notes->seen[slot])
        return;
    if (notes->found_slots & UINT64_C(1) << slot)
        forget(notes, slot);
    /* Relaxed: the claim looks again. */
    found.word = atomic_load_explicit(&channel->replies->claims[slot], memory_order_relaxed);
    /* At or below the word's: it is settled. No word at all: a task has written over it. */
    if (found.sequence <= found.word >> 2 || !(found.word & SOON__SLOT_CLAIMED))
        return;
    /* Relaxed: if it was taken back, the next one's may be written already. The claim fails then. */
    found.order = atomic_load_explicit(&request->order, memory_order_relaxed);
    notes->seen[slot] = found.sequence;
    note(notes, found);
}

static void look_in(const struct soon__channel *channel, uint64_t slots)
{
    for (; slots; slots &= slots - 1)
        look_at(channel, (uint32_t)__builtin_ctzll(slots));
}

/* Where there may be something. Relaxed: if there is more, the bell has changed, or will. Slot 0 is what spin() looks at. */
static uint64_t filled_slots(const struct soon__channel *channel)
{
    return atomic_load_explicit(&channel->requests->filled, memory_order_relaxed) | 1;
}

/* Requests come while we look: what was posted before one that was found is seen by a second look, where the first has seen
 * none. So they are claimed in their order. */
static void look(const struct soon__channel *channel)
{
    look_in(channel, filled_slots(channel));
    if (channel->notes->count)
        look_in(channel, filled_slots(channel) & ~channel->notes->found_slots);
}

/* A status of its own for the next task: before the claim, since the parent looks at it from there on. */
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
    /* D1. Release: the status; pairs with the acquire in soon__channel_look(). The request was acquired when it was
     * found. On failure nothing is read: relaxed. */
    return atomic_compare_exchange_strong_explicit(&replies->claims[found.slot], &found.word,
                                                   word_of(found.sequence, SOON__SLOT_CLAIMED), memory_order_release,
                                                   memory_order_relaxed);
}

/* Acquire: who sees it changed sees why; pairs with the release in soon__channel_wake(). */
static uint32_t post_bell(const struct soon__channel *channel)
{
    return atomic_load_explicit(&channel->requests->post_bell, memory_order_acquire);
}

/* D6 */
static void find_all(const struct soon__channel *channel)
{
    struct soon__channel_notes *notes = channel->notes;
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
        if (!channel->notes->count)
            return false;
        found = take_first(channel->notes);
        reset_status(channel, found.slot);
        if (claim(channel->replies, found))
            break;
        /* It was taken back; or a task has written over the word. It is looked at again. */
        channel->notes->seen[found.slot] = 0;
    }
    if (channel->replies->tell_claims)
        soon__bell_ring(channel->bell);
    *ret_slot = found.slot;
    *ret_sequence = found.sequence;
    return true;
}

void soon__channel_restore_claim(const struct soon__channel *channel, uint32_t slot, uint64_t sequence)
{
    /* Relaxed: it is what it was, and the reply that follows publishes it. */
    atomic_store_explicit(&channel->replies->claims[slot], word_of(sequence, SOON__SLOT_CLAIMED), memory_order_relaxed);
}

bool soon__channel_is_retired(const struct soon__channel *channel)
{
    /* Relaxed: the flag is all there is to tell. */
    return atomic_load_explicit(&channel->requests->retire, memory_order_relaxed);
}

/* Whether the bell has changed within `spin_ns`, or what is posted in slot 0: who has nothing to do gets it there, and the
 * number comes with the request, before the bell. */
static bool spin(const struct soon__channel *channel, uint32_t bell)
{
    const _Atomic uint64_t *first = &channel->requests->request[0].sequence;
    /* Relaxed, here and below: the claim looks again. */
    uint64_t sequence = atomic_load_explicit(first, memory_order_relaxed);
    /* Relaxed: a number that means nothing else. */
    int64_t until = atomic_load_explicit(&channel->requests->spin_ns, memory_order_relaxed);

    if (until == 0)
        return post_bell(channel) != bell;
    until += soon__clock_ns();
    do {
        for (int i = 0; i < 16; i++, soon__cpu_relax()) {
            if (atomic_load_explicit(first, memory_order_relaxed) != sequence || post_bell(channel) != bell)
                return true;
        }
    } while (soon__clock_ns() < until);
    return false;
}

void soon__channel_await_request(const struct soon__channel *channel)
{
    struct soon__replies *replies = channel->replies;
    /* From before the claim looked: what was published after that has changed it. */
    uint32_t bell = channel->notes->post_bell;

    if (soon__channel_is_retired(channel) || spin(channel, bell))
        return;
    /* Relaxed: the fence orders it. */
    atomic_store_explicit(&replies->asleep, 1, memory_order_relaxed);
    /* D3: pairs with the fence in soon__channel_wake(): we see the bell, or it sees us asleep. */
    atomic_thread_fence(memory_order_seq_cst);
    if (post_bell(channel) == bell)
        soon__shared_park(&channel->requests->post_bell, bell, SOON__NEVER);
    /* Relaxed: a wake-up too many does no harm. */
    atomic_store_explicit(&replies->asleep, 0, memory_order_relaxed);
}

void soon__channel_set_progress(const struct soon__channel *channel, uint32_t slot, uint64_t done, uint64_t total)
{
    struct soon__status *status = &channel->replies->status[slot];
    /* Relaxed: nobody else writes it. */
    uint32_t sequence = atomic_load_explicit(&status->progress_sequence, memory_order_relaxed) + 1;

    /* The sequence has left this pair before that changes; pairs with the acquire fence in soon__channel_progress(). */
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&status->progress[sequence & 1].done, done, memory_order_relaxed);
    atomic_store_explicit(&status->progress[sequence & 1].total, total, memory_order_relaxed);
    /* Release: the two; pairs with the acquire in soon__channel_progress(). */
    atomic_store_explicit(&status->progress_sequence, sequence, memory_order_release);
}

uint32_t soon__channel_asked(const struct soon__channel *channel, uint32_t slot)
{
    /* Relaxed: a flag, nothing is read through it. */
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
    /* Acquire: who sees it changed sees why; pairs with the release in ask(). */
    return atomic_load_explicit(&channel->requests->cancel_bell, memory_order_acquire);
}

void soon__channel_await_cancel(const struct soon__channel *channel, uint32_t bell)
{
    soon__shared_park(&channel->requests->cancel_bell, bell, SOON__NEVER); /* looks at the bell again itself */
}

/*
 * The worker's side: replies.
 */

uint64_t soon__channel_acked(const struct soon__channel *channel)
{
    /* Acquire: what the parent has read may be written over; pairs with the release in soon__channel_ack(). */
    return atomic_load_explicit(&channel->requests->acked, memory_order_acquire);
}

uint64_t soon__channel_published_count(const struct soon__channel *channel)
{
    return channel->notes->published;
}

/* D5 */
static bool is_room(const struct soon__channel *channel, uint64_t acked)
{
    return channel->notes->published - acked < SOON__REPLIES - SOON__SLOTS;
}

bool soon__channel_has_room(const struct soon__channel *channel)
{
    return is_room(channel, soon__channel_acked(channel));
}

void soon__channel_await_room(const struct soon__channel *channel)
{
    uint64_t acked = soon__channel_acked(channel);

    while (!is_room(channel, acked)) /* of this count, and not of another: what is consumed meanwhile ends the wait */
        acked = soon__channel_await_ack(channel, acked);
}

static struct soon__reply *next_place(const struct soon__channel *channel)
{
    struct soon__channel_notes *notes = channel->notes;

    /* Its line is the parent's: looked at when the ring may be full. */
    if (notes->published - notes->acked >= SOON__REPLIES)
        notes->acked = soon__channel_await_ack(channel, notes->published - SOON__REPLIES); /* D5 */
    return &channel->replies->reply[notes->published % SOON__REPLIES];
}

/* True: the bell is to be rung. */
static bool publish(const struct soon__channel *channel, struct soon__reply *place)
{
    struct soon__channel_notes *notes = channel->notes;
    uint32_t wanted;

    /* Release: the reply and its body; pairs with the acquire in soon__channel_next_reply(). */
    atomic_store_explicit(&place->number, ++notes->published, memory_order_release);
    soon__process_point(SOON__POINT_REPLY_PUBLISHED);
    /* D3: pairs with the fence in soon__channel_want_bell(): we see that it is wanted, or it sees the reply. */
    atomic_thread_fence(memory_order_seq_cst);
    /* Relaxed: the fence orders it. */
    wanted = atomic_load_explicit(&channel->requests->bell_wanted, memory_order_relaxed);
    if (!wanted || wanted == notes->rung)
        return false;
    notes->rung = wanted;
    return true;
}

bool soon__channel_reply(const struct soon__channel *channel, const struct soon__reply *reply)
{
    struct soon__reply *place = next_place(channel);

    for (size_t i = 1; i < WORDS; i++) /* all but the number */
        ((word *)place)[i] = ((const word *)reply)[i];
    return publish(channel, place);
}

bool soon__channel_reply_short(const struct soon__channel *channel, uint32_t slot, uint64_t sequence,
                               const unsigned char bytes[SOON__REPLY_SHORT_MAX], size_t size)
{
    struct soon__reply *place = next_place(channel);

    place->sequence = sequence;
    place->result_size = size;
    place->first = 0;
    place->slot = slot;
    place->kind = SOON__REPLY_DONE;
    place->flags = SOON__REPLY_IS_SHORT;
    place->code = 0;
    memcpy(place->bytes, bytes, SOON__REPLY_SHORT_MAX);
    return publish(channel, place);
}

uint64_t soon__channel_await_ack(const struct soon__channel *channel, uint64_t head)
{
    struct soon__replies *replies = channel->replies;
    uint64_t count;
    uint32_t bell;

    for (;;) {
        /* Acquire: who sees it changed sees why; pairs with the release in soon__channel_ack(). */
        bell = atomic_load_explicit(&channel->requests->room_bell, memory_order_acquire);
        count = soon__channel_acked(channel);
        if (count > head)
            return count;
        /* Relaxed: the fence orders it. */
        atomic_store_explicit(&replies->starved, 1, memory_order_relaxed);
        /* D3: pairs with the fence in soon__channel_ack(): the bell has changed, or it sees us starve. */
        atomic_thread_fence(memory_order_seq_cst);
        soon__shared_park(&channel->requests->room_bell, bell, SOON__NEVER); /* looks at the bell again itself */
        /* Relaxed: a wake-up too many does no harm. */
        atomic_store_explicit(&replies->starved, 0, memory_order_relaxed);
    }
}

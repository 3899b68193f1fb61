/*
 * channel_replies.c - the ring of replies, and how each side waits for the other there.
 *
 *     reply           number: release --------> next_reply            number: acquire (the reply, its body)
 *     ack             acked: release ---------> has_room, reply,      acked: acquire (the place may be written)
 *                                               await_ack
 *
 * The fences are those of D3.
 */
#include "channel_replies_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

_Static_assert((SOON__REPLIES & (SOON__REPLIES - 1)) == 0, "counts wrap to places");
_Static_assert(sizeof(struct soon__reply) % sizeof(uint64_t) == 0, "copied by words");

/*
 * The parent's side: D4.
 */

typedef uint64_t __attribute__((may_alias)) word;
enum {
    WORDS = sizeof(struct soon__reply) / sizeof(word),
    SHORT_WORDS = 64 / sizeof(word),
    SHORT_BODY = SOON__REPLY_SHORT_MAX / sizeof(word),
};

/* Reads each word but the number once: the worker may change them meanwhile. */
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

/* The sizes of the parts of its body: result, payload, message, parts beside them. */
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
        if (sizes[i] > room) /* checked before it is added: so no sum overflows */
            return false;
        end = soon__body_round(end) + sizes[i];
    }
    return end <= room;
}

/* Does each flag go with what it is about? */
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

/* The number that its place in the ring has until the reply behind the first `head` is there. */
static uint64_t number_before(uint64_t head)
{
    return head < SOON__REPLIES ? 0 : head + 1 - SOON__REPLIES;
}

bool soon__channel_next_short(const struct soon__channel *channel, uint64_t head, struct soon__short_reply *ret)
{
    const volatile struct soon__reply *next = &channel->replies->reply[head % SOON__REPLIES]; /* each field read once */

    /* Acquire: the reply; pairs with the release in publish(). */
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
    /* Acquire: the reply and its body; pairs with the release in publish(). */
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

void soon__channel_item_times(const struct soon__channel *channel, uint64_t head, int64_t *ret_began,
                              int64_t *ret_ended)
{
    struct soon__item_times *times = &channel->replies->times[(head - 1) % SOON__REPLIES];

    /* Relaxed, both: the reply was read with acquire. */
    *ret_began = atomic_load_explicit(&times->began_ns, memory_order_relaxed);
    *ret_ended = atomic_load_explicit(&times->ended_ns, memory_order_relaxed);
}

void soon__channel_ack(const struct soon__channel *channel, uint64_t head)
{
    struct soon__requests *requests = channel->requests;

    /* Release: the places and the bodies were read before this; pairs with the acquire in soon__channel_acked(). */
    atomic_store_explicit(&requests->acked, head, memory_order_release);
    /* Release: a worker that sees the new bell sees the ack; pairs with the acquire in soon__channel_await_ack(). */
    atomic_fetch_add_explicit(&requests->room_bell, 1, memory_order_release);
    /* D3: pairs with the fence in soon__channel_await_ack(): the worker sees the bell, or is seen to starve here. */
    atomic_thread_fence(memory_order_seq_cst);
    /* Relaxed: the fence orders it. */
    if (atomic_load_explicit(&channel->replies->starved, memory_order_relaxed))
        soon__shared_unpark(&requests->room_bell);
}

bool soon__channel_has_replies(const struct soon__channel *channel, uint64_t head, uint64_t count)
{
    const struct soon__reply *last = &channel->replies->reply[(head + count - 1) % SOON__REPLIES];

    /* Relaxed: the thread that takes the reply in reads it with acquire. */
    return atomic_load_explicit(&last->number, memory_order_relaxed) != number_before(head + count - 1);
}

void soon__channel_turn_bell_on(const struct soon__channel *channel)
{
    struct soon__parent_notes *notes = channel->parent_notes;

    if (++notes->bell_wanted == 0)
        notes->bell_wanted = 1;
    /* Relaxed: the next post publishes it, or the fence in soon__channel_want_bell() orders it. */
    atomic_store_explicit(&channel->requests->bell_wanted, notes->bell_wanted, memory_order_relaxed);
}

bool soon__channel_want_bell(const struct soon__channel *channel, uint64_t head)
{
    soon__channel_turn_bell_on(channel);
    /* D3: pairs with the fence in publish(): the reply is seen here, or the worker sees that the bell is wanted. */
    atomic_thread_fence(memory_order_seq_cst);
    return soon__channel_has_replies(channel, head, 1);
}

void soon__channel_want_no_bell(const struct soon__channel *channel)
{
    /* Relaxed: one ring too many does no harm. */
    atomic_store_explicit(&channel->requests->bell_wanted, 0, memory_order_relaxed);
}

/*
 * The worker's side.
 */

uint64_t soon__channel_acked(const struct soon__channel *channel)
{
    /* Acquire: the parent has read what is written over now; pairs with the release in soon__channel_ack(). */
    return atomic_load_explicit(&channel->requests->acked, memory_order_acquire);
}

uint64_t soon__channel_published_count(const struct soon__channel *channel)
{
    return channel->worker_notes->published;
}

/* D5 */
static bool is_room(const struct soon__channel *channel, uint64_t acked)
{
    return channel->worker_notes->published - acked < SOON__REPLIES - SOON__SLOTS;
}

bool soon__channel_has_room(const struct soon__channel *channel)
{
    return is_room(channel, soon__channel_acked(channel));
}

void soon__channel_await_room(const struct soon__channel *channel)
{
    uint64_t acked = soon__channel_acked(channel);

    /* It waits for more than the very count that was too few: an ack that comes meanwhile ends the wait. */
    while (!is_room(channel, acked))
        acked = soon__channel_await_ack(channel, acked);
}

static struct soon__reply *next_place(const struct soon__channel *channel)
{
    struct soon__worker_notes *notes = channel->worker_notes;

    /* The count of acks is in a line of memory that the parent writes: so it is read only when the ring may be full. */
    if (notes->published - notes->acked >= SOON__REPLIES)
        notes->acked = soon__channel_await_ack(channel, notes->published - SOON__REPLIES); /* D5 */
    return &channel->replies->reply[notes->published % SOON__REPLIES];
}

/* Publishes the reply that was written there. True: the bell is to be rung. */
static bool publish(const struct soon__channel *channel, struct soon__reply *place)
{
    struct soon__worker_notes *notes = channel->worker_notes;
    uint32_t wanted;

    /* Release publishes the reply and its body; pairs with the acquires in the soon__channel_next_...() functions. */
    atomic_store_explicit(&place->number, ++notes->published, memory_order_release);
    soon__process_point(SOON__POINT_REPLY_PUBLISHED);
    /* D3: pairs with the fence in soon__channel_want_bell(): the wish is seen here, or the parent sees the reply. */
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

void soon__channel_set_item_times(const struct soon__channel *channel, int64_t began_ns, int64_t ended_ns)
{
    struct soon__item_times *times = &channel->replies->times[channel->worker_notes->published % SOON__REPLIES];

    /* Relaxed, both: the reply publishes them. */
    atomic_store_explicit(&times->began_ns, began_ns, memory_order_relaxed);
    atomic_store_explicit(&times->ended_ns, ended_ns, memory_order_relaxed);
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
        /* Acquire: a worker that sees the new bell sees the ack; pairs with the release in soon__channel_ack(). */
        bell = atomic_load_explicit(&channel->requests->room_bell, memory_order_acquire);
        count = soon__channel_acked(channel);
        if (count > head)
            return count;
        /* Relaxed: the fence orders it. */
        atomic_store_explicit(&replies->starved, 1, memory_order_relaxed);
        /* D3: pairs with the fence in soon__channel_ack(): the new bell is seen here, or the parent sees the worker
         * starve. */
        atomic_thread_fence(memory_order_seq_cst);
        soon__shared_park(&channel->requests->room_bell, bell, SOON__NEVER); /* looks at the bell again itself */
        /* Relaxed: one wake too many does no harm. */
        atomic_store_explicit(&replies->starved, 0, memory_order_relaxed);
    }
}

/*
 * channel_replies_internal.h - replies, from the ring to the ack.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_REPLIES_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_REPLIES_INTERNAL_H

#include "channel_internal.h"

/*
 * The parent's side.
 */

/*
 * Copies out the next reply, behind the first `*head` of them, and checks it: 1, and advances `*head`; 0: there is
 * none; -EPROTO: only a corrupt worker writes this. Checked is that the slot, the kind and the flags are known, that
 * sizes and the place of the body lie within the area or the inline bytes, and that its number is the next one. The
 * caller alone knows whether somebody awaits it, and whether the sizes are what was asked for.
 */
int soon__channel_next_reply(const struct soon__channel *channel, uint64_t *head, struct soon__reply *ret);
/*
 * The reply behind the first `head`, if it is what most replies are: a task has succeeded with a small result, and
 * nothing beside it. The caller counts it. False: it is another one, which soon__channel_next_reply() gives, or there
 * is none.
 */
struct soon__short_reply {
    uint64_t sequence, size;
    uint32_t slot;
    uint64_t body[SOON__REPLY_SHORT_MAX / sizeof(uint64_t)];
};
bool soon__channel_next_short(const struct soon__channel *channel, uint64_t head, struct soon__short_reply *ret);
/*
 * The body of a reply: result, payload, message, parts beside them; an empty part takes no room. It is lent until the
 * reply is acked, may change while it is read, and its message may have no end: copy it, then look at the copy.
 */
const unsigned char *soon__channel_reply_body(const struct soon__channel *channel, const struct soon__reply *reply);
/* The times beside the last of the first `head` replies, which the worker may change meanwhile. */
void soon__channel_item_times(const struct soon__channel *channel, uint64_t head, int64_t *ret_began,
                              int64_t *ret_ended);
/* Acks the first `head` replies: their bodies were copied out. */
void soon__channel_ack(const struct soon__channel *channel, uint64_t head);
/* Either side: how many replies were acked. */
uint64_t soon__channel_acked(const struct soon__channel *channel);
/* Are there `count` replies, or nonsense, behind the first `head`? A hint. */
bool soon__channel_has_replies(const struct soon__channel *channel, uint64_t head, uint64_t count);
/* Asks for the bell at the next reply to a request that is published after this. One thread at a time. */
void soon__channel_turn_bell_on(const struct soon__channel *channel);
/* Asks for the bell at the next reply, and says whether one is there already: else the bell will ring. One thread at a
 * time. */
bool soon__channel_want_bell(const struct soon__channel *channel, uint64_t head);
void soon__channel_want_no_bell(const struct soon__channel *channel);

/*
 * The worker's side.
 */

/* Is there room for a reply that is not the last one of its slot? (D5) */
bool soon__channel_has_room(const struct soon__channel *channel);
/* Sleeps until there is. */
void soon__channel_await_room(const struct soon__channel *channel);
/* Copies the reply into the ring, in which there is room. True: the bell is to be rung. */
bool soon__channel_reply(const struct soon__channel *channel, const struct soon__reply *reply);
/* The same for a task that has succeeded with a result of `size` bytes, or none, and nothing beside it. */
bool soon__channel_reply_short(const struct soon__channel *channel, uint32_t slot, uint64_t sequence,
                               const unsigned char bytes[SOON__REPLY_SHORT_MAX], size_t size);
/* What stands beside the next reply, for which there is room. */
void soon__channel_set_item_times(const struct soon__channel *channel, int64_t began_ns, int64_t ended_ns);
/* Sleeps until more than `head` replies are acked, and returns how many are. */
uint64_t soon__channel_await_ack(const struct soon__channel *channel, uint64_t head);
uint64_t soon__channel_published_count(const struct soon__channel *channel);

#endif

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
 * The next reply, after `*head` of them were consumed, copied out and checked: 1 and advances `*head`; 0: none; -EPROTO:
 * no worker in its right mind has written this. What was checked: slot, kind and flags are known; sizes and the place
 * of the body lie within the area or the inline bytes; its number is the next one. Whose reply it is, and whether
 * the sizes are what was asked for, only the caller knows.
 */
int soon__channel_next_reply(const struct soon__channel *channel, uint64_t *head, struct soon__reply *ret);
/*
 * The one after `head` if it is what most are: a task has succeeded, and all there is is a small result. The caller counts it.
 * False: it is another, which soon__channel_next_reply() tells, or there is none.
 */
struct soon__short_reply {
    uint64_t sequence, size;
    uint32_t slot;
    uint64_t body[SOON__REPLY_SHORT_MAX / sizeof(uint64_t)];
};
bool soon__channel_next_short(const struct soon__channel *channel, uint64_t head, struct soon__short_reply *ret);
/*
 * Its body: the result, then payload, then message, then what is beside; a part of no bytes takes no room. Lent until soon__channel_ack().
 * It may change while it is read, and its message may have no end: copy, then look.
 */
const unsigned char *soon__channel_reply_body(const struct soon__channel *channel, const struct soon__reply *reply);
/* The bodies of the first `head` replies were copied out. */
void soon__channel_ack(const struct soon__channel *channel, uint64_t head);
/* Either side: how many replies were acked. */
uint64_t soon__channel_acked(const struct soon__channel *channel);
/* Are there so many, or nonsense, behind the first `head`? A hint. */
bool soon__channel_has_replies(const struct soon__channel *channel, uint64_t head, uint64_t count);
/* Asks for the bell at the next reply to what is published after this. Not two at once. */
void soon__channel_turn_bell_on(const struct soon__channel *channel);
/* The same, then: is there a reply already? Else the bell will ring for the next one. */
bool soon__channel_want_bell(const struct soon__channel *channel, uint64_t head);
void soon__channel_want_no_bell(const struct soon__channel *channel);

/*
 * The worker's side.
 */

/* May a reply that is not a slot's last one be published now? (D5) */
bool soon__channel_has_room(const struct soon__channel *channel);
/* Sleeps until one may. */
void soon__channel_await_room(const struct soon__channel *channel);
/* Copies the reply into the ring. There is room. True: the bell is to be rung. */
bool soon__channel_reply(const struct soon__channel *channel, const struct soon__reply *reply);
/* The same of a task that has succeeded, and all there is is a result of `size` bytes, or none. */
bool soon__channel_reply_short(const struct soon__channel *channel, uint32_t slot, uint64_t sequence,
                               const unsigned char bytes[SOON__REPLY_SHORT_MAX], size_t size);
/* Sleeps until more than `head` replies were consumed: returns how many were. */
uint64_t soon__channel_await_ack(const struct soon__channel *channel, uint64_t head);
uint64_t soon__channel_published_count(const struct soon__channel *channel);

#endif

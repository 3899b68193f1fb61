/*
 * replies.c - a fuzz target: the parent's side of a channel whose other side is written by the input. Whatever that is, every
 * reply that is let through has its body within its memory. tests/fuzz/run builds and runs it with libFuzzer.
 *
 *     [how many have their right number, 8 bytes][replies, repeated until the ring is full] ... the same as a table of functions
 */
#include "../../executor/processes/both/channel_replies_internal.h"
#include "../../executor/processes/both/wire_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

/* So that the address sanitizer sees a read outside: both ends, and some between, since the area is large. */
static void read_all(const unsigned char *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i += i < 64 ? 1 : 4096)
        sink = bytes[i];
    if (size > 0)
        sink = bytes[size - 1];
}

static void read_body(const struct soon__channel *channel, const struct soon__reply *reply)
{
    const unsigned char *body = soon__channel_reply_body(channel, reply);
    uint64_t at = 0;

    if (!(reply->flags & SOON__REPLY_RESULT_SENT)) {
        read_all(body, reply->result_size);
        at = reply->result_size;
    }
    if (reply->flags & SOON__REPLY_HAS_PAYLOAD && !(reply->flags & SOON__REPLY_PAYLOAD_SENT)) {
        read_all(body + soon__body_round(at), reply->payload_size);
        at = reply->payload_size ? soon__body_round(at) + reply->payload_size : at;
    }
    read_all(body + soon__body_round(at), reply->message_size);
    at = reply->message_size ? soon__body_round(at) + reply->message_size : at;
    if (reply->flags & SOON__REPLY_HAS_BESIDE)
        read_all(body + soon__body_round(at), reply->count);
}

/* As results of any size. */
static void read_varied(const struct soon__channel *channel, const struct soon__reply *reply)
{
    const unsigned char *at = soon__channel_reply_body(channel, reply), *bytes;
    uint64_t size = reply->result_size, one;

    while ((bytes = soon__varied_next(&at, &size, &one)))
        read_all(bytes, one);
}

static void write_worker_part(struct soon__replies *replies, const uint8_t *data, size_t size)
{
    uint64_t right = 0;
    size_t written = 0;

    memcpy(&right, data, size < sizeof right ? size : sizeof right);
    size -= size < sizeof right ? size : sizeof right;
    while (size > 0 && written < sizeof replies->reply) {
        size_t part = size < sizeof replies->reply - written ? size : sizeof replies->reply - written;

        memcpy((unsigned char *)replies->reply + written, data + sizeof right, part);
        written += part;
    }
    for (uint64_t i = 0; i < right && i < SOON__REPLIES; i++) /* the rest has what is written there */
        atomic_store_explicit(&replies->reply[i].number, i + 1, memory_order_relaxed);
}

/* What a short one is taken for it is. */
static void compare(const struct soon__short_reply *part, const struct soon__reply *whole)
{
    if (part->slot != whole->slot || part->sequence != whole->sequence || part->size != whole->result_size ||
        part->size > sizeof part->body || whole->kind != SOON__REPLY_DONE || whole->flags || whole->code)
        abort();
}

static void read_replies(const struct soon__channel *channel)
{
    struct soon__short_reply part;
    struct soon__reply reply;
    uint64_t head = 0;
    bool is_short;

    while ((is_short = soon__channel_next_short(channel, head, &part)),
           soon__channel_next_reply(channel, &head, &reply) == 1) {
        if (reply.slot >= SOON__SLOTS || reply.kind >= SOON__REPLY_KINDS || head > SOON__REPLIES)
            abort();
        if (is_short)
            compare(&part, &reply);
        read_body(channel, &reply);
        if (reply.kind == SOON__REPLY_ITEMS)
            read_varied(channel, &reply);
    }
    soon__channel_ack(channel, head);
}

static void read_table(const uint8_t *data, size_t size)
{
    struct soon__table_entry entry;
    uint64_t offset = 0;

    while (soon__table_next(data, size, &offset, &entry) == 1) {
        if (offset > size || strlen(entry.name) + strlen(entry.arg_type) + strlen(entry.result_type) >= size)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct soon__channel channel;

    if (!channel.replies) { /* on the heap, where what lies behind is poisoned */
        channel.replies = aligned_alloc(64, sizeof *channel.replies);
        channel.requests = aligned_alloc(64, sizeof *channel.requests);
        memset((void *)channel.requests, 0, sizeof *channel.requests);
        channel.reply_area = malloc(SOON__REPLY_AREA);
        memset(channel.reply_area, 1, SOON__REPLY_AREA);
    }
    memset((void *)channel.replies, 0, sizeof *channel.replies);
    write_worker_part(channel.replies, data, size);
    read_replies(&channel);
    read_table(data, size);
    return 0;
}

/*
 * receive.c - messages of workers: their HELLO, and descriptors that travel ahead of replies. By the thread that takes
 * in replies (P7).
 *
 *     message --of a request and an item that are awaited--> kept --its reply comes--> taken, the rest closed
 *        |                                                     |
 *        +--of anything else, or while others are kept         +--its reply does not speak of them
 *                          |                                                |
 *                          +---------------------> closed, the worker is corrupt
 *
 * R1  Descriptors belong to one reply, of this slot, sequence and item, with these parts. They are used only if all of
 *     that is right.
 * R2  If this process had no room for the descriptors of a message, the message is kept as one that has lost them: its
 *     reply finds none, and does not get those of another.
 */
#include "receive_internal.h"

#include "slots_internal.h"
#include "stage_internal.h"

#include <errno.h>
#include <unistd.h>

enum { MESSAGES_MAX = 8 }; /* at once. A worker sends the next only when the reply to the last was taken in */

static void close_all(const int *descriptors, int count)
{
    for (int i = 0; i < count; i++) {
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    }
}

static int count_of(uint32_t parts)
{
    return __builtin_popcount(parts);
}

void soon__process_drop_descriptors(struct soon__process *process)
{
    struct soon__sent *sent = &process->reading.sent;

    if (!sent->lost)
        close_all(sent->descriptors, count_of(sent->parts));
    *sent = (struct soon__sent){.parts = 0};
}

static int greet(struct soon__process *process, const struct soon__message *message)
{
    struct soon__process_pool *pool = process->pool;
    int rc;

    if (process->loop.begun != SOON__SPAWNED || message->version != SOON__CHANNEL_VERSION ||
        message->table_size > SOON__REPLY_AREA)
        return -EPROTO;
    soon__process_advance(process, SOON__GREETED);
    soon__mutex_lock(&pool->backlog.mutex);
    rc = soon__directory_init(&process->locked.directory, process->channel.reply_area, message->table_size,
                              message->function_count);
    soon__mutex_unlock(&pool->backlog.mutex);
    return rc < 0 ? rc : SOON__RECEIVED_HELLO;
}

/* Is the message of a request that runs there, and of an item that has not ended? */
static bool is_awaited(struct soon__process *process, const struct soon__message *message)
{
    const struct soon__assignment *assignment;
    size_t items;
    bool awaited;

    if (message->slot >= SOON__SLOTS)
        return false;
    assignment = &process->locked.slots[message->slot];
    soon__mutex_lock(&process->pool->backlog.mutex);
    items = assignment->items ? assignment->items : 1;
    awaited = assignment->sequence == message->sequence && soon__process_is_running_locked(process, message->slot) &&
              message->item >= assignment->ended && message->item < items;
    soon__mutex_unlock(&process->pool->backlog.mutex);
    return awaited;
}

/* R1. Keeps the descriptors of a message; `lost`: they are lost. False: no request awaits them. */
static bool keep(struct soon__process *process, const struct soon__message *message, const int *descriptors, int count,
                 bool lost)
{
    struct soon__sent *sent = &process->reading.sent;

    if (sent->parts || !message->parts || message->parts & ~(uint32_t)SOON__PARTS || !is_awaited(process, message) ||
        (!lost && count != count_of(message->parts)))
        return false;
    *sent = (struct soon__sent){.slot = message->slot,
                                .parts = message->parts,
                                .sequence = message->sequence,
                                .item = message->item,
                                .lost = lost};
    for (int i = 0; i < count; i++)
        sent->descriptors[i] = descriptors[i];
    return true;
}

static int take_message(struct soon__process *process, const struct soon__message *message, const int *descriptors,
                        int count, bool lost)
{
    if (message->magic != SOON__CHANNEL_MAGIC)
        return -EPROTO;
    if (message->kind == SOON__MESSAGE_DESCRIPTORS)
        return keep(process, message, descriptors, count, lost) ? SOON__RECEIVED_SOME : -EPROTO;
    return message->kind == SOON__MESSAGE_HELLO && count == 0 && !lost ? greet(process, message) : -EPROTO;
}

/* As soon__process_receive(), for the thread that takes in replies. */
static int receive(struct soon__process *process)
{
    int descriptors[SOON__SOCKET_DESCRIPTORS_MAX], count, rc, taken;

    for (int messages = 0; messages < MESSAGES_MAX; messages++) {
        struct soon__message message = {.magic = 0}; /* what a short message does not fill stays 0 */

        rc = soon__socket_receive(process->loop.control, &message, sizeof message, descriptors, &count);
        if (rc == -EAGAIN)
            return SOON__RECEIVED_SOME;
        taken = -EPROTO;
        if (rc == sizeof message || rc == -EMFILE)
            taken = take_message(process, &message, descriptors, count, rc == -EMFILE);
        if (taken == SOON__RECEIVED_SOME)
            continue;
        if (taken == -EPROTO)
            close_all(descriptors, count);
        return rc == 0 ? SOON__RECEIVED_END : taken;
    }
    return -EPROTO;
}

int soon__process_receive(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    int rc;

    soon__mutex_lock(&pool->backlog.mutex);
    while (process->reading.busy)
        soon__condition_wait(&pool->read, &pool->backlog.mutex, SOON__NEVER);
    process->reading.busy = true;
    soon__mutex_unlock(&pool->backlog.mutex);
    rc = receive(process);
    soon__mutex_lock(&pool->backlog.mutex);
    process->reading.busy = false;
    soon__condition_tell_all(&pool->read);
    soon__mutex_unlock(&pool->backlog.mutex);
    return rc;
}

static uint32_t parts_of(const struct soon__reply *reply)
{
    return (reply->flags & SOON__REPLY_RESULT_SENT ? SOON__PART_BYTES : 0) |
           (reply->flags & SOON__REPLY_PAYLOAD_SENT ? SOON__PART_PAYLOAD : 0) |
           soon__parts_beside(soon__reply_beside_sent(reply->flags));
}

/* Did what is kept come for this reply? The reply DONE is of the whole request. */
static bool is_for(const struct soon__sent *sent, const struct soon__reply *reply)
{
    return sent->parts && sent->slot == reply->slot && sent->sequence == reply->sequence &&
           (reply->kind == SOON__REPLY_DONE || sent->item == reply->first);
}

bool soon__process_has_descriptors(struct soon__process *process, const struct soon__reply *reply)
{
    const struct soon__sent *sent = &process->reading.sent;
    uint32_t parts = parts_of(reply);

    if (reply->kind == SOON__REPLY_ITEMS) /* what is kept may belong to the item after these */
        return true;
    if (parts && !is_for(sent, reply) && receive(process) < 0)
        return false;
    return is_for(sent, reply) ? sent->parts == parts && sent->item == reply->first : !parts;
}

int soon__process_take_descriptor(struct soon__process *process, enum soon__part part)
{
    struct soon__sent *sent = &process->reading.sent;
    int at = count_of(sent->parts & ((uint32_t)part - 1)), fd = sent->descriptors[at];

    if (sent->lost)
        return -EMFILE; /* R2 */
    sent->descriptors[at] = -1;
    return fd;
}

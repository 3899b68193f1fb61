/*
 * receive.c - messages of workers: their first one, which the loop's thread reads, and descriptors that travel ahead of
 * replies. All of it under the process's `reading` (P7).
 */
#include "pool_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* At once: a worker sends the next when the reply that the last belongs to was consumed. */
enum { MESSAGES_MAX = 8 };

static void drop_sent(struct soon__sent *sent)
{
    while (sent->count > 0)
        close(sent->descriptors[--sent->count]);
}

static bool greet(struct soon__process *process, const struct soon__message *message)
{
    struct soon__process_pool *pool = process->pool;
    int rc;

    if (process->greeted || message->version != SOON__DESK_VERSION || message->table_size > SOON__REPLY_AREA)
        return false;
    process->greeted = true;
    pthread_mutex_lock(&pool->mutex);
    rc = soon__directory_init(&process->directory, process->view.replies, message->table_size, message->function_count);
    pthread_mutex_unlock(&pool->mutex);
    if (rc == 0)
        soon__process_is_ready(process);
    return rc == 0;
}

int soon__process_receive(struct soon__process *process)
{
    struct soon__message message;
    struct soon__sent came = {0};
    int rc;

    for (int messages = 0; messages < MESSAGES_MAX; messages++) {
        rc = soon__socket_receive(process->control, &message, sizeof message, came.descriptors, &came.count);
        if (rc == -EAGAIN)
            return 1;
        if (rc != sizeof message && rc != -EMFILE) {
            drop_sent(&came);
            return rc == 0 ? 0 : -EPROTO;
        }
        if (message.magic == SOON__DESK_MAGIC && message.kind == SOON__MESSAGE_DESCRIPTORS &&
            message.slot < SOON__SLOTS) {
            drop_sent(&process->sent[message.slot]);
            came.sequence = message.sequence;
            process->sent[message.slot] = came; /* fewer than were sent, if we are out of descriptors */
            continue;
        }
        drop_sent(&came);
        if (message.magic != SOON__DESK_MAGIC || message.kind != SOON__MESSAGE_HELLO || !greet(process, &message))
            return -EPROTO;
    }
    return -EPROTO;
}

int soon__process_take_descriptor(struct soon__process *process, const struct soon__reply *reply)
{
    struct soon__sent *sent = &process->sent[reply->slot];
    int fd;

    if (sent->sequence != reply->sequence)
        (void)soon__process_receive(process);
    if (sent->sequence != reply->sequence)
        return -EPROTO;
    if (sent->count == 0)
        return -EMFILE;
    fd = sent->descriptors[0];
    memmove(sent->descriptors, sent->descriptors + 1, (size_t)--sent->count * sizeof *sent->descriptors);
    return fd;
}

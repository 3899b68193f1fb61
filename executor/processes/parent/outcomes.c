/*
 * outcomes.c - from the bytes of a reply to the outcome of a task or an item.
 *
 * Nothing in a reply is trusted. What it says is copied, and the copy is checked against what was asked for. Large
 * results come in memory that can no longer be written. A reply that no worker sends makes its worker corrupt.
 */
#include "outcomes_internal.h"

#include "../../../futures/aside_internal.h"
#include "../../../futures/complete_internal.h"
#include "../../../futures/value_internal.h"
#include "beside_internal.h"
#include "receive_internal.h"
#include "stage_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Maps the result that came as a descriptor. 0, or why there is none. */
static int map_result(struct soon__process *process, const struct soon__reply *reply, struct soon__outcome *outcome)
{
    int fd = soon__process_take_descriptor(process, SOON__PART_BYTES), rc;
    void *data;

    if (fd < 0)
        return fd;
    rc = soon__shm_check_frozen(fd, reply->result_size);
    if (rc == 0)
        rc = soon__shm_map(&data, fd, reply->result_size, false);
    close(fd);
    if (rc < 0)
        return rc;
    outcome->result = data;
    outcome->result_mapped = true;
    return 0;
}

static int take_result(struct soon__process *process, const struct soon__reply *reply, void *space,
                       struct soon__outcome *outcome)
{
    outcome->result_size = reply->result_size;
    if (reply->flags & SOON__REPLY_RESULT_SENT)
        return map_result(process, reply, outcome);
    return soon__outcome_copy_result(soon__channel_reply_body(&process->channel, reply), reply->result_size, space,
                                     outcome);
}

static int take_payload(struct soon__process *process, const struct soon__reply *reply, struct soon__outcome *outcome)
{
    const unsigned char *body = soon__channel_reply_body(&process->channel, reply);
    int fd, rc;

    if (!(reply->flags & SOON__REPLY_HAS_PAYLOAD))
        return 0;
    if (!(reply->flags & SOON__REPLY_PAYLOAD_SENT)) {
        if (!(reply->flags & SOON__REPLY_RESULT_SENT))
            body += soon__body_round(reply->result_size);
        rc = soon_buffer_new(&outcome->payload, reply->payload_size);
        if (rc == 0 && reply->payload_size)
            memcpy(soon_buffer_data(outcome->payload), body, reply->payload_size);
        return rc;
    }
    fd = soon__process_take_descriptor(process, SOON__PART_PAYLOAD);
    if (fd < 0)
        return fd;
    rc = soon__shm_check_frozen(fd, reply->payload_size);
    if (rc == 0)
        rc = soon__buffer_of_descriptor(&outcome->payload, fd, reply->payload_size);
    if (rc < 0)
        close(fd);
    return rc;
}

/* Where the section begins in the body: behind result and payload. There is no message, since the task
 * has succeeded. */
static const unsigned char *beside_of(struct soon__process *process, const struct soon__reply *reply)
{
    const unsigned char *body = soon__channel_reply_body(&process->channel, reply);

    if (!(reply->flags & SOON__REPLY_RESULT_SENT))
        body += soon__body_round(reply->result_size);
    if (!(reply->flags & SOON__REPLY_PAYLOAD_SENT))
        body += soon__body_round(reply->payload_size);
    return body;
}

/* With what the task in this slot fails if its worker is ended; SOON_EWORKERDIED: the worker is not to be ended. */
static int sentence_of(struct soon__process *process, uint32_t slot)
{
    int code;

    soon__mutex_lock(&process->pool->backlog.mutex);
    code = soon__process_cause_of(process, &process->locked.slots[slot]);
    soon__mutex_unlock(&process->pool->backlog.mutex);
    return code;
}

/* The task has ended because its worker was asked to end. Only the parent knows why. */
static struct soon__error *stopped_error(struct soon__process *process, uint32_t slot, soon_error fields)
{
    int code = sentence_of(process, slot);

    if (code != SOON_EWORKERDIED)
        fields.code = code;
    return soon__error_newf(&fields, NULL);
}

/* The error that the reply tells. NULL, and `*ret_sane` false: no worker sends this. */
static struct soon__error *error_of(struct soon__process *process, const struct soon__reply *reply,
                                    const soon_call *call, bool *ret_sane)
{
    const char *body = (const char *)soon__channel_reply_body(&process->channel, reply);
    size_t text = reply->message_size ? strnlen(body, reply->message_size) : 0;
    bool is_item = reply->kind == SOON__REPLY_ITEM;
    size_t item = is_item ? soon__call_extra(call)->items_ended + process->locked.slots[reply->slot].ended : 0;
    soon_error fields = {.code = reply->code,
                         .raised = reply->raised,
                         .started = !(reply->flags & SOON__REPLY_NOT_STARTED),
                         .worker_pid = process->pid,
                         .function = call->function->name,
                         .label = soon__item_label(call, is_item ? &item : NULL)};

    *ret_sane = reply->code < 0 && (!reply->message_size || text < reply->message_size);
    if (!*ret_sane)
        return NULL;
    if (text + 1 < reply->message_size) {
        fields.data = body + text + 1;
        fields.data_size = reply->message_size - text - 1;
    }
    if (reply->flags & SOON__REPLY_CANCELLED)
        return &soon__error_cancelled_running;
    if (reply->code == SOON_EKILLED)
        return stopped_error(process, reply->slot, fields);
    return soon__error_newf(&fields, reply->message_size ? "%.*s" : NULL, (int)text, body);
}

bool soon__process_read_outcome(struct soon__process *process, const struct soon__reply *reply, const soon_call *call,
                                void *space, struct soon__outcome *ret)
{
    size_t expected = call->function->result_size;
    bool sane;
    int rc;

    *ret = (struct soon__outcome){0};
    if (reply->code) {
        ret->error = error_of(process, reply, call, &sane);
        ret->cancelled = sane && (reply->flags & SOON__REPLY_CANCELLED);
        return sane;
    }
    if (expected && reply->result_size != expected)
        return false;
    rc = take_result(process, reply, space, ret);
    if (rc == 0)
        rc = take_payload(process, reply, ret);
    if (rc == 0 && reply->flags & SOON__REPLY_HAS_BESIDE)
        rc = soon__process_take_beside(process, reply, beside_of(process, reply), ret);
    if (rc == 0)
        return true;
    soon__outcome_drop_result(ret, space);
    if (rc == -EPROTO)
        return false;
    /* The task has run, but this process has no room for its outcome. */
    ret->error = soon__error_as_started(soon__call_error(call, rc, NULL));
    return true;
}

void soon__process_keep_progress(struct soon__process *process, uint32_t slot, soon_call *call)
{
    uint64_t done, total;

    if (soon__channel_progress(&process->channel, slot, &done, &total))
        soon__future_set_progress(soon__call_future(call), done, total);
}

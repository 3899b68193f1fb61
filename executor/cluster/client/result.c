/*
 * result.c - from what a worker has said of its end to the outcome of a call.
 *
 * Nothing in a message is trusted: sizes are held against what the function says, and all is copied. A worker that
 * makes no sense costs its own call alone.
 */
#include "result_internal.h"

#include "../../../futures/aside_internal.h"
#include "../../../futures/value_internal.h"
#include "../both/digest_internal.h"
#include "../both/message_internal.h"
#include "land_internal.h"
#include "stop_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Errors
 */

static struct soon__error *error_of(const struct soon__flight *flight, const struct soon__error_message *message,
                                    const size_t *item)
{
    const soon_call *call = flight->call;
    soon_error fields = {.code = message->code,
                         .raised = message->raised,
                         .started = message->started,
                         .attempt = message->started ? soon__call_attempt(call) : 0,
                         .worker_pid = message->pid,
                         .worker_signal = message->signal,
                         .worker_status = message->status,
                         .function = call->function->name,
                         .label = soon__item_label(call, item),
                         .data = message->data.size ? message->data.data : NULL,
                         .data_size = message->data.size,
                         .worker_host = message->host,
                         .worker = message->worker};
    char here[SOON__LAYOUT_TEXT];

    if (message->code == -ECANCELED)
        return message->started ? &soon__error_cancelled_running : &soon__error_cancelled;
    if (message->code == SOON_ETYPE && !message->started)
        return soon__error_newf(&fields, "%s; here: %s", message->message,
                                soon__layout_text(here, sizeof here, call->function));
    return soon__error_newf(&fields, "%s", message->message);
}

/* Its worker was told to end it, and nobody has cancelled it. */
static bool was_our_wish(const struct soon__flight *flight)
{
    return flight->state == SOON__FLIGHT_STOPPING && flight->stop < SOON__STOP_CANCELLED;
}

void soon__flight_take_error(struct soon__flight *flight, soon_bytes bytes)
{
    struct soon__outcome outcome = {0};
    struct soon__error_message message;

    if (soon__read_error(&message, bytes) < 0) {
        soon__flight_fail(flight, -EBADMSG, "a worker has sent what is no error");
        return;
    }
    if (message.code == -ECANCELED && !message.started && flight->stop == SOON__STOP_KILLED) {
        soon__flight_stopped(flight); /* no process had begun it yet, but it was said to run: then it was killed */
        return;
    }
    if (message.started)
        soon__flight_begin(flight);
    if (message.code == -ECANCELED && was_our_wish(flight)) {
        soon__flight_stopped(flight);
        return;
    }
    if ((message.code == SOON_EWORKERDIED || message.code == SOON_ELOST) &&
        soon__flight_try_again(flight, message.code, true))
        return;
    outcome.error = error_of(flight, &message, NULL);
    outcome.cancelled = message.code == -ECANCELED;
    soon__flight_land(flight, &outcome);
}

/*
 * Results
 */

static int take_payloads(struct soon__message_reader *rest, uint64_t count, struct soon__outcome *outcome)
{
    soon_buffer *buffer;
    int rc = 0;

    for (uint64_t i = 0; i < count && rc == 0; i++) {
        soon_bytes bytes = soon__get_bytes(rest);

        rc = soon_buffer_new(&buffer, bytes.size);
        if (rc < 0)
            break;
        if (bytes.size)
            memcpy(soon_buffer_data(buffer), bytes.data, bytes.size);
        if (i == 0)
            outcome->payload = buffer;
        else
            rc = soon__buffers_add(&outcome->further, buffer);
    }
    return rc;
}

static int check_size(const soon_function *function, size_t size)
{
    return function->result_size && size != function->result_size ? SOON_ETYPE : 0;
}

/* A result whose `space` is NULL goes to memory of its own. */
static void fill(const struct soon__flight *flight, soon_bytes result, void *space, const size_t *item,
                 struct soon__outcome *ret)
{
    struct soon__error *error;
    int rc = check_size(flight->call->function, result.size);

    ret->result_size = result.size;
    if (rc == 0 && !ret->error)
        rc = soon__outcome_copy_result(result.data, result.size, space, ret);
    if (rc == 0)
        return;
    soon__outcome_drop_result(ret, space);
    error = soon__flight_error(flight, item, rc, NULL);
    *ret = (struct soon__outcome){.error = soon__error_as_started(error)};
}

static void take_one(struct soon__flight *flight, struct soon__message_reader *rest)
{
    struct soon__item_result_message item = soon__get_item_result(rest);
    struct soon__outcome outcome = {0};
    int rc;

    fill(flight, item.result, soon__call_space(flight->call), NULL, &outcome);
    rc = outcome.error ? 0 : take_payloads(rest, item.payloads, &outcome);
    if (rc < 0) {
        soon__outcome_drop_result(&outcome, soon__call_space(flight->call));
        outcome.error = &soon__error_nomem_started;
    }
    soon__flight_land(flight, &outcome);
}

static void take_item(struct soon__flight *flight, struct soon__message_reader *rest, size_t index)
{
    struct soon__item_result_message item = soon__get_item_result(rest);
    struct soon__outcome outcome = {0};
    void *space = soon__item_space(flight->call, index);

    if (item.is_error) {
        outcome.error = error_of(flight, &item.error, &index);
        outcome.cancelled = item.error.code == -ECANCELED;
    } else {
        fill(flight, item.result, space, &index, &outcome);
        if (!outcome.error && take_payloads(rest, item.payloads, &outcome) < 0) {
            soon__outcome_drop_result(&outcome, space);
            outcome.error = &soon__error_nomem_started;
        }
    }
    soon__item_end(flight->call, index, &outcome);
}

static void take_items(struct soon__flight *flight, struct soon__result_message *message)
{
    struct soon__call_extra *extra = soon__call_extra(flight->call);
    struct soon__outcome outcome = {0};

    for (uint64_t i = 0; i < message->items; i++)
        take_item(flight, &message->rest, extra->items_ended++);
    soon__flight_land(flight, &outcome);
}

/* How many items a result must be of; 0: of one task. */
static size_t items_of(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    return extra && extra->items ? extra->items->count - extra->items_ended : 0;
}

void soon__flight_take_result(struct soon__flight *flight, soon_bytes bytes)
{
    struct soon__result_message message;

    soon__flight_begin(flight);
    if (soon__read_result(&message, bytes) < 0 || message.items != items_of(flight->call))
        soon__flight_fail(flight, -EBADMSG, "a worker has sent what is no result");
    else if (message.items)
        take_items(flight, &message);
    else
        take_one(flight, &message.rest);
}

/*
 * Foreign workers
 */

/* As much as a packet may bring at once. */
#define GATHERED_MAX ((size_t)2 << 30)

void soon__foreign_gather(struct soon__flight *flight, soon_bytes data)
{
    size_t capacity = flight->gathered_capacity ? flight->gathered_capacity : 4096;
    char *gathered;

    if (data.size > GATHERED_MAX - flight->gathered_size) {
        soon__flight_fail(flight, -EMSGSIZE, "its worker has sent more than 2 GiB");
        return;
    }
    while (capacity - flight->gathered_size < data.size)
        capacity *= 2;
    if (capacity > flight->gathered_capacity) {
        gathered = realloc(flight->gathered, capacity);
        if (!gathered) {
            soon__flight_fail(flight, -ENOMEM, NULL);
            return;
        }
        flight->gathered = gathered;
        flight->gathered_capacity = capacity;
    }
    if (data.size)
        memcpy(flight->gathered + flight->gathered_size, data.data, data.size);
    flight->gathered_size += data.size;
}

void soon__foreign_take_result(struct soon__flight *flight, soon_bytes rest)
{
    struct soon__call_extra *extra = soon__call_extra(flight->call);
    struct soon__outcome outcome = {0};
    soon_bytes all = rest;
    void *space;

    soon__flight_begin(flight);
    if (flight->gathered_size) {
        soon__foreign_gather(flight, rest);
        if (!flight->call)
            return; /* it has failed */
        all = (soon_bytes){flight->gathered, flight->gathered_size};
    }
    space = extra && extra->items ? soon__item_space(flight->call, 0) : soon__call_space(flight->call);
    fill(flight, all, space, NULL, &outcome);
    if (extra && extra->items) {
        soon__item_end(flight->call, extra->items_ended++, &outcome);
        outcome = (struct soon__outcome){0};
    }
    soon__flight_land(flight, &outcome);
}

void soon__foreign_take_error(struct soon__flight *flight, soon_bytes text)
{
    const soon_call *call = flight->call;
    size_t length = text.size < 4096 ? text.size : 4096;
    soon_error fields = {.code = SOON_ERAISED,
                         .raised = -EREMOTEIO,
                         .started = true,
                         .function = call->function->name,
                         .label = soon__call_label(call),
                         .data = text.size ? text.data : NULL,
                         .data_size = text.size};
    struct soon__outcome outcome = {0};

    soon__flight_begin(flight);
    outcome.error = text.size ? soon__error_newf(&fields, "%.*s", (int)length, (const char *)text.data)
                              : soon__error_newf(&fields, "the worker says that it has failed");
    soon__flight_land(flight, &outcome);
}

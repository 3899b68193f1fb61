/*
 * send.c - from a call to the packet that submits it; and what a worker or the server is told about it.
 *
 * A message is measured first, and then written where it is sent from: what is large is copied once.
 */
#include "send_internal.h"

#include "../both/digest_internal.h"
#include "flight_internal.h"
#include "land_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HEARTBEATS = 3 }; /* in each lease */

/*
 * The message
 */

static soon_bytes bytes_of(soon_buffer *buffer)
{
    return buffer ? (soon_bytes){soon_buffer_data(buffer), soon_buffer_size(buffer)} : (soon_bytes){NULL, 0};
}

static void put_items(struct soon__message_writer *writer, const struct soon__items *items, size_t from)
{
    for (size_t i = from; items->each && i < items->count; i++) {
        const soon_item *item = &items->each[i];
        struct soon__item_message message = {.argument = {item->data, item->size},
                                             .label = item->label ? item->label : "",
                                             .has_payload = item->payload,
                                             .payload = bytes_of(item->payload)};

        soon__put_item(writer, &message);
    }
}

static void put_inputs(struct soon__message_writer *writer, const soon_call *call)
{
    for (size_t i = 0; i < soon__call_input_count(call); i++) {
        soon_future *input = soon__call_input(call, i);
        soon_buffer *payload = soon_future_payload(input);
        struct soon__input_message message = {
            .result = {input->result, input->result_size}, .has_payload = payload, .payload = bytes_of(payload)};

        soon__put_input(writer, &message);
    }
}

static void put_beside(struct soon__message_writer *writer, const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    if (!extra)
        return;
    if (extra->items)
        put_items(writer, extra->items, extra->items_ended);
    for (size_t i = 0; !extra->items && i < soon__payload_count(&extra->options); i++)
        soon__put_bytes(writer, bytes_of(soon__payload_at(&extra->options, i)));
    put_inputs(writer, call);
}

static void set_options(struct soon__call_message *message, const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);
    const struct soon__items *items = extra ? extra->items : NULL;

    if (!extra)
        return;
    message->time_limit_ms = extra->options.time_limit_ms;
    message->priority = extra->options.priority;
    message->label = extra->options.label ? extra->options.label : "";
    message->extra = extra->options.extra;
    message->inputs = soon__call_input_count(call);
    if (!items) {
        message->payloads = soon__payload_count(&extra->options);
        return;
    }
    message->items = items->count - extra->items_ended;
    message->retries = (uint32_t)extra->options.retries;
    message->items_vary = items->each;
    message->argument = (soon_bytes){NULL, 0};
    if (!items->each)
        message->argument = (soon_bytes){(const char *)items->args + extra->items_ended * call->function->arg_size,
                                         message->items * call->function->arg_size};
}

static void put_call(struct soon__message_writer *writer, const struct soon__flight *flight)
{
    int64_t lease_ms = flight->cluster->options.lease_ns / 1000000;
    struct soon__call_message message = {.digest = soon__function_digest(flight->call->function),
                                         .attempt = soon__call_attempt(flight->call),
                                         .alive_every_ms = lease_ms > HEARTBEATS ? lease_ms / HEARTBEATS : 1,
                                         .label = "",
                                         .argument = soon__call_arg(flight->call)};

    set_options(&message, flight->call);
    soon__write_call(writer, &message);
    put_beside(writer, flight->call);
}

/* A foreign worker gets the argument as it is. */
static soon_bytes workload_of(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    if (extra && extra->items && extra->items->each)
        return (soon_bytes){extra->items->each->data, extra->items->each->size};
    return soon__call_arg(call);
}

int soon__foreign_check(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);
    bool has_payload =
        extra && (extra->options.payload || (extra->items && extra->items->each && extra->items->each->payload));

    if (!extra ||
        (!has_payload && !extra->options.extra.size && !extra->options.time_limit_ms && !soon__call_input_count(call)))
        return 0;
    return soon__refuse(-ENOTSUP, "%s is a function of foreign workers, which know no %s", call->function->name,
                        has_payload                    ? "payload"
                        : extra->options.extra.size    ? ".extra"
                        : extra->options.time_limit_ms ? ".time_limit_ms"
                                                       : "results of others");
}

/*
 * The packet
 */

static enum soon__packet_type packet_type(const soon_call *call)
{
    int priority = soon__call_extra(call) ? soon__call_extra(call)->options.priority : 0;

    return priority > 0 ? SOON__SUBMIT_JOB_HIGH : priority < 0 ? SOON__SUBMIT_JOB_LOW : SOON__SUBMIT_JOB;
}

static int write_space(struct soon__flight *flight, const soon_bytes arguments[2], size_t size, void **ret)
{
    struct soon__cluster *cluster = flight->cluster;
    int rc = soon__connection_write_space(cluster->loop.work, packet_type(flight->call), arguments, 2, size, ret);

    if (rc < 0)
        return rc;
    soon__mutex_lock(&cluster->backlog.mutex);
    cluster->locked.bytes_to += size;
    soon__mutex_unlock(&cluster->backlog.mutex);
    return 0;
}

static int write_submit(struct soon__flight *flight)
{
    const char *name = flight->call->function->name;
    char unique[SOON__UNIQUE_MAX];
    const soon_bytes arguments[2] = {{name, strlen(name)}, {unique, soon__flight_unique(flight, unique)}};
    struct soon__message_writer writer;
    soon_bytes workload;
    void *space;
    int rc;

    if (flight->is_foreign) {
        workload = workload_of(flight->call);
        rc = write_space(flight, arguments, workload.size, &space);
        if (rc == 0 && workload.size)
            memcpy(space, workload.data, workload.size);
        return rc;
    }
    soon__writer_init_counting(&writer);
    put_call(&writer, flight);
    rc = writer.failed ? -EMSGSIZE : write_space(flight, arguments, writer.size, &space);
    if (rc < 0)
        return rc;
    soon__writer_init_in(&writer, space, writer.size);
    put_call(&writer, flight);
    return 0;
}

void soon__cluster_send(struct soon__cluster *cluster)
{
    struct soon__flight *flight;
    int rc;

    while ((flight = soon__flights_first(cluster, SOON__FLIGHT_UNSENT)) && soon__connection_is_up(cluster->loop.work) &&
           !soon__connection_is_crowded(cluster->loop.work)) {
        rc = write_submit(flight);
        if (rc == -ENOTCONN)
            return;
        if (rc < 0) {
            soon__flight_fail(flight, rc, NULL);
            continue;
        }
        soon__flight_enter(flight, SOON__FLIGHT_SENT);
    }
}

/*
 * Orders and questions
 */

static int write_order(struct soon__cluster *cluster, const char *worker, const char *unique, enum soon__order order)
{
    struct soon__flight *sent = soon__flight_new(cluster, NULL);
    char function[256], own[SOON__UNIQUE_MAX];
    soon_bytes arguments[3] = {{function, 0}, {own, 0}};
    struct soon__message_writer writer;
    int rc;

    if (!sent)
        return -ENOMEM;
    arguments[0].size = (size_t)snprintf(function, sizeof function, "cancel@%s", worker);
    arguments[1].size = soon__flight_unique(sent, own);
    soon__writer_init(&writer);
    soon__write_order(&writer, &(struct soon__order_message){.order = order, .unique = unique});
    rc = soon__writer_end(&writer, &arguments[2]);
    if (rc == 0 && arguments[0].size >= sizeof function)
        rc = -EMSGSIZE;
    if (rc == 0)
        rc = soon__connection_write(cluster->loop.work, SOON__SUBMIT_JOB_HIGH_BG, arguments, 3);
    soon__writer_fini(&writer);
    soon__flight_enter(sent, rc == 0 ? SOON__FLIGHT_SENT : SOON__FLIGHT_GONE);
    return rc;
}

void soon__flight_order(struct soon__flight *flight, enum soon__order order)
{
    char unique[SOON__UNIQUE_MAX + 1];

    if (!flight->worker || flight->is_foreign)
        return;
    unique[soon__flight_unique(flight, unique)] = '\0';
    /* Without memory for it the worker goes on: the grace period, or the task's own end, ends it. */
    (void)write_order(flight->cluster, flight->worker, unique, order);
}

void soon__flight_ask_status(struct soon__flight *flight)
{
    const soon_bytes handle = {flight->handle, flight->handle_size};

    (void)soon__connection_write(flight->cluster->loop.work, SOON__GET_STATUS, &handle, 1);
}

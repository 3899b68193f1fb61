/*
 * receive.c - what comes from the server: each packet moves one flight.
 *
 * A handle that is not known is of a job that was let go, or of an order: its packets are passed over. A GHOST has a
 * handle and no call: if its task begins after all, the worker is told to stop.
 */
#include "receive_internal.h"

#include "../../../futures/aside_internal.h"
#include "../both/message_internal.h"
#include "admin_internal.h"
#include "flight_internal.h"
#include "land_internal.h"
#include "result_internal.h"
#include "send_internal.h"
#include "stop_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_ERROR "QUEUE_ERROR" /* what gearmand says for its option `maxqueue` */

/*
 * Submits
 */

static int on_created(struct soon__cluster *cluster, soon_bytes handle)
{
    struct soon__flight *flight = soon__flights_first(cluster, SOON__FLIGHT_SENT); /* F3 */
    int rc;

    if (!flight)
        return -EPROTO;
    if (flight->is_order) {
        soon__flight_enter(flight, SOON__FLIGHT_GONE);
        return 0;
    }
    rc = soon__flight_set_handle(flight, handle);
    if (rc < 0)
        return rc;
    if (!flight->call) {
        soon__admin_cancel(flight);
        soon__flight_enter(flight, SOON__FLIGHT_GHOST);
        return 0;
    }
    soon__flight_enter(flight, SOON__FLIGHT_CREATED);
    if (flight->stop)
        soon__flight_go_on_stopping(flight);
    return 0;
}

/* In the place of JOB_CREATED: the server has no place for it, or no sense of it. */
static int on_error(struct soon__cluster *cluster, soon_bytes code, soon_bytes text)
{
    struct soon__flight *flight = soon__flights_first(cluster, SOON__FLIGHT_SENT);
    char said[256];
    bool is_full = code.size == sizeof QUEUE_ERROR - 1 && memcmp(code.data, QUEUE_ERROR, code.size) == 0;

    if (cluster->loop.asks_for_exceptions || !flight)
        return -EPROTO;
    if (!flight->call) {
        soon__flight_enter(flight, SOON__FLIGHT_GONE);
        return 0;
    }
    snprintf(said, sizeof said, "the server says %.*s: %.*s", (int)(code.size < 60 ? code.size : 60),
             (const char *)code.data, (int)(text.size < 120 ? text.size : 120), (const char *)text.data);
    soon__flight_enter(flight, SOON__FLIGHT_CREATED); /* it is no more in the way of others */
    soon__flight_fail(flight, is_full ? SOON_EFULL : -EREMOTEIO, said);
    return 0;
}

/*
 * While it runs
 */

/* It runs, as was just heard, or still does. */
static void runs(struct soon__flight *flight)
{
    if (flight->call)
        soon__flight_begin(flight);
    if (flight->state == SOON__FLIGHT_CREATED)
        soon__flight_enter(flight, SOON__FLIGHT_RUNNING);
    else if (flight->state == SOON__FLIGHT_RUNNING)
        soon__flight_heard(flight);
    flight->is_attached = flight->is_doubted = false;
}

static void keep_place(struct soon__flight *flight, const struct soon__start_message *start)
{
    size_t host = strlen(start->host) + 1, worker = strlen(start->worker) + 1;
    char *both = malloc(host + worker);

    if (!both)
        return;
    free(flight->host);
    flight->host = memcpy(both, start->host, host);
    flight->worker = memcpy(both + host, start->worker, worker);
}

static void on_start(struct soon__flight *flight, soon_bytes message)
{
    struct soon__start_message start;

    if (soon__read_start(&start, message) < 0)
        return;
    keep_place(flight, &start);
    if (flight->call && flight->began_ns)
        soon__call_count_lost(flight->call); /* its daemon was lost, and the server has given it to another */
    if (flight->state == SOON__FLIGHT_GHOST) {
        soon__flight_order(flight, SOON__ORDER_CANCEL);
        soon__flight_enter(flight, SOON__FLIGHT_GONE);
    } else if (flight->state == SOON__FLIGHT_WITHDRAWN) { /* the server has forgotten it, or will, and it runs */
        soon__flight_begin(flight);
        soon__flight_enter(flight, SOON__FLIGHT_STOPPING);
        soon__flight_go_on_stopping(flight);
    } else {
        runs(flight);
        flight->is_cancel_told = false; /* to this worker */
        if (flight->stop)
            soon__flight_go_on_stopping(flight);
    }
}

static void on_data(struct soon__flight *flight, soon_bytes data)
{
    if (flight->is_foreign) {
        runs(flight);
        if (flight->call)
            soon__foreign_gather(flight, data);
    } else if (soon__message_kind_of(data) == SOON__MESSAGE_START) {
        on_start(flight, data);
    } else if (flight->state != SOON__FLIGHT_WITHDRAWN && flight->state != SOON__FLIGHT_GHOST) {
        runs(flight);
    }
}

/* A decimal number; 0: it is none. */
static uint64_t number_of(soon_bytes text)
{
    char copy[32];

    if (text.size >= sizeof copy)
        return 0;
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return strtoull(copy, NULL, 10);
}

static void on_status(struct soon__flight *flight, soon_bytes done, soon_bytes total)
{
    if (flight->state == SOON__FLIGHT_WITHDRAWN || !flight->call)
        return;
    runs(flight);
    soon__future_set_progress(soon__call_future(flight->call), number_of(done), number_of(total));
}

/*
 * The end
 */

/* WORK_FAIL, and no reason was told before it. */
static void on_fail(struct soon__flight *flight)
{
    bool was_asked = flight->state == SOON__FLIGHT_WITHDRAWN || flight->state == SOON__FLIGHT_STOPPING ||
                     flight->stop >= SOON__STOP_CANCELLED;

    if (was_asked)
        soon__flight_stopped(flight);
    else if (flight->is_foreign)
        soon__foreign_take_error(flight, (soon_bytes){NULL, 0});
    else if (!soon__flight_try_again(flight, SOON_ELOST, true))
        soon__flight_fail(flight, SOON_ELOST, "the server has given it up: the daemons that had it were lost");
}

static void take_end(struct soon__flight *flight, const struct soon__packet *packet)
{
    soon_bytes rest = packet->count > 1 ? packet->arguments[1] : (soon_bytes){NULL, 0};

    switch (packet->type) {
    case SOON__WORK_COMPLETE:
        (flight->is_foreign ? soon__foreign_take_result : soon__flight_take_result)(flight, rest);
        break;
    case SOON__WORK_EXCEPTION:
        (flight->is_foreign ? soon__foreign_take_error : soon__flight_take_error)(flight, rest);
        break;
    default:
        on_fail(flight);
    }
}

static void count_bytes(struct soon__cluster *cluster, const struct soon__packet *packet)
{
    size_t size = packet->count > 1 ? packet->arguments[1].size : 0;

    soon__mutex_lock(&cluster->backlog.mutex);
    cluster->locked.bytes_from += size;
    soon__mutex_unlock(&cluster->backlog.mutex);
}

/* The server keeps nothing of it from here on. */
static void on_end(struct soon__flight *flight, const struct soon__packet *packet)
{
    if (!flight->call) {
        soon__flight_enter(flight, SOON__FLIGHT_GONE);
        return;
    }
    if (packet->type != SOON__WORK_FAIL || flight->state != SOON__FLIGHT_WITHDRAWN)
        soon__flight_forget_handle(flight); /* else its worker may have it all the same: a GHOST hears of that */
    count_bytes(flight->cluster, packet);
    take_end(flight, packet);
}

/*
 * Answers to questions
 */

/* Nothing was heard of it for a lease. It waits again if its daemon has died; else that is frozen. */
static void resolve_doubt(struct soon__flight *flight, bool is_known, bool is_held)
{
    if (!is_known || is_held) {
        soon__flight_is_lost(flight);
        return;
    }
    soon__flight_wait_again(flight);
    if (flight->stop)
        soon__flight_go_on_stopping(flight);
}

/* Handle, known, running, done, total. A worker that has had one of ours for a whole lease, and has not begun
 * it, is frozen. */
static void on_status_of_handle(struct soon__cluster *cluster, const soon_bytes *arguments)
{
    struct soon__flight *flight = soon__flight_find(cluster, arguments[0]);
    bool is_limit_over;

    if (flight && flight->state == SOON__FLIGHT_RUNNING && flight->is_doubted) {
        resolve_doubt(flight, number_of(arguments[1]) != 0, number_of(arguments[2]) != 0);
        return;
    }
    if (!flight || flight->state != SOON__FLIGHT_CREATED)
        return;
    is_limit_over = flight->is_limit_over;
    if (number_of(arguments[2]) == 0) {
        flight->is_held = false;
        if (number_of(arguments[1]) == 0)
            soon__flight_return(flight);
        if (is_limit_over)
            soon__flight_stop(flight, SOON__STOP_EXPIRED);
    } else if (flight->is_foreign) {
        runs(flight);
    } else if (flight->is_held) {
        soon__flight_stop(flight, SOON__STOP_FROZEN);
    } else {
        flight->is_held = true;
    }
}

int soon__cluster_receive(struct soon__cluster *cluster, const struct soon__packet *packet)
{
    struct soon__flight *flight;

    switch (packet->type) {
    case SOON__JOB_CREATED:
        return on_created(cluster, packet->arguments[0]);
    case SOON__ERROR:
        return on_error(cluster, packet->arguments[0], packet->arguments[1]);
    case SOON__OPTION_RES:
        cluster->loop.asks_for_exceptions = false;
        return 0;
    case SOON__STATUS_RES:
        on_status_of_handle(cluster, packet->arguments);
        return 0;
    case SOON__WORK_DATA:
    case SOON__WORK_STATUS:
    case SOON__WORK_COMPLETE:
    case SOON__WORK_EXCEPTION:
    case SOON__WORK_FAIL:
        break;
    default:
        return 0; /* WORK_WARNING, NOOP ... */
    }
    flight = soon__flight_find(cluster, packet->arguments[0]);
    if (!flight)
        return 0;
    if (packet->type == SOON__WORK_DATA)
        on_data(flight, packet->arguments[1]);
    else if (packet->type == SOON__WORK_STATUS)
        on_status(flight, packet->arguments[1], packet->arguments[2]);
    else
        on_end(flight, packet);
    return 0;
}

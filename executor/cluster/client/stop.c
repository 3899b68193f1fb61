/*
 * stop.c - ending a call in flight before it has ended by itself: it was cancelled or killed, its queue limit is over,
 * its worker is heard of no more, or the executor ends.
 *
 * What has not begun is taken back from the server, by its handle, on the textual connection. To a task that runs a
 * cancel is a request, so the flight stays RUNNING; a kill is an order with a deadline.
 */
#include "stop_internal.h"

#include "admin_internal.h"
#include "flight_internal.h"
#include "land_internal.h"
#include "send_internal.h"

#include <stdio.h>

enum soon__stop soon__stop_wanted(const soon_call *call)
{
    uint32_t word = soon__future_word(&call->promise.future);

    return word & SOON__KILL_REQUESTED     ? SOON__STOP_KILLED
           : word & SOON__CANCEL_REQUESTED ? SOON__STOP_CANCELLED
                                           : SOON__STOP_NONE;
}

/* It may run once more only if it has a try left: it has begun. */
static void lose(struct soon__flight *flight, const char *text)
{
    if (!soon__flight_try_again(flight, SOON_ELOST, true))
        soon__flight_fail(flight, SOON_ELOST, text);
}

void soon__flight_stopped(struct soon__flight *flight)
{
    bool has_begun = flight->began_ns || flight->call->began;

    switch ((enum soon__stop)flight->stop) {
    case SOON__STOP_EXPIRED:
        soon__flight_fail(flight, SOON_EEXPIRED, NULL);
        break;
    case SOON__STOP_KILLED:
        if (has_begun)
            soon__flight_fail(flight, SOON_EKILLED, NULL);
        else
            soon__flight_cancel(flight);
        break;
    case SOON__STOP_CANCELLED:
        soon__flight_cancel(flight);
        break;
    default:
        if (flight->began_ns)
            lose(flight, "it was taken back from a worker that said nothing for long, and then began it");
        else
            soon__flight_return(flight);
    }
}

static void order_end(struct soon__flight *flight)
{
    soon__flight_order(flight, flight->stop == SOON__STOP_KILLED ? SOON__ORDER_KILL : SOON__ORDER_CANCEL);
}

static void stop_running(struct soon__flight *flight)
{
    bool is_kill = flight->stop == SOON__STOP_KILLED;

    if (flight->is_foreign && is_kill) {
        soon__flight_enter(flight, SOON__FLIGHT_STOPPING);
        soon__admin_cancel(flight);
    } else if (is_kill) {
        soon__flight_enter(flight, SOON__FLIGHT_STOPPING);
        order_end(flight);
    } else if (!flight->is_cancel_told) {
        flight->is_cancel_told = true;
        order_end(flight);
    }
}

void soon__flight_go_on_stopping(struct soon__flight *flight)
{
    switch ((enum soon__flight_state)flight->state) {
    case SOON__FLIGHT_UNSENT:
        soon__flight_stopped(flight);
        break;
    case SOON__FLIGHT_CREATED:
        soon__flight_enter(flight, SOON__FLIGHT_WITHDRAWN);
        soon__admin_cancel(flight);
        if (flight->is_attached)
            order_end(flight); /* it may run, and the server's word alone would not end it */
        break;
    case SOON__FLIGHT_RUNNING:
        stop_running(flight);
        break;
    case SOON__FLIGHT_STOPPING: /* it was told something weaker, or another worker has it now */
        soon__flight_heard(flight);
        order_end(flight);
        break;
    default:
        break; /* SENT: when there is a handle */
    }
}

void soon__flight_stop(struct soon__flight *flight, enum soon__stop why)
{
    if ((uint8_t)why <= flight->stop)
        return;
    flight->stop = (uint8_t)why;
    soon__flight_go_on_stopping(flight);
}

void soon__flight_is_lost(struct soon__flight *flight)
{
    char text[128];

    soon__flight_order(flight, SOON__ORDER_KILL); /* for when it wakes */
    soon__admin_cancel(flight);
    snprintf(text, sizeof text, "nothing was heard of worker %.64s for %lld ms", flight->worker ? flight->worker : "?",
             (long long)(flight->cluster->options.lease_ns / 1000000));
    lose(flight, text);
}

void soon__flight_overdue(struct soon__flight *flight)
{
    long long grace_ms = (long long)(flight->cluster->options.grace_ns / 1000000);
    bool is_kill = flight->stop == SOON__STOP_KILLED;
    char text[160];

    snprintf(text, sizeof text, "%s has not confirmed in %lld ms that it has ended: it may still run",
             flight->state == SOON__FLIGHT_STOPPING ? "the worker" : "the server", grace_ms);
    if (flight->stop == SOON__STOP_FROZEN && flight->cluster->loop.stopped < (int)SOON_CANCEL_PENDING)
        soon__flight_stopped(flight);
    else
        soon__flight_fail(flight, is_kill ? SOON_EKILLED : SOON_ELOST, text);
}

/*
 * server.c - the server that the calls are with: it is there, it is lost, there is none.
 *
 * With a server goes all that it has had: handles, and the answers that were to come. What had not begun is sent
 * again, with a new unique (F6); it may have begun unseen, in the moment in which the server went. What had begun is
 * sent again only if it has a try left, with the same unique: if that job still lives, we are attached to it.
 */
#include "server_internal.h"

#include "../../loops/library_timer_internal.h"
#include "admin_internal.h"
#include "down_internal.h"
#include "flight_internal.h"
#include "land_internal.h"
#include "receive_internal.h"
#include "send_internal.h"
#include "stop_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/*
 * It is there
 */

static void set_up(struct soon__cluster *cluster, bool is_up)
{
    soon__mutex_lock(&cluster->backlog.mutex);
    cluster->locked.is_up = is_up;
    if (is_up) {
        cluster->backlog.locked.start_error = 0;
        soon__condition_tell_all(&cluster->backlog.ready);
    }
    soon__cluster_look_soon_locked(cluster); /* what waits in the queue */
    soon__mutex_unlock(&cluster->backlog.mutex);
}

static void on_up(void *owner)
{
    static const soon_bytes option = {"exceptions", 10};
    struct soon__cluster *cluster = owner;

    cluster->loop.without_since_ns = 0;
    cluster->loop.asks_for_exceptions = true;
    /* Without memory for it, of all packets the first: the server is dropped, and tried again. */
    if (soon__connection_write(cluster->loop.work, SOON__OPTION_REQ, &option, 1) < 0) {
        soon__connection_drop(cluster->loop.work, -ENOMEM, "no memory");
        return;
    }
    soon__admin_open(cluster);
    soon__cluster_send(cluster);
    set_up(cluster, true);
}

static int on_packet(void *owner, const struct soon__packet *packet)
{
    return soon__cluster_receive(owner, packet);
}

static void on_drained(void *owner)
{
    struct soon__cluster *cluster = owner;

    soon__mutex_lock(&cluster->backlog.mutex);
    soon__cluster_look_soon_locked(cluster);
    soon__mutex_unlock(&cluster->backlog.mutex);
}

/*
 * It is lost
 */

static void lose_begun(struct soon__flight *flight, const char *text)
{
    bool is_withdrawn = flight->stop == SOON__STOP_FROZEN; /* the server has forgotten its job, but keeps its unique */

    if (soon__flight_try_again(flight, SOON_ELOST, is_withdrawn))
        return;
    if (flight->stop >= SOON__STOP_CANCELLED)
        soon__flight_stopped(flight);
    else
        soon__flight_fail(flight, SOON_ELOST, text);
}

static void lose(struct soon__flight *flight, const char *text)
{
    soon__flight_forget_handle(flight); /* F5 */
    if (flight->is_limit_over && flight->stop < SOON__STOP_EXPIRED)
        flight->stop = SOON__STOP_EXPIRED; /* nobody answers any more whether a worker has it */
    if (!flight->call)
        soon__flight_enter(flight, SOON__FLIGHT_GONE);
    else if (flight->state == SOON__FLIGHT_UNSENT)
        return;
    else if (flight->began_ns)
        lose_begun(flight, text);
    else if (flight->stop >= SOON__STOP_EXPIRED)
        soon__flight_stopped(flight);
    else
        soon__flight_return(flight);
}

/* Those with a call, in the order in which they were first sent (F2), then the others. */
static void lose_all(struct soon__cluster *cluster, const char *text)
{
    struct soon__flight *flight, *later;

    for (flight = cluster->loop.earliest; flight; flight = later) {
        later = flight->later;
        soon__flight_forget_handle(flight); /* so that none is left behind as a GHOST */
        if (flight->state == SOON__FLIGHT_SENT)
            soon__flight_enter(flight, SOON__FLIGHT_CREATED);
        lose(flight, text);
    }
    for (int state = SOON__FLIGHT_SENT; state < SOON__FLIGHT_GONE; state++) {
        while ((flight = soon__flights_first(cluster, (enum soon__flight_state)state)))
            lose(flight, text);
    }
}

/* For who wants to know why there is none. A thread that boots hears of it when each server was tried in vain. */
static void note_failure(struct soon__cluster *cluster, int code, const char *text, bool was_up)
{
    soon__mutex_lock(&cluster->backlog.mutex);
    snprintf(cluster->locked.start_text, sizeof cluster->locked.start_text, "%s", text);
    if (!was_up && soon__connection_failures(cluster->loop.work) >= cluster->servers->count) {
        cluster->backlog.locked.start_error = code;
        soon__condition_tell_all(&cluster->backlog.ready);
    }
    soon__mutex_unlock(&cluster->backlog.mutex);
}

static void on_down(void *owner, int code, const char *text, bool was_up)
{
    struct soon__cluster *cluster = owner;

    note_failure(cluster, code, text, was_up);
    if (!was_up)
        return;
    cluster->loop.asks_for_exceptions = false;
    cluster->loop.without_since_ns = soon__clock_ns();
    soon__admin_close(cluster, 0);
    lose_all(cluster, text);
    set_up(cluster, false);
}

int64_t soon__cluster_lost_at(const struct soon__cluster *cluster)
{
    if (!cluster->loop.without_since_ns || cluster->options.lost_after_ns == SOON__NEVER)
        return SOON__NEVER;
    return soon__later(cluster->loop.without_since_ns, cluster->options.lost_after_ns);
}

/*
 * The connection
 */

static void on_closed(void *owner)
{
    struct soon__cluster *cluster = owner;

    soon__connection_free(cluster->loop.work);
    cluster->loop.work = NULL;
    soon__cluster_closed_one(cluster);
}

int soon__cluster_connect(struct soon__cluster *cluster)
{
    static const struct soon__connection_events events = {
        .up = on_up, .packet = on_packet, .down = on_down, .drained = on_drained, .closed = on_closed};
    struct soon__connection_options options = {.loop = soon__library_uv(), .servers = cluster->servers};
    int rc = soon__library_poll_uv();

    if (rc == 0)
        rc = soon__connection_new(&cluster->loop.work, &options, &events, cluster);
    if (rc < 0)
        return rc;
    cluster->loop.open++;
    cluster->loop.without_since_ns = soon__clock_ns();
    return 0;
}

void soon__cluster_disconnect(struct soon__cluster *cluster, int64_t linger_ms)
{
    soon__admin_close(cluster, linger_ms);
    if (cluster->loop.work)
        soon__connection_close(cluster->loop.work, linger_ms);
}

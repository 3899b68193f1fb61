/*
 * look.c - the loop's look at a cluster: it does what other threads have asked for, sends what waits, ends what is
 * overdue, and says when the next look is. What is found under the mutex is done without it.
 */
#include "look_internal.h"

#include "../../loops/library_timer_internal.h"
#include "admin_internal.h"
#include "down_internal.h"
#include "flight_internal.h"
#include "land_internal.h"
#include "send_internal.h"
#include "server_internal.h"
#include "stop_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { BATCH = 64 }; /* submitters wait for the mutex meanwhile */

static void look(struct soon__cluster *cluster);

/*
 * What was asked for
 */

static void do_asked(struct soon__cluster *cluster, struct soon__flight *asked)
{
    struct soon__flight *next;

    for (; asked; asked = next) {
        soon__mutex_lock(&cluster->backlog.mutex);
        next = asked->locked.next_asked;
        asked->locked.is_asked = false;
        soon__mutex_unlock(&cluster->backlog.mutex);
        if (soon__flight_answer(asked) && asked->call)
            soon__flight_stop(asked, soon__stop_wanted(asked->call));
    }
}

static void end_refused(soon_call *refused)
{
    soon_call *next;

    for (; refused; refused = next) {
        next = refused->next;
        if (refused->refusal == -ECANCELED)
            soon__call_cancel(refused);
        else
            soon__call_fail(refused, soon__call_error(refused, refused->refusal, NULL));
    }
}

/* A shutdown by force, or one that cancels what has not begun. Once for each mode. */
static void do_stop(struct soon__cluster *cluster, int stop)
{
    struct soon__flight *flight, *later;

    if (stop <= cluster->loop.stopped)
        return;
    cluster->loop.stopped = stop;
    if (stop >= (int)SOON_TERMINATE && cluster->loop.force_at == SOON__NEVER)
        cluster->loop.force_at = soon__later(soon__clock_ns(), cluster->options.grace_ns);
    for (flight = cluster->loop.earliest; flight && stop >= (int)SOON_CANCEL_PENDING; flight = later) {
        later = flight->later;
        if (!flight->began_ns)
            soon__flight_stop(flight, SOON__STOP_CANCELLED);
        else if (stop >= (int)SOON_TERMINATE)
            soon__flight_stop(flight, SOON__STOP_KILLED);
    }
}

/*
 * From the queue into flight
 */

static void put_in_flight_locked(struct soon__cluster *cluster, soon_call *call)
{
    struct soon__flight *flight = soon__flight_new(cluster, call);

    if (!flight) { /* it fails in the next look */
        call->refusal = -ENOMEM;
        soon__call_move(call, SOON__CALL_REFUSED);
        call->next = cluster->locked.refused;
        cluster->locked.refused = call;
        cluster->backlog.locked.ended[SOON__ENDED_OTHERWISE]++;
        soon__cluster_look_soon_locked(cluster);
        return;
    }
    soon__call_move(call, SOON__CALL_IN_FLIGHT);
    call->flight = flight;
    cluster->locked.in_flight++;
    soon__flight_set_limit(flight);
    if (soon__stop_wanted(call) && !flight->locked.is_asked) { /* it was asked for while the call was in our hand */
        flight->locked.is_asked = true;
        flight->locked.next_asked = cluster->locked.asked;
        cluster->locked.asked = flight;
        soon__cluster_look_soon_locked(cluster);
    }
}

/* Some of those that wait. False: there are no more, or there is no room. */
static bool take_some(struct soon__cluster *cluster)
{
    soon_call *call = NULL;
    int taken = 0;

    soon__mutex_lock(&cluster->backlog.mutex);
    while (taken < BATCH && cluster->locked.in_flight < cluster->options.in_flight_max &&
           (call = soon__queue_pop(&cluster->backlog.locked.queue))) {
        put_in_flight_locked(cluster, call);
        taken++;
    }
    soon__mutex_unlock(&cluster->backlog.mutex);
    return taken == BATCH;
}

static bool may_take(const struct soon__cluster *cluster)
{
    return cluster->loop.work && soon__connection_is_up(cluster->loop.work) &&
           !soon__connection_is_crowded(cluster->loop.work) && !soon__flights_first(cluster, SOON__FLIGHT_UNSENT);
}

static void send_what_waits(struct soon__cluster *cluster)
{
    bool more = true;

    soon__cluster_send(cluster);
    while (more && may_take(cluster)) {
        more = take_some(cluster);
        soon__cluster_send(cluster);
    }
}

/*
 * Time
 */

static void fail_expired(struct soon__cluster *cluster, int64_t now)
{
    soon_call *call;

    do {
        soon__mutex_lock(&cluster->backlog.mutex);
        call = soon__queue_pop_expired(&cluster->backlog.locked.queue, now);
        if (call) {
            cluster->backlog.locked.ended[SOON__ENDED_EXPIRED]++;
            soon__condition_tell_one(&cluster->backlog.place);
        }
        soon__mutex_unlock(&cluster->backlog.mutex);
        if (call)
            soon__call_fail(call, soon__call_error(call, SOON_EEXPIRED, NULL));
    } while (call);
}

/* A foreign worker need not say that it has begun. If the server does not answer in time, either, it expires. */
static bool ask_before_it_expires(struct soon__flight *flight, int64_t now)
{
    if (!flight->is_foreign || flight->state != SOON__FLIGHT_CREATED || flight->is_limit_over)
        return false;
    flight->is_limit_over = true;
    soon__flight_ask_status(flight);
    soon__flight_limit_at(flight, soon__later(now, flight->cluster->options.lease_ns));
    return true;
}

static void stop_expired(struct soon__cluster *cluster, int64_t now)
{
    struct soon__heap_node *first;

    while ((first = soon__heap_first(&cluster->loop.limits)) && first->key <= now) {
        struct soon__call_extra *extra =
            (struct soon__call_extra *)((char *)first - offsetof(struct soon__call_extra, by_deadline));
        struct soon__flight *flight = extra->call->flight;

        soon__flight_drop_limit(flight);
        if (!ask_before_it_expires(flight, now))
            soon__flight_stop(flight, SOON__STOP_EXPIRED);
    }
}

/* There was no server for too long. */
static void fail_all(struct soon__cluster *cluster)
{
    long long after_ms = (long long)(cluster->options.lost_after_ns / 1000000);
    char text[sizeof cluster->locked.start_text + 64];
    struct soon__error *why;
    soon_call *calls;

    soon__mutex_lock(&cluster->backlog.mutex);
    calls = soon__backlog_take_all_locked(&cluster->backlog, &cluster->backlog.locked.ended[SOON__ENDED_LOST]);
    if (!*cluster->locked.start_text)
        snprintf(cluster->locked.start_text, sizeof cluster->locked.start_text, "%s: it has not answered yet",
                 cluster->servers->each[0].text);
    snprintf(text, sizeof text, "there is no server for %lld ms: %s", after_ms, cluster->locked.start_text);
    soon__condition_tell_all(&cluster->backlog.place);
    soon__mutex_unlock(&cluster->backlog.mutex);
    why = soon__error_newf(&(soon_error){.code = SOON_ELOST}, "%s", text);
    soon__calls_fail(calls, why);
    soon__error_unref(why);
    while (cluster->loop.earliest)
        soon__flight_fail(cluster->loop.earliest, SOON_ELOST, text);
}

/* The lease of one that runs, or is said to wait, is over. Of one that runs the server says whether it has been put
 * back into the queue; and if it was us who have slept, what has come meanwhile is read before that answer. */
static void lease_is_over(struct soon__flight *flight)
{
    if (flight->state == SOON__FLIGHT_GHOST) {
        soon__flight_enter(flight, SOON__FLIGHT_GONE);
        return;
    }
    soon__flight_heard(flight);
    if (flight->state == SOON__FLIGHT_CREATED && flight->is_attached) {
        soon__flight_stop(flight, SOON__STOP_FROZEN);
    } else if (flight->state == SOON__FLIGHT_CREATED) {
        soon__flight_ask_status(flight);
    } else if (!flight->is_foreign && flight->is_doubted) {
        soon__flight_is_lost(flight);
    } else if (!flight->is_foreign) {
        flight->is_doubted = true;
        soon__flight_ask_status(flight);
    }
}

/* F4. Those of one state whose time is over; returns when that of the next is. */
static int64_t end_overdue(struct soon__cluster *cluster, enum soon__flight_state state, int64_t now,
                           void (*overdue)(struct soon__flight *flight))
{
    struct soon__flight *flight;

    /* So many at most: one that is heard of goes to the end. */
    for (size_t left = cluster->loop.in[state].count; left > 0; left--) {
        flight = soon__flights_first(cluster, state);
        if (!flight || soon__flight_due(flight) > now)
            break;
        overdue(flight);
    }
    flight = soon__flights_first(cluster, state);
    return flight ? soon__flight_due(flight) : SOON__NEVER;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Ends all that is overdue. Returns when the next is. */
static int64_t keep_time(struct soon__cluster *cluster)
{
    static const struct {
        enum soon__flight_state state;
        void (*overdue)(struct soon__flight *flight);
    } rows[] = {
        {SOON__FLIGHT_CREATED, lease_is_over},
        {SOON__FLIGHT_RUNNING, lease_is_over},
        {SOON__FLIGHT_WITHDRAWN, soon__flight_overdue},
        {SOON__FLIGHT_STOPPING, soon__flight_overdue},
        {SOON__FLIGHT_GHOST, lease_is_over},
    };
    int64_t now = soon__clock_ns(), next = soon__cluster_lost_at(cluster);
    struct soon__heap_node *first;

    fail_expired(cluster, now);
    stop_expired(cluster, now);
    if (next <= now) {
        fail_all(cluster);
        next = SOON__NEVER; /* what comes now is looked at, and fails */
    }
    while (cluster->loop.force_at <= now && cluster->loop.earliest)
        soon__flight_overdue(cluster->loop.earliest);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        next = earlier(next, end_overdue(cluster, rows[i].state, now, rows[i].overdue));
    if (cluster->loop.earliest)
        next = earlier(next, cluster->loop.force_at);
    first = soon__heap_first(&cluster->loop.limits);
    soon__mutex_lock(&cluster->backlog.mutex);
    next = earlier(next, soon__queue_next_limit(&cluster->backlog.locked.queue));
    soon__mutex_unlock(&cluster->backlog.mutex);
    return first ? earlier(next, first->key) : next;
}

/*
 * The end
 */

static void on_timer_closed(uv_handle_t *handle)
{
    soon__cluster_closed_one(handle->data);
}

/* So long what was said last, orders and cancels, may take to leave. */
static int64_t linger_ms(const struct soon__cluster *cluster)
{
    int64_t ms = cluster->options.grace_ns / 1000000;

    return ms < 1000 ? ms : 1000;
}

static void end_if_over(struct soon__cluster *cluster)
{
    bool over;

    if (cluster->loop.is_closing)
        return;
    soon__mutex_lock(&cluster->backlog.mutex);
    over = soon__backlog_is_ending_locked(&cluster->backlog) && !cluster->backlog.locked.queue.count &&
           !cluster->locked.in_flight && !cluster->locked.refused && !cluster->locked.look_posted;
    if (over && soon__library_is_guest()) {
        soon__cluster_look_soon_locked(cluster); /* a guest closes nothing */
        over = false;
    }
    cluster->locked.is_closing = over;
    soon__mutex_unlock(&cluster->backlog.mutex);
    if (!over)
        return;
    cluster->loop.is_closing = true;
    soon__questions_fail(cluster, SOON_ESHUTDOWN);
    for (int state = 0; state < SOON__FLIGHT_GONE; state++) {
        while (soon__flights_first(cluster, (enum soon__flight_state)state))
            soon__flight_enter(soon__flights_first(cluster, (enum soon__flight_state)state), SOON__FLIGHT_GONE);
    }
    soon__cluster_disconnect(cluster, linger_ms(cluster));
    uv_close((uv_handle_t *)&cluster->loop.timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

static void look(struct soon__cluster *cluster)
{
    struct soon__flight *asked;
    soon_call *refused;
    int stop;

    assert(soon__library_on_loop());
    if (cluster->loop.is_closing)
        return;
    soon__mutex_lock(&cluster->backlog.mutex);
    asked = cluster->locked.asked;
    refused = cluster->locked.refused;
    stop = cluster->locked.stop;
    cluster->locked.asked = NULL;
    cluster->locked.refused = NULL;
    soon__mutex_unlock(&cluster->backlog.mutex);
    end_refused(refused);
    do_asked(cluster, asked);
    do_stop(cluster, stop);
    send_what_waits(cluster);
    soon__admin_ask(cluster);
    cluster->loop.alarm = keep_time(cluster);
    soon__loop_timer(&cluster->loop.timer, on_timer, cluster->loop.alarm);
    end_if_over(cluster);
}

static struct soon__cluster *cluster_of(struct soon__job *job, size_t offset)
{
    return (struct soon__cluster *)((char *)job - offset);
}

static void look_job(struct soon__job *job)
{
    struct soon__cluster *cluster = cluster_of(job, offsetof(struct soon__cluster, loop.look));

    soon__mutex_lock(&cluster->backlog.mutex);
    cluster->locked.look_posted = false; /* from here on the job may be posted again */
    soon__mutex_unlock(&cluster->backlog.mutex);
    look(cluster);
    if (cluster->loop.work)
        soon__connection_flush(cluster->loop.work); /* F8 */
}

/* It could not even begin. */
static void break_for(struct soon__cluster *cluster, int code)
{
    struct soon__error *why =
        soon__error_newf(&(soon_error){.code = SOON_EBROKEN}, "it cannot connect: %s", soon_strerror(code));
    soon_call *calls;

    soon__mutex_lock(&cluster->backlog.mutex);
    soon__backlog_break_locked(&cluster->backlog, why);
    calls = soon__backlog_take_all_locked(&cluster->backlog, &cluster->backlog.locked.ended[SOON__ENDED_OTHERWISE]);
    soon__mutex_unlock(&cluster->backlog.mutex);
    soon__calls_fail(calls, why);
    soon__error_unref(why);
}

static void open_job(struct soon__job *job)
{
    struct soon__cluster *cluster = cluster_of(job, offsetof(struct soon__cluster, loop.open_job));
    int rc;

    uv_timer_init(soon__library_uv(), &cluster->loop.timer);
    cluster->loop.timer.data = cluster;
    cluster->loop.on_timer = on_timer;
    cluster->loop.alarm = cluster->loop.force_at = SOON__NEVER;
    cluster->loop.open++;
    rc = soon__cluster_connect(cluster);
    if (rc < 0)
        break_for(cluster, rc);
}

void soon__cluster_start(struct soon__cluster *cluster)
{
    cluster->loop.open_job.run = open_job;
    cluster->loop.look.run = look_job;
    soon__library_loop_post(&cluster->loop.open_job);
}

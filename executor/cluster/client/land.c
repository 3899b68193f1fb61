/*
 * land.c - how a call in flight ends, or goes on with another try.
 */
#include "land_internal.h"

#include "../../../futures/aside_internal.h"
#include "flight_internal.h"

#include <stdlib.h>

static void forget_place(struct soon__flight *flight)
{
    free(flight->host);
    flight->host = flight->worker = NULL;
}

static void forget_try(struct soon__flight *flight)
{
    free(flight->gathered);
    flight->gathered = NULL;
    flight->gathered_size = flight->gathered_capacity = 0;
    flight->began_ns = 0;
    flight->is_cancel_told = flight->is_doubted = flight->is_held = flight->is_limit_over = false;
}

/*
 * The end
 */

static void tell_times(const struct soon__flight *flight)
{
    struct soon__sample *sample = soon__call_sample(flight->call);

    if (sample && flight->began_ns)
        soon__sample_ran(sample, 0, (struct soon__trace_row){0, 0}, flight->began_ns, 0,
                         soon__call_extra(flight->call)->items);
}

/* Takes the call out, and counts its end, before anybody can see that. */
static soon_call *take_off(struct soon__flight *flight, enum soon__ending how)
{
    struct soon__cluster *cluster = flight->cluster;
    soon_call *call = flight->call;

    tell_times(flight);
    soon__flight_drop_limit(flight);
    soon__mutex_lock(&cluster->backlog.mutex);
    soon__call_move(call, SOON__CALL_IN_HAND);
    cluster->backlog.locked.ended[how]++;
    cluster->locked.in_flight--;
    cluster->locked.running -= flight->locked.has_begun;
    flight->locked.has_begun = false;
    soon__condition_tell_one(&cluster->backlog.place);
    if (cluster->backlog.locked.queue.count || soon__backlog_is_ending_locked(&cluster->backlog))
        soon__cluster_look_soon_locked(cluster); /* there is room for the next; or it was the last */
    soon__mutex_unlock(&cluster->backlog.mutex);
    return call;
}

void soon__flight_land(struct soon__flight *flight, struct soon__outcome *outcome)
{
    soon_call *call = take_off(flight, soon__ending_of(outcome->error, outcome->cancelled));

    soon__flight_let_go(flight);
    soon__call_finish(call, outcome, NULL);
}

void soon__flight_cancel(struct soon__flight *flight)
{
    struct soon__outcome begun = {.error = &soon__error_cancelled_running, .cancelled = true};
    soon_call *call;

    if (flight->began_ns) {
        soon__flight_land(flight, &begun);
        return;
    }
    call = take_off(flight, SOON__ENDED_CANCELLED);
    soon__flight_let_go(flight);
    soon__call_cancel(call);
}

struct soon__error *soon__flight_error(const struct soon__flight *flight, const size_t *item, int code,
                                       const char *text)
{
    const soon_call *call = flight->call;
    bool has_begun = flight->began_ns || call->began;
    soon_error fields = {.code = code,
                         .started = has_begun,
                         .attempt = has_begun ? soon__call_attempt(call) : 0,
                         .function = call->function->name,
                         .label = soon__item_label(call, item),
                         .worker_host = flight->host,
                         .worker = flight->worker};

    return soon__error_newf(&fields, text ? "%s: %s" : NULL, soon_strerror(code), text);
}

void soon__flight_fail(struct soon__flight *flight, int code, const char *text)
{
    struct soon__outcome outcome = {.error = soon__flight_error(flight, NULL, code, text)};

    soon__flight_land(flight, &outcome);
}

/*
 * Tries
 */

void soon__flight_begin(struct soon__flight *flight)
{
    struct soon__cluster *cluster = flight->cluster;
    struct soon__call_extra *extra = soon__call_extra(flight->call);

    if (flight->began_ns)
        return;
    soon__flight_drop_limit(flight);
    flight->is_limit_over = false;
    flight->began_ns = soon__clock_ns();
    soon__mutex_lock(&cluster->backlog.mutex);
    flight->locked.has_begun = true;
    cluster->locked.running++;
    soon__condition_tell_one(&cluster->backlog.place);
    soon__mutex_unlock(&cluster->backlog.mutex);
    if (extra && extra->items) /* which of them, nobody tells */
        extra->items->begun = extra->items->count;
    soon__future_start(soon__call_future(flight->call));
}

static void count_try(struct soon__flight *flight, bool is_retry)
{
    struct soon__cluster *cluster = flight->cluster;

    soon__mutex_lock(&cluster->backlog.mutex);
    cluster->locked.retries += is_retry;
    cluster->locked.running -= flight->locked.has_begun;
    flight->locked.has_begun = false;
    soon__cluster_look_soon_locked(cluster); /* to send it */
    soon__mutex_unlock(&cluster->backlog.mutex);
}

/* What was asked for before: there is no further try then. */
static bool may_go_on(const struct soon__flight *flight)
{
    return flight->stop < SOON__STOP_EXPIRED &&
           !(soon__future_word(soon__call_future(flight->call)) & (SOON__CANCEL_REQUESTED | SOON__KILL_REQUESTED)) &&
           flight->cluster->loop.stopped < (int)SOON_CANCEL_PENDING;
}

static void send_again(struct soon__flight *flight, bool is_new)
{
    forget_try(flight);
    if (is_new) /* else it may still run there, and hear of a cancel */
        forget_place(flight);
    flight->number += is_new;
    flight->is_attached = !is_new;
    flight->stop = SOON__STOP_NONE;
    soon__flight_forget_handle(flight);
    soon__flight_enter(flight, SOON__FLIGHT_UNSENT);
}

bool soon__flight_try_again(struct soon__flight *flight, int code, bool is_new)
{
    struct soon__sample *sample = soon__call_sample(flight->call);

    if (!may_go_on(flight) || !soon__call_may_try_again(flight->call))
        return false;
    tell_times(flight);
    if (sample)
        soon__sample_again(sample, soon__ending_of_code(code));
    count_try(flight, true);
    soon__call_comes_back(flight->call);
    soon__future_set_progress(soon__call_future(flight->call), 0, 0);
    send_again(flight, is_new);
    return true;
}

void soon__flight_wait_again(struct soon__flight *flight)
{
    forget_place(flight);
    flight->is_doubted = flight->is_held = flight->is_cancel_told = false;
    soon__flight_enter(flight, SOON__FLIGHT_CREATED);
}

void soon__flight_return(struct soon__flight *flight)
{
    count_try(flight, false);
    send_again(flight, true);
}

/*
 * flight.c - a call in flight: its state, its lists, its handle. See state_internal.h.
 */
#include "flight_internal.h"

#include "../../loops/library_timer_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLE_MAX = 1024 }; /* "H:HOST:NUMBER" */

/*
 * The state
 */

static SOON_UNUSED bool may_enter(enum soon__flight_state from, enum soon__flight_state to)
{
    switch (to) {
    case SOON__FLIGHT_UNSENT:
    case SOON__FLIGHT_GONE:
        return from != SOON__FLIGHT_GONE;
    case SOON__FLIGHT_SENT:
        return from == SOON__FLIGHT_UNSENT;
    case SOON__FLIGHT_CREATED:
        return from == SOON__FLIGHT_SENT || from == SOON__FLIGHT_RUNNING;
    case SOON__FLIGHT_RUNNING:
    case SOON__FLIGHT_WITHDRAWN:
        return from == SOON__FLIGHT_CREATED;
    case SOON__FLIGHT_STOPPING:
        return from == SOON__FLIGHT_RUNNING || from == SOON__FLIGHT_WITHDRAWN;
    case SOON__FLIGHT_GHOST:
        return from != SOON__FLIGHT_UNSENT && from != SOON__FLIGHT_GONE;
    default:
        return false;
    }
}

/* F4. How long it may stay in this state. */
static int64_t span_of(const struct soon__flight *flight)
{
    switch ((enum soon__flight_state)flight->state) {
    case SOON__FLIGHT_UNSENT:
    case SOON__FLIGHT_SENT:
    case SOON__FLIGHT_GONE:
        return SOON__NEVER;
    case SOON__FLIGHT_WITHDRAWN:
    case SOON__FLIGHT_STOPPING:
        return flight->cluster->options.grace_ns;
    default:
        return flight->cluster->options.lease_ns;
    }
}

static void set_alarm(struct soon__cluster *cluster, int64_t when)
{
    if (when >= cluster->loop.alarm)
        return;
    cluster->loop.alarm = when;
    soon__loop_timer(&cluster->loop.timer, cluster->loop.on_timer, when);
}

static void append(struct soon__flight *flight)
{
    struct soon__flights *list = &flight->cluster->loop.in[flight->state];

    flight->since_ns = soon__clock_coarse_ns();
    set_alarm(flight->cluster, soon__flight_due(flight));
    flight->next = NULL;
    flight->previous = list->last;
    if (list->last)
        list->last->next = flight;
    else
        list->first = flight;
    list->last = flight;
    list->count++;
}

static void take_out(struct soon__flight *flight)
{
    struct soon__flights *list = &flight->cluster->loop.in[flight->state];

    if (flight->next)
        flight->next->previous = flight->previous;
    else
        list->last = flight->previous;
    if (flight->previous)
        flight->previous->next = flight->next;
    else
        list->first = flight->next;
    list->count--;
}

static void flight_free(struct soon__flight *flight)
{
    free(flight->handle);
    free(flight->host);
    free(flight->gathered);
    free(flight);
}

int64_t soon__flight_due(const struct soon__flight *flight)
{
    return soon__later(flight->since_ns, span_of(flight));
}

void soon__flight_enter(struct soon__flight *flight, enum soon__flight_state to)
{
    struct soon__cluster *cluster = flight->cluster;
    bool is_asked;

    assert(may_enter(flight->state, to));
    take_out(flight);
    flight->state = (uint8_t)to;
    if (to != SOON__FLIGHT_GONE) {
        append(flight);
        return;
    }
    assert(!flight->call);
    soon__flight_forget_handle(flight);
    soon__mutex_lock(&cluster->backlog.mutex);
    is_asked = flight->locked.is_asked;
    soon__mutex_unlock(&cluster->backlog.mutex);
    if (!is_asked) /* nobody asks anew: it has no call */
        flight_free(flight);
}

void soon__flight_heard(struct soon__flight *flight)
{
    take_out(flight);
    append(flight);
}

bool soon__flight_answer(struct soon__flight *flight)
{
    if (flight->state != SOON__FLIGHT_GONE)
        return true;
    flight_free(flight);
    return false;
}

/*
 * Beginning and end
 */

static void append_to_all(struct soon__flight *flight)
{
    struct soon__cluster *cluster = flight->cluster;

    flight->earlier = cluster->loop.latest;
    if (cluster->loop.latest)
        cluster->loop.latest->later = flight;
    else
        cluster->loop.earliest = flight;
    cluster->loop.latest = flight;
}

static void take_out_of_all(struct soon__flight *flight)
{
    struct soon__cluster *cluster = flight->cluster;

    if (flight->later)
        flight->later->earlier = flight->earlier;
    else
        cluster->loop.latest = flight->earlier;
    if (flight->earlier)
        flight->earlier->later = flight->later;
    else
        cluster->loop.earliest = flight->later;
    flight->later = flight->earlier = NULL;
}

struct soon__flight *soon__flight_new(struct soon__cluster *cluster, soon_call *call)
{
    struct soon__flight *flight = calloc(1, sizeof *flight);

    if (!flight || soon__uuid_new(&flight->uuid) < 0) {
        free(flight);
        return NULL;
    }
    flight->cluster = cluster;
    flight->call = call;
    flight->number = 1;
    flight->is_order = !call;
    flight->is_foreign = call && soon__function_is_foreign(call->function);
    append(flight);
    if (call)
        append_to_all(flight);
    return flight;
}

void soon__flight_let_go(struct soon__flight *flight)
{
    soon__flight_drop_limit(flight);
    if (flight->call)
        take_out_of_all(flight);
    flight->call = NULL;
    if (flight->state == SOON__FLIGHT_SENT || flight->state == SOON__FLIGHT_GHOST)
        return; /* F3 */
    soon__flight_enter(flight, flight->handle ? SOON__FLIGHT_GHOST : SOON__FLIGHT_GONE);
}

/*
 * Handles
 */

static uint32_t hash_of(soon_bytes handle)
{
    const unsigned char *at = handle.data;
    uint32_t hash = UINT32_C(2166136261);

    for (size_t i = 0; i < handle.size; i++)
        hash = (hash ^ at[i]) * UINT32_C(16777619);
    return hash;
}

static struct soon__flight **bucket_of(const struct soon__cluster *cluster, uint32_t hash)
{
    return &cluster->loop.handles.buckets[hash & (cluster->loop.handles.size - 1)];
}

static int grow(struct soon__cluster *cluster)
{
    size_t old_size = cluster->loop.handles.size, size = old_size ? 2 * old_size : 64;
    struct soon__flight **old = cluster->loop.handles.buckets, **buckets = calloc(size, sizeof(struct soon__flight *));
    struct soon__flight *next;

    if (!buckets)
        return -ENOMEM;
    cluster->loop.handles.buckets = buckets;
    cluster->loop.handles.size = size;
    for (size_t i = 0; i < old_size; i++) {
        for (struct soon__flight *flight = old[i]; flight; flight = next) {
            struct soon__flight **bucket = bucket_of(cluster, flight->handle_hash);

            next = flight->next_of_handle;
            flight->next_of_handle = *bucket;
            *bucket = flight;
        }
    }
    free(old);
    return 0;
}

/* A server gives several jobs of one unique one handle; we send no unique twice at a time. */
int soon__flight_set_handle(struct soon__flight *flight, soon_bytes handle)
{
    struct soon__cluster *cluster = flight->cluster;
    struct soon__flight **bucket;
    char *copy;

    if (handle.size == 0 || handle.size > HANDLE_MAX || soon__flight_find(cluster, handle))
        return -EPROTO;
    if (cluster->loop.handles.count >= cluster->loop.handles.size && grow(cluster) < 0)
        return -ENOMEM;
    copy = malloc(handle.size);
    if (!copy)
        return -ENOMEM;
    flight->handle = memcpy(copy, handle.data, handle.size);
    flight->handle_size = (uint16_t)handle.size;
    flight->handle_hash = hash_of(handle);
    bucket = bucket_of(cluster, flight->handle_hash);
    flight->next_of_handle = *bucket;
    *bucket = flight;
    cluster->loop.handles.count++;
    return 0;
}

void soon__flight_forget_handle(struct soon__flight *flight)
{
    struct soon__flight **link;

    if (!flight->handle)
        return;
    link = bucket_of(flight->cluster, flight->handle_hash);
    while (*link != flight)
        link = &(*link)->next_of_handle;
    *link = flight->next_of_handle;
    flight->cluster->loop.handles.count--;
    free(flight->handle);
    flight->handle = NULL;
}

struct soon__flight *soon__flight_find(const struct soon__cluster *cluster, soon_bytes handle)
{
    struct soon__flight *flight;
    uint32_t hash;

    if (!cluster->loop.handles.size)
        return NULL;
    hash = hash_of(handle);
    for (flight = *bucket_of(cluster, hash); flight; flight = flight->next_of_handle) {
        if (flight->handle_hash == hash && flight->handle_size == handle.size &&
            memcmp(flight->handle, handle.data, handle.size) == 0)
            return flight;
    }
    return NULL;
}

/*
 * Small things
 */

size_t soon__flight_unique(const struct soon__flight *flight, char to[SOON__UNIQUE_MAX])
{
    size_t size = soon__unique_write(to, &flight->uuid, flight->number);

    if (flight->is_foreign)
        to[4] = 'f'; /* "soonf-": it is nobody's who knows our messages */
    return size;
}

void soon__flight_set_limit(struct soon__flight *flight)
{
    struct soon__call_extra *extra = soon__call_extra(flight->call);

    if (extra && extra->queue_deadline != SOON__NEVER && !flight->has_limit)
        soon__flight_limit_at(flight, extra->queue_deadline);
}

void soon__flight_limit_at(struct soon__flight *flight, int64_t when)
{
    struct soon__call_extra *extra = soon__call_extra(flight->call);

    extra->call = flight->call;
    soon__heap_push(&flight->cluster->loop.limits, &extra->by_deadline, when, flight->call->number);
    flight->has_limit = true;
}

void soon__flight_drop_limit(struct soon__flight *flight)
{
    if (!flight->has_limit)
        return;
    soon__heap_remove(&flight->cluster->loop.limits, &soon__call_extra(flight->call)->by_deadline);
    flight->has_limit = false;
}

/*
 * flights.h - a look into a cluster's flights, by a job on its loop; and time that passes for them, without waiting.
 */
#ifndef SOON_TESTS_CLUSTER_FLIGHTS_H
#define SOON_TESTS_CLUSTER_FLIGHTS_H

#include "../../executor/cluster/client/state_internal.h"
#include "../harness/test.h"

#include <stdatomic.h>

enum { FLIGHTS_LONG_MS = 3600000 }; /* a lease, or a grace period, that is over only where a test says so */

struct flights_job {
    struct soon__job job; /* first */
    struct soon__cluster *cluster;
    enum soon__flight_state state;
    size_t count;
    int64_t *option, value;
    atomic_bool done;
};

static inline void flights__do(struct flights_job *self)
{
    soon__library_loop_post(&self->job);
    test_wait_until(atomic_load(&self->done));
}

static inline void flights__count(struct soon__job *job)
{
    struct flights_job *self = (struct flights_job *)job;

    self->count = self->cluster->loop.in[self->state].count;
    atomic_store(&self->done, true);
}

/* How many flights are in that state. */
static inline size_t flights_in(soon_executor *cluster, enum soon__flight_state state)
{
    struct flights_job count = {.job.run = flights__count, .cluster = soon__cluster_of(cluster), .state = state};

    flights__do(&count);
    return count.count;
}

static inline void flights__count_held(struct soon__job *job)
{
    struct flights_job *self = (struct flights_job *)job;
    struct soon__flight *flight = self->cluster->loop.in[SOON__FLIGHT_CREATED].first;

    for (; flight; flight = flight->next)
        self->count += flight->is_held;
    atomic_store(&self->done, true);
}

/* How many there are of which the server has said once that a worker has them, and none has begun them. */
static inline size_t flights_held(soon_executor *cluster)
{
    struct flights_job count = {.job.run = flights__count_held, .cluster = soon__cluster_of(cluster)};

    flights__do(&count);
    return count.count;
}

static inline void flights__look_for_a_limit(struct soon__job *job)
{
    struct flights_job *self = (struct flights_job *)job;

    self->count = soon__heap_first(&self->cluster->loop.limits) != NULL;
    atomic_store(&self->done, true);
}

/* Whether the queue limit of any may still end it. */
static inline bool flights_have_a_limit(soon_executor *cluster)
{
    struct flights_job look = {.job.run = flights__look_for_a_limit, .cluster = soon__cluster_of(cluster)};

    flights__do(&look);
    return look.count;
}

static inline void flights__end_limit(struct soon__job *job)
{
    struct flights_job *self = (struct flights_job *)job;

    cr_assert_not_null(soon__heap_first(&self->cluster->loop.limits));
    soon__heap_first(&self->cluster->loop.limits)->key = 0;
    self->cluster->loop.on_timer(&self->cluster->loop.timer);
    atomic_store(&self->done, true);
}

/* The one queue limit that there is, or the first, is over now. */
static inline void flights_end_limit(soon_executor *cluster)
{
    struct flights_job end = {.job.run = flights__end_limit, .cluster = soon__cluster_of(cluster)};

    flights__do(&end);
}

static inline void flights__set(struct soon__job *job)
{
    struct flights_job *self = (struct flights_job *)job;

    *self->option = self->value;
    self->cluster->loop.on_timer(&self->cluster->loop.timer);
    atomic_store(&self->done, true);
}

/* Another time from now on. flights_set(cluster, lease, 50) */
#define flights_set(cluster, time, ms)                                                                                 \
    flights__set_option(cluster, &soon__cluster_of(cluster)->options.time##_ns, (ms)*INT64_C(1000000))
static inline void flights__set_option(soon_executor *cluster, int64_t *option, int64_t value)
{
    struct flights_job set = {
        .job.run = flights__set, .cluster = soon__cluster_of(cluster), .option = option, .value = value};

    flights__do(&set);
}

static inline void flights__end_times(struct soon__job *job)
{
    struct flights_job *self = (struct flights_job *)job;
    struct soon__cluster *cluster = self->cluster;
    int64_t lease_ns = cluster->options.lease_ns, grace_ns = cluster->options.grace_ns;

    cluster->options.lease_ns = cluster->options.grace_ns = 0;
    cluster->loop.on_timer(&cluster->loop.timer);
    cluster->options.lease_ns = lease_ns;
    cluster->options.grace_ns = grace_ns;
    cluster->loop.on_timer(&cluster->loop.timer);
    atomic_store(&self->done, true);
}

/* All leases and grace periods are over now. Those that begin later are as long as before. */
static inline void flights_end_times(soon_executor *cluster)
{
    struct flights_job end = {.job.run = flights__end_times, .cluster = soon__cluster_of(cluster)};

    flights__do(&end);
}

#endif

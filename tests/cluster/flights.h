/*
 * flights.h - a look into a cluster's flights, by a job on its loop.
 */
#ifndef SOON_TESTS_CLUSTER_FLIGHTS_H
#define SOON_TESTS_CLUSTER_FLIGHTS_H

#include "../../executor/cluster/client/state_internal.h"
#include "../harness/test.h"

#include <stdatomic.h>

struct flight_count {
    struct soon__job job; /* first */
    struct soon__cluster *cluster;
    enum soon__flight_state state;
    size_t count;
    atomic_bool done;
};

static inline void flights_count_now(struct soon__job *job)
{
    struct flight_count *count = (struct flight_count *)job;

    count->count = count->cluster->loop.in[count->state].count;
    atomic_store(&count->done, true);
}

/* How many flights are in that state. */
static inline size_t flights_in(soon_executor *cluster, enum soon__flight_state state)
{
    struct flight_count count = {.job.run = flights_count_now, .cluster = soon__cluster_of(cluster), .state = state};

    soon__library_loop_post(&count.job);
    test_wait_until(atomic_load(&count.done));
    return count.count;
}

#endif

/*
 * cluster_kind.h - a cluster as one of the kinds of executors.h: a gearmand and a soon-workerd of the test's own, with
 * the tasks of the test in an object. What the daemon cannot have of the test is decided by `kind`: tasks do not nest,
 * and functions that share memory are refused.
 *
 * So many tasks go to the server as run at once. What waits does so in this process, as with a pool: it is cancelled at
 * once, and starts by its priority.
 */
#ifndef SOON_TESTS_SUPPORT_CLUSTER_KIND_H
#define SOON_TESTS_SUPPORT_CLUSTER_KIND_H

#include "gearmand.h"
#include "workerd.h"

enum { CLUSTER_SLOTS = 2 };

static struct gearmand cluster_kind_server;
static struct workerd cluster_kind_workerd;

/* libuv opens /dev/null with its first connection, and keeps it. */
static inline void cluster_kind_warm_up(void)
{
    soon_executor *nowhere;

    cr_assert_eq(soon_cluster_new(&nowhere, &(soon_cluster_options){.servers = "127.0.0.1:1"}), 0);
    cr_assert_eq(soon_executor_boot(nowhere, SOON_FOREVER), -ECONNREFUSED);
    cr_assert_eq(soon_executor_free(nowhere), 0);
    test_accept_open_descriptors();
}

/* Several have one server, and one daemon. */
static inline soon_executor *make_cluster(void)
{
    soon_executor *executor;
    int rc;

    if (!cluster_kind_server.pid) {
        cluster_kind_warm_up();
        gearmand_start(&cluster_kind_server, NULL);
        workerd_start(&cluster_kind_workerd, cluster_kind_server.address, CLUSTER_SLOTS);
    }
    rc = soon_cluster_new(&executor, &(soon_cluster_options){.servers = cluster_kind_server.address,
                                                             .in_flight_max = CLUSTER_SLOTS,
                                                             .slots = CLUSTER_SLOTS});
    cr_assert_eq(rc, 0, "%s", soon_last_error()->message);
    return executor;
}

static inline void cluster_kind_end(void)
{
    workerd_kill(&cluster_kind_workerd);
    gearmand_kill(&cluster_kind_server);
}

static inline bool cluster_kind_is_there(void)
{
    bool is_asked_for = getenv("SOON_WORKERD");

    if (is_asked_for && !gearmand_program())
        fprintf(stderr, "skipped on a cluster: there is no gearmand here (Debian's gearman-job-server)\n");
    return is_asked_for && gearmand_program() && test_has_processes();
}

static const struct executor_kind cluster_kind = {
    "a cluster",    make_cluster,           CLUSTER_SLOTS,        .takes_back = true, .kills = true,
    .counts = true, .has_priorities = true, .is_elsewhere = true, .hears_late = true};

#endif

/*
 * cluster_end.c - the last steps of a cluster, beside threads that still ask it for something.
 */
#include "../../executor/cluster/client/state_internal.h"
#include "../support/library_loop_fixture.h"
#include "worker_fixture.h"

TestSuite(cluster_end);

/* Holds the loop up, so that what is posted meanwhile runs in one turn. */
struct held {
    struct soon__job job; /* first */
    _Atomic bool is_there, may_go;
};

static void hold(struct soon__job *job)
{
    struct held *held = (struct held *)job;

    held->is_there = true;
    test_wait_until(held->may_go);
}

/* A thread comes with a stronger shutdown, when the cluster closes and is not down yet. */
struct latecomer {
    struct soon__job job; /* first */
    soon_executor *executor;
    bool is_closing, look_posted;
    int rc;
};

static void come_late(struct soon__job *job)
{
    struct latecomer *late = (struct latecomer *)job;
    struct soon__cluster *cluster = soon__cluster_of(late->executor);

    late->is_closing = cluster->locked.is_closing;
    late->rc = soon_executor_shutdown(late->executor, SOON_KILL, 0);
    late->look_posted = cluster->locked.look_posted;
}

/* It would be on its way when the first thread has found the cluster down, and freed it. */
Test(cluster_end, posts_no_look_once_it_closes)
{
    static struct held held = {.job.run = hold};
    static struct latecomer late = {.job.run = come_late};

    cluster_warm_up();
    late.executor = cluster_of(&(soon_cluster_options){.servers = "127.0.0.1:1"});
    soon__library_loop_post(&held.job);
    test_wait_until(held.is_there);
    cr_assert(begins_shutdown(late.executor, SOON_DRAIN));
    soon__library_loop_post(&late.job);
    held.may_go = true;
    cr_assert_eq(soon_executor_shutdown(late.executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert(late.is_closing);
    cr_assert_eq(late.rc, -ETIMEDOUT);
    cr_assert_not(late.look_posted);
    free_pool(late.executor);
}

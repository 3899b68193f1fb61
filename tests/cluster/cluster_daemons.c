/*
 * cluster_daemons.c - a cluster as a program has it: a gearmand, soon-workerds, and tasks in an object.
 */
#include "../support/cluster_tasks.h"
#include "../support/workerd.h"
#include "flights.h"
#include "worker_fixture.h"

TestSuite(cluster_daemons);

struct daemons {
    struct gearmand server;
    struct workerd daemons[2];
    soon_executor *cluster;
};

#define daemons_up(name, ...)                                                                                          \
    struct daemons name;                                                                                               \
    gearmand_or_skip();                                                                                                \
    cluster_warm_up();                                                                                                 \
    gearmand_start(&name.server, NULL);                                                                                \
    for (int i = 0; i < 2; i++)                                                                                        \
        workerd_start(&name.daemons[i], name.server.address, 2);                                                       \
    name.cluster = new_cluster(&name.server, ##__VA_ARGS__)

static void daemons_down(struct daemons *all)
{
    free_pool(all->cluster);
    for (int i = 0; i < 2; i++) {
        if (all->daemons[i].pid)
            workerd_kill(&all->daemons[i]);
    }
    gearmand_kill(&all->server);
}

static void assert_halves(soon_future *const *futures, int count)
{
    for (int i = 0; i < count; i++) {
        int half;

        cr_assert_eq(soon_result(futures[i], &half), 0, "%d: %s", i, soon_last_error()->message);
        cr_assert_eq(half, i / 2);
    }
}

enum { MANY = 400 };

Test(cluster_daemons, run_what_is_submitted)
{
    daemons_up(all);
    static soon_future *futures[MANY];
    static int arguments[MANY], halves[MANY];

    for (int i = 0; i < MANY; i++)
        futures[i] = soon_submit(all.cluster, far_half, arguments[i] = i);
    assert_halves(futures, MANY);
    cr_assert_eq(soon_map(all.cluster, far_half, arguments, MANY, halves), 0);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(halves[i], i / 2);
    soon_futures_unref(futures, MANY);
    daemons_down(&all);
}

/* It holds two tasks, and the server has given it no more. */
Test(cluster_daemons, may_be_killed_and_nothing_is_lost)
{
    daemons_up(all);
    static soon_future *futures[MANY];

    for (int i = 0; i < MANY; i++) {
        futures[i] = soon_submit(all.cluster, far_half, i);
        if (i == MANY / 2)
            workerd_kill(&all.daemons[0]);
    }
    assert_halves(futures, MANY);
    soon_futures_unref(futures, MANY);
    daemons_down(&all);
}

Test(cluster_daemons, come_back_to_a_server_that_was_killed)
{
    daemons_up(all);
    static soon_future *futures[MANY];

    for (int i = 0; i < MANY; i++) {
        futures[i] = far_half_submit(all.cluster, &i, &(soon_submit_options){.retries = 10});
        if (i == MANY / 2)
            gearmand_restart(&all.server);
    }
    assert_halves(futures, MANY);
    soon_futures_unref(futures, MANY);
    daemons_down(&all);
}

Test(cluster_daemons, outlive_a_task_that_crashes)
{
    daemons_up(all);
    soon_future *f = far_crash_submit(all.cluster, "x", &(soon_submit_options){.retries = 1, .label = "bad"}), *good;
    const soon_error *error;

    assert_ends(f, SOON_EWORKERDIED);
    error = soon_future_error(f);
    cr_assert_eq(error->attempt, 2);
    cr_assert_eq(error->worker_signal, SIGABRT);
    cr_assert_gt(error->worker_pid, 0);
    cr_assert_str_not_empty(error->worker);
    cr_assert_str_not_empty(error->worker_host);
    cr_assert_str_eq(error->label, "bad");
    cr_assert_eq(stats_of(all.cluster).retries, 1);
    good = soon_submit(all.cluster, far_half, 8);
    assert_gives(good, 4);
    soon_future_unref(f);
    soon_future_unref(good);
    daemons_down(&all);
}

Test(cluster_daemons, tell_where_an_item_of_a_chunk_has_failed)
{
    daemons_up(all);
    int arguments[4] = {2, -4, 6, -8};
    soon_future *map = soon_map_async_with(all.cluster, (.chunk = 4), far_half, arguments, 4);

    assert_ends(map, SOON_ERAISED);
    for (size_t i = 1; i < 4; i += 2) {
        const soon_error *error = soon_map_item_error(map, i);

        cr_assert_eq(error->raised, EDOM);
        cr_assert_eq(error->attempt, 1);
        cr_assert_str_not_empty(error->worker);
        cr_assert_str_not_empty(error->worker_host);
    }
    soon_future_unref(map);
    daemons_down(&all);
}

Test(cluster_daemons, cancel_kill_and_limit_what_runs)
{
    daemons_up(all);
    soon_future *cancelled = far_listen_submit(all.cluster, "x", NULL), *killed, *late;

    test_wait_until(soon_future_progress(cancelled).done == 1);
    (void)soon_future_cancel(cancelled); /* true only if it has ended before this returns */
    assert_ends(cancelled, -ECANCELED);
    cr_assert(soon_future_error(cancelled)->started);
    killed = far_listen_submit(all.cluster, "x", NULL);
    test_wait_until(soon_future_progress(killed).done == 1);
    cr_assert_eq(soon_future_kill(killed), 0);
    assert_ends(killed, SOON_EKILLED);
    late = far_listen_submit(all.cluster, "x", &(soon_submit_options){.time_limit_ms = 10});
    assert_ends(late, SOON_ETIMELIMIT);
    soon_futures_unref((soon_future *[]){cancelled, killed, late}, 3);
    daemons_down(&all);
}

/* A machine that is stopped: the server does not notice it. */
Test(cluster_daemons, that_are_stopped_lose_what_they_have)
{
    daemons_up(all, .lease_ms = FLIGHTS_LONG_MS);
    soon_future *f = far_listen_submit(all.cluster, "x", NULL);

    test_wait_until(soon_future_running(f));
    for (int i = 0; i < 2; i++)
        kill(all.daemons[i].pid, SIGSTOP);
    flights_end_times(all.cluster);
    assert_ends(f, SOON_ELOST);
    for (int i = 0; i < 2; i++)
        kill(all.daemons[i].pid, SIGCONT);
    soon_future_unref(f);
    f = soon_submit(all.cluster, far_half, 6);
    assert_gives(f, 3);
    soon_future_unref(f);
    daemons_down(&all);
}

/* The name is that of a function there, the argument is not. */
static const soon_function other_half = {
    .name = "far_half", .flags = 0, .arg_size = 8, .result_size = 8, .arg_type = "long", .result_type = "long"};

static int never(soon_task *task, const void *arg, void *result)
{
    (void)task;
    (void)arg;
    (void)result;
    return 0;
}

Test(cluster_daemons, refuse_what_means_something_else)
{
    daemons_up(all);
    soon_function other = other_half;
    soon_future *f;

    other.body = never;
    f = soon_submit_bytes(all.cluster, &other, &(int64_t){1}, sizeof(int64_t), NULL);
    assert_ends(f, SOON_ETYPE);
    cr_assert_not(soon_future_error(f)->started);
    cr_assert_not_null(strstr(soon_future_error(f)->message, "; here: long"), "%s", soon_future_error(f)->message);
    soon_future_unref(f);
    daemons_down(&all);
}

Test(cluster_daemons, end_with_what_they_run_when_a_cluster_is_terminated)
{
    daemons_up(all);
    soon_future *f = far_listen_submit(all.cluster, "x", NULL), *g;

    test_wait_until(soon_future_running(f));
    g = far_listen_submit(all.cluster, "x", NULL);
    cr_assert_eq(soon_executor_shutdown(all.cluster, SOON_TERMINATE, SOON_FOREVER), 0);
    cr_assert(soon_future_error(f)->code == SOON_EKILLED || soon_future_error(f)->code == -ECANCELED);
    cr_assert_lt(soon_future_error(g)->code, 0);
    soon_future_unref(f);
    soon_future_unref(g);
    daemons_down(&all);
}

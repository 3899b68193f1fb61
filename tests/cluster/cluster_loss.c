/*
 * cluster_loss.c - servers, workers and machines that go: what is sent again, what is tried again, what is lost.
 */
#include "../../executor/cluster/client/admin_internal.h"
#include "flights.h"
#include "worker_fixture.h"

TestSuite(cluster_loss);

/* The connection of the cluster is cut, from this side. */
struct cut {
    struct soon__job job;
    struct soon__cluster *cluster;
    _Atomic bool done;
};

static void cut_now(struct soon__job *job)
{
    struct cut *cut = (struct cut *)job;

    soon__connection_drop(cut->cluster->loop.work, -ECONNRESET, "cut by the test");
    cut->done = true;
}

static void cut_connection(soon_executor *cluster)
{
    struct cut cut = {.job.run = cut_now, .cluster = soon__cluster_of(cluster)};

    soon__library_loop_post(&cut.job);
    test_wait_until(cut.done);
}

static void close_admin_now(struct soon__job *job)
{
    struct cut *cut = (struct cut *)job;

    soon__admin_close(cut->cluster, 0);
    cut->done = true;
}

/* From here on the server is told of no cancel. */
static void close_admin(soon_executor *cluster)
{
    struct cut cut = {.job.run = close_admin_now, .cluster = soon__cluster_of(cluster)};

    soon__library_loop_post(&cut.job);
    test_wait_until(cut.done);
}

static const soon_submit_options again = {.retries = 1};

/*
 * The server
 */

Test(cluster_loss, of_a_server_sends_again_what_had_not_begun)
{
    set_up(s);
    soon_future *futures[3];
    static const char *const labels[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++)
        futures[i] = submit_far(s.cluster, &(soon_submit_options){.label = labels[i]});
    await_jobs(&s.server, "far", 3);
    worker_free(&s.worker);
    gearmand_restart(&s.server);
    s.worker = worker_new(s.server.port, "far");
    for (int i = 0; i < 3; i++) {
        struct job job = worker_grab(&s.worker);

        cr_assert_str_eq(job.call.label, labels[i], "in their order");
        cr_assert_eq(job.call.attempt, 1);
        job_gives(&s.worker, &job, i);
        job_free(&job);
    }
    for (int i = 0; i < 3; i++)
        assert_gives(futures[i], i);
    soon_futures_unref(futures, 3);
    tear_down(&s);
}

Test(cluster_loss, of_a_server_ends_what_had_begun)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    gearmand_kill(&s.server);
    assert_ends(f, SOON_ELOST);
    cr_assert(soon_future_error(f)->started);
    cr_assert_str_eq(soon_future_error(f)->worker, "far-1");
    cr_assert_str_eq(soon_future_error(f)->worker_host, "far");
    cr_assert_eq(soon_future_error(f)->attempt, 1);
    cr_assert_eq(stats_of(s.cluster).failed_lost, 1);

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_loss, of_a_server_tries_again_what_had_begun_and_may)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, &again);
    struct job job = worker_grab(&s.worker), second;

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    worker_free(&s.worker);
    gearmand_restart(&s.server);
    s.worker = worker_new(s.server.port, "far");
    second = worker_grab(&s.worker);
    cr_assert_str_eq(second.unique, job.unique, "it would be attached to one that lives");
    cr_assert_eq(second.call.attempt, 2);
    cr_assert(soon_future_running(f), "also in between");
    cr_assert_eq(soon_future_attempt(f), 2);
    cr_assert_eq(stats_of(s.cluster).retries, 1);
    job_gives(&s.worker, &second, 9);
    assert_gives(f, 9);

    soon_future_unref(f);
    job_free(&job);
    job_free(&second);
    tear_down(&s);
}

/* The client alone is cut off from a server that goes on. That keeps a waiting job's unique, and never runs it. */
Test(cluster_loss, of_the_way_to_a_server_does_not_wait_for_a_job_that_the_server_has_given_up)
{
    set_up(s, .lease_ms = FLIGHTS_LONG_MS);
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job;

    await_jobs(&s.server, "far", 1);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1);
    cut_connection(s.cluster);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1); /* the server has it once more */
    job = worker_grab(&s.worker);
    job_gives(&s.worker, &job, 4);
    assert_gives(f, 4);

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_loss, of_the_way_to_a_server_attaches_to_a_job_that_runs_and_may_be_tried_again)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, &again);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cut_connection(s.cluster);
    test_wait_until(soon_future_attempt(f) == 2);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1); /* the server has attached it */
    job_gives(&s.worker, &job, 8);
    assert_gives(f, 8);

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_loss, of_a_server_goes_over_to_the_next)
{
    struct gearmand first, second;
    char servers[80];
    soon_executor *cluster;
    struct worker worker;
    struct job job;
    soon_future *f;

    gearmand_or_skip();
    cluster_warm_up();
    gearmand_start(&first, NULL);
    gearmand_start(&second, NULL);
    snprintf(servers, sizeof servers, "%s, %s", first.address, second.address);
    cluster = cluster_of(&(soon_cluster_options){.servers = servers});
    f = submit_far(cluster, NULL);
    await_jobs(&first, "far", 1);
    gearmand_kill(&first);
    worker = worker_new(second.port, "far");
    job = worker_grab(&worker);
    job_gives(&worker, &job, 2);
    assert_gives(f, 2);

    /* And back. */
    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    gearmand_restart(&first);
    gearmand_kill(&second);
    f = submit_far(cluster, NULL);
    worker = worker_new(first.port, "far");
    job = worker_grab(&worker);
    job_gives(&worker, &job, 3);
    assert_gives(f, 3);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    free_pool(cluster);
    gearmand_kill(&first);
}

Test(cluster_loss, of_all_servers_ends_all_tasks_after_a_while_and_the_cluster_goes_on)
{
    set_up(s);
    soon_future *begun, *sent, *later;
    struct job job;

    begun = submit_far(s.cluster, NULL);
    job = worker_grab(&s.worker);
    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(begun));
    job_free(&job);
    sent = submit_far(s.cluster, NULL);
    flights_set(s.cluster, lost_after, 50);
    gearmand_kill(&s.server);
    later = submit_far(s.cluster, NULL);
    assert_ends(begun, SOON_ELOST);
    assert_ends(sent, SOON_ELOST);
    assert_ends(later, SOON_ELOST);
    cr_assert_not(soon_future_error(sent)->started);
    cr_assert_not_null(strstr(soon_future_error(later)->message, "no server for 50 ms"), "%s",
                       soon_future_error(later)->message);
    cr_assert_not_null(strstr(soon_future_error(later)->message, s.server.address), "%s",
                       soon_future_error(later)->message);
    soon_future_unref(begun);
    soon_future_unref(sent);
    soon_future_unref(later);

    worker_free(&s.worker);
    gearmand_restart(&s.server);
    while (soon_executor_boot(s.cluster, SOON_FOREVER) < 0)
        ;
    later = submit_far(s.cluster, NULL);
    s.worker = worker_new(s.server.port, "far");
    job = worker_grab(&s.worker);
    job_gives(&s.worker, &job, 6);
    assert_gives(later, 6);
    soon_future_unref(later);
    job_free(&job);
    tear_down(&s);
}

/*
 * The worker
 */

Test(cluster_loss, of_a_worker_process_is_tried_again_with_a_new_unique)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, &again);
    struct job job = worker_grab(&s.worker), second;

    job_starts(&s.worker, &job);
    job_fails(&s.worker, &job, SOON_EWORKERDIED);
    second = worker_grab(&s.worker);
    cr_assert_str_neq(second.unique, job.unique);
    cr_assert_eq(strncmp(second.unique, job.unique, 42), 0, "of the same call");
    cr_assert_eq(second.call.attempt, 2);
    job_starts(&s.worker, &second);
    job_fails(&s.worker, &second, SOON_EWORKERDIED);
    assert_ends(f, SOON_EWORKERDIED);
    cr_assert_eq(soon_future_error(f)->attempt, 2);
    cr_assert_eq(stats_of(s.cluster).failed_worker_died, 1);

    soon_future_unref(f);
    job_free(&job);
    job_free(&second);
    tear_down(&s);
}

Test(cluster_loss, is_never_what_a_task_that_raises_is_tried_again_for)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, &(soon_submit_options){.retries = 5});
    struct job job = worker_grab(&s.worker);

    job_fails(&s.worker, &job, SOON_ERAISED);
    assert_ends(f, SOON_ERAISED);
    cr_assert_not(worker_try_grab(&s.worker, &job));
    soon_future_unref(f);
    tear_down(&s);
}

/* A connection that dies again and again uses up the server's own retries. */
Test(cluster_loss, of_too_many_daemons_is_a_loss)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, NULL);

    for (int i = 0; i < 3; i++) {
        struct job job = worker_grab(&s.worker);

        job_free(&job);
        worker_free(&s.worker);
        s.worker = worker_new(s.server.port, "far");
    }
    assert_ends(f, SOON_ELOST);
    cr_assert_not_null(strstr(soon_future_error(f)->message, "the server has given it up"));
    soon_future_unref(f);
    tear_down(&s);
}

/* The server sees that a connection ends, and gives its jobs to others. */
Test(cluster_loss, of_a_daemon_is_made_good_by_the_server)
{
    set_up(s);
    struct worker other = worker_new(s.server.port, "far");
    soon_future *f = submit_far(s.cluster, &(soon_submit_options){.label = "x"});
    struct job job = worker_grab(&s.worker), second;

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    worker_free(&s.worker);
    second = worker_grab(&other);
    cr_assert_str_eq(second.unique, job.unique);
    job_starts_on(&other, &second, "far-2");
    test_wait_until(soon_future_attempt(f) == 2);
    job_ends(&other, &second,
             &(struct soon__error_message){
                 .code = SOON_ERAISED, .started = true, .host = "far", .worker = "far-2", .message = "no"});
    assert_ends(f, SOON_ERAISED);
    cr_assert_eq(soon_future_error(f)->attempt, 2);
    cr_assert_str_eq(soon_future_error(f)->worker, "far-2");

    soon_future_unref(f);
    job_free(&job);
    job_free(&second);
    s.worker = other;
    tear_down(&s);
}

/* One that is stopped, or whose machine is: the server never notices that. */
Test(cluster_loss, of_a_worker_that_says_nothing_is_noticed)
{
    set_up(s);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);
    char unique[65];

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    flights_set(s.cluster, lease, 100);
    assert_ends(f, SOON_ELOST);
    cr_assert(soon_future_error(f)->started);
    cr_assert_not_null(strstr(soon_future_error(f)->message, "nothing was heard of worker far-1 for 100 ms"), "%s",
                       soon_future_error(f)->message);
    cr_assert_eq(order_of(&control, unique), SOON__ORDER_KILL, "for when it wakes");

    soon_future_unref(f);
    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

/* A task may take no notice of a cancel, and its lease counts on. */
Test(cluster_loss, of_a_worker_that_says_nothing_is_noticed_after_a_cancel_too)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, &again);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cr_assert_not(soon_future_cancel(f));
    flights_set(s.cluster, lease, 100);
    assert_ends(f, SOON_ELOST);
    cr_assert_eq(soon_future_attempt(f), 1, "there is no further try after a cancel");

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_loss, of_a_worker_that_says_nothing_leads_to_a_further_try_elsewhere)
{
    set_up(s, .lease_ms = FLIGHTS_LONG_MS);
    struct worker other = worker_new(s.server.port, "far");
    soon_future *f = submit_far(s.cluster, &again);
    struct job job = worker_grab(&s.worker), second;

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    flights_end_times(s.cluster);
    second = worker_grab(&other);
    cr_assert_str_neq(second.unique, job.unique);
    cr_assert_eq(second.call.attempt, 2);
    job_gives(&s.worker, &job, 1); /* it wakes, and has a result: too late */
    job_gives(&other, &second, 2);
    assert_gives(f, 2);

    soon_future_unref(f);
    job_free(&job);
    job_free(&second);
    worker_free(&other);
    tear_down(&s);
}

/* Longer than a lease. A lease that is over since the test was too slow to say it is followed by a longer one. */
Test(cluster_loss, is_not_that_of_a_worker_that_says_that_it_lives)
{
    set_up(s, .lease_ms = FLIGHTS_LONG_MS);
    bool is_lost = true;

    for (int lease_ms = 200; is_lost; lease_ms *= 2) {
        soon_future *f = submit_far(s.cluster, NULL);
        struct job job = worker_grab(&s.worker);

        job_starts(&s.worker, &job);
        test_wait_until(soon_future_running(f));
        flights_set(s.cluster, lease, lease_ms);
        for (int i = 0; i < 25 && soon_future_wait(f, lease_ms / 10) == -ETIMEDOUT; i++)
            job_lives(&s.worker, &job);
        flights_set(s.cluster, lease, FLIGHTS_LONG_MS);
        is_lost = soon_future_done(f);
        if (!is_lost)
            job_gives(&s.worker, &job, 1);
        assert_ends(f, is_lost ? SOON_ELOST : 0);
        soon_future_unref(f);
        job_free(&job);
    }
    tear_down(&s);
}

/* The server has put it back into its queue, where it may wait for longer than a lease. */
Test(cluster_loss, of_a_daemon_is_none_for_what_waits_for_another)
{
    set_up(s, .lease_ms = FLIGHTS_LONG_MS);
    struct worker other = worker_new(s.server.port, "far");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&other), second;

    job_starts(&other, &job);
    test_wait_until(soon_future_running(f));
    worker_free(&other);
    test_wait_until(gearmand_says(s.server.port, "status\n", "far\t1\t0\t"));
    flights_end_times(s.cluster);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1 || soon_future_done(f));
    cr_assert_not(soon_future_done(f));
    flights_end_times(s.cluster);
    second = worker_grab(&s.worker);
    cr_assert_str_eq(second.unique, job.unique);
    job_starts(&s.worker, &second);
    job_gives(&s.worker, &second, 2);
    assert_gives(f, 2);
    cr_assert_eq(soon_future_attempt(f), 2);

    soon_future_unref(f);
    job_free(&job);
    job_free(&second);
    tear_down(&s);
}

/* It was stopped when it had the job, and had not said that it begins. */
Test(cluster_loss, of_a_worker_that_never_begins_costs_no_try)
{
    set_up(s, .lease_ms = FLIGHTS_LONG_MS);
    struct worker other = worker_new(s.server.port, "far");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker), second;

    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1);
    flights_end_times(s.cluster);
    test_wait_until(flights_held(s.cluster) == 1);
    flights_end_times(s.cluster);
    second = worker_grab(&other);
    cr_assert_str_neq(second.unique, job.unique);
    cr_assert_eq(second.call.attempt, 1);
    job_gives(&other, &second, 2);
    assert_gives(f, 2);

    soon_future_unref(f);
    job_free(&job);
    job_free(&second);
    worker_free(&other);
    tear_down(&s);
}

/* For ThreadSanitizer: what the loop does at the end of any connection, another thread does not touch in a shutdown. */
Test(cluster_loss, of_the_textual_connection_comes_beside_a_shutdown)
{
    set_up(s);

    cr_assert_eq(soon_executor_boot(s.cluster, SOON_FOREVER), 0);
    close_admin(s.cluster);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* it closes meanwhile; nobody says so */
    tear_down(&s);
}

/*
 * What was asked for before
 */

#define LONG_MS 3600000

static void assert_ordered(struct worker *control, enum soon__order order, const struct job *job)
{
    char unique[65];

    cr_assert_eq(order_of(control, unique), order);
    cr_assert_str_eq(unique, job->unique);
}

/* A task that runs is cancelled, or killed; its daemon dies; and the next has it, which ends it with `code`. */
static void lose_a_stopped_task(bool (*stop)(soon_future *f), enum soon__order order, int code)
{
    set_up(s, .grace_ms = LONG_MS);
    struct worker control = worker_new(s.server.port, "cancel@far-1"), other = worker_new(s.server.port, "far");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker), second;

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cr_assert(stop(f));
    assert_ordered(&control, order, &job);
    worker_free(&s.worker);
    second = worker_grab(&other);
    job_starts(&other, &second);
    assert_ordered(&control, order, &second);
    job_fails(&other, &second, code);
    assert_ends(f, code);

    soon_future_unref(f);
    job_free(&job);
    job_free(&second);
    worker_free(&control);
    s.worker = other;
    tear_down(&s);
}

static bool cancel_running(soon_future *f)
{
    return !soon_future_cancel(f);
}

static bool kill_running(soon_future *f)
{
    return soon_future_kill(f) == 0;
}

Test(cluster_loss, of_a_daemon_leaves_a_cancel_to_be_told_to_the_next)
{
    lose_a_stopped_task(cancel_running, SOON__ORDER_CANCEL, -ECANCELED);
}

Test(cluster_loss, of_a_daemon_leaves_a_kill_to_be_told_to_the_next)
{
    lose_a_stopped_task(kill_running, SOON__ORDER_KILL, SOON_EKILLED);
}

/* The worker goes on, and does not say once more who it is. */
Test(cluster_loss, of_the_way_to_a_server_keeps_no_cancel_from_a_worker_that_lives)
{
    set_up(s);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, &again);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cut_connection(s.cluster);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1);
    job_lives(&s.worker, &job);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_RUNNING) == 1);
    cr_assert_not(soon_future_cancel(f));
    assert_ordered(&control, SOON__ORDER_CANCEL, &job);
    job_fails(&s.worker, &job, -ECANCELED);
    assert_ends(f, -ECANCELED);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

/* Before anything is heard of it there. The server's word ends it here, and not on the worker. */
Test(cluster_loss, of_the_way_to_a_server_keeps_no_cancel_from_a_worker_that_was_not_heard_of)
{
    set_up(s);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, &again);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cut_connection(s.cluster);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1);
    (void)soon_future_cancel(f);
    assert_ordered(&control, SOON__ORDER_CANCEL, &job);
    assert_ends(f, -ECANCELED);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

/* It begins although it was cancelled, hears of that, and goes on. */
Test(cluster_loss, of_the_words_to_a_server_leaves_a_kill_to_be_told_to_a_worker_that_was_told_to_cancel)
{
    set_up(s, .grace_ms = LONG_MS);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);

    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1);
    close_admin(s.cluster);
    (void)soon_future_cancel(f);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_WITHDRAWN) == 1);
    job_starts(&s.worker, &job);
    assert_ordered(&control, SOON__ORDER_CANCEL, &job);
    cr_assert_eq(soon_future_kill(f), 0);
    assert_ordered(&control, SOON__ORDER_KILL, &job);
    job_fails(&s.worker, &job, SOON_EKILLED);
    assert_ends(f, SOON_EKILLED);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

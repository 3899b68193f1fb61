/*
 * cluster_cancel.c - cancelling and killing a task of a cluster, and its limits, wherever the task is just then.
 */
#include "flights.h"
#include "worker_fixture.h"

TestSuite(cluster_cancel);

static void assert_cancelled(soon_future *future, bool started)
{
    assert_ends(future, -ECANCELED);
    cr_assert(soon_future_cancelled(future));
    cr_assert_eq(soon_future_error(future)->started, started);
    soon_future_unref(future);
}

Test(cluster_cancel, takes_back_at_once_what_still_waits_here)
{
    set_up(s, .in_flight_max = 1);
    soon_future *first = submit_far(s.cluster, NULL), *second;
    struct job job = worker_grab(&s.worker);

    second = submit_far(s.cluster, NULL);
    cr_assert(soon_future_cancel(second));
    assert_cancelled(second, false);
    job_gives(&s.worker, &job, 1);
    assert_gives(first, 1);

    soon_future_unref(first);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_cancel, takes_back_at_once_what_no_server_has)
{
    soon_executor *cluster;
    soon_future *f;

    cluster_warm_up();
    cluster = cluster_of(&(soon_cluster_options){.servers = "127.0.0.1:1"});
    f = submit_far(cluster, NULL);
    cr_assert(soon_future_cancel(f));
    assert_cancelled(f, false);
    free_pool(cluster);
}

Test(cluster_cancel, has_the_server_forget_what_has_not_begun)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job;

    await_jobs(&s.server, "far", 1);
    (void)soon_future_cancel(f); /* the server is asked */
    assert_cancelled(f, false);
    cr_assert_not(worker_try_grab(&s.worker, &job), "no worker gets it");
    tear_down(&s);
}

/* The race of a cancel with JOB_CREATED: whichever comes first, it ends. */
Test(cluster_cancel, reaches_a_task_that_was_just_submitted)
{
    set_up(s);

    cr_assert_eq(soon_executor_boot(s.cluster, SOON_FOREVER), 0);
    for (int i = 0; i < 200; i++) {
        soon_future *f = submit_far(s.cluster, NULL);

        (void)soon_future_cancel(f);
        assert_cancelled(f, false);
    }
    tear_down(&s);
}

Test(cluster_cancel, is_told_to_the_worker_of_what_runs)
{
    set_up(s);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);
    char unique[65];

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cr_assert_not(soon_future_cancel(f));
    cr_assert_eq(order_of(&control, unique), SOON__ORDER_CANCEL);
    cr_assert_str_eq(unique, job.unique);
    job_fails(&s.worker, &job, -ECANCELED);
    assert_cancelled(f, true);

    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

Test(cluster_cancel, leaves_a_running_task_the_time_that_it_takes)
{
    set_up(s, .grace_ms = 1);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);
    char unique[65];

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cr_assert_not(soon_future_cancel(f));
    (void)order_of(&control, unique);
    cr_assert_eq(soon_future_wait(f, 50), -ETIMEDOUT, "it is not given up");
    job_gives(&s.worker, &job, 3);
    assert_gives(f, 3);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

/* The server has forgotten it, and the worker begins all the same. */
Test(cluster_cancel, is_told_to_a_worker_that_begins_too_late_to_know)
{
    set_up(s);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);
    char unique[65];

    (void)soon_future_cancel(f);
    assert_cancelled(f, false);
    job_starts(&s.worker, &job);
    cr_assert_eq(order_of(&control, unique), SOON__ORDER_CANCEL);
    cr_assert_str_eq(unique, job.unique);

    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

/*
 * Kill
 */

Test(cluster_cancel, kill_cancels_what_has_not_begun)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, NULL);

    await_jobs(&s.server, "far", 1);
    cr_assert_eq(soon_future_kill(f), 0);
    assert_cancelled(f, false);
    tear_down(&s);
}

Test(cluster_cancel, kill_is_told_to_the_worker)
{
    set_up(s);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, &(soon_submit_options){.retries = 3});
    struct job job = worker_grab(&s.worker);
    char unique[65];

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cr_assert_eq(soon_future_kill(f), 0);
    cr_assert_eq(order_of(&control, unique), SOON__ORDER_KILL);
    job_fails(&s.worker, &job, SOON_EKILLED);
    assert_ends(f, SOON_EKILLED);
    cr_assert_str_eq(soon_future_error(f)->worker, "far-1");
    cr_assert_eq(soon_future_kill(f), SOON_EINVALIDSTATE);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

/* A daemon says that a task runs when it has given it to its processes. A kill may find it there, not begun. */
Test(cluster_cancel, kill_ends_as_one_what_was_said_to_run_and_had_not_begun)
{
    static const struct soon__error_message not_begun = {
        .code = -ECANCELED, .host = "far", .worker = "far-1", .message = "cancelled"};
    set_up(s);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);
    char unique[65];

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cr_assert_eq(soon_future_kill(f), 0);
    cr_assert_eq(order_of(&control, unique), SOON__ORDER_KILL);
    job_ends(&s.worker, &job, &not_begun);
    assert_ends(f, SOON_EKILLED);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

Test(cluster_cancel, kill_gives_a_task_up_whose_worker_does_not_answer)
{
    set_up(s, .grace_ms = 1);
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cr_assert_eq(soon_future_kill(f), 0);
    assert_ends(f, SOON_EKILLED);
    cr_assert_not_null(strstr(soon_future_error(f)->message, "it may still run"), "%s", soon_future_error(f)->message);
    job_gives(&s.worker, &job, 5); /* nobody waits for it any more */
    cr_assert_eq(soon_future_error(f)->code, SOON_EKILLED);

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

/*
 * Limits
 */

Test(cluster_cancel, queue_limit_ends_what_waits_here)
{
    set_up(s, .in_flight_max = 1);
    soon_future *first = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);
    soon_future *f = submit_far(s.cluster, &(soon_submit_options){.queue_limit_ms = 1});

    assert_ends(f, SOON_EEXPIRED);
    cr_assert_not(soon_future_error(f)->started);
    job_gives(&s.worker, &job, 1);
    assert_gives(first, 1);

    soon_future_unref(first);
    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

/* A function that no worker has waits for ever, and the server says nothing. */
Test(cluster_cancel, queue_limit_ends_what_waits_at_the_server)
{
    set_up(s);
    soon_future *f;
    struct job job;

    worker_free(&s.worker);
    f = submit_far(s.cluster, &(soon_submit_options){.queue_limit_ms = 1});
    assert_ends(f, SOON_EEXPIRED);
    cr_assert_not(soon_future_error(f)->started);
    s.worker = worker_new(s.server.port, "far");
    cr_assert_not(worker_try_grab(&s.worker, &job), "the server has forgotten it");

    soon_future_unref(f);
    tear_down(&s);
}

Test(cluster_cancel, queue_limit_ends_what_no_server_has)
{
    soon_executor *cluster;
    soon_future *f;

    cluster_warm_up();
    cluster = cluster_of(&(soon_cluster_options){.servers = "127.0.0.1:1"});
    f = submit_far(cluster, &(soon_submit_options){.queue_limit_ms = 1});
    assert_ends(f, SOON_EEXPIRED);
    soon_future_unref(f);
    free_pool(cluster);
}

Test(cluster_cancel, queue_limit_is_over_when_a_task_runs)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, &(soon_submit_options){.queue_limit_ms = FLIGHTS_LONG_MS});
    struct job job = worker_grab(&s.worker);

    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1);
    cr_assert(flights_have_a_limit(s.cluster));
    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    cr_assert_not(flights_have_a_limit(s.cluster));
    job_gives(&s.worker, &job, 1);
    assert_gives(f, 1);

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

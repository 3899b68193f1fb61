/*
 * cluster_bound.c - a cluster as a whole: its queue and window, its beginning and end, and what it tells of its server.
 */
#include "../support/forked.h"
#include "flights.h"
#include "worker_fixture.h"

TestSuite(cluster_bound);

/*
 * The queue
 */

/* No lease has the loop look meanwhile. */
Test(cluster_bound, window_lets_so_many_go_to_the_server)
{
    set_up(s, .in_flight_max = 2, .lease_ms = FLIGHTS_LONG_MS);
    soon_future *futures[5];

    for (int i = 0; i < 5; i++)
        futures[i] = submit_far(s.cluster, NULL);
    await_jobs(&s.server, "far", 2);
    cr_assert_eq(stats_of(s.cluster).pending, 5);
    for (int i = 0; i < 5; i++) {
        struct job job = worker_grab(&s.worker);

        job_gives(&s.worker, &job, i);
        assert_gives(futures[i], i);
        job_free(&job);
    }
    soon_futures_unref(futures, 5);
    tear_down(&s);
}

Test(cluster_bound, queue_that_is_full_refuses)
{
    set_up(s, .queue_max = 2, .when_full = SOON_FULL_FAIL);
    soon_future *first = submit_far(s.cluster, NULL), *second = submit_far(s.cluster, NULL), *third, *fourth = NULL;
    struct job job;

    third = submit_far(s.cluster, NULL);
    assert_ends(third, SOON_EFULL);
    cr_assert_eq(far_try_submit(&fourth, s.cluster, &(int){1}, NULL), SOON_EFULL);
    job = worker_grab(&s.worker);
    job_starts(&s.worker, &job); /* what runs does not wait */
    test_wait_until(soon_future_running(first));
    fourth = submit_far(s.cluster, NULL);
    cr_assert_not(soon_future_done(fourth));
    job_gives(&s.worker, &job, 1);
    job_free(&job);
    for (int i = 2; i < 4; i++) {
        job = worker_grab(&s.worker);
        job_gives(&s.worker, &job, i);
        job_free(&job);
    }
    assert_gives(first, 1);
    assert_gives(second, 2);
    assert_gives(fourth, 3);
    soon_futures_unref((soon_future *[]){first, second, third, fourth}, 4);
    tear_down(&s);
}

static void *submit_and_read(void *cluster)
{
    soon_future *future = submit_far(cluster, NULL);

    assert_gives(future, 2);
    soon_future_unref(future);
    return NULL;
}

Test(cluster_bound, queue_that_is_full_has_a_submit_wait)
{
    set_up(s, .queue_max = 1);
    soon_future *first = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker), second;
    pthread_t thread;

    pthread_create(&thread, NULL, submit_and_read, s.cluster);
    cr_assert_not(worker_try_grab(&s.worker, &second), "it has not been submitted");
    job_gives(&s.worker, &job, 1);
    assert_gives(first, 1);
    second = worker_grab(&s.worker);
    job_gives(&s.worker, &second, 2);
    pthread_join(thread, NULL);

    soon_future_unref(first);
    job_free(&job);
    job_free(&second);
    tear_down(&s);
}

/* The server has a bound of its own, and says so in the place of JOB_CREATED. */
Test(cluster_bound, server_that_is_full_fails_the_one_that_it_has_no_place_for)
{
    set_up(s);
    soon_future *futures[3];
    struct job job;

    await_jobs(&s.server, "far", 0); /* the server knows the function */
    test_wait_until(gearmand_answers(s.server.port, "maxqueue far 1\n", "OK"));
    for (int i = 0; i < 3; i++)
        futures[i] = submit_far(s.cluster, NULL);
    for (int i = 1; i < 3; i++)
        assert_ends(futures[i], SOON_EFULL);
    job = worker_grab(&s.worker);
    job_gives(&s.worker, &job, 5);
    assert_gives(futures[0], 5);
    job_free(&job);
    soon_future_unref(futures[0]);
    futures[0] = submit_far(s.cluster, NULL); /* nothing is in its way */
    job = worker_grab(&s.worker);
    job_gives(&s.worker, &job, 6);
    assert_gives(futures[0], 6);

    soon_futures_unref(futures, 3);
    job_free(&job);
    tear_down(&s);
}

/*
 * The beginning
 */

Test(cluster_bound, boot_waits_for_a_server)
{
    set_up(s);

    cr_assert_eq(soon_executor_boot(s.cluster, SOON_FOREVER), 0);
    cr_assert_eq(soon_executor_boot(s.cluster, 0), 0);
    tear_down(&s);
}

static void assert_no_boot(const char *servers, int code, const char *part)
{
    soon_executor *cluster = cluster_of(&(soon_cluster_options){.servers = servers});

    cr_assert_eq(soon_executor_boot(cluster, SOON_FOREVER), code, "%s: %s", servers, soon_last_error()->message);
    cr_assert_not_null(strstr(soon_last_error()->message, part), "%s", soon_last_error()->message);
    cr_assert_null(strstr(soon_last_error()->message, "\n"));
    free_pool(cluster);
}

Test(cluster_bound, boot_says_which_server_is_not_there)
{
    cluster_warm_up();
    assert_no_boot("127.0.0.1:1", -ECONNREFUSED, "127.0.0.1:1");
    assert_no_boot("127.0.0.1:1, 127.0.0.1:2", -ECONNREFUSED, "127.0.0.1:");
}

Test(cluster_bound, boot_ends_in_time_and_says_which_server_is_silent)
{
    soon_executor *cluster;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char servers[32];
    soon_future *f;

    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fd, 5), 0); /* it takes connections, and never says a word */
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(servers, sizeof servers, "127.0.0.1:%d", ntohs(address.sin_port));
    cluster_warm_up();
    cluster = cluster_of(&(soon_cluster_options){.servers = servers});
    cr_assert_eq(soon_executor_boot(cluster, 10), -ETIMEDOUT);
    cr_assert_not_null(strstr(soon_last_error()->message, servers), "%s", soon_last_error()->message);
    free_pool(cluster);

    cluster = cluster_of(&(soon_cluster_options){.servers = servers, .lost_after_ms = 10});
    f = submit_far(cluster, NULL);
    assert_ends(f, SOON_ELOST);
    cr_assert_not_null(strstr(soon_future_error(f)->message, servers), "%s", soon_future_error(f)->message);
    soon_future_unref(f);
    free_pool(cluster);
    close(fd);
}

Test(cluster_bound, options_that_make_no_sense_are_refused)
{
    static const struct {
        soon_cluster_options options;
        const char *message;
    } rows[] = {
        {{.name = "x"}, "soon_cluster_new: .servers is NULL"},
        {{.servers = ""}, NULL},
        {{.servers = "host:no"}, NULL},
        {{.servers = "a", .when_full = SOON_FULL_RUN_HERE},
         "soon_cluster_new: .when_full = SOON_FULL_RUN_HERE: tasks of a cluster run on other machines"},
        {{.servers = "a", .lease_ms = -1}, "soon_cluster_new: .lease_ms = -1 is negative"},
        {{.servers = "a", .grace_ms = -2}, NULL},
        {{.servers = "a", .lost_after_ms = -2}, NULL},
        {{.servers = "a", .slots = -1}, "soon_cluster_new: .slots = -1 is negative"},
    };
    soon_executor *cluster = (soon_executor *)&rows;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(soon_cluster_new(&cluster, &rows[i].options), -EINVAL, "row %zu", i);
        cr_assert_null(cluster);
        if (rows[i].message)
            cr_assert_str_eq(soon_last_error()->message, rows[i].message);
    }
    cr_assert_eq(soon_cluster_new(NULL, &rows[0].options), -EINVAL);
    cr_assert_eq(soon_cluster_new(&cluster, NULL), -EINVAL);
}

Test(cluster_bound, name_and_width_are_those_of_the_options)
{
    set_up(s, .name = "blades", .slots = 48);

    cr_assert_str_eq(soon_executor_name(s.cluster), "blades");
    cr_assert_eq(stats_of(s.cluster).workers_max, 48);
    cr_assert_eq(soon_executor_boot(s.cluster, SOON_FOREVER), 0);
    cr_assert_eq(stats_of(s.cluster).workers, 48);
    cr_assert_eq(stats_of(s.cluster).idle + stats_of(s.cluster).workers_running, 48);
    cr_assert_eq(soon_executor_shutdown(s.cluster, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(stats_of(s.cluster).workers, 0);
    tear_down(&s);
}

/*
 * The end
 */

Test(cluster_bound, drain_waits_for_all)
{
    set_up(s, .in_flight_max = 1);
    soon_future *first = submit_far(s.cluster, NULL), *second = submit_far(s.cluster, NULL), *late;

    cr_assert(begins_shutdown(s.cluster, SOON_DRAIN));
    late = submit_far(s.cluster, NULL);
    assert_ends(late, SOON_ESHUTDOWN);
    for (int i = 0; i < 2; i++) {
        struct job job = worker_grab(&s.worker);

        job_gives(&s.worker, &job, i);
        job_free(&job);
    }
    cr_assert_eq(soon_executor_shutdown(s.cluster, SOON_DRAIN, SOON_FOREVER), 0);
    assert_gives(first, 0);
    assert_gives(second, 1);
    soon_futures_unref((soon_future *[]){first, second, late}, 3);
    tear_down(&s);
}

Test(cluster_bound, cancel_pending_lets_what_runs_go_on)
{
    set_up(s, .in_flight_max = 2);
    soon_future *futures[3];
    struct job job;

    futures[0] = submit_far(s.cluster, NULL);
    job = worker_grab(&s.worker);
    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(futures[0]));
    futures[1] = submit_far(s.cluster, NULL); /* with the server */
    futures[2] = submit_far(s.cluster, NULL); /* here */
    cr_assert(begins_shutdown(s.cluster, SOON_CANCEL_PENDING));
    assert_ends(futures[1], -ECANCELED);
    assert_ends(futures[2], -ECANCELED);
    job_gives(&s.worker, &job, 1);
    cr_assert_eq(soon_executor_shutdown(s.cluster, SOON_DRAIN, SOON_FOREVER), 0);
    assert_gives(futures[0], 1);

    soon_futures_unref(futures, 3);
    job_free(&job);
    tear_down(&s);
}

static void end_by(soon_shutdown mode)
{
    set_up(s, .grace_ms = 60000);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);
    char unique[65];

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(f));
    (void)begins_shutdown(s.cluster, mode);
    cr_assert_eq(order_of(&control, unique), SOON__ORDER_KILL);
    cr_assert_str_eq(unique, job.unique);
    job_fails(&s.worker, &job, SOON_EKILLED);
    cr_assert_eq(soon_executor_shutdown(s.cluster, mode, SOON_FOREVER), 0);
    assert_ends(f, SOON_EKILLED);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&control);
    tear_down(&s);
}

Test(cluster_bound, terminate_has_the_daemon_kill_what_runs)
{
    end_by(SOON_TERMINATE);
}

Test(cluster_bound, kill_has_the_daemon_kill_what_runs)
{
    end_by(SOON_KILL);
}

Test(cluster_bound, force_ends_within_the_grace_period_without_an_answer)
{
    set_up(s, .grace_ms = 1);
    soon_future *begun = submit_far(s.cluster, NULL), *waits;
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(begun));
    waits = submit_far(s.cluster, NULL);
    gearmand_stop(&s.server);
    cr_assert_eq(soon_executor_shutdown(s.cluster, SOON_TERMINATE, SOON_FOREVER), 0);
    assert_ends(begun, SOON_EKILLED);
    cr_assert_lt(soon_future_error(waits)->code, 0);
    gearmand_continue(&s.server);

    soon_future_unref(begun);
    soon_future_unref(waits);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_bound, force_ends_without_a_server)
{
    soon_executor *cluster;
    soon_future *f;

    cluster_warm_up();
    cluster = cluster_of(&(soon_cluster_options){.servers = "127.0.0.1:1"});
    f = submit_far(cluster, NULL);
    cr_assert_eq(soon_executor_shutdown(cluster, SOON_KILL, SOON_FOREVER), 0);
    assert_ends(f, -ECANCELED);
    soon_future_unref(f);
    free_pool(cluster);
}

/*
 * Its server
 */

Test(cluster_bound, status_tells_of_queues_and_workers)
{
    set_up(s);
    struct worker control = worker_new(s.server.port, "cancel@far-1");
    soon_future *f = submit_far(s.cluster, NULL), *g = submit_far(s.cluster, NULL), *nobody;
    struct job job = worker_grab(&s.worker);
    soon_cluster_status *status;
    const soon_cluster_function *far = NULL, *other = NULL;

    worker_say_text(&s.worker, SOON__SET_CLIENT_ID, "far-1");
    worker_say_text(&s.worker, SOON__CAN_DO, "near");
    nobody = soon_submit_bytes(s.cluster, &twice_task, &(int){1}, sizeof(int), NULL);
    await_jobs(&s.server, "twice", 1);
    await_jobs(&s.server, "far", 2);
    test_wait_until(gearmand_says(s.server.port, "workers\n", "near"));
    cr_assert_eq(soon_cluster_get_status(s.cluster, SOON_FOREVER, &status), 0);
    cr_assert_str_eq(status->server, s.server.address);
    for (size_t i = 0; i < status->function_count; i++) {
        if (strcmp(status->functions[i].name, "far") == 0)
            far = &status->functions[i];
        if (strcmp(status->functions[i].name, "twice") == 0)
            other = &status->functions[i];
        cr_assert_neq(strncmp(status->functions[i].name, "cancel@", 7), 0);
    }
    cr_assert(far && far->running == 1 && far->pending == 1 && far->workers == 1);
    cr_assert(other && other->running == 0 && other->pending == 1 && other->workers == 0);
    cr_assert_eq(status->worker_count, 1);
    cr_assert_str_eq(status->workers[0].host, "127.0.0.1");
    cr_assert_str_eq(status->workers[0].name, "far-1");
    cr_assert_eq(status->workers[0].function_count, 2);
    soon_cluster_status_free(status);
    soon_cluster_status_free(NULL);

    job_gives(&s.worker, &job, 1);
    job_free(&job);
    job = worker_grab(&s.worker);
    job_gives(&s.worker, &job, 1);
    job_free(&job);
    assert_gives(f, 1);
    assert_gives(g, 1);
    (void)soon_future_cancel(nobody);
    assert_ends(nobody, -ECANCELED);
    soon_futures_unref((soon_future *[]){f, g, nobody}, 3);
    worker_free(&control);
    tear_down(&s);
}

Test(cluster_bound, status_that_cannot_be_had_says_why)
{
    soon_cluster_status *status;
    soon_executor *cluster, *pool = new_pool(.workers = 1);

    cluster_warm_up();
    cluster = cluster_of(&(soon_cluster_options){.servers = "127.0.0.1:1"});
    cr_assert_eq(soon_cluster_get_status(cluster, 10, &status), -ETIMEDOUT);
    cr_assert_null(status);
    cr_assert_eq(soon_cluster_get_status(pool, 10, &status), -EINVAL);
    cr_assert_eq(soon_cluster_get_status(NULL, 10, &status), -EINVAL);
    cr_assert_eq(soon_cluster_get_status(cluster, -2, &status), -EINVAL);
    cr_assert_eq(soon_cluster_get_status(cluster, 0, NULL), -EINVAL);
    cr_assert_eq(soon_executor_shutdown(cluster, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_cluster_get_status(cluster, 10, &status), SOON_ESHUTDOWN);
    free_pool(cluster);
    free_pool(pool);
}

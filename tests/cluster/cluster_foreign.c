/*
 * cluster_foreign.c - functions of workers that are not of this library, which know bytes alone.
 */
#include "played_server.h"

TestSuite(cluster_foreign);

SOON_TASK_FOREIGN(reverse, "reverse");

static void assert_bytes(soon_future *future, const char *text)
{
    soon_bytes bytes;

    cr_assert_eq(soon_future_result(future, SOON_FOREVER, &bytes), 0, "%s", soon_last_error()->message);
    cr_assert_eq(bytes.size, strlen(text));
    cr_assert_eq(memcmp(bytes.data, text, bytes.size), 0);
}

Test(cluster_foreign, gets_bytes_and_a_unique_without_our_prefix)
{
    set_up(s);
    struct worker worker = worker_new(s.server.port, "reverse");
    soon_future *f = reverse_submit(s.cluster, "abc", 3, NULL);
    struct job job = worker_grab(&worker);

    cr_assert(job.size == 3 && memcmp(job.workload, "abc", 3) == 0);
    cr_assert_neq(strncmp(job.unique, "soon1-", 6), 0);
    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    job_says(&worker, &job, SOON__WORK_COMPLETE, "cba");
    assert_bytes(f, "cba");

    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    tear_down(&s);
}

Test(cluster_foreign, has_the_pieces_of_a_result_put_together)
{
    set_up(s);
    struct worker worker = worker_new(s.server.port, "reverse");
    soon_future *f = reverse_submit(s.cluster, "abcdef", 6, NULL);
    struct job job = worker_grab(&worker);

    job_says(&worker, &job, SOON__WORK_DATA, "fe");
    test_wait_until(soon_future_running(f));
    job_says(&worker, &job, SOON__WORK_DATA, "dc");
    worker_say(&worker, SOON__WORK_STATUS,
               (const soon_bytes[]){text_bytes(job.handle), text_bytes("4"), text_bytes("6")}, 3);
    test_wait_until(soon_future_progress(f).done == 4);
    job_says(&worker, &job, SOON__WORK_COMPLETE, "ba");
    assert_bytes(f, "fedcba");

    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    tear_down(&s);
}

Test(cluster_foreign, has_its_exception_as_message_and_bytes)
{
    set_up(s);
    struct worker worker = worker_new(s.server.port, "reverse");
    soon_future *f = reverse_submit(s.cluster, "abc", 3, &(soon_submit_options){.retries = 2});
    struct job job = worker_grab(&worker);

    job_says(&worker, &job, SOON__WORK_EXCEPTION, "no such word");
    worker_say_text(&worker, SOON__WORK_FAIL, job.handle);
    assert_ends(f, SOON_ERAISED);
    cr_assert_str_eq(soon_future_error(f)->message, "no such word");
    cr_assert_eq(soon_future_error(f)->data_size, 12);
    soon_future_unref(f);
    job_free(&job);

    f = reverse_submit(s.cluster, "abc", 3, NULL);
    job = worker_grab(&worker);
    worker_say_text(&worker, SOON__WORK_FAIL, job.handle);
    assert_ends(f, SOON_ERAISED);
    cr_assert_str_eq(soon_future_error(f)->message, "the worker says that it has failed");

    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    tear_down(&s);
}

Test(cluster_foreign, refuses_what_such_a_worker_does_not_know)
{
    set_up(s);
    soon_buffer *payload;
    soon_future *f;

    f = reverse_submit(s.cluster, "abc", 3, &(soon_submit_options){.extra = soon_string("x")});
    assert_ends(f, -ENOTSUP);
    soon_future_unref(f);
    f = reverse_submit(s.cluster, "abc", 3, &(soon_submit_options){.time_limit_ms = 1});
    assert_ends(f, -ENOTSUP);
    soon_future_unref(f);
    cr_assert_eq(soon_buffer_new(&payload, 1), 0);
    f = reverse_submit(s.cluster, "abc", 3, &(soon_submit_options){.payload = payload});
    assert_ends(f, -ENOTSUP);
    soon_future_unref(f);
    tear_down(&s);
}

Test(cluster_foreign, may_be_mapped_over_items_each_by_itself)
{
    set_up(s);
    struct worker worker = worker_new(s.server.port, "reverse");
    const soon_item items[] = {{.data = "ab", .size = 2}, {.data = "cde", .size = 3}};
    soon_future *map = soon_map_items_async_with(s.cluster, (.chunk = 2), reverse, items, 2);
    soon_bytes bytes;

    for (int i = 0; i < 2; i++) {
        struct job job = worker_grab(&worker);

        job_says(&worker, &job, SOON__WORK_COMPLETE, job.size == 2 ? "ba" : "edc");
        job_free(&job);
    }
    assert_ends(map, 0);
    cr_assert_eq(soon_map_item_result(map, 1, 0, &bytes), 0);
    cr_assert(bytes.size == 3 && memcmp(bytes.data, "edc", 3) == 0);
    soon_future_unref(map);
    worker_free(&worker);
    tear_down(&s);
}

/* It says nothing before its end, but the server knows that it has the job. */
Test(cluster_foreign, does_not_expire_while_a_silent_worker_has_it)
{
    set_up(s);
    struct worker worker = worker_new(s.server.port, "reverse");
    const soon_submit_options options = {.queue_limit_ms = FLIGHTS_LONG_MS};
    soon_future *f = reverse_submit(s.cluster, "abc", 3, &options), *waits;
    struct job job = worker_grab(&worker);

    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1);
    flights_end_limit(s.cluster);
    test_wait_until(soon_future_running(f));
    waits = reverse_submit(s.cluster, "de", 2, &options);
    test_wait_until(flights_in(s.cluster, SOON__FLIGHT_CREATED) == 1);
    flights_end_limit(s.cluster);
    assert_ends(waits, SOON_EEXPIRED);
    job_says(&worker, &job, SOON__WORK_COMPLETE, "cba");
    assert_bytes(f, "cba");

    soon_future_unref(waits);
    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    tear_down(&s);
}

/* Its queue limit is over, and the server is asked whether a worker has it, as "H:1". */
static soon_future *submit_asked_about(struct stage *stage)
{
    soon_future *f =
        reverse_submit(stage->cluster, "abc", 3, &(soon_submit_options){.queue_limit_ms = FLIGHTS_LONG_MS});

    hear(stage, SOON__SUBMIT_JOB);
    say_text(stage, SOON__JOB_CREATED, "H:1");
    await_state(stage, SOON__FLIGHT_CREATED, 1);
    flights_end_limit(stage->cluster);
    hear(stage, SOON__GET_STATUS);
    return f;
}

Test(cluster_foreign, expires_if_the_server_does_not_know_it)
{
    struct stage stage = {0};
    soon_future *f;

    begin(&stage, .lease_ms = FLIGHTS_LONG_MS);
    f = submit_asked_about(&stage);
    say_status(&stage, "H:1", false, false);
    assert_ends(f, SOON_EEXPIRED);

    soon_future_unref(f);
    end(&stage);
}

Test(cluster_foreign, expires_if_the_server_does_not_say_who_has_it)
{
    struct stage stage = {0};
    soon_future *f;

    begin(&stage, .lease_ms = FLIGHTS_LONG_MS);
    f = submit_asked_about(&stage);
    flights_end_limit(stage.cluster);
    hear_line(&stage, "cancel job H:1");
    fails(&stage, "H:1");
    assert_ends(f, SOON_EEXPIRED);

    soon_future_unref(f);
    end(&stage);
}

Test(cluster_foreign, expires_if_the_server_goes_before_it_has_said_who_has_it)
{
    struct stage stage = {0};
    soon_future *f;

    begin(&stage, .lease_ms = FLIGHTS_LONG_MS);
    f = submit_asked_about(&stage);
    cut(&stage);
    assert_ends(f, SOON_EEXPIRED);
    accept_client(&stage);

    soon_future_unref(f);
    end(&stage);
}

Test(cluster_foreign, is_given_up_by_a_kill)
{
    set_up(s);
    struct worker worker = worker_new(s.server.port, "reverse");
    soon_future *f = reverse_submit(s.cluster, "abc", 3, NULL);
    struct job job = worker_grab(&worker);

    job_says(&worker, &job, SOON__WORK_DATA, "c");
    test_wait_until(soon_future_running(f));
    cr_assert_eq(soon_future_kill(f), 0);
    assert_ends(f, SOON_EKILLED);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    tear_down(&s);
}

/* Debian's gearman-tools. */
Test(cluster_foreign, may_be_a_command)
{
    set_up(s);
    char port[16];
    const char *arguments[] = {"setpriv", "--pdeathsig", "KILL",      "gearman", "-h", "127.0.0.1", "-p",  port,
                               "-w",      "-f",          "uppercase", "--",      "tr", "a-z",       "A-Z", NULL};
    static const soon_function uppercase = {.name = "uppercase", .flags = SOON_FUNCTION_FOREIGN};
    soon_future *futures[20];
    pid_t pid;

    snprintf(port, sizeof port, "%d", s.server.port);
    if (system("command -v gearman >/dev/null") != 0) {
        fprintf(stderr, "skipped: there is no gearman here (Debian's gearman-tools)\n");
        tear_down(&s);
        cr_skip_test("there is no gearman command");
    }
    cr_assert_eq(posix_spawnp(&pid, arguments[0], NULL, NULL, (char *const *)arguments, environ), 0);
    for (int i = 0; i < 20; i++)
        futures[i] = soon_submit_bytes(s.cluster, &uppercase, "hello, world", 12, NULL);
    for (int i = 0; i < 20; i++)
        assert_bytes(futures[i], "HELLO, WORLD");
    soon_futures_unref(futures, 20);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    tear_down(&s);
}

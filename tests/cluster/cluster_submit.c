/*
 * cluster_submit.c - what a task of a cluster is told, and how it ends by itself.
 */
#include "worker_fixture.h"

TestSuite(cluster_submit);

struct point {
    int32_t x, y;
};
SOON_TASK(measure, struct point, int64_t)
{
    *result = arg->x * arg->y;
    return 0;
}
SOON_TASK_BYTES(shout)
{
    return soon_task_return_bytes(task, arg.data, arg.size);
}

Test(cluster_submit, takes_an_argument_there_and_a_result_back)
{
    with_server(server);
    soon_executor *cluster = new_cluster(&server);
    soon_future *f = soon_submit(cluster, measure, .x = 6, .y = 7);
    struct worker worker = worker_new(server.port, "measure");
    struct job job = worker_grab(&worker);
    struct point point;
    int64_t result = 42;

    cr_assert_eq(job.call.argument.size, sizeof point);
    memcpy(&point, job.call.argument.data, sizeof point);
    cr_assert(point.x == 6 && point.y == 7);
    cr_assert_eq(job.call.digest, soon__function_digest(&measure_task));
    cr_assert_eq(job.call.attempt, 1);
    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    job_starts(&worker, &job);
    test_wait_until(soon_future_running(f));
    job_succeeds(&worker, &job, &result, sizeof result);
    result = 0;
    cr_assert_eq(soon_result(f, &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(soon_future_attempt(f), 1);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    free_pool(cluster);
    gearmand_kill(&server);
}

Test(cluster_submit, brings_all_that_a_submit_may_bring)
{
    set_up(s);
    soon_buffer *payloads[2];
    soon_promise *promise;
    soon_future *first, *f;
    struct job job;

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(soon_buffer_new(&payloads[i], 3), 0);
        memcpy(soon_buffer_data(payloads[i]), i ? "two" : "one", 3);
    }
    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    first = soon_promise_future(promise);
    cr_assert_eq(soon_promise_set_result(promise, "before", 6), 0);
    soon_promise_free(promise);
    f = submit_far(s.cluster, &(soon_submit_options){.label = "GET /",
                                                     .extra = soon_string("and more"),
                                                     .payloads = payloads,
                                                     .payload_count = 2,
                                                     .after = &first,
                                                     .after_count = 1,
                                                     .time_limit_ms = 60000,
                                                     .priority = 5});
    job = worker_grab(&s.worker);
    cr_assert_str_eq(job.call.label, "GET /");
    cr_assert_str_eq(job.call.extra.data, "and more");
    cr_assert_eq(job.call.time_limit_ms, 60000);
    cr_assert_eq(job.call.alive_every_ms, 5000, "three in a lease of 15 s");
    cr_assert_eq(job.call.priority, 5);
    cr_assert(job.call.payloads == 2 && job.call.inputs == 1);
    for (int i = 0; i < 2; i++) {
        soon_bytes payload = soon__get_bytes(&job.call.rest);

        cr_assert(payload.size == 3 && memcmp(payload.data, i ? "two" : "one", 3) == 0);
    }
    cr_assert_eq(memcmp(soon__get_input(&job.call.rest).result.data, "before", 6), 0);
    job_gives(&s.worker, &job, 7);
    assert_gives(f, 7);

    soon_future_unref(f);
    soon_future_unref(first);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_submit, takes_results_of_any_size_and_payloads_back)
{
    set_up(s);
    soon_future *f = shout_submit(s.cluster, "hello", 5, NULL);
    struct worker worker = worker_new(s.server.port, "shout");
    struct job job = worker_grab(&worker);
    struct soon__message_writer writer;
    static char large[300000];
    soon_bytes bytes;

    memset(large, 'x', sizeof large);
    soon__writer_init(&writer);
    soon__write_result(&writer, 0);
    soon__put_item_result(&writer, &(struct soon__item_result_message){.result = {large, sizeof large}, .payloads = 2});
    soon__put_bytes(&writer, text_bytes("first"));
    soon__put_bytes(&writer, text_bytes("second!"));
    job_say(&worker, &job, SOON__WORK_COMPLETE, &writer);
    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &bytes), 0);
    cr_assert(bytes.size == sizeof large && memcmp(bytes.data, large, sizeof large) == 0);
    cr_assert_eq(soon_future_payload_count(f), 2);
    cr_assert_eq(soon_buffer_size(soon_future_payload_at(f, 1)), 7);
    cr_assert_eq(memcmp(soon_buffer_data(soon_future_payload(f)), "first", 5), 0);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    tear_down(&s);
}

Test(cluster_submit, shows_progress)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    worker_say(&s.worker, SOON__WORK_STATUS,
               (const soon_bytes[]){text_bytes(job.handle), text_bytes("3"), text_bytes("10")}, 3);
    test_wait_until(soon_future_progress(f).done == 3);
    cr_assert_eq(soon_future_progress(f).total, 10);
    job_gives(&s.worker, &job, 1);
    assert_gives(f, 1);
    cr_assert_eq(soon_future_progress(f).done, 3, "it stays");

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_submit, sends_priorities_by_packets_of_their_own)
{
    set_up(s);
    soon_future *low = submit_far(s.cluster, &(soon_submit_options){.priority = -1, .label = "low"});
    soon_future *normal = submit_far(s.cluster, &(soon_submit_options){.label = "normal"});
    soon_future *high = submit_far(s.cluster, &(soon_submit_options){.priority = 1, .label = "high"});
    soon_future *all[] = {low, normal, high};
    static const char *const order[] = {"high", "normal", "low"};

    await_jobs(&s.server, "far", 3);
    for (int i = 0; i < 3; i++) {
        struct job job = worker_grab(&s.worker);

        cr_assert_str_eq(job.call.label, order[i]);
        job_gives(&s.worker, &job, i);
        job_free(&job);
    }
    for (int i = 0; i < 3; i++)
        assert_gives(all[i], 2 - i);
    soon_futures_unref(all, 3);
    tear_down(&s);
}

/*
 * Failing
 */

Test(cluster_submit, brings_an_error_with_its_place)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, &(soon_submit_options){.label = "GET /"});
    struct job job = worker_grab(&s.worker);
    const soon_error *error;

    job_starts(&s.worker, &job);
    job_ends(&s.worker, &job,
             &(struct soon__error_message){.code = SOON_ERAISED,
                                           .raised = EDOM,
                                           .started = true,
                                           .pid = 4711,
                                           .attempt = 1,
                                           .host = "far",
                                           .worker = "far-1",
                                           .message = "7 is odd",
                                           .data = {"pickle", 6}});
    assert_ends(f, SOON_ERAISED);
    error = soon_future_error(f);
    cr_assert_eq(error->raised, EDOM);
    cr_assert_str_eq(error->message, "7 is odd");
    cr_assert(error->started);
    cr_assert_str_eq(error->worker_host, "far");
    cr_assert_str_eq(error->worker, "far-1");
    cr_assert_eq(error->worker_pid, 4711);
    cr_assert_eq(error->attempt, 1);
    cr_assert_str_eq(error->function, "far");
    cr_assert_str_eq(error->label, "GET /");
    cr_assert(error->data_size == 6 && memcmp(error->data, "pickle", 6) == 0);

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_submit, puts_its_own_layout_beside_that_of_a_worker_which_means_something_else)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);

    job_ends(&s.worker, &job,
             &(struct soon__error_message){
                 .code = SOON_ETYPE, .host = "", .worker = "", .message = "far: the worker has other types"});
    assert_ends(f, SOON_ETYPE);
    cr_assert_not(soon_future_error(f)->started);
    cr_assert_not_null(strstr(soon_future_error(f)->message, "far: the worker has other types; here: int"));

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_submit, fails_one_task_for_a_worker_that_makes_no_sense)
{
    set_up(s);
    static const struct {
        enum soon__packet_type type;
        const char *text;
        int code;
    } rows[] = {
        {SOON__WORK_COMPLETE, "", -EBADMSG},
        {SOON__WORK_COMPLETE, "soon and nothing behind it", -EBADMSG},
        {SOON__WORK_EXCEPTION, "nonsense", -EBADMSG},
        {SOON__WORK_DATA, "nonsense", 0}, /* it is alive, at least */
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        soon_future *f = submit_far(s.cluster, NULL);
        struct job job = worker_grab(&s.worker);

        job_says(&s.worker, &job, rows[i].type, rows[i].text);
        if (rows[i].code == 0)
            job_gives(&s.worker, &job, 1);
        else if (rows[i].type == SOON__WORK_EXCEPTION)
            worker_say_text(&s.worker, SOON__WORK_FAIL, job.handle);
        assert_ends(f, rows[i].code);
        soon_future_unref(f);
        job_free(&job);
    }
    tear_down(&s);
}

Test(cluster_submit, refuses_a_result_of_another_size)
{
    set_up(s);
    soon_future *f = submit_far(s.cluster, NULL);
    struct job job = worker_grab(&s.worker);

    job_succeeds(&s.worker, &job, "three", 3);
    assert_ends(f, SOON_ETYPE);
    cr_assert(soon_future_error(f)->started);

    soon_future_unref(f);
    job_free(&job);
    tear_down(&s);
}

SOON_TASK_LOCAL(local, int, int, NULL, NULL)
{
    *result = *arg;
    return 0;
}

Test(cluster_submit, refuses_functions_that_share_memory)
{
    set_up(s);
    soon_future *f = soon_submit(s.cluster, local, 1);

    assert_ends(f, SOON_ELOCAL);
    soon_future_unref(f);
    tear_down(&s);
}

Test(cluster_submit, counts_what_it_does)
{
    set_up(s);
    soon_future *good = submit_far(s.cluster, NULL), *bad = submit_far(s.cluster, NULL);
    struct job job;
    soon_stats stats;

    job = worker_grab(&s.worker);
    test_wait_until(stats_of(s.cluster).pending == 2);
    job_starts(&s.worker, &job);
    test_wait_until(stats_of(s.cluster).running == 1);
    cr_assert_eq(stats_of(s.cluster).pending, 1);
    job_gives(&s.worker, &job, 1);
    job_free(&job);
    job = worker_grab(&s.worker);
    job_fails(&s.worker, &job, SOON_ERAISED);
    job_free(&job);
    assert_gives(good, 1);
    assert_ends(bad, SOON_ERAISED);
    stats = stats_of(s.cluster);
    cr_assert(stats.submitted == 2 && stats.succeeded == 1 && stats.failed == 1 && stats.failed_raised == 1);
    cr_assert(stats.pending == 0 && stats.running == 0);
    cr_assert(stats.bytes_to_workers > 2 * sizeof(int) && stats.bytes_from_workers > sizeof(int));

    soon_future_unref(good);
    soon_future_unref(bad);
    tear_down(&s);
}

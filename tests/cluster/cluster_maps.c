/*
 * cluster_maps.c - the items of a chunk, which travel as one job of a cluster; and forks.
 */
#include "../support/forked.h"
#include "worker_fixture.h"

TestSuite(cluster_maps);

enum { ITEMS = 10, CHUNK = 4 };

/* The outcome of item `index`: its argument times 2, or an error. */
static void put_outcome(struct soon__message_writer *writer, int argument, bool fails)
{
    int result = argument * 2;
    struct soon__item_result_message item = {.is_error = fails, .result = {&result, sizeof result}};

    if (fails)
        item.error = (struct soon__error_message){.code = SOON_ERAISED,
                                                  .raised = argument,
                                                  .started = true,
                                                  .host = "far",
                                                  .worker = "far-1",
                                                  .message = "odd"};
    soon__put_item_result(writer, &item);
}

/* Runs a job of several items. Those that are `bad` fail. */
static size_t run_items(struct worker *worker, const struct job *job, int bad)
{
    struct soon__message_writer writer;
    int argument;

    soon__writer_init(&writer);
    soon__write_result(&writer, job->call.items);
    for (size_t i = 0; i < job->call.items; i++) {
        memcpy(&argument, (const char *)job->call.argument.data + i * sizeof argument, sizeof argument);
        put_outcome(&writer, argument, argument == bad);
    }
    job_say(worker, job, SOON__WORK_COMPLETE, &writer);
    return job->call.items;
}

static void *play_worker(void *data)
{
    struct cluster_setup *setup = data;

    for (size_t done = 0; done < ITEMS;) {
        struct job job = worker_grab(&setup->worker);

        cr_assert(job.call.items == CHUNK || job.call.items == ITEMS % CHUNK);
        cr_assert_eq(job.call.argument.size, job.call.items * sizeof(int));
        done += run_items(&setup->worker, &job, 7);
        job_free(&job);
    }
    return NULL;
}

static void assert_place(const soon_error *error, unsigned attempt)
{
    cr_assert_str_eq(error->worker_host, "far");
    cr_assert_str_eq(error->worker, "far-1");
    cr_assert_eq(error->attempt, attempt);
}

Test(cluster_maps, have_each_item_with_its_own_outcome)
{
    set_up(s);
    int arguments[ITEMS], results[ITEMS], rc;
    pthread_t thread;

    for (int i = 0; i < ITEMS; i++)
        arguments[i] = i;
    pthread_create(&thread, NULL, play_worker, &s);
    rc = soon_map_with(s.cluster, (.chunk = CHUNK), far, arguments, ITEMS, results, NULL);
    cr_assert_eq(rc, SOON_ERAISED);
    cr_assert_eq(soon_last_error()->raised, 7);
    assert_place(soon_last_error(), 1);
    for (int i = 0; i < ITEMS; i++)
        cr_assert_eq(results[i], i == 7 ? 0 : 2 * i);
    pthread_join(thread, NULL);
    tear_down(&s);
}

Test(cluster_maps, choose_chunks_by_the_number_of_slots)
{
    set_up(s, .slots = 2);
    int arguments[16] = {0};
    soon_future *map = soon_map_async(s.cluster, far, arguments, 16);
    struct job job;

    for (int i = 0; i < 8; i++) {
        job = worker_grab(&s.worker);
        cr_assert_eq(job.call.items, 2, "four chunks for each slot");
        (void)run_items(&s.worker, &job, -1);
        job_free(&job);
    }
    assert_ends(map, 0);
    soon_future_unref(map);
    tear_down(&s);
}

SOON_TASK_STRING(length, int)
{
    *result = (int)strlen(arg);
    return 0;
}

Test(cluster_maps, send_strings_with_their_labels)
{
    set_up(s);
    struct worker worker = worker_new(s.server.port, "length");
    static const char *const strings[] = {"a", "bb", "ccc"};
    soon_future *map = soon_map_strings_async_with(
        s.cluster, (.chunk = 3, .each = &(soon_submit_options){.retries = 4}), length, strings, 3);
    struct job job = worker_grab(&worker);
    struct soon__message_writer writer;
    soon_bytes bytes;

    cr_assert(job.call.items == 3 && job.call.items_vary);
    cr_assert_eq(job.call.retries, 4, "the daemon sees to them");
    soon__writer_init(&writer);
    soon__write_result(&writer, 3);
    for (int i = 0; i < 3; i++) {
        struct soon__item_message item = soon__get_item(&job.call.rest);
        int size = (int)item.argument.size - 1;

        cr_assert_str_eq(item.argument.data, strings[i]);
        cr_assert_str_eq(item.label, strings[i]);
        soon__put_item_result(&writer, &(struct soon__item_result_message){.result = {&size, sizeof size}});
    }
    job_say(&worker, &job, SOON__WORK_COMPLETE, &writer);
    assert_ends(map, 0);
    cr_assert_eq(soon_map_item_result(map, 2, 0, &bytes), 0);
    cr_assert_eq(*(const int *)bytes.data, 3);

    soon_future_unref(map);
    job_free(&job);
    worker_free(&worker);
    tear_down(&s);
}

Test(cluster_maps, refuse_an_items_result_of_another_size_and_say_whose_it_is)
{
    set_up(s);
    struct worker worker = worker_new(s.server.port, "length");
    soon_future *map =
        soon_map_strings_async_with(s.cluster, (.chunk = 2), length, ((const char *const[]){"a", "bb"}), 2);
    struct job job = worker_grab(&worker);
    struct soon__message_writer writer;

    job_starts(&worker, &job);
    soon__writer_init(&writer);
    soon__write_result(&writer, 2);
    soon__put_item_result(&writer, &(struct soon__item_result_message){.result = {&(int){1}, sizeof(int)}});
    soon__put_item_result(&writer, &(struct soon__item_result_message){.result = {"odd", 3}});
    job_say(&worker, &job, SOON__WORK_COMPLETE, &writer);
    assert_ends(map, SOON_ETYPE);
    cr_assert_eq(soon_map_item_error(map, 0)->code, 0);
    cr_assert_eq(soon_map_item_error(map, 1)->code, SOON_ETYPE);
    cr_assert_str_eq(soon_map_item_error(map, 1)->label, "bb");
    assert_place(soon_map_item_error(map, 1), 1);

    soon_future_unref(map);
    job_free(&job);
    worker_free(&worker);
    tear_down(&s);
}

Test(cluster_maps, fail_the_items_of_a_chunk_that_is_lost)
{
    set_up(s);
    int arguments[2] = {1, 2};
    soon_future *map = soon_map_async_with(s.cluster, (.chunk = 2), far, arguments, 2);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    test_wait_until(stats_of(s.cluster).running == 1);
    gearmand_kill(&s.server);
    assert_ends(map, SOON_ELOST);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(soon_map_item_error(map, i)->code, SOON_ELOST);
        cr_assert(soon_map_item_error(map, i)->started, "it may have run");
        assert_place(soon_map_item_error(map, i), 1);
    }
    soon_future_unref(map);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_maps, say_at_which_try_an_item_has_failed)
{
    set_up(s);
    int arguments[2] = {1, 2};
    const soon_submit_options again = {.retries = 1};
    soon_future *map = soon_map_async_with(s.cluster, (.chunk = 2, .each = &again), far, arguments, 2);
    struct job job = worker_grab(&s.worker);

    job_starts(&s.worker, &job);
    job_fails(&s.worker, &job, SOON_EWORKERDIED);
    job_free(&job);
    job = worker_grab(&s.worker);
    cr_assert_eq(job.call.attempt, 2);
    job_starts(&s.worker, &job);
    (void)run_items(&s.worker, &job, 2);
    assert_ends(map, SOON_ERAISED);
    cr_assert_eq(soon_map_item_error(map, 0)->code, 0);
    assert_place(soon_map_item_error(map, 1), 2);

    soon_future_unref(map);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_maps, refuse_a_result_with_another_number_of_items)
{
    set_up(s);
    int arguments[2] = {1, 2};
    soon_future *map = soon_map_async_with(s.cluster, (.chunk = 2), far, arguments, 2);
    struct job job = worker_grab(&s.worker);

    job.call.items = 1;
    (void)run_items(&s.worker, &job, -1);
    assert_ends(map, -EBADMSG);
    soon_future_unref(map);
    job_free(&job);
    tear_down(&s);
}

Test(cluster_maps, take_back_what_has_not_begun_when_they_are_cancelled)
{
    set_up(s);
    int arguments[4] = {0};
    soon_future *map = soon_map_async_with(s.cluster, (.chunk = 1), far, arguments, 4);
    struct job job;

    await_jobs(&s.server, "far", 4);
    (void)soon_future_cancel(map);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(map));
    test_wait_until(stats_of(s.cluster).cancelled == 4);
    cr_assert_not(worker_try_grab(&s.worker, &job));
    soon_future_unref(map);
    tear_down(&s);
}

/*
 * Forks
 */

static soon_executor *forked_cluster;
static soon_future *forked_future;

static void use_in_child(void)
{
    soon_future *f = submit_far(forked_cluster, NULL);

    CHECK(soon_future_error(f)->code == SOON_EFORKED);
    CHECK(soon_future_wait(forked_future, SOON_FOREVER) == SOON_EFORKED);
    CHECK(soon_executor_boot(forked_cluster, SOON_FOREVER) == SOON_EFORKED);
    CHECK(soon_executor_free(forked_cluster) == SOON_EFORKED);
}

/* The server would see the connection end, or hear what a child says on it. */
Test(cluster_maps, and_tasks_of_a_parent_are_left_alone_by_a_forked_child)
{
    set_up(s);
    struct job job;

    forked_cluster = s.cluster;
    forked_future = submit_far(s.cluster, NULL);
    await_jobs(&s.server, "far", 1);
    in_child(use_in_child);
    job = worker_grab(&s.worker);
    job_gives(&s.worker, &job, 3);
    assert_gives(forked_future, 3);
    cr_assert_eq(stats_of(s.cluster).retries, 0);
    soon_future_unref(forked_future);
    job_free(&job);
    tear_down(&s);
}

static void look_in_child(void)
{
    CHECK(!soon_future_done(forked_future));
    CHECK(soon_future_state(forked_future) == SOON_RUNNING);
}

SOON_TASK_BYTES(swallow)
{
    return 0;
}

/* Something waits to be sent, and what has to do with that is closed in the child. */
Test(cluster_maps, and_tasks_of_a_parent_do_not_end_in_a_forked_child)
{
    set_up(s);
    static char large[32 << 20];
    struct job job;
    soon_future *f;

    /* If the machine is slow the connection to a server that is stopped is given up: then it is sent again. */
    forked_future = submit_far(s.cluster, &(soon_submit_options){.retries = 1});
    job = worker_grab(&s.worker);
    job_starts(&s.worker, &job);
    test_wait_until(soon_future_running(forked_future));
    gearmand_stop(&s.server);
    f = swallow_submit(s.cluster, large, sizeof large, NULL);
    test_wait_until(stats_of(s.cluster).bytes_to_workers > sizeof large);
    in_child(look_in_child);
    gearmand_continue(&s.server);
    job_gives(&s.worker, &job, 3);
    assert_gives(forked_future, 3);
    (void)soon_future_cancel(f);
    assert_ends(f, -ECANCELED);
    soon_future_unref(f);
    soon_future_unref(forked_future);
    job_free(&job);
    tear_down(&s);
}

/*
 * map_async.c - soon_map_async(): the future of a map, and its items, on every executor.
 */
#include "../support/map_fixture.h"

TestSuite(map_async, .init = close_gate);

TestOnEach(map_async, has_the_array_of_results) /* CPython: _TestPool.test_map_async, test_starmap_async */
{
    int args[40], results[40];
    soon_future *map;

    count_up(args, 40);
    map = soon_map_async(executor, square, args, 40);
    memset(args, 0xee, sizeof args); /* they were copied */

    cr_assert_eq(soon_take(map, &results), 0);
    assert_squares(results, 40);
}

TestOnEach(map_async, of_nothing_is_done_at_once) /* CPython: _TestPool.test_empty_iterable */
{
    soon_future *map = soon_map_async_with(executor, (.chunk = 1), square, NULL, 0);
    soon_bytes bytes;

    cr_assert_eq(soon_future_result(map, 0, &bytes), 0);
    cr_assert_eq(bytes.size, 0);
    cr_assert_eq(soon_map_count(map, NULL, NULL), 0);
    cr_assert_eq(soon_map_item(map, 0, 0, NULL, 0), -EINVAL);
    soon_future_unref(map);
}

static void count_call(soon_future *future, void *data)
{
    _Atomic int *counts = data;

    counts[soon_future_succeeded(future) ? 0 : 1]++;
}

TestOnEach(map_async, calls_back_once_however_it_ends) /* CPython: _TestPool.test_map_async_callbacks */
{
    int good[] = {1, 4, 9}, bad[] = {1, -4, 9};
    _Atomic int counts[2] = {0, 0};
    soon_future *map;

    map = soon_map_async_with(executor, (.chunk = 1), root, good, 3);
    cr_assert_eq(soon_future_add_done_callback(map, count_call, counts), 0);
    soon_future_wait(map, SOON_FOREVER);
    test_wait_until(counts[0] == 1);
    soon_future_unref(map);
    map = soon_map_async_with(executor, (.chunk = 1), root, bad, 3);
    cr_assert_eq(soon_future_add_done_callback(map, count_call, counts), 0);
    soon_future_wait(map, SOON_FOREVER);
    test_wait_until(counts[1] == 1);
    cr_assert_eq(counts[0], 1);
    cr_assert_eq(soon_future_error(map)->raised, EDOM);
    cr_assert_str_eq(soon_future_error(map)->message, "-4 is negative");
    soon_future_unref(map);
}

Test(map_async, gives_items_and_progress_before_it_is_done)
{
    soon_executor *executor = make_threads(1);
    int args[] = {0, 0, 1, 0, 0}, result;
    size_t done, failed;

    for (size_t chunk = 1; chunk < 6; chunk += 2) {
        soon_future *map;

        close_gate();
        map = soon_map_async_with(executor, (.chunk = chunk), at_gate, args, 5);
        await_arrivals(1);
        cr_assert_eq(soon_map_count(map, &done, &failed), 5);
        cr_assert_eq(done, 2);
        cr_assert_eq(failed, 0);
        cr_assert_eq(soon_future_progress(map).done, 2);
        cr_assert_eq(soon_future_progress(map).total, 5);
        cr_assert(soon_future_running(map));
        cr_assert_eq(soon_map_item(map, 1, 0, &result, sizeof result), 0);
        cr_assert_eq(result, 5);
        cr_assert_eq(soon_map_item(map, 2, 0, &result, sizeof result), -ETIMEDOUT);
        cr_assert_eq(soon_map_item(map, 4, 5, &result, sizeof result), -ETIMEDOUT);
        cr_assert_eq(soon_map_item_error(map, 4)->code, 0);
        open_gate();
        cr_assert_eq(soon_map_item(map, 4, SOON_FOREVER, &result, sizeof result), 0);
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_progress(map).done, 5);
        soon_future_unref(map);
    }
    soon_executor_free(executor);
}

static void *read_item(void *data)
{
    int result;

    cr_assert_eq(soon_map_item(data, 0, SOON_FOREVER, &result, sizeof result), 0);
    return NULL;
}

Test(map_async, wakes_who_waits_for_an_item_though_its_call_goes_on)
{
    soon_executor *executor = make_threads(1);
    int args[] = {1, 1};
    soon_future *map = soon_map_async_with(executor, (.chunk = 2), at_gate, args, 2);
    pthread_t reader;

    await_arrivals(1);
    pthread_create(&reader, NULL, read_item, map);
    open_gate();
    await_arrivals(2);
    pthread_join(reader, NULL);
    soon_future_unref(map);
    soon_executor_free(executor);
}

TestOnEach(map_async, refuses_bad_reads_of_items)
{
    int args[] = {1, 4}, result = 99;
    soon_future *map = soon_map_async(executor, root, args, 2);
    soon_future *other = soon_submit(executor, square, 2);
    size_t done = 99, failed = 99;

    soon_future_wait(map, SOON_FOREVER);
    cr_assert_eq(soon_map_item(NULL, 0, 0, &result, sizeof result), -EINVAL);
    cr_assert_eq(soon_map_item(other, 0, 0, &result, sizeof result), -EINVAL);
    cr_assert_eq(soon_map_item(map, 2, 0, &result, sizeof result), -EINVAL);
    cr_assert_eq(soon_map_item(map, 0, -2, &result, sizeof result), -EINVAL);
    cr_assert_eq(soon_map_item(map, 0, 0, NULL, sizeof result), -EINVAL);
    cr_assert_eq(soon_map_item(map, 0, 0, &result, 1), SOON_ETYPE);
    cr_assert_eq(soon_map_item_error(map, 2)->code, -EINVAL);
    cr_assert_eq(soon_map_item_error(other, 0)->code, -EINVAL);
    cr_assert_eq(soon_map_item_error(NULL, 0)->code, -EINVAL);
    cr_assert_eq(soon_map_count(other, &done, &failed), 0);
    cr_assert_eq(done, 0);
    cr_assert_eq(failed, 0);
    cr_assert_eq(result, 99);
    soon_future_unref(map);
    soon_future_unref(other);
}

Test(map_async, that_is_cancelled_before_anything_started_is_cancelled_at_once)
{
    soon_executor *executor = make_threads(1);
    soon_future *blocker = soon_submit(executor, at_gate, 1), *map;
    int args[10] = {0}, result;
    size_t done, failed;

    await_arrivals(1);
    runs = 0;
    map = soon_map_async_with(executor, (.chunk = 3), square, args, 10);

    cr_assert(soon_future_cancel(map));
    cr_assert(soon_future_cancelled(map));
    cr_assert_eq(soon_map_count(map, &done, &failed), 10);
    cr_assert_eq(done, 10);
    cr_assert_eq(failed, 10);
    cr_assert_eq(soon_map_item(map, 4, SOON_FOREVER, &result, sizeof result), -ECANCELED);
    open_gate();
    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    cr_assert_eq(runs, 1);
    soon_future_unref(map);
    soon_future_unref(blocker);
    soon_executor_free(executor);
}

Test(map_async, that_is_cancelled_is_so_at_once_though_its_executor_keeps_the_calls)
{
    soon_executor *executor = make_own_that_keeps_what_it_has();
    soon_future *blocker = soon_submit(executor, at_gate, 1), *map;
    int args[10] = {0}, result;
    size_t done;

    await_arrivals(1);
    runs = 0;
    map = soon_map_async(executor, square, args, 10);

    cr_assert(soon_future_cancel(map));
    cr_assert_eq(soon_map_item(map, 4, SOON_FOREVER, &result, sizeof result), -ECANCELED);
    cr_assert_eq(soon_map_item_error(map, 9)->code, -ECANCELED);
    soon_map_count(map, &done, NULL);
    cr_assert_eq(done, 10);
    open_gate();
    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    cr_assert_eq(runs, 1);
    soon_future_unref(map);
    soon_future_unref(blocker);
    soon_executor_free(executor);
}

SOON_TASK(await_large_map, int, int)
{
    enum { MANY = 20000 };
    soon_future *map = soon_map_async_with(soon_task_executor(task), (.chunk = 1), square, NULL, MANY);
    int rc = soon_future_wait(map, SOON_FOREVER);

    *result = (int)soon_future_progress(map).done;
    soon_future_unref(map);
    return rc;
}

Test(map_async, of_many_calls_can_be_awaited_inside_a_task)
{
    soon_executor *executor = make_threads(1);
    int done;

    cr_assert_eq(soon_take(soon_submit(executor, await_large_map, 0), &done), 0);
    cr_assert_eq(done, 20000);
    soon_executor_free(executor);
}

TestOnEach(map_async, that_is_cancelled_while_it_runs_asks_that_to_stop)
{
    int args[12] = {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, result;

    /* A process tells of the items of a chunk between them, not while one of them runs. */
    for (size_t chunk = 1; chunk < (tasks_are_elsewhere ? 2 : 12); chunk += 5) {
        soon_future *map;

        close_gate();
        map = soon_map_async_with(executor, (.chunk = chunk), at_gate, args, 12);
        await_arrivals(1);
        cr_assert_eq(soon_map_item(map, 0, SOON_FOREVER, &result, sizeof result), 0);
        cr_assert(test_is_asked_to_end(map));
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        cr_assert(soon_future_cancelled(map));
        cr_assert_eq(soon_map_item_error(map, 0)->code, 0);
        cr_assert_eq(soon_map_item_error(map, 1)->code, -ECANCELED);
        cr_assert_eq(soon_map_item_error(map, 11)->code, -ECANCELED);
        soon_future_unref(map);
    }
}

/* Its second item is at the gate in time: on a busy machine it takes more of that. */
static soon_future *start_within(soon_executor *executor, size_t chunk, int64_t *timeout_ms)
{
    int args[] = {0, 1, 0, 0, 0};

    for (;; *timeout_ms *= 2) {
        soon_future *map;

        close_gate();
        map = soon_map_async_with(executor, (.chunk = chunk, .timeout_ms = *timeout_ms), at_gate, args, 5);
        test_wait_until(arrivals() || soon_future_done(map));
        if (arrivals())
            return map;
        soon_future_unref(map);
    }
}

Test(map_async, starts_nothing_after_its_time)
{
    soon_executor *executor = make_threads(1);

    for (size_t chunk = 1; chunk < 6; chunk += 2) {
        int64_t timeout_ms = 20;
        soon_future *map = start_within(executor, chunk, &timeout_ms);

        cr_assert_eq(soon_future_wait(map, timeout_ms), -ETIMEDOUT); /* what runs is not disturbed */
        open_gate();
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(map)->code, -ETIMEDOUT);
        for (size_t i = 0; i < 5; i++)
            cr_assert_eq(soon_map_item_error(map, i)->code, i < 2 ? 0 : -ETIMEDOUT);
        soon_future_unref(map);
    }
    soon_executor_free(executor);
}

static soon_future *_Atomic the_map;

SOON_TASK(wait_for_its_own_map, size_t, int)
{
    soon_future *map;
    int item;

    test_wait_until((map = the_map));
    if (*arg == 0)
        *result = soon_future_wait(map, SOON_FOREVER);
    else if (*arg == 1)
        *result = soon_map_item(map, 1, SOON_FOREVER, &item, sizeof item);
    else
        *result = soon_map_item(map, 0, SOON_FOREVER, &item, sizeof item);
    return 0;
}

TestOnEachHere(map_async, item_that_waits_for_its_own_map_is_told)
{
    size_t args[] = {0, 1, 2};
    int results[3];

    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        the_map = NULL;
        the_map = soon_map_async_with(executor, (.chunk = chunk), wait_for_its_own_map, args, 3);
        cr_assert_eq(soon_future_read(the_map, SOON_FOREVER, results, sizeof results), 0);
        cr_assert_eq(results[0], SOON_EDEADLK);
        cr_assert_eq(results[1], SOON_EDEADLK);
        cr_assert_eq(results[2], 0);
        soon_future_unref(the_map);
    }
}

SOON_TASK(await_inner_map, int, int)
{
    int args[] = {1, 2, 3, 4, 5, 6}, results[6], item = 0, rc;
    soon_future *map = soon_map_async_with(soon_task_executor(task), (.chunk = (size_t)*arg), square, args, 6);

    rc = soon_map_item(map, 4, SOON_FOREVER, &item, sizeof item);
    *result = item;
    if (rc == 0)
        rc = soon_take(map, &results);
    *result += results[5];
    return rc;
}

TestOnEachHere(map_async, can_be_awaited_inside_a_task_of_the_same_executor)
{
    int chunks[] = {1, 2, 3, 6, 1, 1}, results[6];

    cr_assert_eq(soon_map_with(executor, (.chunk = 1), await_inner_map, chunks, 6, results, NULL), 0);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(results[i], 25 + 36);
}

static void count_unhandled(const soon_error *error, void *data)
{
    (void)error;
    ++*(_Atomic int *)data;
}

TestOnEach(map_async, that_failed_unseen_is_reported_once)
{
    _Atomic int unhandled = 0;
    int args[] = {-1, 4, -9};
    soon_future *map;

    soon_on_unhandled(count_unhandled, &unhandled);
    map = soon_map_async(executor, root, args, 3);
    soon_future_wait(map, SOON_FOREVER);
    soon_future_unref(map);
    test_wait_until(unhandled == 1);

    map = soon_map_async(executor, root, args, 3);
    soon_future_wait(map, SOON_FOREVER);
    cr_assert_eq(soon_map_item_error(map, 2)->raised, EDOM);
    soon_future_unref(map);
    cr_assert_eq(soon_map(executor, root, args, 3, NULL), SOON_ERAISED);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    soon_on_unhandled(NULL, NULL);
    cr_assert_eq(unhandled, 1);
}

TestOnEach(map_async, may_be_dropped_while_it_runs)
{
    int args[20];

    count_up(args, 20);
    runs = 0;
    soon_future_unref(soon_map_async_with(executor, (.chunk = 3), square, args, 20));
    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    cr_assert_eq(runs, 20); /* CPython: test_map_submits_without_iteration */
}

Test(map_async, of_ten_thousand_ends_soon_when_its_executor_is_terminated) /* CPython: _TestPool.test_terminate */
{
    soon_executor *executor = make_threads(3);
    int *args = malloc(10000 * sizeof *args);
    soon_future *map;

    for (int i = 0; i < 10000; i++)
        args[i] = 1;
    map = soon_map_async_with(executor, (.chunk = 1), at_gate, args, 10000);
    await_arrivals(3);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_TERMINATE, SOON_FOREVER), 0);
    cr_assert(soon_future_done(map));
    cr_assert_eq(soon_future_error(map)->code, -ECANCELED);
    soon_future_unref(map);
    free(args);
    soon_executor_free(executor);
}

/* CPython: test_shutdown_race_issue12456 */
TestOnEach(map_async, goes_on_while_its_executor_drains)
{
    int args[30], results[30];
    soon_future *map;

    count_up(args, 30);
    map = soon_map_async_with(executor, (.chunk = 4), square, args, 30);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_take(map, &results), 0);
    assert_squares(results, 30);
}

/*
 * map_time.c - soon_map() with a timeout, and with a bounded queue.
 */
#include "../support/map_fixture.h"

TestSuite(map_time, .init = close_gate);

TestOnEach(map_time, returns_when_its_time_is_over_and_writes_nothing_later) /* CPython: test_map_timeout */
{
    int args[] = {0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, results[10], errors[10], later[10];

    for (size_t chunk = 1; chunk < 11; chunk += 3) {
        close_gate();
        memset(results, 0xee, sizeof results);
        runs = started = 0;

        cr_assert_eq(soon_map_with(executor, (.chunk = chunk, .timeout_ms = 50), at_gate, args, 10, results, errors),
                     -ETIMEDOUT);
        cr_assert_eq(errors[9], -ETIMEDOUT);
        for (int i = 0; i < 10; i++) {
            cr_assert(errors[i] == 0 || errors[i] == -ETIMEDOUT);
            cr_assert_eq(results[i], errors[i] ? 0 : 5);
        }
        memcpy(later, results, sizeof results);
        open_gate();
        test_wait_until(runs == started); /* what had started has ended */
        cr_assert_arr_eq(later, results, sizeof results);
    }
}

Test(map_time, asks_what_runs_to_stop_when_its_time_is_over) /* CPython: test_executor_map_current_future_cancel */
{
    soon_executor *executor = make_threads(2);
    int args[] = {1, 1, 1, 1, 1, 1, 1, 1};

    runs = 0;
    cr_assert_eq(soon_map_with(executor, (.chunk = 1, .timeout_ms = 30), at_gate, args, 8, NULL, NULL), -ETIMEDOUT);

    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER); /* nobody opens the gate */
    cr_assert_leq(runs, 2);
    soon_executor_free(executor);
}

TestOnEach(map_time, in_time_is_as_without_a_timeout)
{
    int args[50], results[50], errors[50];

    for (int i = 0; i < 50; i++)
        args[i] = i == 20 ? -1 : i * i;

    cr_assert_eq(soon_map_with(executor, (.timeout_ms = 3600000), root, args, 50, results, errors), SOON_ERAISED);
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(results[i], i == 20 ? 0 : i);
        cr_assert_eq(errors[i], i == 20 ? SOON_ERAISED : 0);
    }
}

Test(map_time, with_a_timeout_does_not_wait_for_a_place_in_the_queue)
{
    for (soon_full full = SOON_FULL_BLOCK; full <= SOON_FULL_RUN_HERE; full += SOON_FULL_RUN_HERE - SOON_FULL_BLOCK) {
        soon_thread_pool_options options = {.workers = 1, .queue_max = 2, .when_full = full};
        int args[] = {1, 1, 1, 1, 1, 1}, errors[6];
        soon_future *others[3];
        soon_executor *executor;

        close_gate();
        cr_assert_eq(soon_thread_pool_new(&executor, &options), 0);
        others[0] = soon_submit(executor, at_gate, 1);
        await_arrivals(1);
        others[1] = soon_submit(executor, at_gate, 1);
        others[2] = soon_submit(executor, at_gate, 1);

        cr_assert_eq(soon_map_with(executor, (.chunk = 1, .timeout_ms = 40), at_gate, args, 6, NULL, errors),
                     -ETIMEDOUT);
        for (int i = 0; i < 6; i++)
            cr_assert_eq(errors[i], -ETIMEDOUT);
        open_gate();
        soon_futures_unref(others, 3);
        soon_executor_free(executor);
    }
}

Test(map_time, waits_for_places_in_a_bounded_queue)
{
    soon_thread_pool_options options = {.workers = 2, .queue_max = 3};
    int args[200], results[200];
    soon_executor *executor;

    count_up(args, 200);
    for (options.when_full = SOON_FULL_BLOCK; options.when_full <= SOON_FULL_RUN_HERE;
         options.when_full += SOON_FULL_RUN_HERE - SOON_FULL_BLOCK) {
        cr_assert_eq(soon_thread_pool_new(&executor, &options), 0);
        cr_assert_eq(soon_map_with(executor, (.chunk = 1), square, args, 200, results, NULL), 0);
        assert_squares(results, 200);
        soon_executor_free(executor);
    }
}

Test(map_time, items_that_find_the_queue_full_fail_where_the_policy_says_so)
{
    soon_thread_pool_options options = {.workers = 1, .queue_max = 2, .when_full = SOON_FULL_FAIL};
    int args[6] = {0}, errors[6];
    soon_executor *executor;
    soon_future *blocker, *map;

    cr_assert_eq(soon_thread_pool_new(&executor, &options), 0);
    blocker = soon_submit(executor, at_gate, 1);
    await_arrivals(1);

    map = soon_map_async_with(executor, (.chunk = 1), square, args, 6);
    open_gate();
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    for (size_t i = 0; i < 6; i++)
        errors[i] = soon_map_item_error(map, i)->code;
    cr_assert_eq(errors[1], 0);
    cr_assert_eq(errors[2], SOON_EFULL);
    cr_assert_eq(errors[5], SOON_EFULL);
    soon_future_unref(map);
    soon_future_unref(blocker);
    soon_executor_free(executor);
}

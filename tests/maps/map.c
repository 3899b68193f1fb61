/*
 * map.c - soon_map(): results, whatever the chunks, on every executor.
 */
#include "../support/map_fixture.h"

TestSuite(map, .init = close_gate);

struct pair {
    int x, y;
};

SOON_TASK(multiply, struct pair, int)
{
    *result = arg->x * arg->y;
    return 0;
}

TestOnEach(map, gives_results_in_the_order_of_the_input) /* CPython: test_map, _TestPool.test_map */
{
    int args[100], results[100];

    count_up(args, 100);

    cr_assert_eq(soon_map(executor, square, args, 10, results), 0);
    assert_squares(results, 10);
    cr_assert_eq(soon_map_with(executor, (.chunk = 20), square, args, 100, results, NULL), 0);
    assert_squares(results, 100);
}

TestOnEach(map, gives_the_same_for_every_size_of_chunk) /* CPython: test_map_chunksize */
{
    static const size_t sizes[] = {1, 2, 3, 6, 40, 50, 99, 100, 101, SIZE_MAX};
    int args[100], results[100];

    count_up(args, 100);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        memset(results, 0xee, sizeof results);
        cr_assert_eq(soon_map_with(executor, (.chunk = sizes[i]), square, args, 100, results, NULL), 0);
        assert_squares(results, 100);
    }
}

TestOnEach(map, takes_several_arguments_as_one_struct) /* CPython: _TestPool.test_starmap */
{
    struct pair args[100];
    int results[100];

    for (int i = 0; i < 100; i++)
        args[i] = (struct pair){i, 99 - i};

    cr_assert_eq(soon_map_with(executor, (.chunk = 20), multiply, args, 100, results, NULL), 0);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(results[i], i * (99 - i));
}

TestOnEach(map, of_nothing_succeeds_at_once) /* CPython: _TestPool.test_empty_iterable, test_map_chunksize */
{
    cr_assert_eq(soon_map(executor, square, NULL, 0, NULL), 0);
    cr_assert_eq(soon_map_with(executor, (.chunk = 1, .timeout_ms = 1), square, NULL, 0, NULL, NULL), 0);
}

TestOnEach(map, without_arguments_gives_zeroes_to_the_function)
{
    int results[20];

    memset(results, 0xee, sizeof results);
    cr_assert_eq(soon_map(executor, square, NULL, 20, results), 0);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(results[i], 0);
}

TestOnEach(map, runs_everything_though_no_results_are_wanted)
{
    int args[50], errors[50];

    count_up(args, 50);
    args[9] = -1;
    runs = 0;

    cr_assert_eq(soon_map_with(executor, (.chunk = 7), root, args, 50, NULL, errors), SOON_ERAISED);
    cr_assert_eq(runs, 50);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(errors[i], i == 9 ? SOON_ERAISED : 0);
}

Test(map, makes_four_calls_per_worker_unless_told_otherwise) /* as Pool.map */
{
    static const struct {
        const char *name;
        int workers;
        size_t count, chunk;
        uint64_t calls;
    } cases[] = {
        {"rounded up", 2, 100, 0, 8},
        {"exactly", 2, 80, 0, 8},
        {"fewer items", 2, 5, 0, 5},
        {"one item", 4, 1, 0, 1},
        {"one worker", 1, 100, 0, 4},
        {"a chunk of one", 2, 100, 1, 100},
        {"a chunk that does not divide", 2, 100, 30, 4},
        {"a chunk too large", 2, 100, 1000, 1},
    };
    int args[100], results[100];

    count_up(args, 100);
    for (size_t i = 0; i < COUNT(cases); i++) {
        soon_executor *executor = make_threads(cases[i].workers);
        soon_stats stats;

        cr_assert_eq(soon_map_with(executor, (.chunk = cases[i].chunk), square, args, cases[i].count, results, NULL),
                     0);
        soon_executor_stats(executor, &stats);
        cr_assert_eq(stats.submitted, cases[i].calls, "%s: %d", cases[i].name, (int)stats.submitted);
        soon_executor_free(executor);
    }
}

SOON_TASK(sum_of_squares, int, int)
{
    int args[20], results[20];
    int rc;

    count_up(args, 20);
    rc = soon_map_with(soon_task_executor(task), (.chunk = (size_t)*arg), square, args, 20, results, NULL);
    *result = 0;
    for (int i = 0; i < 20; i++)
        *result += results[i];
    return rc;
}

TestOnEachHere(map, nested_in_tasks_of_one_executor_does_not_deadlock)
{
    int chunks[8] = {0, 1, 2, 3, 4, 5, 6, 20}, sums[8];

    cr_assert_eq(soon_map_with(executor, (.chunk = 1), sum_of_squares, chunks, 8, sums, NULL), 0);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(sums[i], 2470);
}

/*
 * Options of each item
 */

SOON_TASK(tell_label, int, int)
{
    *result = (int)strlen(soon_task_label(task));
    return *arg ? soon_raise(task, EIO, "no") : 0;
}

TestOnEach(map, gives_its_options_to_each_item)
{
    soon_submit_options each = {.label = "four", .priority = 3};
    int args[] = {0, 0, 1, 0}, result;
    soon_future *map = soon_map_async_with(executor, (.chunk = 2, .each = &each), tell_label, args, 4);

    cr_assert_str_eq(soon_future_label(map), "four");
    cr_assert_eq(soon_map_item(map, 3, SOON_FOREVER, &result, sizeof result), 0);
    cr_assert_eq(result, 4);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert_str_eq(soon_map_item_error(map, 2)->label, "four");
    cr_assert_str_eq(soon_map_item_error(map, 2)->function, "tell_label");
    cr_assert_eq(soon_future_data(map), NULL);
    soon_future_unref(map);
}

Test(map, items_that_waited_for_too_long_expire)
{
    soon_executor *executor = make_threads(1);
    soon_submit_options each = {.queue_limit_ms = 30};
    soon_future *blocker = soon_submit(executor, at_gate, 1);
    int args[10], errors[10];

    count_up(args, 10);
    await_arrivals(1);
    runs = 0;

    cr_assert_eq(soon_map_with(executor, (.chunk = 4, .each = &each), square, args, 10, NULL, errors), SOON_EEXPIRED);
    cr_assert_eq(runs, 0);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(errors[i], SOON_EEXPIRED);
    open_gate();
    soon_future_unref(blocker);
    soon_executor_free(executor);
}

SOON_TASK(until_asked, int, soon_none)
{
    while (*arg && !soon_task_cancel_requested(task))
        sched_yield();
    return *arg ? -ECANCELED : 0;
}

TestOnEach(map, each_item_has_its_own_time_limit)
{
    soon_submit_options each = {.time_limit_ms = 20};
    int args[] = {1, 0, 1, 0, 0, 1}, errors[6];
    bool in_time;

    do { /* those that do not wait end in time: on a busy machine that is more */
        cr_assert_eq(soon_map_with(executor, (.chunk = 6, .each = &each), until_asked, args, 6, NULL, errors),
                     SOON_ETIMELIMIT);
        in_time = true;
        for (int i = 0; i < 6; i++) {
            cr_assert(errors[i] == SOON_ETIMELIMIT || (errors[i] == 0 && !args[i]));
            in_time &= errors[i] == 0 || args[i];
        }
        each.time_limit_ms *= 2;
    } while (!in_time);
}

/*
 * An executor that runs its calls by other means
 */

static int by_hand_submit(void *self, soon_call *call, bool may_block)
{
    soon_promise *promise = soon_call_promise(call);
    int x = *(const int *)soon_call_arg(call).data, y = x * x;

    (void)self;
    (void)may_block;
    if (soon_promise_set_running(promise) == 0) {
        if (x == 3)
            soon_promise_set_exception(promise, ERANGE, "not three");
        else if (x == 5)
            soon_promise_set_result(promise, "?", 1);
        else if (x != 7)
            soon_promise_set_result(promise, &y, sizeof y);
    }
    soon_call_free(call);
    return 0;
}

static int by_hand_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    (void)self;
    (void)mode;
    return soon_promise_set_result(down, NULL, 0);
}

Test(map, takes_results_that_an_executor_of_the_users_own_has_by_other_means)
{
    static const soon_executor_class klass = {
        .size = sizeof klass, .name = "by hand", .submit = by_hand_submit, .shutdown = by_hand_shutdown};
    int args[10], results[10], errors[10];
    soon_executor *executor;

    count_up(args, 10);
    cr_assert_eq(soon_executor_new(&executor, &klass, NULL), 0);
    cr_assert_eq(soon_map_with(executor, (.chunk = 4), square, args, 10, results, errors), SOON_ERAISED);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(errors[i], i == 3 ? SOON_ERAISED : i == 5 ? SOON_ETYPE : i == 7 ? SOON_EABANDONED : 0);
        cr_assert_eq(results[i], errors[i] ? 0 : i * i);
    }
    soon_executor_free(executor);
}

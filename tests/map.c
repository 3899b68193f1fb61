/*
 * map.c - soon_map() and soon_map_async(), on every executor.
 */
#include "executors.h"

#include <string.h>

TestSuite(map, .init = close_gate);
TestSuite(map_async, .init = close_gate);

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct pair {
    int x, y;
};

static _Atomic int runs;    /* of any task here, ended */
static _Atomic int started; /* of at_gate */

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    runs++;
    return 0;
}

SOON_TASK(multiply, struct pair, int)
{
    *result = arg->x * arg->y;
    return 0;
}

SOON_TASK(root, int, int)
{
    *result = 77; /* to be wiped out */
    runs++;
    if (*arg < 0)
        return soon_raise(task, EDOM, "%d is negative", *arg);
    for (*result = 0; *result * *result < *arg;)
        ++*result;
    return 0;
}

/* Waits where the argument says so. */
SOON_TASK(at_gate, int, int)
{
    int rc;

    started++;
    rc = *arg ? wait_at_gate(task) : 0;
    *result = 5;
    runs++;
    return rc;
}

static void count_up(int *numbers, int count)
{
    for (int i = 0; i < count; i++)
        numbers[i] = i;
}

static void assert_squares(const int *results, int count)
{
    for (int i = 0; i < count; i++)
        cr_assert_eq(results[i], i * i);
}

/*
 * Results
 */

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

TestOnEach(map, nested_in_tasks_of_one_executor_does_not_deadlock)
{
    int chunks[8] = {0, 1, 2, 3, 4, 5, 6, 20}, sums[8];

    cr_assert_eq(soon_map_with(executor, (.chunk = 1), sum_of_squares, chunks, 8, sums, NULL), 0);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(sums[i], 2470);
}

/*
 * Errors
 */

TestOnEach(map, goes_on_after_an_error) /* CPython 3.16: test_map_exception; _TestPool.test_map_no_failfast */
{
    int args[30], results[30], errors[30];

    for (size_t chunk = 1; chunk <= 30; chunk += 7) {
        for (int i = 0; i < 30; i++)
            args[i] = i % 10 == 3 ? -i : i * i;
        memset(results, 0xee, sizeof results);
        memset(errors, 0xee, sizeof errors);
        runs = 0;

        cr_assert_eq(soon_map_with(executor, (.chunk = chunk), root, args, 30, results, errors), SOON_ERAISED);
        cr_assert_eq(runs, 30);
        for (int i = 0; i < 30; i++) {
            cr_assert_eq(errors[i], i % 10 == 3 ? SOON_ERAISED : 0);
            cr_assert_eq(results[i], i % 10 == 3 ? 0 : i);
        }
    }
}

TestOnEach(map, in_which_everything_fails_tells_of_each)
{
    enum { MANY = 20000 };
    int *args = malloc(MANY * sizeof *args), *errors = malloc(MANY * sizeof *errors);
    soon_future *map;
    size_t done, failed;

    for (int i = 0; i < MANY; i++)
        args[i] = -1 - i;

    cr_assert_eq(soon_map_with(executor, (.chunk = 5000), root, args, MANY, NULL, errors), SOON_ERAISED);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(errors[i], SOON_ERAISED);

    map = soon_map_async_with(executor, (.chunk = 5000), root, args, MANY);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    for (int i = 0; i < MANY; i += 7) {
        char text[64];

        snprintf(text, sizeof text, "%d is negative", args[i]);
        cr_assert_str_eq(soon_map_item_error(map, (size_t)i)->message, text);
    }
    cr_assert_eq(soon_map_count(map, &done, &failed), (size_t)MANY);
    cr_assert_eq(done, (size_t)MANY);
    cr_assert_eq(failed, (size_t)MANY);
    soon_future_unref(map);
    free(args);
    free(errors);
}

struct late {
    int code, waits;
};

SOON_TASK(fail_with, struct late, soon_none)
{
    if (arg->waits)
        wait_at_gate(task);
    else if (arg->code == 3)
        open_gate(); /* so this one fails first */
    return arg->code ? -arg->code : 0;
}

Test(map, reports_the_first_error_in_the_order_of_the_input)
{
    soon_executor *executor = make_threads(2);
    struct late args[] = {{0, 0}, {7, 1}, {3, 0}, {9, 0}};
    soon_future *map = soon_map_async_with(executor, (.chunk = 1), fail_with, args, 4);

    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(map)->raised, -7);
    soon_future_unref(map);
    soon_executor_free(executor);
}

Test(map, that_stops_at_an_error_does_not_start_what_is_left)
{
    soon_executor *executor = make_threads(1);
    int args[40], results[40], errors[40];

    for (size_t chunk = 1; chunk <= 40; chunk += 13) {
        count_up(args, 40);
        args[5] = -5;
        memset(results, 0xee, sizeof results);
        runs = 0;

        cr_assert_eq(soon_map_with(executor, (.chunk = chunk, .stop_at_error = true), root, args, 40, results, errors),
                     SOON_ERAISED);
        cr_assert_eq(runs, 6);
        for (int i = 0; i < 40; i++) {
            cr_assert_eq(errors[i], i < 5 ? 0 : i == 5 ? SOON_ERAISED : -ECANCELED);
            cr_assert(i < 5 || results[i] == 0);
        }
    }
    soon_executor_free(executor);
}

Test(map, that_stops_at_an_error_reports_that_error_not_what_it_cancelled)
{
    soon_executor *executor = make_threads(2);
    int args[] = {1, -4, 1, 1}, errors[4];

    /* The first waits at the gate, and gives in when the second has failed. */
    soon_future *map = soon_map_async_with(executor, (.chunk = 1, .stop_at_error = true), at_gate, args, 2);
    await_arrivals(2);
    cr_assert_not(soon_future_cancel(map));
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(map));
    soon_future_unref(map);

    struct late late[] = {{1, 1}, {9, 0}};
    cr_assert_eq(soon_map_with(executor, (.chunk = 1, .stop_at_error = true), fail_with, late, 2, NULL, errors),
                 SOON_ERAISED);
    cr_assert_eq(errors[1], SOON_ERAISED);
    soon_executor_free(executor);
}

TestOnEach(map, of_an_executor_that_is_shut_down_says_so)
{
    int args[10], results[10], errors[10];
    soon_future *map;

    count_up(args, 10);
    memset(results, 0xee, sizeof results);
    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);

    cr_assert_eq(soon_map_with(executor, (.chunk = 3), square, args, 10, results, errors), SOON_ESHUTDOWN);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(errors[i], SOON_ESHUTDOWN);
        cr_assert_eq(results[i], 0);
    }
    map = soon_map_async(executor, square, args, 10);
    cr_assert_eq(soon_future_wait(map, 0), 0);
    cr_assert_eq(soon_future_error(map)->code, SOON_ESHUTDOWN);
    soon_future_unref(map);
}

SOON_TASK(refuse_to_start, soon_none, soon_none)
{
    return soon_raise(task, EIO, "no disk");
}

Test(map, of_a_broken_pool_says_why)
{
    soon_executor *executor;
    int args[10], errors[10];

    count_up(args, 10);
    cr_assert_eq(soon_thread_pool_new(&executor,
                                      &(soon_thread_pool_options){.workers = 2, .initializer = &refuse_to_start_task}),
                 0);
    cr_assert_eq(soon_map_with(executor, (.chunk = 3), square, args, 10, NULL, errors), SOON_EBROKEN);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(errors[i], SOON_EBROKEN);
    soon_executor_free(executor);
}

SOON_TASK_BYTES(variable)
{
    return 0;
}

static void ignore_future(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

TestOnEach(map, refuses_bad_arguments)
{
    soon_function no_body = square_task, no_result = square_task, huge = square_task;
    soon_submit_options payload = {0}, data = {.data = &no_body}, done = {.on_done = ignore_future},
                        priority = {.time_limit_ms = -1};
    int arg = 1, result = 99, error = 99;
    const struct {
        const char *name;
        soon_executor *executor;
        const soon_function *function;
        size_t count;
        soon_map_options options;
    } cases[] = {
        {"no executor", NULL, &square_task, 1, {0}},
        {"no function", executor, NULL, 1, {0}},
        {"no body", executor, &no_body, 1, {0}},
        {"arguments of variable size", executor, &variable_task, 1, {0}},
        {"results of variable size", executor, &no_result, 1, {0}},
        {"more arguments than a size_t counts", executor, &square_task, SIZE_MAX / 2, {0}},
        {"more results than a size_t counts", executor, &huge, 3, {0}},
        {"a negative timeout", executor, &square_task, 1, {.timeout_ms = -1}},
        {"each with a payload", executor, &square_task, 1, {.each = &payload}},
        {"each with data", executor, &square_task, 1, {.each = &data}},
        {"each with on_done", executor, &square_task, 1, {.each = &done}},
        {"each with a negative limit", executor, &square_task, 1, {.each = &priority}},
    };

    no_body.body = NULL;
    no_result.result_size = 0;
    huge.result_size = SIZE_MAX / 2;
    cr_assert_eq(soon_buffer_new(&payload.payload, 1), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        soon_future *map;

        cr_assert_eq(soon_map_bytes(cases[i].executor, cases[i].function, &arg, cases[i].count, &result, &error,
                                    &cases[i].options, sizeof cases[i].options),
                     -EINVAL, "%s", cases[i].name);
        map = soon_map_async_bytes(cases[i].executor, cases[i].function, &arg, cases[i].count, &cases[i].options,
                                   sizeof cases[i].options);
        cr_assert_eq(soon_future_error(map)->code, -EINVAL, "%s", cases[i].name);
        soon_future_unref(map);
    }
    cr_assert_eq(result, 99);
    cr_assert_eq(error, 99);
    soon_buffer_unref(payload.payload);
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

    cr_assert_eq(soon_map_with(executor, (.chunk = 6, .each = &each), until_asked, args, 6, NULL, errors),
                 SOON_ETIMELIMIT);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(errors[i], args[i] ? SOON_ETIMELIMIT : 0);
}

/*
 * Timeouts
 */

TestOnEach(map, returns_when_its_time_is_over_and_writes_nothing_later) /* CPython: test_map_timeout */
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

Test(map, asks_what_runs_to_stop_when_its_time_is_over) /* CPython: test_executor_map_current_future_cancel */
{
    soon_executor *executor = make_threads(2);
    int args[] = {1, 1, 1, 1, 1, 1, 1, 1};

    runs = 0;
    cr_assert_eq(soon_map_with(executor, (.chunk = 1, .timeout_ms = 30), at_gate, args, 8, NULL, NULL), -ETIMEDOUT);

    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER); /* nobody opens the gate */
    cr_assert_leq(runs, 2);
    soon_executor_free(executor);
}

TestOnEach(map, in_time_is_as_without_a_timeout)
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

Test(map, with_a_timeout_does_not_wait_for_a_place_in_the_queue)
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

Test(map, waits_for_places_in_a_bounded_queue)
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

Test(map, items_that_find_the_queue_full_fail_where_the_policy_says_so)
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

/*
 * Arguments and results that point to memory
 */

static _Atomic int args_alive, results_alive;

struct text {
    char *text;
};

static struct text new_arg(const char *text)
{
    args_alive++;
    return (struct text){strdup(text)};
}

static void free_arg(void *data)
{
    args_alive--;
    free(((struct text *)data)->text);
}

static void free_result(void *data)
{
    results_alive--;
    free(((struct text *)data)->text);
}

SOON_TASK_LOCAL(reverse, struct text, struct text, free_arg, free_result)
{
    size_t length = strlen(arg->text);

    if (arg->text[0] == '!')
        return soon_raise(task, EINVAL, "no exclamations");
    if (arg->text[0] == '?' && wait_at_gate(task) < 0)
        return -ECANCELED;
    result->text = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        result->text[i] = arg->text[length - 1 - i];
    result->text[length] = '\0';
    results_alive++;
    return 0;
}

TestOnEach(map, releases_what_arguments_point_to_and_gives_away_results) /* CPython: test_release_task_refs */
{
    struct text args[9], results[9];
    int errors[9];

    for (int i = 0; i < 9; i++)
        args[i] = new_arg(i % 4 == 2 ? "!" : "abc");

    cr_assert_eq(soon_map_with(executor, (.chunk = 2), reverse, args, 9, results, errors), SOON_ERAISED);
    cr_assert_eq(args_alive, 0);
    cr_assert_eq(results_alive, 7);
    for (int i = 0; i < 9; i++) {
        if (i % 4 == 2) {
            cr_assert_null(results[i].text);
        } else {
            cr_assert_str_eq(results[i].text, "cba");
            free_result(&results[i]);
        }
    }
}

TestOnEach(map, releases_results_that_are_not_wanted)
{
    struct text args[9];

    for (int i = 0; i < 9; i++)
        args[i] = new_arg(i == 3 ? "!" : "abc");

    cr_assert_eq(soon_map_with(executor, (.chunk = 2), reverse, args, 9, NULL, NULL), SOON_ERAISED);
    cr_assert_eq(args_alive, 0);
    cr_assert_eq(results_alive, 0);
}

TestOnEach(map, releases_everything_once_when_its_time_is_over)
{
    struct text args[9], results[9];
    int errors[9];

    for (size_t chunk = 1; chunk < 10; chunk += 4) {
        for (int i = 0; i < 9; i++)
            args[i] = new_arg(i > 2 ? "?" : "abc");

        cr_assert_eq(soon_map_with(executor, (.chunk = chunk, .timeout_ms = 30), reverse, args, 9, results, errors),
                     -ETIMEDOUT);
        for (int i = 0; i < 9; i++) {
            cr_assert(errors[i] == 0 || !results[i].text);
            if (results[i].text)
                free_result(&results[i]);
        }
        test_wait_until(args_alive == 0 && results_alive == 0);
    }
}

TestOnEach(map, releases_arguments_of_items_that_are_refused)
{
    struct text args[5], results[5];
    soon_future *map;

    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    for (int i = 0; i < 5; i++)
        args[i] = new_arg("abc");
    cr_assert_eq(soon_map(executor, reverse, args, 5, results), SOON_ESHUTDOWN);
    cr_assert_eq(args_alive, 0);

    for (int i = 0; i < 5; i++)
        args[i] = new_arg("abc");
    map = soon_map_async(executor, reverse, args, 5);
    cr_assert_eq(args_alive, 0);
    soon_future_unref(map);
}

Test(map, releases_arguments_of_items_that_expired_in_the_queue)
{
    soon_executor *executor = make_threads(1);
    soon_submit_options each = {.queue_limit_ms = 20};
    soon_future *blocker = soon_submit(executor, at_gate, 1), *map;
    struct text args[5], results[5];

    await_arrivals(1);
    for (int i = 0; i < 5; i++)
        args[i] = new_arg("abc");
    cr_assert_eq(soon_map_with(executor, (.chunk = 2, .each = &each), reverse, args, 5, results, NULL), SOON_EEXPIRED);
    cr_assert_eq(args_alive, 0);

    for (int i = 0; i < 5; i++)
        args[i] = new_arg("abc");
    map = soon_map_async_with(executor, (.chunk = 2, .each = &each), reverse, args, 5);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    test_wait_until(args_alive == 0);
    soon_future_unref(map);
    open_gate();
    soon_future_unref(blocker);
    soon_executor_free(executor);
}

TestOnEach(map_async, keeps_results_until_they_are_taken)
{
    struct text args[6], results[6];
    soon_bytes bytes;
    soon_future *map;

    for (int i = 0; i < 6; i++)
        args[i] = new_arg("abc");
    map = soon_map_async_with(executor, (.chunk = 4), reverse, args, 6);
    cr_assert_eq(soon_future_result(map, SOON_FOREVER, &bytes), 0);
    cr_assert_eq(bytes.size, sizeof results);
    cr_assert_str_eq(((const struct text *)bytes.data)[5].text, "cba");
    cr_assert_eq(results_alive, 6);
    soon_future_unref(map);
    test_wait_until(results_alive == 0);

    for (int i = 0; i < 6; i++)
        args[i] = new_arg("xyz");
    map = soon_map_async_with(executor, (.chunk = 4), reverse, args, 6);
    cr_assert_eq(soon_future_take(map, results, sizeof results), 0);
    cr_assert_eq(results_alive, 6);
    for (int i = 0; i < 6; i++) {
        cr_assert_str_eq(results[i].text, "zyx");
        free_result(&results[i]);
    }
    cr_assert_eq(args_alive, 0);
}

/*
 * map_async
 */

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

    for (size_t chunk = 1; chunk < 12; chunk += 5) {
        soon_future *map;

        close_gate();
        map = soon_map_async_with(executor, (.chunk = chunk), at_gate, args, 12);
        await_arrivals(1);
        cr_assert_eq(soon_map_item(map, 0, SOON_FOREVER, &result, sizeof result), 0);
        cr_assert_not(soon_future_cancel(map));
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

TestOnEach(map_async, item_that_waits_for_its_own_map_is_told)
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

TestOnEach(map_async, can_be_awaited_inside_a_task_of_the_same_executor)
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

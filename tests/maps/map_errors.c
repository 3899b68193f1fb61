/*
 * map_errors.c - soon_map() of items that fail, of executors that refuse, with arguments that are wrong.
 */
#include "../support/futures.h"
#include "../support/map_fixture.h"

TestSuite(map_errors, .init = close_gate);

TestOnEach(map_errors, goes_on_after_an_error) /* CPython 3.16: test_map_exception; _TestPool.test_map_no_failfast */
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

SOON_TASK(times_out, int, int)
{
    *result = *arg;
    return *arg % 2 ? -ETIMEDOUT : 0;
}

/* CPython: test_map_timeout_from_callable */
TestOnEach(map_errors, of_an_item_that_says_timeout_is_no_timeout_of_the_map)
{
    int args[] = {0, 1, 2, 3, 4}, results[5], errors[5];
    soon_future *map;

    cr_assert_eq(soon_map_with(executor, (.timeout_ms = 3600000), times_out, args, 5, results, errors), SOON_ERAISED);
    map = soon_map_async(executor, times_out, args, 5);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(errors[i], i % 2 ? SOON_ERAISED : 0);
        cr_assert_eq(results[i], i % 2 ? 0 : i);
        cr_assert_eq(soon_map_item_error(map, (size_t)i)->raised, i % 2 ? -ETIMEDOUT : 0);
    }
    soon_future_unref(map);
}

TestOnEach(map_errors, in_which_everything_fails_tells_of_each)
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

Test(map_errors, reports_the_first_error_in_the_order_of_the_input)
{
    soon_executor *executor = make_threads(2);
    struct late args[] = {{0, 0}, {7, 1}, {3, 0}, {9, 0}};
    soon_future *map = soon_map_async_with(executor, (.chunk = 1), fail_with, args, 4);

    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(map)->raised, -7);
    soon_future_unref(map);
    soon_executor_free(executor);
}

Test(map_errors, that_stops_at_an_error_does_not_start_what_is_left)
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

SOON_TASK(give_in_or_fail, int, soon_none)
{
    return *arg ? -*arg : wait_at_gate(task);
}

Test(map_errors, that_stops_at_an_error_reports_that_error_not_what_it_stopped)
{
    soon_executor *executor = make_threads(2);
    int args[] = {0, 9};
    soon_future *map = soon_map_async_with(executor, (.chunk = 1, .stop_at_error = true), give_in_or_fail, args, 2);

    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert_eq(soon_map_item_error(map, 0)->code, -ECANCELED);
    cr_assert_eq(soon_future_error(map)->raised, -9);
    soon_future_unref(map);
    soon_executor_free(executor);
}

static bool has_started(soon_future *map)
{
#undef started /* the fixture's */
    return soon_future_error(map)->started;
}

TestOnEach(map_errors, of_an_executor_that_is_shut_down_says_so)
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
    cr_assert_not(has_started(map));
    soon_future_unref(map);
}

/* Whatever the error is of: who reads that it is false may do all of it once more. */
Test(map_errors, tells_that_it_has_started_if_an_item_has)
{
    soon_executor *executor = make_threads(1);
    int args[] = {1, 0};
    soon_future *map = soon_map_async_with(executor, (.chunk = 1), at_gate, args, 2);

    test_wait_until(common()->started == 1);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
    open_gate();
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(map)->code, -ECANCELED);
    cr_assert(has_started(map));
    soon_future_unref(map);
    cr_assert_eq(soon_executor_free(executor), 0);
}

Test(map_errors, tells_that_it_has_not_started_if_no_item_has)
{
    soon_executor *executor = make_threads(1);
    int args[] = {1, 1, 1};
    soon_future *running = soon_submit(executor, at_gate, 1), *map;

    test_wait_until(common()->started == 1);
    map = soon_map_async_with(executor, (.chunk = 2), at_gate, args, 3);
    soon_future_cancel(map);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(map)->code, -ECANCELED);
    cr_assert_not(has_started(map));

    open_gate();
    soon_future_unref(map);
    soon_future_unref(running);
    cr_assert_eq(soon_executor_free(executor), 0);
}

SOON_TASK(refuse_to_start, soon_none, soon_none)
{
    return soon_raise(task, EIO, "no disk");
}

Test(map_errors, of_a_broken_pool_says_why)
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

TestOnEach(map_errors, refuses_bad_arguments)
{
    soon_function no_body = square_task, huge = square_task;
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
        {"more arguments than a size_t counts", executor, &square_task, SIZE_MAX / 2, {0}},
        {"more results than a size_t counts", executor, &huge, 3, {0}},
        {"a negative timeout", executor, &square_task, 1, {.timeout_ms = -1}},
        {"each with a payload", executor, &square_task, 1, {.each = &payload}},
        {"each with data", executor, &square_task, 1, {.each = &data}},
        {"each with on_done", executor, &square_task, 1, {.each = &done}},
        {"each with a negative limit", executor, &square_task, 1, {.each = &priority}},
    };

    no_body.body = NULL;
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

TestMisuse(map_errors, count_of_null)
{
    size_t done = 99, failed = 99;

    cr_assert_eq(soon_map_count(NULL, &done, &failed), 0);
    cr_assert_eq(done, 0);
    cr_assert_eq(failed, 0);
}

/*
 * map_memory.c - maps whose arguments and results point to memory: each is released once, or given away.
 */
#include "../support/map_fixture.h"

TestSuite(map_memory, .init = close_gate);

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

TestOnEachHere(map_memory,
               releases_what_arguments_point_to_and_gives_away_results) /* CPython: test_release_task_refs */
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

TestOnEachHere(map_memory, releases_results_that_are_not_wanted)
{
    struct text args[9];

    for (int i = 0; i < 9; i++)
        args[i] = new_arg(i == 3 ? "!" : "abc");

    cr_assert_eq(soon_map_with(executor, (.chunk = 2), reverse, args, 9, NULL, NULL), SOON_ERAISED);
    cr_assert_eq(args_alive, 0);
    cr_assert_eq(results_alive, 0);
}

TestOnEachHere(map_memory, releases_everything_once_when_its_time_is_over)
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

TestOnEachHere(map_memory, releases_arguments_of_items_that_are_refused)
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

Test(map_memory, releases_arguments_of_items_that_expired_in_the_queue)
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

TestOnEachHere(map_memory, async_keeps_results_until_they_are_taken)
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

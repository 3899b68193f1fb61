/*
 * map_strings.c - maps over strings of any length: on every executor, chunked, with errors and labels, and what they refuse.
 */
#include "varied_fixture.h"

#include "../support/futures.h"

TestSuite(map_strings, .init = close_gate);

/*
 * A task on one string
 */

TestOnEach(map_strings, task_gets_its_string_with_its_nul)
{
    static const char *const strings[] = {"", "a", "a path/with spaces", "0123456789abcdef0123456789abcdef"};
    char *longest = malloc(5 << 20);
    size_t length;

    for (size_t i = 0; i < COUNT(strings); i++) {
        cr_assert_eq(soon_take(length_of_submit(executor, strings[i], NULL), &length), 0);
        cr_assert_eq(length, strlen(strings[i]));
    }
    memset(longest, 'x', (5 << 20) - 1);
    longest[(5 << 20) - 1] = '\0';
    cr_assert_eq(soon_take(length_of_submit(executor, longest, NULL), &length), 0);
    cr_assert_eq(length, (5u << 20) - 1);
    free(longest);
}

TestOnEach(map_strings, task_is_tried_and_read_as_others_are)
{
    soon_future *future;
    size_t length;
    int other;

    cr_assert_eq(length_of_try_submit(&future, executor, "four", NULL), 0);
    cr_assert_eq(length_of_get(future, SOON_FOREVER, &length), 0);
    cr_assert_eq(length, 4u);
    soon_future_unref(future);

    cr_assert_eq(soon_take(length_of_submit(executor, "bad", NULL), &length), SOON_ERAISED);
    future = doubled_submit(executor, "four", NULL);
    cr_assert_eq(length_of_get(future, SOON_FOREVER, &length), SOON_ETYPE);
    cr_assert_eq(soon_take(future, &other), SOON_ETYPE);
}

TestOnEach(map_strings, a_null_is_refused)
{
    soon_future *future = length_of_submit(executor, NULL, NULL), *none = NULL;

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(future)->code, -EINVAL);
    cr_assert_eq(length_of_try_submit(&none, executor, NULL, NULL), -EINVAL);
    cr_assert_null(none);
    soon_future_unref(future);
}

TestOnEach(map_strings, bytes_without_a_nul_are_no_string)
{
    soon_future *futures[] = {soon_submit_bytes(executor, &length_of_task, "abc", 3, NULL),
                              soon_submit_bytes(executor, &doubled_task, "", 0, NULL),
                              soon_submit_bytes(executor, &doubled_task, NULL, 0, NULL)};

    runs = 0;
    for (size_t i = 0; i < COUNT(futures); i++) {
        cr_assert_eq(soon_future_wait(futures[i], SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(futures[i])->code, SOON_ERAISED);
        cr_assert_eq(soon_future_error(futures[i])->raised, EINVAL);
        cr_assert_not_null(strstr(soon_future_error(futures[i])->message, "NUL"));
        soon_future_unref(futures[i]);
    }
    cr_assert_eq(runs, 0);
}

/*
 * Maps
 */

enum { MANY = 1000 };

TestOnEach(map_strings, gives_results_in_the_order_of_the_input)
{
    static const size_t chunks[] = {0, 1, 2, 7, 1000, 5000};
    char **strings = make_strings(MANY, 3000);
    size_t lengths[MANY];

    for (size_t c = 0; c < COUNT(chunks); c++) {
        memset(lengths, 0xee, sizeof lengths);
        cr_assert_eq(soon_map_strings_with(executor, (.chunk = chunks[c]), length_of, strings, MANY, lengths, NULL), 0);
        for (size_t i = 0; i < MANY; i++)
            cr_assert_eq(lengths[i], strlen(strings[i]));
    }
    free_strings(strings, MANY);
}

/* In all, more than goes to a worker at once; one by itself too. */
TestOnEach(map_strings, takes_long_ones_among_short_ones)
{
    static const size_t sizes[] = {10, 5 << 20, 3 << 20, 20, 2 << 20, 2 << 20, 1 << 20, 0, 4 << 20};
    char *strings[COUNT(sizes)];
    size_t lengths[COUNT(sizes)];

    for (size_t i = 0; i < COUNT(sizes); i++) {
        strings[i] = malloc(sizes[i] + 1);
        memset(strings[i], 'y', sizes[i]);
        strings[i][sizes[i]] = '\0';
    }
    for (size_t chunk = 1; chunk <= COUNT(sizes); chunk += 4) {
        cr_assert_eq(soon_map_strings_with(executor, (.chunk = chunk), length_of, strings, COUNT(sizes), lengths, NULL),
                     0);
        for (size_t i = 0; i < COUNT(sizes); i++)
            cr_assert_eq(lengths[i], sizes[i]);
    }
    for (size_t i = 0; i < COUNT(sizes); i++)
        free(strings[i]);
}

TestOnEach(map_strings, takes_an_array_as_argv_is)
{
    char first[] = "a", second[] = "bb";
    char *argv[] = {first, second, NULL}, **as_main_has_it = argv;
    char *const constant[] = {first, second};
    const char *words[] = {"a", "bb"}, *const *list = words;
    const struct soon_function *function = &length_of_task;
    size_t lengths[2];

    cr_assert_eq(soon_map_strings(executor, length_of, argv, 2, lengths), 0);
    cr_assert_eq(soon_map_strings(executor, length_of, as_main_has_it, 2, lengths), 0);
    cr_assert_eq(soon_map_strings(executor, length_of, constant, 2, lengths), 0);
    cr_assert_eq(soon_map_strings(executor, length_of, words, 2, lengths), 0);
    cr_assert_eq(soon_map_strings(executor, length_of, list, 2, lengths), 0);
    cr_assert_eq(soon_map_strings(executor, length_of, ((const char *[]){"a", "bb"}), 2, lengths), 0);
    cr_assert_eq(soon_map_strings_bytes(executor, function, list, 2, lengths, NULL, NULL, 0), 0);
    cr_assert_eq(lengths[0], 1u);
    cr_assert_eq(lengths[1], 2u);
    cr_assert_eq(soon_map_strings(executor, length_of, list, 0, lengths), 0);
    cr_assert_eq(soon_map_strings_with(executor, (.chunk = 2), length_of, list, 2, NULL, NULL), 0);
}

TestOnEach(map_strings, goes_on_after_an_error)
{
    const char *strings[30];
    size_t lengths[30];
    int errors[30];

    for (int i = 0; i < 30; i++)
        strings[i] = i % 10 == 3 ? "bad one" : "good";
    for (size_t chunk = 1; chunk <= 30; chunk += 7) {
        soon_future *map;

        cr_assert_eq(soon_map_strings_with(executor, (.chunk = chunk), length_of, strings, 30, lengths, errors),
                     SOON_ERAISED);
        for (int i = 0; i < 30; i++) {
            cr_assert_eq(errors[i], i % 10 == 3 ? SOON_ERAISED : 0);
            cr_assert_eq(lengths[i], i % 10 == 3 ? 0 : 4u);
        }
        map = soon_map_strings_async_with(executor, (.chunk = chunk), length_of, strings, 30);
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        cr_assert_str_eq(soon_map_item_error(map, 13)->message, "bad one is bad");
        cr_assert_str_eq(soon_map_item_error(map, 13)->label, "bad one");
        cr_assert_eq(soon_map_item(map, 14, 0, &lengths[14], sizeof lengths[14]), 0);
        soon_future_unref(map);
    }
}

TestOnEach(map_strings, stops_at_an_error_if_told_to)
{
    const char *strings[40];
    int errors[40];

    for (int i = 0; i < 40; i++)
        strings[i] = i == 3 ? "bad" : "good";
    runs = 0;
    cr_assert_eq(
        soon_map_strings_with(executor, (.chunk = 40, .stop_at_error = true), length_of, strings, 40, NULL, errors),
        SOON_ERAISED);
    cr_assert_eq(errors[2], 0);
    cr_assert_eq(errors[3], SOON_ERAISED);
    cr_assert_eq(errors[39], -ECANCELED);
}

TestOnEach(map_strings, copies_what_it_may_outlive)
{
    char text[] = "wait a";
    const char *strings[] = {text, text};
    size_t lengths[2];
    int errors[2];
    soon_future *map;

    cr_assert_eq(soon_map_strings_with(executor, (.timeout_ms = 1), length_of, strings, 2, lengths, errors),
                 -ETIMEDOUT);
    map = soon_map_strings_async(executor, doubled, strings, 2);
    memset(text, 'x', sizeof text - 1);
    open_gate();
    for (size_t i = 0; i < 2; i++) {
        soon_bytes result;

        cr_assert_eq(soon_map_item_result(map, i, SOON_FOREVER, &result), 0);
        cr_assert_str_eq(result.data, "wait await a");
        cr_assert_str_eq(soon_map_item_label(map, i), "wait a");
    }
    soon_future_unref(map);
}

TestOnEach(map_strings, is_cancelled_as_others_are)
{
    const char *strings[] = {"wait", "never", "never"};
    soon_future *map = soon_map_strings_async_with(executor, (.chunk = 3), doubled, strings, 3);
    soon_bytes result;

    await_arrivals(1);
    soon_future_cancel(map);
    open_gate();
    cr_assert_eq(soon_map_item_result(map, 2, SOON_FOREVER, &result), -ECANCELED);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(map));
    soon_future_unref(map);
}

/*
 * Results of any length
 */

TestOnEach(map_strings, gives_results_of_any_length)
{
    static const size_t chunks[] = {0, 1, 7, 300};
    char **strings = make_strings(300, 40000);

    for (size_t c = 0; c < COUNT(chunks); c++) {
        soon_future *map = soon_map_strings_async_with(executor, (.chunk = chunks[c]), doubled, strings, 300);

        for (size_t i = 0; i < 300; i++) {
            size_t length = strlen(strings[i]);
            soon_bytes result;

            cr_assert_eq(soon_map_item_result(map, i, SOON_FOREVER, &result), 0);
            cr_assert_eq(result.size, 2 * length + 1);
            cr_assert_eq(memcmp(result.data, strings[i], length), 0);
            cr_assert_str_eq((const char *)result.data + length, strings[i]);
        }
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        cr_assert(soon_future_succeeded(map));
        soon_future_unref(map);
    }
    free_strings(strings, 300);
}

/* Above what goes through a worker's area. */
TestOnEach(map_strings, gives_results_that_are_very_long)
{
    char *string = malloc(3 << 20);
    const char *strings[] = {"a", string, "b"};
    soon_future *map;
    soon_bytes result;

    memset(string, 'z', 3 << 20);
    string[(3 << 20) - 1] = '\0';
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        map = soon_map_strings_async_with(executor, (.chunk = chunk), doubled, strings, 3);
        cr_assert_eq(soon_map_item_result(map, 1, SOON_FOREVER, &result), 0);
        cr_assert_eq(result.size, (6u << 20) - 1);
        cr_assert_eq(soon_map_item_result(map, 2, SOON_FOREVER, &result), 0);
        cr_assert_str_eq(result.data, "bb");
        soon_future_unref(map);
    }
    free(string);
}

TestOnEach(map_strings, lends_results_of_fixed_size_too)
{
    const char *strings[] = {"a", "bb", "bad"};
    soon_future *map = soon_map_strings_async(executor, length_of, strings, 3);
    soon_bytes result = {NULL, 7};

    cr_assert_eq(soon_map_item_result(map, 1, SOON_FOREVER, &result), 0);
    cr_assert_eq(result.size, sizeof(size_t));
    cr_assert_eq(*(const size_t *)result.data, 2u);
    cr_assert_eq(soon_map_item_result(map, 2, SOON_FOREVER, &result), SOON_ERAISED);
    cr_assert_eq(soon_map_item_result(map, 3, SOON_FOREVER, &result), -EINVAL);
    cr_assert_eq(soon_map_item_result(map, 0, -2, &result), -EINVAL);
    cr_assert_eq(soon_map_item_result(map, 0, 0, NULL), -EINVAL);
    cr_assert_eq(result.size, sizeof(size_t));
    cr_assert_str_eq(soon_map_item_label(map, 2), "bad");
    cr_assert_str_eq(soon_map_item_label(map, 3), "");
    soon_future_unref(map);
}

/*
 * Refusals
 */

TestOnEach(map_strings, refuses_what_is_no_array_of_strings)
{
    const char *strings[] = {"a", NULL};
    size_t lengths[2] = {7, 7};
    soon_future *map;

    cr_assert_eq(soon_map_strings(executor, length_of, strings, 2, lengths), -EINVAL);
    cr_assert_not_null(strstr(soon_last_error()->message, "string 1 is NULL"), "%s", soon_last_error()->message);
    cr_assert_eq(soon_map_strings(executor, length_of, (char **)NULL, 2, lengths), -EINVAL);
    cr_assert_eq(lengths[0], 7u);
    map = soon_map_strings_async(executor, length_of, strings, 2);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(map)->code, -EINVAL);
    soon_future_unref(map);
}

TestOnEach(map_strings, refuses_an_array_for_results_of_any_length)
{
    const char *strings[] = {"a", "b"};
    char results[2];

    cr_assert_eq(soon_map_strings(executor, doubled, strings, 2, results), -EINVAL);
    cr_assert_not_null(strstr(soon_last_error()->message, "soon_map_item_result"));
    cr_assert_eq(soon_map_strings(executor, doubled, strings, 2, NULL), 0); /* for what it does */
}

/*
 * imap_items.c - calls on items of any size from a source: lent until it is asked again, with labels and payloads, in chunks.
 */
#include "varied_fixture.h"

TestSuite(imap_items, .init = close_gate);

static _Atomic int alive; /* payloads */

static void release(void *data)
{
    free(data);
    alive--;
}

static soon_buffer *counted_buffer(void)
{
    soon_buffer *buffer;

    alive++;
    cr_assert_eq(soon_buffer_wrap(&buffer, strdup("payload"), 7, release), 0);
    return buffer;
}

/* The numbers up to `end`, as text in one piece of memory that the next one is written over. */
struct numbers {
    int next, end;
    bool with_more;     /* each second one has a label and a payload */
    int bad;            /* this one is no argument; 0: all are */
    const char *prefix; /* of each */
    char text[100], label[100];
    int calls_after_end;
};

static int next_number(soon_item *item, void *data)
{
    struct numbers *numbers = data;
    int number = numbers->next;

    cr_assert_null(item->data);
    cr_assert_null(item->payload);
    numbers->calls_after_end += number > numbers->end;
    numbers->next++;
    if (number >= numbers->end)
        return 0;
    memset(numbers->text, '#', sizeof numbers->text);
    memset(numbers->label, '#', sizeof numbers->label);
    snprintf(numbers->text, sizeof numbers->text, "%s%d", numbers->prefix ? numbers->prefix : "", number);
    snprintf(numbers->label, sizeof numbers->label, "number %d", number);
    *item = soon_item_of_string(numbers->text);
    if (numbers->with_more && number % 2) {
        item->label = numbers->label;
        item->payload = counted_buffer();
    }
    if (numbers->bad && number == numbers->bad)
        item->data = NULL;
    return 1;
}

static soon_imap *start(soon_executor *executor, const soon_function *function, const soon_map_options *options,
                        struct numbers *numbers)
{
    soon_imap *imap;

    cr_assert_eq(soon_imap_items_new(&imap, executor, function, options, next_number, numbers), 0);
    cr_assert_eq(numbers->next, 0);
    return imap;
}

static soon_future *next(soon_imap *imap, uint64_t wanted)
{
    soon_future *future = NULL;
    uint64_t index;
    int rc = soon_imap_next(imap, SOON_FOREVER, &future, &index);

    cr_assert_eq(rc, 0, "%s", soon_strerror(rc));
    cr_assert_eq(index, wanted);
    return future;
}

static void assert_end(soon_imap *imap)
{
    soon_future *future;

    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), SOON_EEND);
}

static const size_t chunks[] = {0, 2, 7, 100};

TestOnEach(imap_items, are_lent_until_the_source_is_asked_again)
{
    for (size_t c = 0; c < COUNT(chunks); c++) {
        struct numbers numbers = {.end = 50, .with_more = true};
        soon_submit_options each = {.label = "all"};
        soon_imap *imap =
            start(executor, &shown_task, &(soon_map_options){.chunk = chunks[c], .each = &each}, &numbers);

        for (int i = 0; i < 50; i++) {
            soon_future *future = next(imap, (uint64_t)i);
            soon_bytes result;
            char wanted[200], label[64];

            snprintf(label, sizeof label, i % 2 ? "number %d" : "all", i);
            snprintf(wanted, sizeof wanted, "%s|%d|%s", label, i, i % 2 ? "payload" : "");
            cr_assert_eq(soon_future_result(future, 0, &result), 0);
            cr_assert_str_eq(result.data, wanted);
            cr_assert_str_eq(soon_future_label(future), label);
            cr_assert_eq(soon_future_payload(future) != NULL, i % 2);
            soon_future_unref(future);
        }
        assert_end(imap);
        cr_assert_eq(numbers.calls_after_end, 0);
        soon_imap_free(imap);
        test_wait_until(alive == 0);
    }
}

TestOnEach(imap_items, have_results_of_any_size)
{
    for (size_t c = 0; c < COUNT(chunks); c++) {
        struct numbers numbers = {.end = 50, .prefix = "a number, "};
        soon_imap *imap = start(executor, &doubled_task, &(soon_map_options){.chunk = chunks[c]}, &numbers);

        for (int i = 0; i < 50; i++) {
            soon_future *future = next(imap, (uint64_t)i);
            soon_bytes result;
            char wanted[64];

            snprintf(wanted, sizeof wanted, "a number, %da number, %d", i, i);
            cr_assert_eq(soon_future_result(future, 0, &result), 0);
            cr_assert_str_eq(result.data, wanted);
            soon_future_unref(future);
        }
        assert_end(imap);
        soon_imap_free(imap);
    }
}

TestOnEach(imap_items, are_the_strings_of_an_array)
{
    char **array = make_strings(200, 20000);

    for (size_t c = 0; c < COUNT(chunks); c++) {
        soon_map_options options = {.chunk = chunks[c], .unordered = c % 2 == 1};
        size_t seen = 0;
        soon_imap *imap;
        soon_future *future;
        uint64_t index;

        cr_assert_eq(soon_imap_strings_new(&imap, executor, &length_of_task, &options, array, 200), 0);
        while (soon_imap_next(imap, SOON_FOREVER, &future, &index) == 0) {
            size_t length;

            cr_assert_str_eq(soon_future_label(future), array[index]);
            cr_assert_eq(soon_take(future, &length), 0);
            cr_assert_eq(length, strlen(array[index]));
            seen++;
        }
        cr_assert_eq(seen, 200u);
        soon_imap_free(imap);
    }
    free_strings(array, 200);
}

TestOnEach(imap_items, of_an_array_can_have_one_label_for_all)
{
    const char *array[] = {"good", "bad"};
    soon_submit_options each = {.label = "all"};
    soon_imap *imap;
    soon_future *future;

    for (size_t chunk = 1; chunk < 3; chunk++) {
        soon_map_options options = {.chunk = chunk, .each = &each};

        cr_assert_eq(soon_imap_strings_new(&imap, executor, &doubled_task, &options, array, 2), 0);
        future = next(imap, 0);
        cr_assert_str_eq(soon_future_label(future), "all");
        soon_future_unref(future);
        future = next(imap, 1);
        cr_assert_str_eq(soon_future_error(future)->label, "all");
        soon_future_unref(future);
        assert_end(imap);
        soon_imap_free(imap);
    }
    cr_assert_eq(soon_imap_strings_new(&imap, executor, &doubled_task, NULL, array, 0), 0);
    assert_end(imap);
    soon_imap_free(imap);
}

TestOnEach(imap_items, tell_by_label_which_has_failed)
{
    const char *array[] = {"good", "bad one", "bad two"};

    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        soon_imap *imap;

        cr_assert_eq(
            soon_imap_strings_new(&imap, executor, &doubled_task, &(soon_map_options){.chunk = chunk}, array, 3), 0);
        for (uint64_t i = 0; i < 3; i++) {
            soon_future *future = next(imap, i);

            cr_assert_eq(soon_future_error(future)->code, i ? SOON_ERAISED : 0);
            if (i)
                cr_assert_str_eq(soon_future_error(future)->label, array[i]);
            soon_future_unref(future);
        }
        assert_end(imap);
        soon_imap_free(imap);
    }
}

TestOnEach(imap_items, that_are_no_argument_fail_at_their_place)
{
    for (size_t c = 0; c < COUNT(chunks); c++) {
        for (int bad = 1; bad < 10; bad += 4) {
            struct numbers numbers = {.end = 10, .with_more = true, .bad = bad};
            soon_imap *imap = start(executor, &length_of_task, &(soon_map_options){.chunk = chunks[c]}, &numbers);

            for (int i = 0; i < 10; i++) {
                soon_future *future = next(imap, (uint64_t)i);

                cr_assert_eq(soon_future_error(future)->code, i == bad ? -EINVAL : 0);
                soon_future_unref(future);
            }
            assert_end(imap);
            soon_imap_free(imap);
            test_wait_until(alive == 0);
        }
    }
}

SOON_TASK(is_letter, char, bool)
{
    *result = *arg == '1';
    return 0;
}

TestOnEach(imap_items, fit_a_function_of_fixed_size_or_fail)
{
    for (size_t chunk = 1; chunk < 5; chunk += 3) {
        struct numbers numbers = {.end = 2}; /* two bytes each */
        soon_imap *imap = start(executor, &is_letter_task, &(soon_map_options){.chunk = chunk}, &numbers);

        for (uint64_t i = 0; i < 2; i++) {
            soon_future *future = next(imap, i);

            cr_assert_eq(soon_future_error(future)->code, -EINVAL);
            cr_assert_not_null(strstr(soon_future_error(future)->message, "that of the argument of is_letter is 1"),
                               "%s", soon_future_error(future)->message);
            soon_future_unref(future);
        }
        assert_end(imap);
        soon_imap_free(imap);
    }
}

/* What waits for a place is still what the source has lent; and it is not asked for more meanwhile. */
Test(imap_items, wait_where_they_are_for_a_place_in_the_queue)
{
    for (size_t chunk = 1; chunk < 4; chunk++) {
        soon_thread_pool_options options = {.workers = 1, .queue_max = 1};
        struct numbers numbers = {.end = 20, .with_more = true};
        soon_executor *executor;
        soon_imap *imap;
        soon_future *blocker, *waits, *future = NULL;
        int rc = SOON_EEND;

        cr_assert_eq(soon_thread_pool_new(&executor, &options), 0);
        close_gate();
        blocker = length_of_submit(executor, "wait", NULL);
        await_arrivals(1);
        waits = length_of_submit(executor, "a", NULL);
        imap = start(executor, &shown_task, &(soon_map_options){.chunk = chunk, .in_flight_max = 8}, &numbers);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(soon_imap_next(imap, 3, &future, NULL), -ETIMEDOUT);
        cr_assert_eq(numbers.next, (int)chunk);
        open_gate();
        for (uint64_t i = 0; (rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0; i++) {
            soon_bytes result;
            char wanted[64];

            snprintf(wanted, sizeof wanted, i % 2 ? "number %d|%d" : "|%d", (int)i, (int)i);
            cr_assert_eq(soon_future_result(future, 0, &result), 0);
            cr_assert_eq(memcmp(result.data, wanted, strlen(wanted)), 0, "%s: %s", wanted, (const char *)result.data);
            soon_future_unref(future);
        }
        cr_assert_eq(rc, SOON_EEND);
        soon_imap_free(imap);
        soon_future_unref(blocker);
        soon_future_unref(waits);
        cr_assert_eq(soon_executor_free(executor), 0);
        cr_assert_eq(alive, 0);
    }
}

TestOnEach(imap_items, are_released_when_nobody_wants_them)
{
    for (size_t c = 0; c < COUNT(chunks); c++) {
        struct numbers numbers = {.end = 1000, .with_more = true};
        soon_imap *imap = start(executor, &length_of_task, &(soon_map_options){.chunk = chunks[c]}, &numbers);

        soon_future_unref(next(imap, 0));
        soon_imap_free(imap);
        test_wait_until(alive == 0);
    }
}

TestOnEach(imap_items, are_released_when_their_time_is_over)
{
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        struct numbers numbers = {.end = 1000, .with_more = true, .prefix = "wait "};
        soon_map_options options = {.chunk = chunk, .timeout_ms = 5};
        soon_imap *imap = start(executor, &length_of_task, &options, &numbers);
        soon_future *future;

        close_gate();
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), -ETIMEDOUT);
        open_gate();
        soon_imap_free(imap);
        test_wait_until(alive == 0);
    }
}

TestOnEach(imap_items, are_released_when_the_executor_takes_none)
{
    struct numbers numbers = {.end = 1000, .with_more = true};
    soon_imap *imap = start(executor, &length_of_task, &(soon_map_options){.chunk = 3, .in_flight_max = 12}, &numbers);
    soon_future *future;
    int rc;

    soon_future_unref(next(imap, 0));
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0)
        soon_future_unref(future);
    cr_assert_eq(rc, SOON_ESHUTDOWN);
    soon_imap_free(imap);
    test_wait_until(alive == 0);
}

TestOnEach(imap_items, stop_at_an_error_if_told_to)
{
    const char *array[] = {"good", "bad", "good", "good", "good", "good", "good", "good"};
    soon_map_options options = {.chunk = 2, .in_flight_max = 4, .stop_at_error = true};
    soon_imap *imap;
    soon_future *future;
    uint64_t index = 0;

    cr_assert_eq(soon_imap_strings_new(&imap, executor, &length_of_task, &options, array, COUNT(array)), 0);
    while (soon_imap_next(imap, SOON_FOREVER, &future, &index) == 0)
        soon_future_unref(future);
    cr_assert_lt(index, 6u);
    soon_imap_free(imap);
}

Test(imap_items, that_their_worker_died_of_are_the_only_ones_lost)
{
    const char *array[] = {"good", "die", "good", "good", "die too", "good", "good"};

    if (!test_has_processes())
        return;
    common_begin();
    for (size_t chunk = 1; chunk < 8; chunk += 3) {
        soon_executor *pool = make_processes(2);
        soon_imap *imap;

        runs = 0;
        cr_assert_eq(soon_imap_strings_new(&imap, pool, &doubled_task, &(soon_map_options){.chunk = chunk}, array, 7),
                     0);
        for (uint64_t i = 0; i < 7; i++) {
            bool dies = array[i][0] == 'd';
            soon_future *future = next(imap, i);
            soon_bytes result;

            cr_assert_eq(soon_future_result(future, 0, &result), dies ? SOON_EWORKERDIED : 0);
            if (dies)
                cr_assert_str_eq(soon_future_error(future)->label, array[i]);
            else
                cr_assert_str_eq(result.data, "goodgood");
            soon_future_unref(future);
        }
        assert_end(imap);
        cr_assert_eq(runs, 7);
        soon_imap_free(imap);
        cr_assert_eq(soon_executor_free(pool), 0);
    }
}

TestOnEach(imap_items, refuse_bad_arguments)
{
    const char *array[] = {"a", NULL};
    soon_imap *imap = (soon_imap *)array;

    cr_assert_eq(soon_imap_items_new(&imap, executor, &length_of_task, NULL, NULL, NULL), -EINVAL);
    cr_assert_null(imap);
    cr_assert_eq(soon_imap_items_new(NULL, executor, &length_of_task, NULL, next_number, NULL), -EINVAL);
    cr_assert_eq(soon_imap_items_new(&imap, NULL, &length_of_task, NULL, next_number, NULL), -EINVAL);
    cr_assert_eq(soon_imap_items_new(&imap, executor, NULL, NULL, next_number, NULL), -EINVAL);
    cr_assert_eq(soon_imap_strings_new(&imap, executor, &length_of_task, NULL, array, 2), -EINVAL);
    cr_assert_not_null(strstr(soon_last_error()->message, "soon_imap_strings_new: string 1 is NULL"));
    cr_assert_eq(soon_imap_strings_new(&imap, executor, &length_of_task, NULL, (char **)NULL, 2), -EINVAL);
}

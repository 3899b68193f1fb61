/*
 * imap.c - calls on arguments from a source: order, the bound on what is in flight, on every executor.
 */
#include "imap_fixture.h"

TestSuite(imap, .init = close_gate);

TestOnEach(imap, hands_out_in_the_order_of_the_input) /* CPython: _TestPool.test_imap */
{
    static const size_t chunks[] = {0, 1, 2, 3, 100, 1000, 5000};

    for (size_t c = 0; c < COUNT(chunks); c++) {
        struct counter counter = {.end = 1000};
        soon_imap *imap = start(executor, &square_task, &(soon_map_options){.chunk = chunks[c]}, &counter);

        for (int i = 0; i < 1000; i++)
            assert_next(imap, i * i, (uint64_t)i);
        assert_end(imap);
        cr_assert_eq(counter.calls_after_end, 0);
        soon_imap_free(imap);
    }
}

TestOnEach(imap, hands_out_each_once_when_unordered) /* CPython: _TestPool.test_imap_unordered */
{
    static const size_t chunks[] = {0, 1, 2, 3, 100, 1000};

    for (size_t c = 0; c < COUNT(chunks); c++) {
        struct counter counter = {.end = 1000};
        soon_map_options options = {.chunk = chunks[c], .unordered = true, .in_flight_max = c == 2 ? 7 : 0};
        soon_imap *imap = start(executor, &square_task, &options, &counter);
        bool seen[1000] = {false};

        for (int i = 0; i < 1000; i++) {
            soon_future *future;
            uint64_t index;
            int value;

            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, &index), 0);
            cr_assert_eq(soon_take(future, &value), 0);
            cr_assert_lt(index, 1000u);
            cr_assert_not(seen[index]);
            seen[index] = true;
            cr_assert_eq(value, (int)(index * index));
        }
        assert_end(imap);
        soon_imap_free(imap);
    }
}

Test(imap, unordered_does_not_wait_for_a_slow_one)
{
    soon_executor *executor = make_threads(2);
    int list[] = {-1, 1, 2, 3, 4};

    for (size_t chunk = 1; chunk < 3; chunk++) {
        struct counter counter = {.end = 5, .list = list};
        soon_map_options options = {.chunk = chunk, .unordered = true};
        soon_imap *imap = start(executor, &at_gate_task, &options, &counter);

        close_gate();
        list[0] = chunk == 1 ? -1 : 0;
        list[1] = chunk == 1 ? 1 : -1;
        for (int i = 0; i < 4; i++) {
            soon_future *future;
            uint64_t index;

            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, &index), 0);
            cr_assert_neq(index, chunk - 1);
            soon_future_unref(future);
        }
        open_gate();
        assert_next(imap, -1, chunk - 1);
        assert_end(imap);
        soon_imap_free(imap);
    }
    soon_executor_free(executor);
}

TestOnEach(imap,
           of_nothing_ends_at_once) /* CPython: _TestPool.test_empty_iterable, test_map_buffersize_on_empty_iterable */
{
    for (size_t chunk = 1; chunk < 3; chunk++) {
        struct counter counter = {.error_at = 0, .error = SOON_EEND};
        soon_imap *imap =
            start(executor, &square_task, &(soon_map_options){.chunk = chunk, .unordered = true}, &counter);

        assert_end(imap);
        cr_assert_eq(counter.calls_after_end, 0);
        soon_imap_free(imap);
    }
}

/*
 * The bound on what is in flight
 */

TestOnEach(imap, takes_nothing_before_the_first_next)
{
    struct counter counter = {.end = 0};

    soon_imap_free(start(executor, &square_task, NULL, &counter));
    cr_assert_eq(counter.next, 0);
}

TestOnEach(imap, takes_exactly_what_may_be_in_flight) /* CPython: test_map_buffersize, ..._when_buffer_is_full */
{
    static const struct {
        const char *name;
        size_t max, chunk;
        bool unordered;
    } cases[] = {
        {"one", 1, 1, false},
        {"two", 2, 1, false},
        {"all", 10, 1, false},
        {"more than there are", 20, 1, false},
        {"unordered", 3, 1, true},
        {"chunks", 6, 2, false},
        {"a chunk as large as all", 4, 4, false},
        {"a chunk larger than all", 4, 9, true},
        {"chunks that do not fit", 5, 2, false},
    };

    for (size_t c = 0; c < COUNT(cases); c++) {
        struct counter counter = {.end = 10};
        soon_map_options options = {
            .in_flight_max = cases[c].max, .chunk = cases[c].chunk, .unordered = cases[c].unordered};
        soon_imap *imap = start(executor, &square_task, &options, &counter);

        for (int out = 0; out < 10; out++) {
            soon_future *future;
            int max = (int)cases[c].max, most = out + max < 10 ? out + max : 10;

            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
            soon_future_unref(future);
            cr_assert_leq(counter.next, most, "%s: %d at %d", cases[c].name, counter.next, out);
            if (cases[c].chunk == 1 || out == 0)
                cr_assert_eq(counter.next, most, "%s: %d at %d", cases[c].name, counter.next, out);
        }
        assert_end(imap);
        soon_imap_free(imap);
    }
}

Test(imap, has_four_items_per_worker_in_flight_unless_told_otherwise)
{
    soon_executor *executor = make_threads(2);

    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        struct counter counter = {.end = 0};
        soon_imap *imap = start(executor, &square_task, &(soon_map_options){.chunk = chunk}, &counter);

        assert_next(imap, 0, 0);
        cr_assert_eq(counter.next, (int)(8 * chunk));
        soon_imap_free(imap);
    }
    soon_executor_free(executor);
}

TestOnEach(imap, goes_through_a_source_that_never_ends) /* CPython: test_map_buffersize_on_infinite_iterable */
{
    for (size_t chunk = 1; chunk < 9; chunk += 7) {
        struct counter counter = {.end = 0};
        soon_map_options options = {.in_flight_max = 12, .chunk = chunk};
        soon_imap *imap = start(executor, &square_task, &options, &counter);

        for (int i = 0; i < 500; i++)
            assert_next(imap, i * i, (uint64_t)i);
        cr_assert_leq(counter.next, 511);
        soon_imap_free(imap);
    }
}

Test(imap, keeps_nothing_of_what_was_handed_out) /* CPython: test_free_reference */
{
    soon_executor *executor = make_threads(1);
    struct counter counter = {.end = 100};
    soon_imap *imap = start(executor, &square_task, &(soon_map_options){.in_flight_max = 1}, &counter);

    for (int i = 0; i < 100; i++)
        assert_next(imap, i * i, (uint64_t)i);
    soon_executor_free(executor);
    assert_no_leaks();
    soon_imap_free(imap);
}

/*
 * What the items' futures tell
 */

SOON_TASK(tell_label, int, int)
{
    *result = (int)strlen(soon_task_label(task));
    return 0;
}

TestOnEach(imap, items_are_futures_of_their_function)
{
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        struct counter counter = {.end = 5};
        soon_submit_options each = {.label = "five!", .priority = 1};
        soon_imap *imap =
            start(executor, &tell_label_task, &(soon_map_options){.chunk = chunk, .each = &each}, &counter);
        soon_future *future;
        int value;

        each.label = "no more";
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
        cr_assert_eq(tell_label_get(future, 0, &value), 0);
        cr_assert_eq(value, 5);
        cr_assert_eq(square_get(future, 0, &value), SOON_ETYPE);
        cr_assert_str_eq(soon_future_label(future), "five!");
        cr_assert_eq(soon_future_state(future), SOON_FINISHED);
        soon_imap_free(imap);
        cr_assert_str_eq(soon_future_label(future), "five!");
        soon_future_unref(future);
    }
}

static int grow(soon_task *task, const void *arg, void *result)
{
    char text[16];

    (void)result;
    memset(text, 'x', sizeof text);
    return soon_task_return_bytes(task, text, (size_t) * (const int *)arg);
}

static const soon_function grow_task = {.name = "grow", .body = grow, .arg_size = sizeof(int)};

__attribute__((constructor)) static void register_grow(void)
{
    soon_function_register(&grow_task);
}

TestOnEach(imap, takes_results_of_variable_size)
{
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        struct counter counter = {.end = 10};
        soon_imap *imap = start(executor, &grow_task, &(soon_map_options){.chunk = chunk}, &counter);

        for (size_t i = 0; i < 10; i++) {
            soon_future *future;
            soon_bytes bytes;

            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
            cr_assert_eq(soon_future_result(future, 0, &bytes), 0);
            cr_assert_eq(bytes.size, i);
            soon_future_unref(future);
        }
        soon_imap_free(imap);
    }
}

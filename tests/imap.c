/*
 * imap.c - calls on arguments from a source, on every executor.
 */
#include "executors.h"

#include <string.h>

TestSuite(imap, .init = close_gate);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static _Atomic int runs;

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    runs++;
    return 0;
}

SOON_TASK(root, int, int)
{
    runs++;
    if (*arg < 0)
        return soon_raise(task, EDOM, "%d is negative", *arg);
    while (*result * *result < *arg)
        ++*result;
    return 0;
}

/* Negative: waits at the gate. */
SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    runs++;
    return *arg < 0 ? wait_at_gate(task) : 0;
}

/* 0, 1, 2 ... up to `end`, or for ever; or the numbers of a list. */
struct counter {
    int next, end; /* end 0: never */
    const int *list;
    int error_at; /* with `error` */
    int error;
    int calls_after_end;
    bool ended;
};

static int count_up(void *arg, void *data)
{
    struct counter *counter = data;

    cr_assert_eq(*(int *)arg, 0);
    counter->calls_after_end += counter->ended;
    if (counter->error && counter->next == counter->error_at) {
        counter->ended = true;
        return counter->error;
    }
    if (counter->end && counter->next == counter->end) {
        counter->ended = true;
        return 0;
    }
    *(int *)arg = counter->list ? counter->list[counter->next] : counter->next;
    counter->next++;
    return 1;
}

static soon_imap *start(soon_executor *executor, const soon_function *function, const soon_map_options *options,
                        struct counter *counter)
{
    soon_imap *imap;

    cr_assert_eq(soon_imap_new(&imap, executor, function, options, count_up, counter), 0);
    return imap;
}

/* The next item must have this result and place. */
static void assert_next(soon_imap *imap, int result, uint64_t index)
{
    soon_future *future;
    uint64_t place;
    int value;

    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, &place), 0);
    cr_assert(soon_future_done(future));
    cr_assert_eq(soon_take(future, &value), 0);
    cr_assert_eq(value, result);
    cr_assert_eq(place, index);
}

static void assert_end(soon_imap *imap)
{
    soon_future *future = (soon_future *)imap;

    for (int i = 0; i < 3; i++)
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), SOON_EEND);
    cr_assert_eq((void *)future, imap); /* left alone */
}

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
 * Errors
 */

TestOnEach(imap, hands_out_failed_items_like_others) /* CPython: test_map_exception */
{
    int list[] = {1, 4, -9, 16, 25, -36, 49};

    for (size_t chunk = 1; chunk < 9; chunk++) {
        struct counter counter = {.end = 7, .list = list};
        soon_imap *imap = start(executor, &root_task, &(soon_map_options){.chunk = chunk}, &counter);

        for (int i = 0; i < 7; i++) {
            soon_future *future;
            int value = 0;

            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
            cr_assert_eq(soon_result(future, &value), list[i] < 0 ? SOON_ERAISED : 0);
            if (list[i] < 0)
                cr_assert_eq(soon_future_error(future)->raised, EDOM);
            else
                cr_assert_eq(value, i + 1);
            soon_future_unref(future);
        }
        assert_end(imap);
        soon_imap_free(imap);
    }
}

TestOnEach(imap, gives_the_sources_error_at_its_place) /* CPython: test_imap_handle_iterable_exception */
{
    static const struct {
        int total, when;
        size_t chunk;
        bool unordered;
    } cases[] = {{1, 0, 1, false}, {10, 3, 1, false}, {20, 7, 2, false}, {20, 7, 4, false}, {20, 8, 4, false},
                 {1, 0, 1, true},  {10, 3, 1, true},  {20, 7, 2, true},  {20, 0, 3, true}};

    for (size_t c = 0; c < COUNT(cases); c++) {
        struct counter counter = {.end = cases[c].total, .error_at = cases[c].when, .error = -EILSEQ};
        soon_map_options options = {.chunk = cases[c].chunk, .unordered = cases[c].unordered};
        soon_imap *imap = start(executor, &square_task, &options, &counter);
        soon_future *future;

        for (int i = 0; i < cases[c].when; i++) {
            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
            soon_future_unref(future);
        }
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), -EILSEQ);
        assert_end(imap);
        cr_assert_eq(counter.calls_after_end, 0);
        soon_imap_free(imap);
    }
}

TestOnEach(imap, that_stops_at_an_error_cancels_what_is_left)
{
    int list[] = {4, -9, 16, 25, 36, 49, 64, 81};

    for (size_t chunk = 1; chunk < 4; chunk++) {
        struct counter counter = {.end = 0, .list = list};
        soon_map_options options = {.in_flight_max = 4, .chunk = chunk, .stop_at_error = true};
        soon_imap *imap = start(executor, &root_task, &options, &counter);
        soon_future *future;
        int handed_out = 0, rc;

        while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0) {
            int code = soon_future_error(future)->code;

            cr_assert_eq(handed_out == 1, code == SOON_ERAISED);
            cr_assert(handed_out < 2 || code == 0 || code == -ECANCELED);
            soon_future_unref(future);
            handed_out++;
        }
        cr_assert_eq(rc, SOON_EEND);
        cr_assert_leq(handed_out, 5);
        cr_assert_eq(handed_out, counter.next);
        soon_imap_free(imap);
    }
}

TestOnEach(imap, of_an_executor_that_is_shut_down_hands_out_that_error)
{
    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        struct counter counter = {.end = 5};
        soon_imap *imap = start(executor, &square_task, &(soon_map_options){.chunk = chunk}, &counter);

        for (int i = 0; i < 5; i++) {
            soon_future *future;

            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
            cr_assert_eq(soon_future_error(future)->code, SOON_ESHUTDOWN);
            soon_future_unref(future);
        }
        assert_end(imap);
        soon_imap_free(imap);
    }
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

TestOnEach(imap, refuses_bad_arguments)
{
    soon_submit_options data = {.data = &data}, done = {.on_done = ignore_future}, limit = {.queue_limit_ms = -1};
    soon_function no_body = square_task;
    soon_imap *imap = NULL;
    soon_future *future;
    const struct {
        const char *name;
        soon_executor *executor;
        const soon_function *function;
        soon_source_fn next;
        soon_map_options options;
    } cases[] = {
        {"no executor", NULL, &square_task, count_up, {0}},
        {"no function", executor, NULL, count_up, {0}},
        {"no body", executor, &no_body, count_up, {0}},
        {"no source", executor, &square_task, NULL, {0}},
        {"arguments of variable size", executor, &variable_task, count_up, {0}},
        {"a negative timeout", executor, &square_task, count_up, {.timeout_ms = -1}},
        {"each with data", executor, &square_task, count_up, {.each = &data}},
        {"each with on_done", executor, &square_task, count_up, {.each = &done}},
        {"each with a negative limit", executor, &square_task, count_up, {.each = &limit}},
    };

    no_body.body = NULL;
    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_assert_eq(soon_imap_new(&imap, cases[i].executor, cases[i].function, &cases[i].options, cases[i].next, NULL),
                     -EINVAL, "%s", cases[i].name);
        cr_assert_null(imap);
    }
    cr_assert_eq(soon_imap_new(NULL, executor, &square_task, NULL, count_up, NULL), -EINVAL);

    struct counter counter = {.end = 5};
    imap = start(executor, &square_task, NULL, &counter);
    cr_assert_eq(soon_imap_next(NULL, 0, &future, NULL), -EINVAL);
    cr_assert_eq(soon_imap_next(imap, 0, NULL, NULL), -EINVAL);
    cr_assert_eq(soon_imap_next(imap, -2, &future, NULL), -EINVAL);
    cr_assert_eq(counter.next, 0);
    soon_imap_free(imap);
    soon_imap_free(NULL);
}

/*
 * Time
 */

TestOnEach(imap, next_that_timed_out_may_be_repeated)
{
    int list[] = {-5, 1, 2};

    for (int i = 0; i < 4; i++) {
        struct counter counter = {.end = 3, .list = list};
        soon_map_options options = {.chunk = i % 2 ? 3 : 1, .unordered = i > 1, .in_flight_max = 1};
        soon_imap *imap = start(executor, &at_gate_task, &options, &counter);
        soon_future *future = NULL;

        close_gate();
        cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
        cr_assert_eq(soon_imap_next(imap, 15, &future, NULL), -ETIMEDOUT);
        cr_assert_null(future);
        open_gate();
        assert_next(imap, -5, 0);
        assert_next(imap, 1, 1);
        assert_next(imap, 2, 2);
        assert_end(imap);
        soon_imap_free(imap);
    }
}

TestOnEach(imap, ends_when_the_whole_time_is_over) /* CPython: test_map_timeout */
{
    int list[] = {1, 2, -3, -4, -5, -6, -7, -8, -9, -10};

    for (int i = 0; i < 4; i++) {
        struct counter counter = {.end = 10, .list = list};
        soon_map_options options = {.chunk = i % 2 ? 2 : 1, .unordered = i > 1, .in_flight_max = 6, .timeout_ms = 60};
        soon_imap *imap = start(executor, &at_gate_task, &options, &counter);
        soon_future *future;
        int handed_out = 0, rc;

        close_gate();
        while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0) {
            cr_assert_lt(handed_out++, 2);
            soon_future_unref(future);
        }
        cr_assert_eq(rc, -ETIMEDOUT);
        assert_end(imap); /* and what runs was asked to end: nobody opens the gate */
        cr_assert_leq(counter.next, 8);
        soon_imap_free(imap);
    }
}

TestOnEach(imap, takes_nothing_more_when_the_whole_time_is_over)
{
    struct counter counter = {.end = 0};
    soon_imap *imap = start(executor, &square_task, &(soon_map_options){.timeout_ms = 20}, &counter);
    soon_future *future;
    int taken, rc;

    while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0)
        soon_future_unref(future);
    cr_assert_eq(rc, -ETIMEDOUT);
    taken = counter.next;
    assert_end(imap);
    cr_assert_eq(counter.next, taken);
    soon_imap_free(imap);
}

/*
 * Freeing
 */

static bool is_quiet(soon_executor *executor)
{
    soon_stats stats;

    soon_executor_stats(executor, &stats);
    return stats.pending == 0 && stats.running == 0;
}

TestOnEach(imap, free_cancels_what_is_in_flight_and_does_not_wait) /* CPython 3.16: test_map_close */
{
    int list[] = {0, -1, -1, -1, -1, -1, -1, -1, -1, -1};

    for (int i = 0; i < 4; i++) {
        struct counter counter = {.end = 10, .list = list};
        soon_map_options options = {.chunk = i % 2 ? 2 : 1, .unordered = i > 1, .in_flight_max = 10};
        soon_imap *imap = start(executor, &at_gate_task, &options, &counter);

        close_gate();
        assert_next(imap, 0, 0);
        await_arrivals(1);
        soon_imap_free(imap);
        cr_assert_leq(arrivals(), 4);
        test_wait_until(is_quiet(executor)); /* nobody opens the gate */
    }
}

static _Atomic int alive;

struct text {
    char *text;
};

static void free_text(void *data)
{
    alive--;
    free(((struct text *)data)->text);
}

/* "!" fails, "?" waits, others are copied. */
SOON_TASK_LOCAL(copy, struct text, struct text, free_text, free_text)
{
    if (arg->text[0] == '!')
        return EINVAL;
    if (arg->text[0] == '?' && wait_at_gate(task) < 0)
        return -ECANCELED;
    result->text = strdup(arg->text);
    alive++;
    return 0;
}

static int next_text(void *arg, void *data)
{
    const char **texts = data;

    if (!**texts)
        return 0;
    *(struct text *)arg = (struct text){strndup((*texts)++, 1)};
    alive++;
    return 1;
}

TestOnEach(imap, releases_arguments_and_results_once)
{
    for (int i = 0; i < 8; i++) {
        const char *texts = i < 4 ? "abc!defg!h" : "a???????????";
        soon_map_options options = {.chunk = i % 2 ? 3 : 1, .unordered = i & 2, .in_flight_max = 8};
        soon_imap *imap;
        soon_future *future;
        struct text text;

        close_gate();
        cr_assert_eq(soon_imap_new(&imap, executor, &copy_task, &options, next_text, &texts), 0);
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
        if (soon_future_succeeded(future)) {
            cr_assert_eq(soon_take(future, &text), 0);
            free_text(&text);
        } else {
            soon_future_unref(future);
        }
        while (i < 4 && soon_imap_next(imap, SOON_FOREVER, &future, NULL) == 0)
            soon_future_unref(future);
        soon_imap_free(imap);
        open_gate();
        test_wait_until(alive == 0);
    }
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

TestOnEach(imap, takes_results_of_variable_size)
{
    static const soon_function function = {.name = "grow", .body = grow, .arg_size = sizeof(int)};

    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        struct counter counter = {.end = 10};
        soon_imap *imap = start(executor, &function, &(soon_map_options){.chunk = chunk}, &counter);

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

/*
 * Threads
 */

struct shared {
    soon_imap *imap;
    _Atomic int inside, count;
    _Atomic bool twice;
};

static int never_two_at_once(void *arg, void *data)
{
    struct shared *shared = data;

    if (shared->inside++)
        shared->twice = true;
    *(int *)arg = shared->count;
    sched_yield();
    shared->inside--;
    return shared->count++ < 2000;
}

static void *drain(void *data)
{
    struct shared *shared = data;
    soon_future *future;
    long count = 0;

    while (soon_imap_next(shared->imap, SOON_FOREVER, &future, NULL) == 0) {
        soon_future_unref(future);
        count++;
    }
    return (void *)count;
}

TestOnEach(imap, serves_several_threads_one_after_the_other)
{
    for (int i = 0; i < 4; i++) {
        struct shared shared = {.count = 0};
        soon_map_options options = {.chunk = i % 2 ? 5 : 1, .unordered = i > 1};
        pthread_t threads[4];
        long sum = 0;

        cr_assert_eq(soon_imap_new(&shared.imap, executor, &square_task, &options, never_two_at_once, &shared), 0);
        for (int t = 0; t < 4; t++)
            cr_assert_eq(pthread_create(&threads[t], NULL, drain, &shared), 0);
        for (int t = 0; t < 4; t++) {
            void *count;

            pthread_join(threads[t], &count);
            sum += (long)count;
        }
        cr_assert_eq(sum, 2000);
        cr_assert_not(shared.twice);
        soon_imap_free(shared.imap);
    }
}

static void *poll_next(void *data)
{
    soon_future *future;

    return (void *)(long)soon_imap_next(data, 10, &future, NULL);
}

Test(imap, waits_for_its_turn_no_longer_than_it_has_time)
{
    soon_executor *executor = make_threads(1);
    int list[] = {-1};
    struct counter counter = {.end = 1, .list = list};
    struct shared shared = {.imap = start(executor, &at_gate_task, NULL, &counter)};
    pthread_t first, second;
    void *code;

    pthread_create(&first, NULL, drain, &shared);
    await_arrivals(1);
    pthread_create(&second, NULL, poll_next, shared.imap);
    pthread_join(second, &code);
    cr_assert_eq((long)code, -ETIMEDOUT);
    open_gate();
    pthread_join(first, &code);
    cr_assert_eq((long)code, 1);
    soon_imap_free(shared.imap);
    soon_executor_free(executor);
}

static int ask_itself(void *arg, void *data)
{
    soon_future *future;

    *(int *)arg = -soon_imap_next(*(soon_imap **)data, SOON_FOREVER, &future, NULL);
    return 1;
}

TestOnEach(imap, source_that_asks_its_own_imap_is_told)
{
    soon_imap *imap;
    soon_future *future;
    int value;

    cr_assert_eq(soon_imap_new(&imap, executor, &at_gate_task, NULL, ask_itself, &imap), 0);
    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
    cr_assert_eq(soon_take(future, &value), 0);
    cr_assert_eq(value, -SOON_EDEADLK);
    soon_imap_free(imap);
}

SOON_TASK(sum_up, int, int)
{
    struct counter counter = {.end = 20};
    soon_map_options options = {.chunk = (size_t)(*arg & 3), .unordered = *arg & 4};
    soon_imap *imap;
    soon_future *future;
    int value, rc = soon_imap_new(&imap, soon_task_executor(task), &square_task, &options, count_up, &counter);

    *result = 0;
    while (rc == 0 && (rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0) {
        rc = soon_take(future, &value);
        *result += value;
    }
    soon_imap_free(imap);
    return rc == SOON_EEND ? 0 : rc;
}

TestOnEach(imap, nested_in_tasks_of_one_executor_does_not_deadlock)
{
    struct counter counter = {.end = 8};
    soon_imap *imap = start(executor, &sum_up_task, NULL, &counter);

    for (int i = 0; i < 8; i++)
        assert_next(imap, 2470, (uint64_t)i);
    soon_imap_free(imap);
}

/*
 * A bounded queue
 */

Test(imap, gets_along_with_a_bounded_queue)
{
    for (int i = 0; i < 4; i++) {
        soon_thread_pool_options pool = {
            .workers = 1, .queue_max = 2, .when_full = i & 2 ? SOON_FULL_RUN_HERE : SOON_FULL_BLOCK};
        soon_map_options options = {.chunk = i & 1 ? 3 : 1, .in_flight_max = 20};
        struct counter counter = {.end = 200};
        soon_executor *executor;
        soon_imap *imap;

        cr_assert_eq(soon_thread_pool_new(&executor, &pool), 0);
        imap = start(executor, &square_task, &options, &counter);
        for (int j = 0; j < 200; j++)
            assert_next(imap, j * j, (uint64_t)j);
        assert_end(imap);
        soon_imap_free(imap);
        soon_executor_free(executor);
    }
}

Test(imap, with_a_timeout_does_not_wait_for_a_place_in_the_queue)
{
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        soon_thread_pool_options pool = {.workers = 1, .queue_max = 1};
        soon_map_options options = {.chunk = chunk};
        int list[] = {-1, 1, 2, 3, 4, 5, 6, 7};
        struct counter counter = {.end = 8, .list = list};
        soon_future *others[2], *future;
        soon_executor *executor;
        soon_imap *imap;

        close_gate();
        cr_assert_eq(soon_thread_pool_new(&executor, &pool), 0);
        others[0] = soon_submit(executor, at_gate, -1);
        await_arrivals(1);
        others[1] = soon_submit(executor, at_gate, -1);

        imap = start(executor, &at_gate_task, &options, &counter);
        cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
        cr_assert_eq(soon_imap_next(imap, 20, &future, NULL), -ETIMEDOUT);
        cr_assert_eq(counter.next, (int)chunk);
        open_gate();
        for (int i = 0; i < 8; i++)
            assert_next(imap, list[i], (uint64_t)i);
        assert_end(imap);
        soon_imap_free(imap);
        soon_futures_unref(others, 2);
        soon_executor_free(executor);
    }
}

Test(imap, hands_out_items_that_found_the_queue_full_where_the_policy_says_so)
{
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        soon_thread_pool_options pool = {.workers = 1, .queue_max = 1, .when_full = SOON_FULL_FAIL};
        soon_map_options options = {.chunk = chunk, .in_flight_max = 9};
        int list[] = {-1, 1, 2, 3, 4, 5, 6, 7, 8}, failed = 0;
        struct counter counter = {.end = 9, .list = list};
        soon_future *other, *future;
        soon_executor *executor;
        soon_imap *imap;

        close_gate();
        cr_assert_eq(soon_thread_pool_new(&executor, &pool), 0);
        other = soon_submit(executor, at_gate, -1);
        await_arrivals(1);
        imap = start(executor, &at_gate_task, &options, &counter);
        cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
        open_gate();
        for (int i = 0; i < 9; i++) {
            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
            failed += soon_future_error(future)->code == SOON_EFULL;
            soon_future_unref(future);
        }
        cr_assert_eq(failed, chunk == 1 ? 8 : 6);
        assert_end(imap);
        soon_imap_free(imap);
        soon_future_unref(other);
        soon_executor_free(executor);
    }
}

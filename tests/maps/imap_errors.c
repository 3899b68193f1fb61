/*
 * imap_errors.c - imap over items that fail, a source that fails, an executor that refuses; bad arguments; what is
 * released.
 */
#include "imap_fixture.h"

TestSuite(imap_errors, .init = close_gate);

TestOnEach(imap_errors, hands_out_failed_items_like_others) /* CPython: test_map_exception */
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

TestOnEach(imap_errors, gives_the_sources_error_at_its_place) /* CPython: test_imap_handle_iterable_exception */
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

TestOnEach(imap_errors, that_stops_at_an_error_cancels_what_is_left)
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

SOON_TASK_BYTES(variable)
{
    return 0;
}

static void ignore_future(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

TestOnEach(imap_errors, refuses_bad_arguments)
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
 * Freeing
 */

static bool is_quiet(soon_executor *executor)
{
    soon_stats stats;

    soon_executor_stats(executor, &stats);
    return stats.pending == 0 && stats.running == 0;
}

TestOnEach(imap_errors, free_cancels_what_is_in_flight_and_does_not_wait) /* CPython 3.16: test_map_close */
{
    int list[] = {0, -1, -1, -1, -1, -1, -1, -1, -1, -1};

    for (int i = 0; i < 4; i++) {
        struct counter counter = {.end = 10, .list = list};
        /* A process tells of the items of a chunk between them, not while one of them runs. */
        size_t chunk = i % 2 && !tasks_are_elsewhere ? 2 : 1;
        soon_map_options options = {.chunk = chunk, .unordered = i > 1, .in_flight_max = 10};
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

TestOnEach(imap_errors, releases_arguments_and_results_once)
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

/*
 * future.c - the reader's half: states, cancel, result, exception, error, take, references, what a submit gave along.
 */
#include "../support/futures.h"

/* The states of CPython's tests, whose cancelled comes in two kinds. */
static const struct row {
    const char *name;
    struct halves (*make)(void);
    soon_state state;
    bool done, running, cancelled, succeeded;
    bool cancel; /* what soon_future_cancel() returns */
    soon_state after_cancel;
    int wait;      /* soon_future_wait() with timeout 0 */
    int result;    /* soon_future_result() with timeout 0 */
    int exception; /* soon_future_exception() with timeout 0 */
    int error;     /* the code of soon_future_error() */
} rows[] = {
    {"pending", pending, SOON_PENDING, .cancel = true, .after_cancel = SOON_CANCELLED, .wait = -ETIMEDOUT,
     .result = -ETIMEDOUT, .exception = -ETIMEDOUT},
    {"running", running, SOON_RUNNING, .running = true, .after_cancel = SOON_RUNNING, .wait = -ETIMEDOUT,
     .result = -ETIMEDOUT, .exception = -ETIMEDOUT},
    {"cancelled", cancelled, SOON_CANCELLED, .done = true, .cancelled = true, .cancel = true,
     .after_cancel = SOON_CANCELLED, .result = -ECANCELED, .exception = -ECANCELED, .error = -ECANCELED},
    {"failed", failed, SOON_FINISHED, .done = true, .after_cancel = SOON_FINISHED, .result = SOON_ERAISED,
     .error = SOON_ERAISED},
    {"successful", successful, SOON_FINISHED, .done = true, .succeeded = true, .after_cancel = SOON_FINISHED},
};

/* CPython: test_cancel */
Test(future, cancel)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct halves both = rows[i].make();

        cr_assert_eq(soon_future_cancel(both.future), rows[i].cancel, "%s", rows[i].name);
        cr_assert_eq(soon_future_state(both.future), rows[i].after_cancel, "%s", rows[i].name);
        release(both);
    }
}

/* CPython: test_cancelled, test_done, test_running */
Test(future, tells_its_state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct halves both = rows[i].make();

        cr_assert_eq(soon_future_state(both.future), rows[i].state, "%s", rows[i].name);
        cr_assert_eq(soon_future_cancelled(both.future), rows[i].cancelled, "%s", rows[i].name);
        cr_assert_eq(soon_future_done(both.future), rows[i].done, "%s", rows[i].name);
        cr_assert_eq(soon_future_running(both.future), rows[i].running, "%s", rows[i].name);
        cr_assert_eq(soon_future_succeeded(both.future), rows[i].succeeded, "%s", rows[i].name);
        release(both);
    }
}

/* CPython: test_result_with_timeout */
Test(future, result_polled_in_every_state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct halves both = rows[i].make();
        soon_bytes bytes = {.size = 99};
        int value = 99;

        cr_assert_eq(soon_future_wait(both.future, 0), rows[i].wait, "%s", rows[i].name);
        cr_assert_eq(soon_future_result(both.future, 0, &bytes), rows[i].result, "%s", rows[i].name);
        cr_assert_eq(bytes.size, rows[i].result ? 99 : sizeof value, "%s", rows[i].name);
        cr_assert_eq(soon_result_within(both.future, 0, &value), rows[i].result, "%s", rows[i].name);
        cr_assert_eq(value, rows[i].result ? 99 : 42, "%s", rows[i].name);
        release(both);
    }
}

/* CPython: test_exception_with_timeout */
Test(future, exception_polled_in_every_state)
{
    static const soon_error untouched;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct halves both = rows[i].make();
        const soon_error *error = &untouched;

        cr_assert_eq(soon_future_exception(both.future, 0, &error), rows[i].exception, "%s", rows[i].name);
        if (rows[i].exception < 0)
            cr_assert_eq(error, &untouched, "%s", rows[i].name);
        else
            cr_assert_eq(error ? error->code : 0, rows[i].error, "%s", rows[i].name);
        cr_assert_eq(soon_future_error(both.future)->code, rows[i].error, "%s", rows[i].name);
        cr_assert_not_null(soon_future_error(both.future)->message, "%s", rows[i].name);
        release(both);
    }
}

/*
 * Waiting
 */

/* CPython: test_result_with_success */
Test(future, result_waits_for_another_thread)
{
    struct halves both = pending();
    struct reader *reader = start_reading(both.future);

    set_int(both.promise, 42);

    cr_assert_eq(end_reading(reader), 0);
    cr_assert_eq(int_of(both.future), 42);
    release(both);
}

/* CPython: test_result_with_cancel */
Test(future, cancel_wakes_a_thread_blocked_in_result)
{
    struct halves both = pending();
    struct reader *reader = start_reading(both.future);

    cr_assert(soon_future_cancel(both.future));

    cr_assert_eq(end_reading(reader), -ECANCELED);
    release(both);
}

static void *wait_for_the_exception(void *data)
{
    static const soon_error *error;

    return soon_future_exception(data, SOON_FOREVER, &error) == 0 ? (void *)error : NULL;
}

/* CPython: test_exception_with_success */
Test(future, exception_waits_for_another_thread)
{
    struct halves both = pending();
    pthread_t thread;
    void *error;

    start_thread(&thread, wait_for_the_exception, both.future);
    test_wait_until(has_sleeper(both.future));
    cr_assert_eq(soon_promise_set_exception(both.promise, EIO, NULL), 0);

    pthread_join(thread, &error);
    cr_assert_eq(error, soon_future_error(both.future));
    cr_assert_eq(((const soon_error *)error)->raised, EIO);
    release(both);
}

Test(future, a_wait_ends_with_its_time)
{
    struct halves both = pending();
    const soon_error *error;
    int value;

    cr_assert_eq(soon_future_wait(both.future, 1), -ETIMEDOUT);
    cr_assert_eq(soon_result_within(both.future, 1, &value), -ETIMEDOUT);
    cr_assert_eq(soon_future_exception(both.future, 1, &error), -ETIMEDOUT);
    set_int(both.promise, 3);
    cr_assert_eq(soon_future_wait(both.future, 1), 0);

    release(both);
}

static void *wait_for_longer_than_there_is(void *data)
{
    return (void *)(intptr_t)soon_future_wait(data, INT64_MAX);
}

Test(future, the_longest_timeout_does_not_overflow)
{
    struct halves both = pending();
    pthread_t thread;
    void *rc;

    start_thread(&thread, wait_for_longer_than_there_is, both.future);
    test_wait_until(has_sleeper(both.future));
    set_int(both.promise, 3);

    pthread_join(thread, &rc);
    cr_assert_eq((intptr_t)rc, 0);
    release(both);
}

Test(future, timeouts_below_forever_are_refused)
{
    struct halves states[] = {pending(), successful()};

    for (size_t i = 0; i < COUNT(states); i++) {
        const soon_error *error;
        soon_bytes bytes;
        int value;

        for (int64_t timeout = -2; timeout != INT64_MIN; timeout = timeout == -2 ? INT64_MIN + 1 : INT64_MIN) {
            cr_assert_eq(soon_future_wait(states[i].future, timeout), -EINVAL);
            cr_assert_eq(soon_future_result(states[i].future, timeout, &bytes), -EINVAL);
            cr_assert_eq(soon_future_read(states[i].future, timeout, &value, sizeof value), -EINVAL);
            cr_assert_eq(soon_future_exception(states[i].future, timeout, &error), -EINVAL);
        }
        release(states[i]);
    }
}

/*
 * Reading
 */

Test(future, read_wants_the_results_size)
{
    struct halves both = successful();
    char small = 7;
    long long large = 7;

    cr_assert_eq(soon_result(both.future, &small), SOON_ETYPE);
    cr_assert_eq(soon_result(both.future, &large), SOON_ETYPE);
    cr_assert_eq(soon_future_read(both.future, 0, NULL, 0), SOON_ETYPE);
    cr_assert(small == 7 && large == 7);
    cr_assert_eq(int_of(both.future), 42);

    release(both);
}

Test(future, read_of_a_failed_one_says_why_before_the_size)
{
    struct halves both = failed();
    char small;

    cr_assert_eq(soon_result(both.future, &small), SOON_ERAISED);
    cr_assert_eq(soon_future_error(both.future)->raised, EIO);

    release(both);
}

Test(future, take_gives_up_the_reference_whatever_happens)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct halves both = rows[i].make();
        int value = 99;

        if (rows[i].done)
            cr_assert_eq(soon_take(both.future, &value), rows[i].result, "%s", rows[i].name);
        else
            soon_future_unref(both.future);
        soon_promise_free(both.promise);
        assert_alive(0);
    }
}

Test(future, take_gives_up_the_reference_when_the_size_is_wrong)
{
    struct halves both = successful();
    char value;

    cr_assert_eq(soon_take(both.future, &value), SOON_ETYPE);

    soon_promise_free(both.promise);
}

static void *take_int(void *data)
{
    int value = -1;

    cr_assert_eq(soon_take((soon_future *)data, &value), 0);
    return (void *)(intptr_t)value;
}

Test(future, take_waits)
{
    struct halves both = pending();
    pthread_t thread;
    void *value;

    start_thread(&thread, take_int, both.future);
    test_wait_until(has_sleeper(both.future));
    set_int(both.promise, 5);

    pthread_join(thread, &value);
    cr_assert_eq((intptr_t)value, 5);
    soon_promise_free(both.promise);
}

Test(future, the_outcome_outlives_its_promise)
{
    struct halves both = successful();

    soon_promise_free(both.promise);
    cr_assert_eq(int_of(both.future), 42);

    soon_future_unref(both.future);
}

/* CPython: test_repr has the nearest in Python: what can be printed of each state. */
Test(future, has_a_text_for_every_state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct halves both = rows[i].make();

        cr_assert_not_null(soon_future_error(both.future)->message);
        cr_assert_not_null(soon_future_error(both.future)->function);
        cr_assert_not_null(soon_future_error(both.future)->label);
        cr_assert_str_eq(soon_future_label(both.future), "");
        cr_assert_null(soon_future_data(both.future));
        cr_assert_null(soon_future_payload(both.future));
        release(both);
    }
}

/*
 * References
 */

Test(future, ref_returns_it_and_each_reference_holds_it)
{
    struct halves both = successful();

    cr_assert_eq(soon_future_ref(both.future), both.future);
    release(both);
    cr_assert_eq(soon__blocks_alive(), 1);
    cr_assert_eq(int_of(both.future), 42);

    soon_future_unref(both.future);
    cr_assert_eq(soon__blocks_alive(), 0);
}

Test(future, unref_does_not_cancel)
{
    struct halves both = pending();

    soon_future_unref(both.future);
    cr_assert_not(soon_promise_cancel_requested(both.promise));
    cr_assert_eq(soon_promise_set_running(both.promise), 0);

    soon_promise_free(both.promise);
}

TestMisuse(future, one_unref_too_many_while_it_lives)
{
    struct halves both = successful();

    soon_future_unref(both.future);
    soon_future_unref(both.future);

    cr_assert_eq(soon__blocks_alive(), 1, "the maker still has it");
    soon_future_unref(soon_promise_future(both.promise));
    soon_promise_free(both.promise);
}

TestMisuse(future, one_unref_too_many_by_take)
{
    struct halves both = successful();
    int value;

    soon_future_unref(both.future);
    cr_assert_eq(soon_take(both.future, &value), 0);

    soon_promise_free(both.promise);
}

Test(future, ends_with_its_scope)
{
    soon_promise *promise;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    {
        SOON_AUTO_FUTURE *future = soon_promise_future(promise);

        cr_assert_not(soon_future_done(future));
    }
    soon_promise_free(promise);
}

Test(future, many_are_given_up_at_once)
{
    struct halves a = pending(), b = successful();
    soon_future *const futures[] = {a.future, NULL, b.future};

    soon_futures_unref(futures, COUNT(futures));
    soon_futures_unref(NULL, 0);

    soon_promise_free(a.promise);
    soon_promise_free(b.promise);
}

Test(future, many_are_cancelled_at_once_and_counted)
{
    struct halves all[COUNT(rows)];
    soon_future *futures[COUNT(rows) + 1] = {NULL};

    for (size_t i = 0; i < COUNT(rows); i++) {
        all[i] = rows[i].make();
        futures[i + 1] = all[i].future;
    }

    cr_assert_eq(soon_futures_cancel(futures, COUNT(futures)), 2); /* pending, and cancelled before */
    cr_assert_eq(soon_futures_cancel(NULL, 0), 0);

    for (size_t i = 0; i < COUNT(rows); i++)
        release(all[i]);
}

/*
 * What a submit gave along
 */

SOON_TASK(twice, int, int)
{
    *result = 2 * *arg;
    return 0;
}

Test(future, shows_label_and_data_of_its_submit)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    char label[] = "GET /image";
    int data;
    soon_future *plain = soon_submit(executor, twice, 3);
    soon_future *future = soon_submit_with(executor, (.label = label, .data = &data), twice, 4);

    label[0] = 'x'; /* it was copied */
    cr_assert_str_eq(soon_future_label(future), "GET /image");
    cr_assert_eq(soon_future_data(future), &data);
    cr_assert_str_eq(soon_future_label(plain), "");
    cr_assert_null(soon_future_data(plain));
    cr_assert_eq(soon_executor_free(executor), 0);

    cr_assert_eq(int_of(future), 8);
    cr_assert_str_eq(soon_future_label(future), "GET /image", "also when the executor is gone");
    cr_assert_eq(soon_future_data(future), &data);
    soon_future_unref(future);
    soon_future_unref(plain);
}

Test(future, a_result_is_aligned_for_any_type)
{
    soon_executor *executor = make_inline();

    for (int i = 0; i < 10; i++) {
        soon_future *future = soon_submit(executor, twice, i);
        soon_bytes bytes;

        cr_assert_eq(soon_future_result(future, 0, &bytes), 0);
        cr_assert_eq((uintptr_t)bytes.data % test_alignment(bytes.size), 0);
        soon_future_unref(future);
    }
    cr_assert_eq(soon_executor_free(executor), 0);
}

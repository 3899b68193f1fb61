/*
 * promise.c - the maker's half: what each setter answers in each state, the hooks, the end of a promise.
 */
#include "../support/futures.h"

#include <stdio.h>

static struct halves abandoned(void)
{
    struct halves both = pending();

    soon_promise_free(both.promise);
    both.promise = NULL;
    return both;
}

Test(promise, has_a_pending_future)
{
    struct halves both = pending();

    cr_assert_eq(soon_future_state(both.future), SOON_PENDING);
    cr_assert_not(soon_promise_cancel_requested(both.promise));

    release(both);
}

Test(promise, each_asking_for_the_future_is_a_reference)
{
    struct halves both = pending();
    soon_future *again = soon_promise_future(both.promise);

    cr_assert_eq(again, both.future);
    release(both);
    cr_assert_eq(code_of(again), SOON_EABANDONED);

    soon_future_unref(again);
}

Test(promise, needs_a_place_for_the_answer)
{
    cr_assert_eq(soon_promise_new(NULL, NULL), -EINVAL);
}

Test(promise, may_have_no_reader_at_all)
{
    soon_promise *promise;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    set_int(promise, 1);
    soon_promise_free(promise);
}

/*
 * Setters
 */

static int set_running(soon_promise *promise)
{
    return soon_promise_set_running(promise);
}
static int set_result(soon_promise *promise)
{
    return soon_promise_set_result(promise, "late", 5);
}
static int set_exception(soon_promise *promise)
{
    return soon_promise_set_exception(promise, EDOM, "late");
}
static int set_error(soon_promise *promise)
{
    return soon_promise_set_error(promise, &(soon_error){.code = SOON_EBROKEN});
}
static int set_cancelled(soon_promise *promise)
{
    return soon_promise_set_cancelled(promise);
}
static int set_payload(soon_promise *promise)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_new(&buffer, 1), 0);
    return soon_promise_set_payload(promise, buffer);
}

Test(promise, setters_answer_by_the_state)
{
    static const struct {
        const char *name;
        int (*set)(soon_promise *promise);
        int pending, running, cancelled, finished;
    } setters[] = {
        {"set_running", set_running, 0, SOON_EINVALIDSTATE, -ECANCELED, SOON_EINVALIDSTATE},
        {"set_result", set_result, 0, 0, SOON_EINVALIDSTATE, SOON_EINVALIDSTATE},
        {"set_exception", set_exception, 0, 0, SOON_EINVALIDSTATE, SOON_EINVALIDSTATE},
        {"set_error", set_error, 0, 0, SOON_EINVALIDSTATE, SOON_EINVALIDSTATE},
        {"set_cancelled", set_cancelled, 0, 0, SOON_EINVALIDSTATE, SOON_EINVALIDSTATE},
        {"set_payload", set_payload, 0, 0, SOON_EINVALIDSTATE, SOON_EINVALIDSTATE},
    };

    for (size_t i = 0; i < COUNT(setters); i++) {
        const struct {
            struct halves both;
            int expected;
        } states[] = {
            {pending(), setters[i].pending}, {running(), setters[i].running},     {cancelled(), setters[i].cancelled},
            {failed(), setters[i].finished}, {successful(), setters[i].finished},
        };

        for (size_t j = 0; j < COUNT(states); j++) {
            soon_state before = soon_future_state(states[j].both.future);
            int code = code_of(states[j].both.future);

            cr_assert_eq(setters[i].set(states[j].both.promise), states[j].expected, "%s, state %d", setters[i].name,
                         (int)before);
            if (states[j].expected < 0) {
                cr_assert_eq(soon_future_state(states[j].both.future), before, "%s", setters[i].name);
                cr_assert_eq(code_of(states[j].both.future), code, "%s", setters[i].name);
            }
            release(states[j].both);
        }
    }
}

Test(promise, setters_refuse_null)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_new(&buffer, 1), 0);

    cr_assert_eq(soon_promise_set_running(NULL), -EINVAL);
    cr_assert_eq(soon_promise_set_result(NULL, "", 0), -EINVAL);
    cr_assert_eq(soon_promise_set_payload(NULL, buffer), -EINVAL); /* it takes the buffer all the same */
    cr_assert_eq(soon_promise_set_exception(NULL, EDOM, NULL), -EINVAL);
    cr_assert_eq(soon_promise_set_error(NULL, &(soon_error){.code = -EIO}), -EINVAL);
    cr_assert_eq(soon_promise_set_cancelled(NULL), -EINVAL);
    soon_promise_free(NULL);
}

Test(promise, arguments_that_make_no_sense_leave_it_unresolved)
{
    struct halves both = pending();

    cr_assert_eq(soon_promise_set_result(both.promise, NULL, 1), -EINVAL);
    cr_assert_eq(soon_promise_set_payload(both.promise, NULL), -EINVAL);
    cr_assert_eq(soon_promise_set_exception(both.promise, 0, "none"), -EINVAL);
    cr_assert_eq(soon_promise_set_error(both.promise, NULL), -EINVAL);
    cr_assert_eq(soon_promise_set_error(both.promise, &(soon_error){.code = 0}), -EINVAL);
    cr_assert_eq(soon_promise_set_error(both.promise, &(soon_error){.code = 1}), -EINVAL);
    cr_assert_eq(soon_future_state(both.future), SOON_PENDING);

    release(both);
}

/* CPython: test_multiple_set_result */
Test(promise, the_first_result_stays)
{
    struct halves both = pending();

    set_int(both.promise, 1);
    cr_assert_eq(soon_promise_set_result(both.promise, &(int){2}, sizeof(int)), SOON_EINVALIDSTATE);
    cr_assert(soon_future_done(both.future));
    cr_assert_eq(int_of(both.future), 1);

    release(both);
}

/* CPython: test_multiple_set_exception */
Test(promise, the_first_exception_stays)
{
    struct halves both = pending();

    cr_assert_eq(soon_promise_set_exception(both.promise, EDOM, "first"), 0);
    cr_assert_eq(soon_promise_set_exception(both.promise, EIO, "second"), SOON_EINVALIDSTATE);
    cr_assert_eq(soon_future_error(both.future)->raised, EDOM);
    cr_assert_str_eq(soon_future_error(both.future)->message, "first");

    release(both);
}

Test(promise, copies_the_result)
{
    struct halves both = pending();
    char text[] = "abc";
    soon_bytes bytes;

    cr_assert_eq(soon_promise_set_result(both.promise, text, sizeof text), 0);
    text[0] = 'x';

    cr_assert_eq(soon_future_result(both.future, 0, &bytes), 0);
    cr_assert_eq(bytes.size, sizeof text);
    cr_assert_str_eq(bytes.data, "abc");
    cr_assert_eq((uintptr_t)bytes.data % _Alignof(max_align_t), 0);

    release(both);
}

Test(promise, may_have_a_result_without_bytes)
{
    struct halves both = pending();
    soon_bytes bytes = {.size = 7};

    cr_assert_eq(soon_promise_set_result(both.promise, NULL, 0), 0);
    cr_assert_eq(soon_future_result(both.future, 0, &bytes), 0);
    cr_assert_eq(bytes.size, 0);
    cr_assert_eq(soon_future_read(both.future, 0, NULL, 0), 0);

    release(both);
}

/*
 * Errors
 */

Test(promise, a_code_of_ours_is_the_errors_code_and_any_other_is_raised)
{
    static const struct {
        int given, code, raised;
    } rows[] = {
        {EDOM, SOON_ERAISED, EDOM},   {-EDOM, SOON_ERAISED, -EDOM},    {7, SOON_ERAISED, 7},
        {-1, SOON_ERAISED, -1},       {SOON_EKILLED, SOON_EKILLED, 0}, {SOON_EWORKERDIED, SOON_EWORKERDIED, 0},
        {-5000, SOON_ERAISED, -5000}, {-5999, SOON_ERAISED, -5999},    {-ECANCELED, SOON_ERAISED, -ECANCELED},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct halves both = running();
        const soon_error *error;

        cr_assert_eq(soon_promise_set_exception(both.promise, rows[i].given, "%s %d", "number", 5), 0);
        error = soon_future_error(both.future);

        cr_assert_eq(soon_future_state(both.future), SOON_FINISHED);
        cr_assert_eq(code_of(both.future), rows[i].code, "of %d", rows[i].given);
        cr_assert_eq(error->code, rows[i].code, "of %d", rows[i].given);
        cr_assert_eq(error->raised, rows[i].raised, "of %d", rows[i].given);
        cr_assert_str_eq(error->message, "number 5");
        cr_assert_str_eq(error->function, "");
        cr_assert_str_eq(error->label, "");
        release(both);
    }
}

Test(promise, an_exception_without_a_text_has_that_of_its_code)
{
    static const int codes[] = {EDOM, -EDOM, SOON_EKILLED};

    for (size_t i = 0; i < COUNT(codes); i++) {
        struct halves both = pending();

        cr_assert_eq(soon_promise_set_exception(both.promise, codes[i], NULL), 0);
        cr_assert_str_eq(soon_future_error(both.future)->message, soon_strerror(codes[i]));
        release(both);
    }
}

Test(promise, messages_are_one_line_of_any_length)
{
    static char text[5000];
    struct halves both = pending();
    const char *message;

    memset(text, 'x', sizeof text - 1);
    text[10] = '\n';
    text[4000] = '\r';
    cr_assert_eq(soon_promise_set_exception(both.promise, EDOM, "%s", text), 0);

    message = soon_future_error(both.future)->message;
    text[10] = text[4000] = ' ';
    cr_assert_str_eq(message, text);

    release(both);
}

Test(promise, an_error_says_whether_the_work_had_begun)
{
    const struct {
        struct halves both;
        bool started;
    } rows[] = {{pending(), false}, {running(), true}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_assert_eq(soon_promise_set_exception(rows[i].both.promise, EDOM, NULL), 0);
        cr_assert_eq(soon_future_error(rows[i].both.future)->started, rows[i].started);
        release(rows[i].both);
    }
}

Test(promise, set_error_passes_on_a_copy)
{
    struct halves both = pending();
    char message[] = "two\nlines", function[] = "work", label[] = "GET /", host[] = "blade7", worker[] = "blade7-12";
    soon_error given = {.code = SOON_EWORKERDIED,
                        .started = true,
                        .worker_pid = 5,
                        .worker_signal = 9,
                        .worker_status = 3,
                        .message = message,
                        .function = function,
                        .label = label,
                        .worker_host = host,
                        .worker = worker,
                        .attempt = 2};
    const soon_error *error;

    cr_assert_eq(soon_promise_set_error(both.promise, &given), 0);
    memset(message, 0, sizeof message);
    memset(function, 0, sizeof function);
    memset(label, 0, sizeof label);
    memset(host, 0, sizeof host);
    memset(worker, 0, sizeof worker);

    error = soon_future_error(both.future);
    cr_assert_eq(error->code, SOON_EWORKERDIED);
    cr_assert(error->started);
    cr_assert_eq(error->worker_pid, 5);
    cr_assert_eq(error->worker_signal, 9);
    cr_assert_eq(error->worker_status, 3);
    cr_assert_str_eq(error->message, "two lines");
    cr_assert_str_eq(error->function, "work");
    cr_assert_str_eq(error->label, "GET /");
    cr_assert_str_eq(error->worker_host, "blade7");
    cr_assert_str_eq(error->worker, "blade7-12");
    cr_assert_eq(error->attempt, 2);
    release(both);
}

Test(promise, set_error_fills_in_what_is_missing)
{
    struct halves both = pending();
    const soon_error *error;

    cr_assert_eq(soon_promise_set_error(both.promise, &(soon_error){.code = -ENOSPC}), 0);
    error = soon_future_error(both.future);
    cr_assert_eq(code_of(both.future), -ENOSPC);
    cr_assert_str_eq(error->message, soon_strerror(-ENOSPC));
    cr_assert_str_eq(error->function, "");
    cr_assert_str_eq(error->label, "");
    cr_assert_str_eq(error->worker_host, "");
    cr_assert_str_eq(error->worker, "");
    cr_assert_eq(error->attempt, 0);

    release(both);
}

Test(promise, set_error_does_not_read_the_message_as_a_format)
{
    struct halves both = pending();

    cr_assert_eq(soon_promise_set_error(both.promise, &(soon_error){.code = -EIO, .message = "100%s"}), 0);
    cr_assert_str_eq(soon_future_error(both.future)->message, "100%s");

    release(both);
}

Test(promise, ends_cancelled_when_the_work_gives_in)
{
    const struct {
        struct halves both;
        bool started;
    } rows[] = {{pending(), false}, {running(), true}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_assert_eq(soon_promise_set_cancelled(rows[i].both.promise), 0);
        cr_assert(soon_future_cancelled(rows[i].both.future));
        cr_assert_eq(code_of(rows[i].both.future), -ECANCELED);
        cr_assert_eq(soon_future_error(rows[i].both.future)->started, rows[i].started);
        release(rows[i].both);
    }
}

/*
 * Payload, progress
 */

static int released;

static void count_release(void *pointer)
{
    released++;
    free(pointer);
}

static soon_buffer *counted_buffer(void)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_wrap(&buffer, malloc(10), 10, count_release), 0);
    return buffer;
}

Test(promise, the_last_payload_goes_with_the_result)
{
    struct halves both = pending();
    soon_buffer *last;

    cr_assert_eq(soon_promise_set_payload(both.promise, counted_buffer()), 0);
    last = counted_buffer();
    cr_assert_eq(soon_promise_set_payload(both.promise, last), 0);
    cr_assert_eq(released, 1);
    cr_assert_null(soon_future_payload(both.future), "it is not done yet");
    set_int(both.promise, 5);

    cr_assert_eq(soon_future_payload(both.future), last);
    cr_assert_eq(soon_promise_set_payload(both.promise, counted_buffer()), SOON_EINVALIDSTATE);
    cr_assert_eq(released, 2, "what came too late is released");
    release(both);
    cr_assert_eq(released, 3);
}

Test(promise, has_payloads_added_behind_the_first)
{
    struct halves both = pending();
    soon_buffer *first = counted_buffer(), *second = counted_buffer();

    cr_assert_eq(soon_promise_add_payload(both.promise, counted_buffer()), 0);
    cr_assert_eq(soon_promise_add_payload(both.promise, second), 0);
    cr_assert_eq(soon_promise_set_payload(both.promise, first), 0);
    cr_assert_eq(released, 1);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(soon_promise_add_payload(both.promise, counted_buffer()), 0);
    cr_assert_eq(soon_future_payload_count(both.future), 0, "it is not done yet");
    set_int(both.promise, 5);

    cr_assert_eq(soon_future_payload_count(both.future), 102);
    cr_assert_eq(soon_future_payload_at(both.future, 0), first);
    cr_assert_eq(soon_future_payload_at(both.future, 1), second);
    cr_assert_eq(soon_promise_add_payload(both.promise, counted_buffer()), SOON_EINVALIDSTATE);
    cr_assert_eq(released, 2, "what came too late is released");
    cr_assert_eq(soon_promise_add_payload(both.promise, NULL), -EINVAL);
    cr_assert_eq(soon_promise_add_payload(NULL, counted_buffer()), -EINVAL);
    release(both);
    cr_assert_eq(released, 105);
}

Test(promise, progress_is_seen_until_the_end_and_kept)
{
    struct halves both = pending();
    soon_progress progress = soon_future_progress(both.future);

    cr_assert(progress.done == 0 && progress.total == 0);
    soon_promise_set_progress(both.promise, 3, 10);
    progress = soon_future_progress(both.future);
    cr_assert(progress.done == 3 && progress.total == 10);
    set_int(both.promise, 5);
    soon_promise_set_progress(both.promise, 11, 12);
    progress = soon_future_progress(both.future);
    cr_assert(progress.done == 3 && progress.total == 10);

    release(both);
}

TestMisuse(promise, progress_of_null)
{
    soon_promise_set_progress(NULL, 1, 2);
}

TestMisuse(promise, cancel_requested_of_null)
{
    cr_assert_not(soon_promise_cancel_requested(NULL));
}

TestMisuse(promise, future_of_null)
{
    soon_future *future = soon_promise_future(NULL);

    cr_assert_not_null(future);
    cr_assert(soon_future_done(future));
    cr_assert_lt(code_of(future), 0);
    soon_future_unref(future);
}

/*
 * The end
 */

Test(promise, dropped_unresolved_tells_its_readers)
{
    struct halves both = abandoned();

    cr_assert_eq(soon_future_state(both.future), SOON_FINISHED);
    cr_assert_eq(code_of(both.future), SOON_EABANDONED);
    cr_assert_eq(soon_future_error(both.future)->code, SOON_EABANDONED);
    cr_assert_not(soon_future_error(both.future)->started);

    release(both);
}

Test(promise, dropped_while_it_runs_wakes_a_blocked_reader)
{
    struct halves both = running();
    struct reader *reader = start_reading(both.future);

    soon_promise_free(both.promise);

    cr_assert_eq(end_reading(reader), SOON_EABANDONED);
    cr_assert(soon_future_error(both.future)->started);
    soon_future_unref(both.future);
}

/* CPython: set_running_or_notify_cancel, in the executors' loops */
Test(promise, does_not_begin_when_a_reader_was_first)
{
    struct halves both = pending();

    cr_assert(soon_future_cancel(both.future));
    cr_assert_eq(soon_promise_set_running(both.promise), -ECANCELED);
    cr_assert(soon_promise_cancel_requested(both.promise));
    cr_assert_eq(soon_future_state(both.future), SOON_CANCELLED);

    release(both);
}

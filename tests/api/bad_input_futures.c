/*
 * bad_input_futures.c - every public function of futures/ with NULLs, negative numbers, timeouts below -1, and sizes that do
 * not fit.
 */
#include "bad_input.h"

static soon_promise *promise;
static soon_future *pending, *finished;
static soon_as_completed *set;
static soon_buffer *buffer;

static void nothing(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

static void set_up(void)
{
    soon_promise *second;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    pending = soon_promise_future(promise);
    cr_assert_eq(soon_promise_new(&second, NULL), 0);
    finished = soon_promise_future(second);
    cr_assert_eq(soon_promise_set_result(second, &(int){5}, sizeof(int)), 0);
    soon_promise_free(second);
    cr_assert_eq(soon_as_completed_new(&set, &finished, 1, SOON_FOREVER), 0);
    cr_assert_eq(soon_buffer_new(&buffer, 16), 0);
}

static void tear_down(void)
{
    soon_buffer_unref(buffer);
    soon_as_completed_free(set);
    soon_future_unref(finished);
    soon_future_unref(pending);
    soon_promise_free(promise);
}

TestSuite(bad_input_futures, .init = set_up, .fini = tear_down);

Test(bad_input_futures, of_futures)
{
    const soon_error *error = NULL;
    soon_bytes bytes = {&error, 99};
    soon_function none = {0};
    int x = 7;
    char small;

    ASSERTED(NULL, soon_future_ref(NULL));
    IGNORED(soon_future_unref(NULL));
    ASSERTED(SOON_CANCELLED, soon_future_state(NULL));
    ASSERTED(false, soon_future_done(NULL));
    ASSERTED(false, soon_future_running(NULL));
    ASSERTED(false, soon_future_cancelled(NULL));
    ASSERTED(false, soon_future_succeeded(NULL));
    ASSERTED(false, soon_future_cancel(NULL));
    REFUSED(-EINVAL, soon_future_kill(NULL));
    REFUSED(-EINVAL, soon_future_wait(NULL, 0));
    REFUSED(-EINVAL, soon_future_wait(pending, -2));
    REFUSED(-EINVAL, soon_future_wait(pending, INT64_MIN));
    REFUSED(-EINVAL, soon_future_wait(finished, -2));
    REFUSED(-EINVAL, soon_future_result(NULL, 0, &bytes));
    REFUSED(-EINVAL, soon_future_result(finished, 0, NULL));
    REFUSED(-EINVAL, soon_future_result(finished, -2, &bytes));
    REFUSED(-EINVAL, soon_future_read(NULL, 0, &x, sizeof x));
    REFUSED(-EINVAL, soon_future_read(finished, 0, NULL, sizeof x));
    REFUSED(-EINVAL, soon_future_read(finished, -2, &x, sizeof x));
    REFUSED(SOON_ETYPE, soon_future_read(finished, 0, &small, sizeof small));
    REFUSED(SOON_ETYPE, soon_future_read(finished, 0, &x, SIZE_MAX));
    REFUSED(SOON_ETYPE, soon_future_read(finished, 0, NULL, 0));
    REFUSED(-EINVAL, soon_future_read_as(NULL, &none, 0, &x, sizeof x));
    REFUSED(-EINVAL, soon_future_read_as(finished, NULL, 0, &x, sizeof x));
    REFUSED(SOON_ETYPE, soon_future_read_as(finished, &none, 0, &x, sizeof x));
    REFUSED(-EINVAL, soon_future_exception(NULL, 0, &error));
    REFUSED(-EINVAL, soon_future_exception(finished, 0, NULL));
    REFUSED(-EINVAL, soon_future_exception(finished, -2, &error));
    ASSERTED(0, soon_future_error(NULL)->code);
    ASSERTED(false, !soon_future_error(NULL)->message);
    ASSERTED(NULL, soon_future_payload(NULL));
    ASSERTED(0, soon_future_progress(NULL).total);
    ASSERTED(0, soon_future_attempt(NULL));
    ASSERTED('\0', *soon_future_label(NULL));
    ASSERTED(NULL, soon_future_data(NULL));
    REFUSED(-EINVAL, soon_future_add_done_callback(NULL, nothing, NULL));
    REFUSED(-EINVAL, soon_future_add_done_callback(pending, NULL, NULL));
    ASSERTED(false, soon_future_remove_done_callback(NULL, nothing, NULL));
    REFUSED(false, soon_future_remove_done_callback(pending, NULL, NULL));
    REFUSED(-EINVAL, soon_future_take(NULL, &x, sizeof x));
    REFUSED(-EINVAL, soon_future_take(soon_future_ref(finished), NULL, sizeof x)); /* the reference is gone */
    REFUSED(SOON_ETYPE, soon_future_take(soon_future_ref(finished), &small, sizeof small));
    ASSERTED_VOID(soon_futures_unref(NULL, 1));
    IGNORED(soon_futures_unref(NULL, 0));
    IGNORED(soon_futures_unref((soon_future *[]){NULL, NULL}, 2));
    ASSERTED(0, soon_futures_cancel(NULL, 1));
    REFUSED(0, (int)soon_futures_cancel(NULL, 0));
    REFUSED(0, (int)soon_futures_cancel((soon_future *[]){NULL}, 1));

    cr_assert(x == 7 && error == NULL && bytes.size == 99);
}

/* What is too many is told while somebody else still holds the future. */
Test(bad_input_futures, of_one_unref_too_many)
{
    soon_future *future = soon_promise_future(promise);

    soon_future_unref(future);
    soon_future_unref(pending);
    ASSERTED_VOID(soon_future_unref(pending));
    pending = soon_promise_future(promise);
    cr_assert_eq(soon_future_state(pending), SOON_PENDING);
}

Test(bad_input_futures, of_promises)
{
    soon_error none = {0}, positive = {.code = 5}, bare = {.code = -EIO};
    soon_buffer *given;

    REFUSED(-EINVAL, soon_promise_new(NULL, NULL));
    ASSERTED(-ENOMEM, soon_future_error(soon_promise_future(NULL))->code);
    IGNORED(soon_promise_free(NULL));
    REFUSED(-EINVAL, soon_promise_set_running(NULL));
    REFUSED(-EINVAL, soon_promise_set_result(NULL, NULL, 0));
    REFUSED(-EINVAL, soon_promise_set_result(promise, NULL, 4));
    if (sizeof(size_t) > 4) /* with 32 bits there may be room for so much */
        REFUSED(-ENOMEM, soon_promise_set_result(promise, &none, PTRDIFF_MAX));
    cr_assert_eq(soon_buffer_new(&given, 1), 0);
    REFUSED(-EINVAL, soon_promise_set_payload(NULL, given)); /* takes it all the same */
    REFUSED(-EINVAL, soon_promise_set_payload(promise, NULL));
    REFUSED(-EINVAL, soon_promise_set_exception(NULL, EIO, "x"));
    REFUSED(-EINVAL, soon_promise_set_exception(promise, 0, "x"));
    REFUSED(-EINVAL, soon_promise_set_error(NULL, &bare));
    REFUSED(-EINVAL, soon_promise_set_error(promise, NULL));
    REFUSED(-EINVAL, soon_promise_set_error(promise, &none));
    REFUSED(-EINVAL, soon_promise_set_error(promise, &positive));
    REFUSED(-EINVAL, soon_promise_set_cancelled(NULL));
    ASSERTED_VOID(soon_promise_set_progress(NULL, 1, 2));
    ASSERTED(false, soon_promise_cancel_requested(NULL));
    cr_assert_eq(soon_future_state(pending), SOON_PENDING);

    REFUSED(0, soon_promise_set_error(promise, &bare)); /* its texts may be missing */
    cr_assert_str_not_empty(soon_future_error(pending)->message);
    cr_assert_str_empty(soon_future_error(pending)->function);
}

Test(bad_input_futures, of_buffers)
{
    soon_buffer *made = buffer;
    char byte;

    REFUSED(-EINVAL, soon_buffer_new(NULL, 1));
    REFUSED(-ENOMEM, soon_buffer_new(&made, SIZE_MAX));
    if (sizeof(size_t) > 4) /* with 32 bits there may be room for so much */
        REFUSED(-ENOMEM, soon_buffer_new(&made, PTRDIFF_MAX));
    REFUSED(-EINVAL, soon_buffer_wrap(NULL, &byte, 1, NULL));
    REFUSED(-EINVAL, soon_buffer_wrap(&made, NULL, 1, free));
    REFUSED(-EINVAL, soon_buffer_wrap(&made, &byte, SIZE_MAX, free));
    ASSERTED(NULL, soon_buffer_ref(NULL));
    IGNORED(soon_buffer_unref(NULL));
    ASSERTED(NULL, soon_buffer_data(NULL));
    ASSERTED(0, soon_buffer_size(NULL));
    REFUSED(-EINVAL, soon_buffer_resize(NULL, 1));
    REFUSED(-ENOMEM, soon_buffer_resize(buffer, SIZE_MAX));
    if (sizeof(size_t) > 4) /* with 32 bits there may be room for so much */
        REFUSED(-ENOMEM, soon_buffer_resize(buffer, PTRDIFF_MAX));
    REFUSED(-EBUSY, soon_buffer_resize(soon_buffer_ref(buffer), 1));
    soon_buffer_unref(buffer);

    cr_assert_null(made);
    cr_assert_eq(soon_buffer_size(buffer), 16);
}

Test(bad_input_futures, of_sets)
{
    soon_future *with_null[] = {finished, NULL}, *given = NULL;
    soon_as_completed *made = set;
    bool done[2] = {true, true};
    size_t total = 9;

    REFUSED(-EINVAL, soon_wait(NULL, 1, SOON_ALL_COMPLETED, 0, NULL));
    REFUSED(-EINVAL, soon_wait(with_null, 2, SOON_ALL_COMPLETED, 0, done));
    REFUSED(-EINVAL, soon_wait(&finished, 1, (soon_when)7, 0, done));
    REFUSED(-EINVAL, soon_wait(&finished, 1, SOON_ALL_COMPLETED, -2, done));
    REFUSED(-EINVAL, soon_wait(NULL, 0, SOON_ALL_COMPLETED, -2, NULL));
    REFUSED(0, soon_wait(NULL, 0, SOON_FIRST_COMPLETED, SOON_FOREVER, NULL));
    REFUSED(-EINVAL, soon_as_completed_new(NULL, NULL, 0, 0));
    REFUSED(-EINVAL, soon_as_completed_new(&made, NULL, 1, 0));
    REFUSED(-EINVAL, soon_as_completed_new(&made, with_null, 2, 0));
    REFUSED(-EINVAL, soon_as_completed_new(&made, &finished, 1, -2));
    REFUSED(-EINVAL, soon_as_completed_add(NULL, finished));
    REFUSED(-EINVAL, soon_as_completed_add(set, NULL));
    REFUSED(-EINVAL, soon_as_completed_give(NULL, soon_future_ref(finished)));
    REFUSED(-EINVAL, soon_as_completed_give(set, NULL));
    REFUSED(-EINVAL, soon_as_completed_next(NULL, &given));
    REFUSED(-EINVAL, soon_as_completed_next(set, NULL));
    ASSERTED(0, soon_as_completed_left(NULL, &total));
    IGNORED(soon_as_completed_free(NULL));
    REFUSED_FUTURE(-EINVAL, soon_gather(NULL, 1));
    REFUSED_FUTURE(-EINVAL, soon_gather(with_null, 2));
    REFUSED_FUTURE(0, soon_gather(NULL, 0));
    REFUSED_FUTURE(-EINVAL, soon_any(NULL, 1));
    REFUSED_FUTURE(-EINVAL, soon_any(with_null, 2));
    REFUSED_FUTURE(-EINVAL, soon_any(NULL, 0));

    cr_assert(!made && !given && done[0] && done[1]);
    cr_assert_eq(soon_as_completed_left(set, NULL), 1);
}

/* Whose product with the size of an element is a small number: nothing is read, and nothing made of it. */
Test(bad_input_futures, of_counts_of_which_there_can_be_no_array)
{
    static const size_t counts[] = {SIZE_MAX, SIZE_MAX / sizeof(void *) + 2, PTRDIFF_MAX};
    soon_as_completed *made = set;

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        REFUSED(-EINVAL, soon_wait(&finished, counts[i], SOON_FIRST_COMPLETED, 0, NULL));
        REFUSED(-EINVAL, soon_as_completed_new(&made, &finished, counts[i], 0));
        REFUSED_FUTURE(-EINVAL, soon_gather(&finished, counts[i]));
        REFUSED_FUTURE(-EINVAL, soon_any(&finished, counts[i]));
        ASSERTED(0, soon_futures_cancel(&pending, counts[i]));
        ASSERTED_VOID(soon_futures_unref(&pending, counts[i]));
    }

    cr_assert_null(made);
    cr_assert_eq(soon_future_state(pending), SOON_PENDING);
}

Test(bad_input_futures, of_codes)
{
    static const int codes[] = {0, 1, -1, 12345, -12345, -5000, -5020, -5021, INT_MAX, INT_MIN};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        cr_expect_not_null(soon_strerror(codes[i]));
        cr_expect_not_null(soon_errname(codes[i]));
        cr_expect(!strchr(soon_strerror(codes[i]), '\n'));
    }
    IGNORED(soon_on_unhandled(NULL, NULL));
}

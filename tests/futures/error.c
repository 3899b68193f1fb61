/*
 * error.c - codes, their names and texts; which fields an error has by the way it came.
 */
#include "../support/futures.h"

#include <limits.h>

Test(codes, of_our_own_have_numbers_names_and_texts)
{
    static const struct {
        int code, number;
        const char *name;
    } rows[] = {
#define ROW(number, name, text) {name, number, #name},
        SOON_ERROR_TABLE(ROW)
#undef ROW
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_assert_eq(rows[i].code, rows[i].number);
        cr_assert_eq(rows[i].number, -5001 - (int)i, "the numbers have no gaps");
        cr_assert_str_eq(soon_errname(rows[i].code), rows[i].name);
        cr_assert_str_not_empty(soon_strerror(rows[i].code));
        cr_assert_null(strchr(soon_strerror(rows[i].code), '\n'));
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(soon_strerror(rows[i].code), soon_strerror(rows[j].code));
    }
}

Test(codes, of_the_system_have_the_systems_names_and_texts)
{
    static const struct {
        int code;
        const char *name;
    } rows[] = {{EINVAL, "EINVAL"}, {ENOMEM, "ENOMEM"}, {ECANCELED, "ECANCELED"}, {ETIMEDOUT, "ETIMEDOUT"}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_assert_str_eq(soon_errname(-rows[i].code), rows[i].name);
        cr_assert_str_eq(soon_errname(rows[i].code), rows[i].name, "of either sign");
        cr_assert_str_eq(soon_strerror(-rows[i].code), strerrordesc_np(rows[i].code));
        cr_assert_str_eq(soon_strerror(rows[i].code), strerrordesc_np(rows[i].code));
    }
}

Test(codes, that_nobody_knows_have_a_text_too)
{
    static const int codes[] = {-5000, -5021, 5001, -100000, 100000, INT_MIN, INT_MAX, INT_MIN + 1};

    for (size_t i = 0; i < COUNT(codes); i++) {
        cr_assert_str_eq(soon_errname(codes[i]), "UNKNOWN", "%d", codes[i]);
        cr_assert_str_eq(soon_strerror(codes[i]), "unknown error", "%d", codes[i]);
    }
}

Test(codes, of_success)
{
    cr_assert_str_eq(soon_errname(0), "SOON_OK");
    cr_assert_str_eq(soon_strerror(0), "success");
    cr_assert_eq(SOON_OK, 0);
}

/*
 * Errors of futures
 */

Test(error, of_one_that_is_not_done_has_no_code)
{
    struct halves all[] = {pending(), running()};

    for (size_t i = 0; i < COUNT(all); i++) {
        const soon_error *error = soon_future_error(all[i].future);

        cr_assert_eq(error->code, 0);
        cr_assert_str_eq(error->message, "not done yet");
        cr_assert_str_eq(error->function, "");
        cr_assert_str_eq(error->label, "");
        cr_assert_str_eq(error->worker_host, "");
        cr_assert_str_eq(error->worker, "");
        release(all[i]);
    }
}

Test(error, of_one_that_succeeded_has_no_code)
{
    struct halves both = successful();
    const soon_error *error = soon_future_error(both.future), *exception = error;

    cr_assert_eq(error->code, 0);
    cr_assert_not_null(error->message);
    cr_assert_eq(soon_future_exception(both.future, 0, &exception), 0);
    cr_assert_null(exception);

    release(both);
}

Test(error, is_the_same_by_every_way)
{
    struct halves both = failed();
    const soon_error *error = soon_future_error(both.future), *exception;

    cr_assert_eq(soon_future_exception(both.future, SOON_FOREVER, &exception), 0);
    cr_assert_eq(error, exception);
    cr_assert_eq(soon_future_error(both.future), error);

    release(both);
}

Test(error, of_a_cancelled_one_says_whether_it_had_begun)
{
    struct halves never = cancelled(), gave_in = running();

    cr_assert_eq(soon_promise_set_cancelled(gave_in.promise), 0);
    cr_assert_eq(soon_future_error(never.future)->code, -ECANCELED);
    cr_assert_not(soon_future_error(never.future)->started);
    cr_assert_eq(soon_future_error(gave_in.future)->code, -ECANCELED);
    cr_assert(soon_future_error(gave_in.future)->started);

    release(never);
    release(gave_in);
}

/* Errors of tasks, as an executor that runs them at once makes them. */

struct how {
    int returned, raised;
};

SOON_TASK(end_so, struct how, int)
{
    if (arg->raised)
        soon_raise(task, arg->raised, "because of %d", arg->raised);
    return arg->returned;
}

Test(error, of_a_task_by_what_it_returned)
{
    static const struct {
        struct how how;
        int code, raised;
        const char *message; /* NULL: the text of `raised` */
    } rows[] = {
        {{SOON_ERAISED, EDOM}, SOON_ERAISED, EDOM, "because of 33"},
        {{SOON_ERAISED, -EDOM}, SOON_ERAISED, -EDOM, "because of -33"},
        {{-EIO, 0}, SOON_ERAISED, -EIO, NULL},
        {{5, 0}, SOON_ERAISED, 5, NULL},
        {{-EIO, EDOM}, SOON_ERAISED, -EIO, NULL},          /* what it returns counts */
        {{-ECANCELED, 0}, SOON_ERAISED, -ECANCELED, NULL}, /* nobody had asked */
        {{0, EDOM}, 0, 0, "success"},
    };
    soon_executor *executor = make_inline();

    for (size_t i = 0; i < COUNT(rows); i++) {
        soon_future *future = end_so_submit(executor, &rows[i].how, &(soon_submit_options){.label = "GET /"});
        const soon_error *error = soon_future_error(future);

        cr_assert_eq(error->code, rows[i].code, "row %zu", i);
        cr_assert_eq(error->raised, rows[i].raised, "row %zu", i);
        cr_assert_str_eq(error->message, rows[i].message ? rows[i].message : soon_strerror(rows[i].raised), "row %zu",
                         i);
        if (rows[i].code) {
            cr_assert(error->started);
            cr_assert_str_eq(error->function, "end_so");
            cr_assert_str_eq(error->label, "GET /");
            cr_assert(error->worker_pid == 0 && error->worker_signal == 0 && error->worker_status == 0);
        }
        soon_future_unref(future);
    }
    cr_assert_eq(soon_executor_free(executor), 0);
}

Test(error, of_a_refused_submit_says_that_it_never_began)
{
    soon_executor *executor = make_inline();
    soon_future *future = soon_submit_with(executor, (.label = "GET /", .time_limit_ms = -1), end_so, 0);
    const soon_error *error = soon_future_error(future);

    cr_assert_eq(error->code, -EINVAL);
    cr_assert_not(error->started);
    cr_assert_str_eq(error->message, "soon_submit: .time_limit_ms = -1 is negative");
    cr_assert_str_eq(error->function, "end_so");
    cr_assert_str_eq(error->label, "GET /");
    cr_assert_str_eq(soon_future_label(future), "GET /");

    soon_future_unref(future);
    cr_assert_eq(soon_executor_free(executor), 0);
}

Test(error, lives_as_long_as_any_future_that_has_it)
{
    struct halves both = failed();
    soon_future *gathered = soon_gather(&both.future, 1), *last = soon_gather(&gathered, 1);

    release(both);
    soon_future_unref(gathered);
    cr_assert_str_eq(soon_future_error(last)->message, "it failed");

    soon_future_unref(last);
}

/*
 * misuse_futures.c - NULL where a future is needed, and the future that stands for "no memory".
 */
#include "../support/futures.h"

/* Where a code is returned, NULL is -EINVAL. */
Test(null, gets_a_code)
{
    struct halves both = successful();
    const soon_error *error;
    soon_bytes bytes;
    int value;

    cr_assert_eq(soon_future_wait(NULL, 0), -EINVAL);
    cr_assert_eq(soon_future_result(NULL, 0, &bytes), -EINVAL);
    cr_assert_eq(soon_future_result(both.future, 0, NULL), -EINVAL);
    cr_assert_eq(soon_future_read(NULL, 0, &value, sizeof value), -EINVAL);
    cr_assert_eq(soon_future_read(both.future, 0, NULL, sizeof value), -EINVAL);
    cr_assert_eq(soon_future_exception(NULL, 0, &error), -EINVAL);
    cr_assert_eq(soon_future_exception(both.future, 0, NULL), -EINVAL);
    cr_assert_eq(soon_future_kill(NULL), -EINVAL);
    cr_assert_eq(soon_take((soon_future *)NULL, &value), -EINVAL);
    soon_future_unref(NULL);

    release(both);
}

Test(null, is_no_place_for_what_is_taken)
{
    struct halves both = successful();

    cr_assert_eq(soon_future_take(both.future, NULL, sizeof(int)),
                 -EINVAL); /* the reference is given up all the same */

    soon_promise_free(both.promise);
}

/* Elsewhere it is asserted, and harmless without asserts. */

TestMisuse(null, ref)
{
    cr_assert_null(soon_future_ref(NULL));
}

TestMisuse(null, state)
{
    cr_assert_eq(soon_future_state(NULL), SOON_CANCELLED);
}

TestMisuse(null, done)
{
    cr_assert_not(soon_future_done(NULL));
}

TestMisuse(null, running)
{
    cr_assert_not(soon_future_running(NULL));
}

TestMisuse(null, cancelled)
{
    cr_assert_not(soon_future_cancelled(NULL));
}

TestMisuse(null, succeeded)
{
    cr_assert_not(soon_future_succeeded(NULL));
}

TestMisuse(null, cancel)
{
    cr_assert_not(soon_future_cancel(NULL));
}

TestMisuse(null, error)
{
    cr_assert_not_null(soon_future_error(NULL));
    cr_assert_not_null(soon_future_error(NULL)->message);
}

TestMisuse(null, payload)
{
    cr_assert_null(soon_future_payload(NULL));
}

TestMisuse(null, progress)
{
    soon_progress progress = soon_future_progress(NULL);

    cr_assert(progress.done == 0 && progress.total == 0);
}

TestMisuse(null, label)
{
    cr_assert_str_eq(soon_future_label(NULL), "");
}

TestMisuse(null, data)
{
    cr_assert_null(soon_future_data(NULL));
}

static void not_called(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    cr_assert(false);
}

TestMisuse(null, remove_done_callback)
{
    cr_assert_not(soon_future_remove_done_callback(NULL, not_called, NULL));
}

TestMisuse(null, futures_unref)
{
    soon_futures_unref(NULL, 1);
}

TestMisuse(null, futures_cancel)
{
    cr_assert_eq(soon_futures_cancel(NULL, 1), 0);
}

/*
 * The future for "no memory": one object, which counts no references.
 */

Test(no_memory, survives_any_number_of_unrefs)
{
    soon_future *future = soon__future_nomem();

    for (int i = 0; i < 1000; i++)
        soon_future_unref(future);
    cr_assert_eq(soon_future_ref(future), future);

    cr_assert_eq(code_of(future), -ENOMEM);
    cr_assert_eq(soon_future_state(future), SOON_FINISHED);
}

static void count(soon_future *future, void *data)
{
    cr_assert_eq(code_of(future), -ENOMEM);
    ++*(int *)data;
}

Test(no_memory, answers_everything_as_a_failed_one)
{
    soon_future *future = soon__future_nomem();
    const soon_error *error;
    int value, calls = 0;

    cr_assert(soon_future_done(future));
    cr_assert_not(soon_future_running(future) || soon_future_cancelled(future) || soon_future_succeeded(future));
    cr_assert_not(soon_future_cancel(future));
    cr_assert_eq(soon_future_kill(future), SOON_EINVALIDSTATE);
    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    cr_assert_eq(soon_result(future, &value), -ENOMEM);
    cr_assert_eq(soon_take(future, &value), -ENOMEM);
    cr_assert_eq(soon_future_exception(future, 0, &error), 0);
    cr_assert_eq(error->code, -ENOMEM);
    cr_assert_not(error->started);
    cr_assert_eq(soon_future_error(future), error);
    cr_assert_null(soon_future_payload(future));
    cr_assert_null(soon_future_data(future));
    cr_assert_str_eq(soon_future_label(future), "");
    cr_assert_eq(soon_future_progress(future).total, 0);
    cr_assert_eq(soon_future_add_done_callback(future, count, &calls), 0);
    cr_assert_eq(calls, 1);
    cr_assert_not(soon_future_remove_done_callback(future, count, &calls));
}

Test(no_memory, is_never_merged)
{
    soon_future *future = soon__future_nomem(), *given = NULL;
    soon_future *const same[] = {future, future, future};
    bool done[3] = {false};
    soon_as_completed *set;
    size_t total;

    cr_assert_eq(soon_wait(same, 3, SOON_ALL_COMPLETED, SOON_FOREVER, done), 3);
    cr_assert(done[0] && done[1] && done[2]);

    cr_assert_eq(soon_as_completed_new(&set, same, 3, 0), 0);
    cr_assert_eq(soon_as_completed_give(set, future), 0);
    cr_assert_eq(soon_as_completed_left(set, &total), 4);
    cr_assert_eq(total, 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(soon_as_completed_next(set, &given), 0);
        cr_assert_eq(given, future);
        soon_future_unref(given);
    }
    cr_assert_eq(soon_as_completed_next(set, &given), SOON_EEND);
    soon_as_completed_free(set);
}

SOON_TASK(never, int, int)
{
    cr_assert(false);
    return 0;
}

Test(no_memory, is_passed_on_by_gather_any_and_then)
{
    soon_future *future = soon__future_nomem();
    soon_future *const same[] = {future, future};
    soon_executor *executor = make_inline();
    soon_future *all[] = {soon_gather(same, 2), soon_any(same, 2), soon_then(future, executor, &never_task)};

    for (size_t i = 0; i < COUNT(all); i++)
        cr_assert_eq(code_of(all[i]), -ENOMEM);

    soon_futures_unref(all, COUNT(all));
    cr_assert_eq(soon_executor_free(executor), 0);
}

/*
 * no_memory.c - the future that is returned where there is no memory for one: a single object, which counts no references.
 */
#include "../../futures/failed_internal.h"
#include "../support/futures.h"

TestSuite(no_memory);

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

/*
 * any.c - soon_any(): the first that succeeds.
 */
#include "../support/executors.h"
#include "../support/futures.h"

TestSuite(any, .init = close_gate);

SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return *arg ? 0 : wait_at_gate(task);
}

static soon_future *any_of(const struct halves *all, size_t count)
{
    soon_future *members[8];

    for (size_t i = 0; i < count; i++)
        members[i] = all[i].future;
    return soon_any(members, count);
}

static void release_all(const struct halves *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        release(all[i]);
}

Test(any, has_the_result_of_the_first_that_succeeds)
{
    struct halves all[] = {pending(), pending(), pending()};
    soon_future *future = any_of(all, 3);

    cr_assert_eq(soon_future_state(future), SOON_PENDING);
    set_int(all[1].promise, 7);
    cr_assert_eq(int_of(future), 7);
    set_int(all[0].promise, 8);
    cr_assert_eq(int_of(future), 7);

    soon_future_unref(future);
    release_all(all, 3);
}

Test(any, passes_over_failures_and_cancellations)
{
    struct halves all[] = {pending(), pending(), pending()};
    soon_future *future = any_of(all, 3);

    cr_assert(soon_future_cancel(all[0].future));
    cr_assert_eq(soon_promise_set_exception(all[1].promise, EDOM, NULL), 0);
    cr_assert_not(soon_future_done(future));
    set_int(all[2].promise, 9);
    cr_assert_eq(int_of(future), 9);

    soon_future_unref(future);
    release_all(all, 3);
}

Test(any, of_done_ones_takes_the_first_in_order)
{
    struct halves all[] = {failed(), pending(), successful(), pending()};
    soon_future *future;

    set_int(all[3].promise, 1);
    future = any_of(all, 4);
    cr_assert_eq(int_of(future), 42);

    soon_future_unref(future);
    release_all(all, 4);
}

Test(any, fails_with_the_first_error_in_order_when_all_have_failed)
{
    struct halves all[] = {pending(), pending()};
    soon_future *future = any_of(all, 2);

    cr_assert(soon_future_cancel(all[1].future));
    cr_assert_eq(soon_promise_set_exception(all[0].promise, EDOM, "first"), 0);
    cr_assert_eq(soon_future_state(future), SOON_FINISHED);
    cr_assert_eq(code_of(future), SOON_ERAISED);
    cr_assert_str_eq(soon_future_error(future)->message, "first");

    soon_future_unref(future);
    release_all(all, 2);
}

Test(any, of_cancelled_ones_fails)
{
    struct halves all[] = {cancelled(), cancelled()};
    soon_future *future = any_of(all, 2);

    cr_assert_eq(soon_future_state(future), SOON_FINISHED);
    cr_assert_eq(code_of(future), -ECANCELED);

    soon_future_unref(future);
    release_all(all, 2);
}

Test(any, of_none_or_null_is_refused_with_a_future)
{
    struct halves both = pending();
    soon_future *members[] = {both.future, NULL};
    soon_future *refused[] = {soon_any(NULL, 0), soon_any(members, 0), soon_any(NULL, 1), soon_any(members, 2)};

    for (size_t i = 0; i < COUNT(refused); i++) {
        cr_assert_eq(code_of(refused[i]), -EINVAL);
        soon_future_unref(refused[i]);
    }
    release(both);
}

Test(any, leaves_the_losers_alone)
{
    struct halves all[] = {successful(), pending(), running()};
    soon_future *future = any_of(all, 3);

    cr_assert(soon_future_succeeded(future));
    cr_assert_eq(soon_future_state(all[1].future), SOON_PENDING);
    cr_assert_not(soon_promise_cancel_requested(all[2].promise));

    soon_future_unref(future);
    release_all(all, 3);
}

Test(any, cancelled_cancels_its_members)
{
    struct halves all[] = {pending(), running(), failed()};
    soon_future *future = any_of(all, 3);

    cr_assert(soon_future_cancel(future));
    cr_assert(soon_future_cancelled(future));
    cr_assert(soon_future_cancelled(all[0].future));
    cr_assert(soon_promise_cancel_requested(all[1].promise));

    soon_future_unref(future);
    release_all(all, 3);
}

/*
 * What it lends
 */

Test(any, lends_what_the_winner_has)
{
    struct halves all[] = {pending(), pending()};
    soon_future *future = any_of(all, 2);
    soon_buffer *payload;
    soon_bytes winners, bytes;

    cr_assert_eq(soon_buffer_new(&payload, 10), 0);
    cr_assert_eq(soon_promise_set_payload(all[1].promise, payload), 0);
    soon_promise_set_progress(all[1].promise, 3, 4);
    set_int(all[1].promise, 7);

    cr_assert_eq(soon_future_result(all[1].future, 0, &winners), 0);
    cr_assert_eq(soon_future_result(future, 0, &bytes), 0);
    cr_assert_eq(bytes.data, winners.data);
    cr_assert_eq(soon_future_payload(future), payload);
    cr_assert_eq(soon_future_progress(future).done, 3);
    cr_assert_eq(soon_future_progress(future).total, 4);
    release_all(all, 2);
    cr_assert_eq(int_of(future), 7, "also when nobody else holds the winner");
    cr_assert_eq(*(const int *)bytes.data, 7);

    soon_future_unref(future);
}

TestOnEach(any, of_tasks)
{
    soon_future *members[] = {soon_submit(executor, at_gate, 5), soon_submit(executor, at_gate, 0)};
    soon_future *future = soon_any(members, 2);

    cr_assert_eq(int_of(future), 5);
    open_gate();
    cr_assert_eq(int_of(members[1]), 0);

    soon_future_unref(future);
    soon_futures_unref(members, 2);
    close_gate();
}

Test(any, of_any_of_any_needs_no_stack)
{
    struct halves both = pending();
    soon_future *last = both.future;

    for (int i = 0; i < 200000; i++) {
        soon_future *next = soon_any(&last, 1);

        soon_future_unref(last);
        last = next;
    }
    set_int(both.promise, 7);
    soon_promise_free(both.promise);

    cr_assert_eq(int_of(last), 7);
    cr_assert_str_eq(soon_future_label(last), "");
    soon_future_unref(last);
}

/*
 * gather.c - soon_gather(): one future for many.
 */
#include "../../futures/run_callbacks_internal.h"
#include "../support/executors.h"
#include "../support/futures.h"

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    return 0;
}

static soon_future *gather_one(soon_future *member)
{
    return soon_gather(&member, 1);
}

static void assert_pending(soon_future *future)
{
    cr_assert_eq(soon_future_state(future), SOON_PENDING);
    cr_assert_eq(soon_future_wait(future, 0), -ETIMEDOUT);
}

/* mpi4py: CollectTest.test_empty */
Test(gather, of_none_has_succeeded)
{
    soon_future *future = soon_gather(NULL, 0);
    soon_bytes bytes = {.size = 7};

    cr_assert(soon_future_done(future) && soon_future_succeeded(future));
    cr_assert_not(soon_future_running(future) || soon_future_cancelled(future));
    cr_assert_eq(soon_future_result(future, 0, &bytes), 0);
    cr_assert_eq(bytes.size, 0);

    soon_future_unref(future);
}

/* mpi4py: CollectTest.test_item_success */
Test(gather, succeeds_with_its_member)
{
    struct halves both = pending();
    soon_future *future = gather_one(both.future);

    assert_pending(future);
    set_int(both.promise, 42);
    cr_assert(soon_future_succeeded(future));
    cr_assert_eq(soon_future_read(future, 0, NULL, 0), 0, "it has no bytes of its own");

    soon_future_unref(future);
    release(both);
}

/* mpi4py: CollectTest.test_item_failure */
Test(gather, fails_with_its_member)
{
    struct halves both = pending();
    soon_future *future = gather_one(both.future);

    assert_pending(future);
    cr_assert_eq(soon_promise_set_exception(both.promise, EDOM, "bad"), 0);
    cr_assert_eq(soon_future_state(future), SOON_FINISHED);
    cr_assert_eq(code_of(future), SOON_ERAISED);
    cr_assert_eq(soon_future_error(future)->raised, EDOM);
    cr_assert_str_eq(soon_future_error(future)->message, "bad");

    soon_future_unref(future);
    release(both);
}

/* mpi4py: CollectTest.test_item_done */
Test(gather, of_done_ones_is_done)
{
    struct halves a = successful(), b = successful();
    soon_future *members[] = {a.future, b.future}, *future = soon_gather(members, 2);

    cr_assert(soon_future_succeeded(future));

    soon_future_unref(future);
    release(a);
    release(b);
}

/* mpi4py: CollectTest.test_item_cancel, where the whole is cancelled: here it is the error of that member */
Test(gather, counts_a_cancelled_member_as_an_error)
{
    struct halves both = pending();
    soon_future *future = gather_one(both.future);

    cr_assert(soon_future_cancel(both.future));
    cr_assert_eq(soon_future_state(future), SOON_FINISHED);
    cr_assert_eq(code_of(future), -ECANCELED);

    soon_future_unref(future);
    release(both);
}

/* mpi4py: CollectTest.test_cancel_all */
Test(gather, cancelled_cancels_its_members)
{
    struct halves all[] = {pending(), running(), successful(), pending()};
    soon_future *members[] = {all[0].future, all[1].future, all[2].future, all[3].future};
    soon_future *future = soon_gather(members, 4);

    cr_assert(soon_future_cancel(future));
    cr_assert(soon_future_cancelled(future));
    cr_assert(soon_future_cancelled(members[0]) && soon_future_cancelled(members[3]));
    cr_assert(soon_future_running(members[1]) && soon_promise_cancel_requested(all[1].promise));
    cr_assert(soon_future_succeeded(members[2]));

    soon_future_unref(future);
    for (size_t i = 0; i < 4; i++)
        release(all[i]);
}

/* mpi4py: CollectTest.test_pending */
Test(gather, waits_for_all_also_when_one_has_failed)
{
    struct halves a = pending(), b = failed(), c = pending();
    soon_future *members[] = {a.future, b.future, c.future}, *future = soon_gather(members, 3);

    assert_pending(future);
    set_int(c.promise, 1);
    assert_pending(future);
    set_int(a.promise, 1);
    cr_assert_eq(code_of(future), SOON_ERAISED);

    soon_future_unref(future);
    release(a);
    release(b);
    release(c);
}

Test(gather, has_the_first_error_in_order_not_in_time)
{
    struct halves a = pending(), b = pending(), c = pending();
    soon_future *members[] = {a.future, b.future, c.future}, *future = soon_gather(members, 3);

    cr_assert(soon_future_cancel(c.future));
    cr_assert_eq(soon_promise_set_exception(b.promise, EDOM, "second"), 0);
    set_int(a.promise, 1);

    cr_assert_eq(code_of(future), SOON_ERAISED);
    cr_assert_str_eq(soon_future_error(future)->message, "second");
    soon_future_unref(future);
    release(a);
    release(b);
    release(c);
}

Test(gather, takes_a_member_twice)
{
    struct halves both = pending();
    soon_future *members[] = {both.future, both.future}, *future = soon_gather(members, 2);

    set_int(both.promise, 1);
    cr_assert(soon_future_succeeded(future));

    soon_future_unref(future);
    release(both);
}

Test(gather, refuses_null_with_a_future)
{
    struct halves both = pending();
    soon_future *members[] = {both.future, NULL};
    soon_future *refused[] = {soon_gather(NULL, 1), soon_gather(members, 2)};

    for (size_t i = 0; i < COUNT(refused); i++) {
        cr_assert_eq(code_of(refused[i]), -EINVAL);
        soon_future_unref(refused[i]);
    }
    set_int(both.promise, 1);
    release(both);
}

Test(gather, cannot_be_killed)
{
    struct halves both = pending();
    soon_future *future = gather_one(both.future);

    cr_assert_eq(soon_future_kill(future), -ENOTSUP);
    cr_assert_not(soon_future_done(both.future));

    soon_future_unref(future);
    release(both);
}

/*
 * References
 */

Test(gather, holds_its_members)
{
    struct halves both = pending();
    soon_future *future = gather_one(both.future);

    soon_future_unref(both.future);
    cr_assert_eq(soon_promise_set_exception(both.promise, EDOM, "held"), 0);
    soon_promise_free(both.promise);
    cr_assert_eq(soon__blocks_alive(), 2);
    cr_assert_str_eq(soon_future_error(future)->message, "held");

    soon_future_unref(future);
}

Test(gather, may_be_forgotten_before_its_members_are_done)
{
    struct halves both = pending();

    soon_future_unref(gather_one(both.future));
    set_int(both.promise, 1);
    assert_alive(1);

    release(both);
}

static void unref(soon_future *future, void *data)
{
    (void)future;
    soon_future_unref(data);
}

Test(gather, may_go_in_a_callback_of_its_own)
{
    struct halves both = pending();
    soon_future *future = gather_one(both.future);

    cr_assert_eq(soon_future_add_done_callback(future, unref, future), 0);
    set_int(both.promise, 1);

    release(both);
}

/* Guards the reference in cancel_members(), future.c. */
Test(gather, may_go_while_it_is_cancelled)
{
    struct halves a = pending(), b = pending();
    soon_future *members[] = {a.future, b.future}, *future = soon_gather(members, 2);

    cr_assert_eq(soon_future_add_done_callback(a.future, unref, future), 0);
    cr_assert(soon_future_cancel(future));
    cr_assert(soon_future_cancelled(a.future) && soon_future_cancelled(b.future));
    cr_assert_eq(soon__blocks_alive(), 2);

    release(a);
    release(b);
}

/*
 * Many, and deep
 */

TestOnEach(gather, of_tasks)
{
    soon_future *members[100], *future;

    for (int i = 0; i < 100; i++)
        members[i] = soon_submit(executor, square, i);
    future = soon_gather(members, 100);
    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(int_of(members[i]), i * i);

    soon_future_unref(future);
    soon_futures_unref(members, 100);
}

Test(gather, of_a_hundred_thousand)
{
    enum { MANY = 100000 };
    struct halves *all = calloc(MANY, sizeof *all);
    soon_future **members = calloc(MANY, sizeof *members), *future;

    for (int i = 0; i < MANY; i++) {
        all[i] = pending();
        members[i] = all[i].future;
    }
    future = soon_gather(members, MANY);
    for (int i = MANY; i-- > 0;) {
        cr_assert_not(soon_future_done(future));
        set_int(all[i].promise, i);
    }
    cr_assert(soon_future_succeeded(future));

    soon_future_unref(future);
    for (int i = 0; i < MANY; i++)
        release(all[i]);
    free(all);
    free(members);
}

/* The last of a chain, in which each gathers the one before it and gives up its reference. */
static soon_future *chain_on(soon_future *first, int length)
{
    soon_future *last = first;

    for (int i = 0; i < length; i++) {
        soon_future *next = gather_one(last);

        soon_future_unref(last);
        last = next;
    }
    return last;
}

enum { DEEP = 200000 };

/* Guards the check of in_internals in soon__future_run_callbacks(), and the list of the doomed. */
Test(gather, of_gather_of_gather_needs_no_stack)
{
    struct halves both = pending();
    soon_future *last = chain_on(both.future, DEEP);

    assert_pending(last);
    set_int(both.promise, 1);
    cr_assert(soon_future_succeeded(last));

    soon_promise_free(both.promise);
    soon_future_unref(last);
    cr_assert_eq(soon__blocks_alive(), 0);
}

Test(gather, cancelled_deep_down_needs_no_stack)
{
    struct halves both = pending();
    soon_future *last = chain_on(both.future, DEEP);

    cr_assert(soon_future_cancel(last));
    cr_assert(soon_future_cancelled(last));
    cr_assert_eq(soon_promise_set_running(both.promise), -ECANCELED);

    soon_promise_free(both.promise);
    soon_future_unref(last);
}

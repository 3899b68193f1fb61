/*
 * group_kill.c - groups that are killed: the workers that run their members, and nobody else's.
 */
#include "../support/map_fixture.h"

TestSuite(group_kill, .init = close_gate);

/* Waits where the argument is not 0, and does not listen. */
SOON_TASK(deaf, int, int)
{
    *result = *arg + 1;
    common()->arrived++;
    while (*arg && !common()->open)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    return 0;
}

static soon_executor *begin(int workers)
{
    if (!test_has_processes())
        cr_skip_test("no process pools here");
    common_begin();
    return make_processes(workers);
}

Test(group_kill, of_a_gather_ends_what_runs_and_cancels_what_is_pending)
{
    soon_executor *pool = begin(1);
    soon_future *members[] = {soon_submit(pool, deaf, 1), NULL}, *group;
    int result;

    await_arrivals(1);
    members[1] = soon_submit(pool, deaf, 1);
    group = soon_gather(members, 2);
    cr_assert_eq(soon_future_kill(group), 0);
    cr_assert_eq(soon_future_wait(group, SOON_FOREVER), 0);

    cr_assert_eq(soon_future_error(group)->code, SOON_EKILLED, "%s", soon_future_error(group)->message);
    cr_assert_eq(soon_future_error(members[0])->code, SOON_EKILLED);
    cr_assert_eq(soon_future_kill(group), SOON_EINVALIDSTATE);
    /* The second may have started before its turn came, in the place of the first. */
    cr_assert(soon_future_error(members[1])->code == -ECANCELED || soon_future_error(members[1])->code == SOON_EKILLED);
    soon_future_unref(group);
    soon_futures_unref(members, 2);
    cr_assert_eq(soon_take(soon_submit(pool, deaf, 0), &result), 0, "the pool goes on");
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(group_kill, reaches_groups_in_groups_and_leaves_alone_what_cannot_be_killed)
{
    soon_executor *pool = begin(1), *threads = make_four_threads();
    soon_future *members[] = {soon_submit(threads, deaf, 1), soon_submit(pool, deaf, 1)}, *inner, *outer;
    int result;

    await_arrivals(2);
    inner = soon_any(members, 2);
    outer = soon_gather(&inner, 1);
    cr_assert_eq(soon_future_kill(outer), 0);
    cr_assert_eq(soon_future_wait(members[1], SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(members[1])->code, SOON_EKILLED);
    cr_assert_not(soon_future_done(outer));
    cr_assert_eq(soon_future_kill(outer), -ENOTSUP, "only the thread's is left");
    cr_assert_not(soon_future_done(members[0]));

    common()->open = true;
    cr_assert_eq(soon_future_wait(outer, SOON_FOREVER), 0);
    cr_assert(soon_future_succeeded(outer));
    cr_assert_eq(soon_result(inner, &result), 0);
    soon_future_unref(outer);
    soon_future_unref(inner);
    soon_futures_unref(members, 2);
    cr_assert_eq(soon_executor_free(threads), 0);
    cr_assert_eq(soon_executor_free(pool), 0);
}

/* No stack grows with what a program builds. */
Test(group_kill, of_a_hundred_thousand_groups_in_groups_is_refused)
{
    soon_promise *promise;
    soon_future *group, *next;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    group = soon_promise_future(promise);
    for (int i = 0; i < 100000; i++) {
        next = soon_gather(&group, 1);
        soon_future_unref(group);
        group = next;
    }
    cr_assert_eq(soon_future_kill(group), -ENOTSUP);
    cr_assert_not(soon_future_done(group));

    soon_promise_free(promise);
    soon_future_unref(group);
}

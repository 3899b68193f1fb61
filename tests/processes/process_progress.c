/*
 * process_progress.c - what a task of a process has told of its progress is there when it has ended, however it did, and
 * whoever has looked at it before.
 */
#include "tries_fixture.h"

TestSuite(process_progress);

enum { EARLY = 10, LATE = 70, TOTAL = 100 };

static void assert_progress(const soon_future *future, uint64_t done, uint64_t total)
{
    soon_progress progress = soon_future_progress(future);

    cr_assert_eq(progress.done, done);
    cr_assert_eq(progress.total, total);
}

/* Tells where it is, passes the gate, tells more, knocks, and stays; or dies. */
struct telling {
    struct gate gate;
    bool dies;
};

SOON_TASK(tell_and_stay, struct telling, int)
{
    soon_task_set_progress(task, EARLY, TOTAL);
    *result = gate_pass(arg->gate, NULL);
    soon_task_set_progress(task, LATE, TOTAL);
    ++((struct memory *)soon_task_shared(task))->tries;
    gate_knock(arg->gate);
    if (arg->dies)
        die(BY_SIGKILL);
    while (!*(volatile const bool *)&arg->dies)
        pause();
    return 0;
}

/* It has told all, and is still there, or was. */
static soon_future *told(struct setup setup, bool dies, bool look)
{
    soon_future *future = soon_submit(setup.pool, tell_and_stay, setup.tasks, dies);

    if (look)
        test_wait_until(soon_future_progress(future).done == EARLY);
    gate_open(setup.tasks, 1);
    gate_await(setup.tasks, 2);
    return future;
}

static void die_by_itself(struct setup setup, soon_future *future)
{
    (void)setup;
    (void)future;
}

static void be_killed(struct setup setup, soon_future *future)
{
    (void)setup;
    cr_assert_eq(soon_future_kill(future), 0);
}

static void be_shut_down(struct setup setup, soon_future *future)
{
    (void)future;
    (void)soon_executor_shutdown(setup.pool, SOON_KILL, 0);
}

static void be_terminated(struct setup setup, soon_future *future)
{
    (void)future;
    (void)soon_executor_shutdown(setup.pool, SOON_TERMINATE, 0);
}

Test(process_progress, is_kept_however_a_task_ends)
{
    static const struct {
        void (*end)(struct setup setup, soon_future *future);
        int code;
    } ends[] = {{die_by_itself, SOON_EWORKERDIED},
                {be_killed, SOON_EKILLED},
                {be_shut_down, SOON_EKILLED},
                {be_terminated, SOON_EKILLED}};

    for (size_t i = 0; i < 2 * sizeof ends / sizeof *ends; i++) {
        struct setup setup = set_up();
        soon_future *future = told(setup, ends[i / 2].end == die_by_itself, i % 2);

        ends[i / 2].end(setup, future);
        cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(future)->code, ends[i / 2].code, "%s", soon_future_error(future)->message);
        assert_progress(future, LATE, TOTAL);
        soon_future_unref(future);
        tear_down(setup);
    }
}

Test(process_progress, is_kept_when_a_time_limit_is_over)
{
    struct setup setup = set_up();
    soon_future *future = NULL;

    gate_open(setup.tasks, 20);
    for (int limit_ms = 50; !setup.memory->tries; limit_ms *= 2) { /* on a slow machine it has told nothing by then */
        soon_future_unref(future);
        future = tell_and_stay_submit(setup.pool, &(struct telling){.gate = setup.tasks},
                                      &(soon_submit_options){.time_limit_ms = limit_ms});
        cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(future)->code, SOON_ETIMELIMIT);
        gate_open(setup.starts, 1);
    }
    assert_progress(future, LATE, TOTAL);
    soon_future_unref(future);
    tear_down(setup);
}

/* Tells in its first try alone, and dies there; in the next it passes the gate. */
SOON_TASK(tell_at_first, struct gate, soon_none)
{
    if (++((struct memory *)soon_task_shared(task))->tries > 1)
        return gate_pass(*arg, NULL);
    soon_task_set_progress(task, LATE, TOTAL);
    die(BY_SIGKILL);
    return 0;
}

Test(process_progress, of_a_further_try_begins_at_zero)
{
    for (int look = 0; look < 2; look++) {
        struct setup setup = set_up();
        soon_future *future = tell_at_first_submit(setup.pool, &setup.tasks, &(soon_submit_options){.retries = 1});

        gate_await(setup.starts, 1);
        assert_progress(future, LATE, TOTAL); /* it is still the last word */
        gate_open(setup.starts, 1);
        gate_await(setup.tasks, 1);
        if (look)
            assert_progress(future, 0, 0);
        gate_open(setup.tasks, 1);
        cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
        assert_progress(future, 0, 0);
        cr_assert_eq(outcome_of(future), 0);
        tear_down(setup);
    }
}

SOON_TASK(tell_and_take_back, struct gate, soon_none)
{
    int rc;

    soon_task_set_progress(task, EARLY, TOTAL);
    rc = gate_pass(*arg, NULL);
    soon_task_set_progress(task, 0, 0);
    return rc;
}

Test(process_progress, that_was_taken_back_is_none)
{
    for (int look = 0; look < 2; look++) {
        struct setup setup = set_up();
        soon_future *future = tell_and_take_back_submit(setup.pool, &setup.tasks, NULL);

        if (look)
            test_wait_until(soon_future_progress(future).done == EARLY);
        gate_open(setup.tasks, 1);
        cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
        assert_progress(future, 0, 0);
        cr_assert_eq(outcome_of(future), 0);
        tear_down(setup);
    }
}

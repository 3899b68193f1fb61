/*
 * process_rights.c - a program that gives up its rights when its workers are there, as daemons do: it may not signal them
 * any more. For root, who alone has some to give up; others skip.
 */
#include "../support/process_fixture.h"

#include <grp.h>

TestSuite(process_rights);

enum { NOBODY = 65534 };

#define SKIP_IF_NOT_ROOT()                                                                                             \
    do {                                                                                                               \
        if (geteuid() != 0)                                                                                            \
            cr_skip_test("only root has rights to give up");                                                           \
    } while (0)

static void give_up_rights(void)
{
    cr_assert_eq(setgroups(0, NULL), 0);
    cr_assert_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
    cr_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

static soon_executor *new_pool_with_more_rights(int64_t grace_ms)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = grace_ms);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    give_up_rights();
    return pool;
}

static soon_future *start_hanging(soon_executor *pool, int64_t time_limit_ms)
{
    soon_future *future = soon_submit_with(pool, (.time_limit_ms = time_limit_ms), hang);

    test_wait_until(soon_future_running(future) || soon_future_done(future));
    return future;
}

Test(process_rights, given_up_leave_a_kill)
{
    SKIP_IF_NOT_ROOT();

    soon_executor *pool = new_pool_with_more_rights(0);
    soon_future *future = start_hanging(pool, 0);

    cr_assert_eq(soon_future_kill(future), 0);
    cr_assert_eq(outcome_of(future), SOON_EKILLED);
    test_wait_until(workers_of(pool) == 0);
    free_pool(pool);
}

Test(process_rights, given_up_leave_time_limits)
{
    SKIP_IF_NOT_ROOT();

    soon_executor *pool = new_pool_with_more_rights(0);

    cr_assert_eq(outcome_of(start_hanging(pool, 10)), SOON_ETIMELIMIT);
    free_pool(pool);
}

static void assert_shut_down(soon_shutdown mode, int64_t grace_ms)
{
    soon_executor *pool = new_pool_with_more_rights(grace_ms);
    soon_future *future = start_hanging(pool, 0);

    cr_assert_eq(soon_executor_shutdown(pool, mode, SOON_FOREVER), 0);
    cr_assert_eq(outcome_of(future), SOON_EKILLED);
    free_pool(pool);
}

Test(process_rights, given_up_leave_a_shutdown_by_force)
{
    SKIP_IF_NOT_ROOT();
    assert_shut_down(SOON_KILL, 0);
}

/* As long as it is, there is no grace: the task could not be told. */
Test(process_rights, given_up_leave_a_shutdown_that_terminates)
{
    SKIP_IF_NOT_ROOT();
    assert_shut_down(SOON_TERMINATE, 1000000);
}

/* A child of a task, in its worker's group. */
SOON_TASK(have_child, soon_none, int)
{
    *result = fork();
    while (*result == 0)
        pause();
    return 0;
}

Test(process_rights, given_up_leave_no_children_behind)
{
    SKIP_IF_NOT_ROOT();

    soon_executor *pool = new_pool_with_more_rights(0);
    int child;
    soon_future *future;

    cr_assert_eq(soon_take(soon_submit(pool, have_child), &child), 0);
    future = start_hanging(pool, 0);
    cr_assert_eq(soon_future_kill(future), 0);
    cr_assert_eq(outcome_of(future), SOON_EKILLED);
    test_wait_until(!is_alive(child));
    free_pool(pool);
}

/* Another program has no socket of ours, and here it keeps the rights that the parent has not. */
struct pipes {
    int pid, tell, wait;
};

SOON_TASK(become_another_program, struct pipes, soon_none)
{
    char command[200];

    snprintf(command, sizeof command, "echo >/proc/%d/fd/%d; read x </proc/%d/fd/%d", arg->pid, arg->tell, arg->pid,
             arg->wait);
    execl("/bin/sh", "sh", "-c", command, NULL);
    return ENOENT;
}

Test(process_rights, given_up_are_told_of_where_nothing_can_be_done)
{
    SKIP_IF_NOT_ROOT();

    int tells[2], waits[2];
    soon_executor *pool;
    soon_future *future;
    char byte;

    cr_assert(pipe(tells) == 0 && pipe(waits) == 0);
    pool = new_pool_with_more_rights(0);
    future = become_another_program_submit(pool, &(struct pipes){getpid(), tells[1], waits[0]}, NULL);
    cr_assert_eq(read(tells[0], &byte, 1), 1);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_KILL, 0), -ETIMEDOUT);

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(future)->code, SOON_EKILLED);
    cr_assert_not_null(strstr(soon_future_error(future)->message, "could not be ended"), "%s",
                       soon_future_error(future)->message);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_KILL, 0), -ETIMEDOUT);
    close(waits[1]);
    free_pool(pool);
    soon_future_unref(future);
    close(waits[0]);
    close(tells[0]);
    close(tells[1]);
}

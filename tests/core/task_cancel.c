/*
 * task_cancel.c - tasks that block hear of their cancel: the descriptor, and callbacks.
 */
#include "../support/executors.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

TestSuite(task_cancel);

/* For ever, or not at all: a signal of the pool's interrupts it. */
static bool is_readable(int fd, bool waits)
{
    struct pollfd what = {.fd = fd, .events = POLLIN};
    int rc;

    while ((rc = poll(&what, 1, waits ? -1 : 0)) < 0)
        cr_assert_eq(errno, EINTR);
    return rc == 1 && what.revents == POLLIN;
}

/* Blocks until somebody cancels it; its argument is what it returns then. */
SOON_TASK(block, int, int)
{
    int fd = soon_task_cancel_fd(task);

    if (fd < 0)
        return soon_raise(task, fd, NULL);
    common()->arrived++;
    if (!is_readable(fd, true) || !soon_task_cancel_requested(task))
        return soon_raise(task, EPROTO, "woken for nothing");
    common()->runs++;
    *result = 7;
    return *arg;
}

/* Whether anything is to be read: by itself, and again. */
SOON_TASK(look, soon_none, int)
{
    int fd = soon_task_cancel_fd(task);

    if (fd < 0 || soon_task_cancel_fd(task) != fd)
        return soon_raise(task, fd, NULL);
    *result = is_readable(fd, false);
    return 0;
}

static void assert_nothing_to_read(soon_executor *executor)
{
    int readable;

    cr_assert_eq(soon_take(soon_submit(executor, look), &readable), 0);
    cr_assert_eq(readable, 0, "it hears of another one's cancel");
}

static int code_of(soon_future *f)
{
    int code = soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0});

    soon_future_unref(f);
    return code;
}

TestOnEach(task_cancel, wakes_a_task_that_blocks)
{
    soon_future *f = soon_submit(executor, block, -ECANCELED);

    await_arrivals(1);
    cr_assert(test_is_asked_to_end(f));

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(f));
    cr_assert_eq(code_of(f), -ECANCELED);
    assert_nothing_to_read(executor);
}

TestOnEach(task_cancel, leaves_a_result_that_is_there_all_the_same)
{
    soon_future *f = soon_submit(executor, block, 0);
    int value;

    await_arrivals(1);
    (void)soon_future_cancel(f);

    cr_assert_eq(soon_take(f, &value), 0);
    cr_assert_eq(value, 7);
    assert_nothing_to_read(executor);
}

/* Asks for the descriptor when it was cancelled already. */
SOON_TASK(ask_late, soon_none, int)
{
    int rc = wait_at_gate(task), fd = soon_task_cancel_fd(task);

    if (rc != -ECANCELED || fd < 0 || !is_readable(fd, false) || soon_task_cancel_fd(task) != fd)
        return soon_raise(task, EPROTO, NULL);
    return rc;
}

TestOnEach(task_cancel, of_before_is_seen_at_once)
{
    soon_future *f = soon_submit(executor, ask_late);

    await_arrivals(1);
    cr_assert(test_is_asked_to_end(f));

    cr_assert_eq(code_of(f), -ECANCELED);
    assert_nothing_to_read(executor);
}

TestOnEach(task_cancel, is_not_heard_by_the_next_tasks_of_the_worker)
{
    for (int round = 1; round <= 20; round++) {
        soon_future *f = soon_submit(executor, block, -ECANCELED);

        await_arrivals(round);
        cr_assert(test_is_asked_to_end(f));
        assert_nothing_to_read(executor);
        assert_nothing_to_read(executor);
        cr_assert_eq(code_of(f), -ECANCELED);
    }
}

TestOnEach(task_cancel, comes_with_the_shutdown_that_terminates)
{
    soon_future *f;

    common()->runs = 0;
    f = soon_submit(executor, block, -ECANCELED);
    await_arrivals(1);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_TERMINATE, SOON_FOREVER), 0);

    cr_assert_eq(soon_future_wait(f, 0), 0);
    cr_assert_eq(common()->runs, 1);
    cr_assert_eq(code_of(f), tasks_are_elsewhere ? SOON_EKILLED : -ECANCELED);
}

TestOnEach(task_cancel, comes_with_the_end_of_its_time)
{
    common()->runs = 0;
    for (int limit_ms = 30; common()->runs == 0; limit_ms *= 2) /* on a slow machine it does not listen by then */
        cr_assert_eq(code_of(soon_submit_with(executor, (.time_limit_ms = limit_ms), block, -ECANCELED)),
                     SOON_ETIMELIMIT);
    assert_nothing_to_read(executor);
}

TestOnEach(task_cancel, comes_with_that_of_its_group)
{
    soon_future *f = soon_submit(executor, block, -ECANCELED), *group = soon_gather(&f, 1);

    await_arrivals(1);
    (void)soon_future_cancel(group);

    cr_assert_eq(code_of(f), -ECANCELED);
    soon_future_unref(group);
    assert_nothing_to_read(executor);
}

/* Of a chunk, one item after another on one worker: the first three go on, and have left a descriptor behind each. */
SOON_TASK(block_at_the_fourth, int, int)
{
    int fd = soon_task_cancel_fd(task);

    *result = *arg;
    if (fd < 0 || is_readable(fd, false))
        return soon_raise(task, EPROTO, NULL);
    if (*arg < 3)
        return 0;
    common()->arrived++;
    return is_readable(fd, true) ? -ECANCELED : 0;
}

TestOnEach(task_cancel, comes_with_that_of_its_map)
{
    int args[6] = {0, 1, 2, 3, 4, 5}, value;
    soon_future *f = soon_map_async_with(executor, (.chunk = 6), block_at_the_fourth, args, 6);

    await_arrivals(1);
    (void)soon_future_cancel(f);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);

    cr_assert(soon_future_cancelled(f));
    for (int i = 0; i < 3; i++) {
        int rc = soon_map_item(f, (size_t)i, 0, &value, sizeof value);

        cr_assert(rc == 0 ? value == i : tasks_are_elsewhere); /* a map that is stopped takes none from there */
    }
    cr_assert_eq(soon_map_item(f, 3, 0, &value, sizeof value), -ECANCELED);
    soon_future_unref(f);
    assert_nothing_to_read(executor);
}

/* Raises, or leaves more than its result, and has asked before or after: each way out of a body. */
SOON_TASK(leave, int, int)
{
    int fd = *arg & 1 ? soon_task_cancel_fd(task) : 0, rc = 0;

    *result = *arg;
    if (*arg & 2)
        rc = soon_raise(task, EDOM, "so");
    if (*arg & 4)
        fd = soon_task_cancel_fd(task);
    if (*arg & 8)
        rc = 0; /* a task that then returns 0 has succeeded all the same */
    if (*arg & 16)
        rc = SOON_ERAISED;
    return fd < 0 ? fd : rc;
}

TestOnEach(task_cancel, that_does_not_come_changes_no_outcome)
{
    for (int how = 0; how < 32; how++) {
        soon_future *f = soon_submit(executor, leave, how);
        bool raises = how & 16 || ((how & 2) && !(how & 8));
        int value;

        cr_assert_eq(soon_result(f, &value), raises ? SOON_ERAISED : 0, "%d", how);
        if (raises)
            cr_assert_eq(soon_future_error(f)->raised, how & 2 ? EDOM : SOON_ERAISED, "%d", how);
        else
            cr_assert_eq(value, how);
        soon_future_unref(f);
    }
}

/* All of them at once: each its own. */
TestOnEach(task_cancel, reaches_the_task_that_it_is_meant_for)
{
    soon_future *first = soon_submit(executor, block, -ECANCELED), *fs[5];
    int readable;

    await_arrivals(1);
    for (int i = 0; i < 5; i++)
        fs[i] = soon_submit(executor, look);
    cr_assert(test_is_asked_to_end(first));

    cr_assert_eq(code_of(first), -ECANCELED);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(soon_take(fs[i], &readable), 0);
        cr_assert_eq(readable, 0);
    }
}

SOON_TASK(fork_and_ask, soon_none, int)
{
    int fd = soon_task_cancel_fd(task), status = 0;
    pid_t child = test_fork();

    if (child == 0)
        _exit(soon_task_cancel_fd(task) == SOON_EFORKED && fd >= 0 ? 42 : 1);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    *result = WEXITSTATUS(status);
    return 0;
}

SOON_TASK(fork_then_ask, soon_none, int)
{
    int status = 0;
    pid_t child = test_fork();

    if (child == 0)
        _exit(soon_task_cancel_fd(task) == SOON_EFORKED ? 42 : 1);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    *result = WEXITSTATUS(status);
    return 0;
}

TestOnEach(task_cancel, has_no_descriptor_in_a_forked_child)
{
    int status;

    cr_assert_eq(soon_take(soon_submit(executor, fork_and_ask), &status), 0);
    cr_assert_eq(status, 42);
    cr_assert_eq(soon_take(soon_submit(executor, fork_then_ask), &status), 0);
    cr_assert_eq(status, 42);
}

/* There is no descriptor left; then there is. */
SOON_TASK(run_out, soon_none, int)
{
    struct rlimit before, none;
    int fd = dup(STDERR_FILENO);

    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)fd;
    close(fd);
    setrlimit(RLIMIT_NOFILE, &none);
    fd = soon_task_cancel_fd(task);
    setrlimit(RLIMIT_NOFILE, &before);
    *result = fd;
    fd = soon_task_cancel_fd(task);
    return fd < 0 ? fd : 0;
}

TestOnEach(task_cancel, says_that_no_descriptor_is_left)
{
    int code;

    cr_assert_eq(soon_take(soon_submit(executor, run_out), &code), 0);
    cr_assert_eq(code, -EMFILE);
    assert_nothing_to_read(executor);
}

Test(task_cancel, needs_a_task)
{
    cr_assert_eq(soon_task_cancel_fd(NULL), -EINVAL);
    cr_assert_eq(soon_task_add_cancel_callback(NULL, NULL, NULL), -EINVAL);
}

/*
 * process_grace.c - a task that listens gets the grace period: when its worker is to be ended it hears of that, ends by itself,
 * and its worker after it. The pools here wait for a SIGKILL for longer than any test may take.
 */
#include "../support/process_fixture.h"

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>

TestSuite(process_grace);

enum { LONG_MS = 10000000 };

static bool awaits(int fd)
{
    int rc;

    while ((rc = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1)) < 0)
        cr_assert_eq(errno, EINTR);
    return rc == 1;
}

struct listening {
    struct gate gate;
    int code; /* that it returns when it was asked to end */
};

SOON_TASK(listen_at_gate, struct listening, int)
{
    int fd = soon_task_cancel_fd(task);

    if (fd < 0)
        return soon_raise(task, fd, NULL);
    gate_knock(arg->gate);
    *result = getpid();
    return awaits(fd) && soon_task_cancel_requested(task) ? arg->code : 0;
}

static soon_future *listening(soon_executor *pool, struct gate gate, int code)
{
    soon_future *f = soon_submit(pool, listen_at_gate, gate, code);

    gate_await(gate, 1);
    return f;
}

Test(process_grace, lets_a_task_that_is_killed_end_by_itself)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate gate = gate_new();
    soon_future *f = listening(pool, gate, -ECANCELED);

    cr_assert_eq(soon_future_kill(f), 0);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->worker_signal, 0); /* it was not signalled to its end */
    cr_assert(soon_future_error(f)->started);
    cr_assert_str_eq(soon_future_error(f)->message, soon_strerror(SOON_EKILLED));
    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
    gate_free(gate);
}

Test(process_grace, lets_its_result_count)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate gate = gate_new();
    int pid = 0;

    for (int round = 0; round < 20; round++) {
        soon_future *f = listening(pool, gate, 0);

        cr_assert_eq(soon_future_kill(f), 0);
        cr_assert_eq(soon_take(f, &pid), 0);
        cr_assert_gt(pid, 0);
    }
    free_pool(pool);
    gate_free(gate);
}

/* Takes its time after it was told: up to the signal, which it takes. */
SOON_TASK(clean_up_slowly, struct gate, int)
{
    int fd = soon_task_cancel_fd(task);
    sigset_t term, pending;

    if (fd < 0)
        return soon_raise(task, fd, NULL);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    gate_knock(*arg);
    awaits(fd);
    do
        sigpending(&pending);
    while (!sigismember(&pending, SIGTERM));
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    *result = getpid();
    return 0;
}

Test(process_grace, ends_the_worker_when_its_task_has_ended)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate gate = gate_new();

    for (int round = 0; round < 3; round++) {
        soon_future *f = clean_up_slowly_submit(pool, &gate, NULL);
        int pid = 0;

        gate_await(gate, 1);
        cr_assert_eq(soon_future_kill(f), 0);
        cr_assert_eq(soon_take(f, &pid), 0);
        cr_assert_neq(pid_of_one(pool), pid);
    }
    free_pool(pool);
    gate_free(gate);
}

/* Hears of it, and does not care. */
SOON_TASK(listen_and_stay, struct gate, int)
{
    if (soon_task_cancel_fd(task) < 0)
        return soon_raise(task, EPROTO, NULL);
    return gate_pass(*arg, NULL);
}

Test(process_grace, ends_with_sigkill_for_a_task_that_does_not_end)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = 30);
    struct gate never = gate_new();
    soon_future *f = listen_and_stay_submit(pool, &never, NULL);

    gate_await(never, 1);
    cr_assert_eq(soon_future_kill(f), 0);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->worker_signal, SIGKILL);
    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    free_pool(pool);
    gate_free(never);
}

Test(process_grace, is_for_time_limits_and_says_so)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate gate = gate_new();
    soon_future *f = soon_submit_with(pool, (.time_limit_ms = 20), listen_at_gate, gate, -ECANCELED);

    cr_assert_eq(outcome_of(f), SOON_ETIMELIMIT);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
    gate_free(gate);
}

Test(process_grace, is_for_the_shutdown_that_terminates)
{
    soon_executor *pool = new_processes(.workers = 2, .grace_ms = LONG_MS);
    struct gate gate = gate_new();
    soon_future *f = listening(pool, gate, -ECANCELED), *g = listening(pool, gate, 0);

    cr_assert_eq(soon_executor_shutdown(pool, SOON_TERMINATE, SOON_FOREVER), 0);
    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    cr_assert_eq(outcome_of(g), 0);
    free_pool(pool);
    gate_free(gate);
}

Test(process_grace, is_none_for_the_shutdown_that_kills)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate never = gate_new();
    soon_future *f = listen_and_stay_submit(pool, &never, NULL);

    gate_await(never, 1);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_KILL, SOON_FOREVER), 0);
    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    free_pool(pool);
    gate_free(never);
}

SOON_TASK(die_now, soon_none, soon_none)
{
    die(BY_SIGKILL);
    return 0;
}

Test(process_grace, tells_that_another_worker_broke_the_pool)
{
    soon_executor *pool = new_processes(.workers = 2, .grace_ms = LONG_MS, .on_worker_death = SOON_BREAK);
    struct gate gate = gate_new();
    soon_future *f = listening(pool, gate, -ECANCELED), *g = soon_submit(pool, die_now);

    cr_assert_lt(outcome_of(g), 0);
    cr_assert_eq(outcome_of(f), SOON_EBROKEN);
    free_pool(pool);
    gate_free(gate);
}

/* The second of a chunk is to be told. */
SOON_TASK(listen_if_one, struct listening, int)
{
    int fd = soon_task_cancel_fd(task);

    *result = arg->code;
    if (arg->code != 1)
        return fd < 0 ? fd : 0;
    gate_knock(arg->gate);
    return fd >= 0 && awaits(fd) ? -ECANCELED : 0;
}

static soon_future *map_of_four(soon_executor *pool, struct gate gate, int64_t time_limit_ms)
{
    struct listening args[4] = {{gate, 0}, {gate, 1}, {gate, 2}, {gate, 3}};
    soon_submit_options each = {.time_limit_ms = time_limit_ms};

    return soon_map_async_with(pool, (.chunk = 4, .each = &each), listen_if_one, args, 4);
}

Test(process_grace, of_an_item_leaves_the_others_to_run)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate gate = gate_new();
    bool in_time = false;
    int value;

    for (int limit_ms = 50; !in_time; limit_ms *= 2) { /* on a slow machine the others need more */
        soon_future *f = map_of_four(pool, gate, limit_ms);

        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        in_time = true;
        for (int i = 0; i < 4; i++) {
            int rc = soon_map_item(f, (size_t)i, 0, &value, sizeof value);

            cr_assert(rc == SOON_ETIMELIMIT || (i != 1 && rc == 0 && value == i), "item %d: %s", i, soon_strerror(rc));
            in_time &= i == 1 || rc == 0;
        }
        soon_future_unref(f);
    }
    free_pool(pool);
    gate_free(gate);
}

Test(process_grace, of_a_map_that_is_killed)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate gate = gate_new();
    soon_future *f = map_of_four(pool, gate, 0);
    int value;

    gate_await(gate, 1);
    cr_assert_eq(soon_future_kill(f), 0);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_map_item(f, 1, 0, &value, sizeof value), SOON_EKILLED);
    cr_assert_eq(soon_map_item(f, 2, 0, &value, sizeof value), -ECANCELED);
    cr_assert_eq(soon_map_item(f, 3, 0, &value, sizeof value), -ECANCELED);
    soon_future_unref(f);
    free_pool(pool);
    gate_free(gate);
}

/* A command of the task's, which would go on for ever. */
SOON_TASK(wait_for_a_command, struct gate, int)
{
    char *words[] = {"sleep", "1000000", NULL};
    struct pollfd what[2] = {{.events = POLLIN}, {.fd = soon_task_cancel_fd(task), .events = POLLIN}};
    pid_t child;
    int status;

    if (what[1].fd < 0 || posix_spawnp(&child, "sleep", NULL, NULL, words, environ))
        return soon_raise(task, EPROTO, NULL);
    what[0].fd = (int)syscall(SYS_pidfd_open, child, 0);
    gate_knock(*arg);
    while (poll(what, 2, -1) < 0 && errno == EINTR)
        ;
    kill(child, SIGTERM);
    close(what[0].fd);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    *result = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
    /* It gets the signal with the whole process group, and may be gone before this task hears of its own end. */
    while (!what[1].revents && poll(&what[1], 1, -1) < 0 && errno == EINTR)
        ;
    return what[1].revents ? 0 : EPROTO;
}

Test(process_grace, ends_a_command_that_a_task_waits_for)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate gate = gate_new();
    int signal;

    for (int round = 0; round < 2; round++) {
        soon_future *f = wait_for_a_command_submit(pool, &gate, NULL);

        gate_await(gate, 1);
        cr_assert(round ? soon_future_kill(f) == 0 : !soon_future_cancel(f));
        cr_assert_eq(soon_take(f, &signal), 0);
        cr_assert_eq(signal, SIGTERM);
    }
    free_pool(pool);
    gate_free(gate);
}

/* A task that had listened, and was let live, has left nothing behind that would hold off the end of the next. */
SOON_TASK(hang_deaf, struct gate, int)
{
    gate_knock(*arg);
    for (*result = 0; *result == 0;)
        pause();
    return 0;
}

Test(process_grace, is_not_for_a_task_that_does_not_listen)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = LONG_MS);
    struct gate gate = gate_new();

    for (int round = 0; round < 20; round++) {
        struct gate first = gate_new(); /* so that the next two tasks are in different slots */
        soon_future *before = submit_pass(pool, first), *f = soon_submit(pool, listen_at_gate, gate, -ECANCELED);

        gate_open(first, 1);
        cr_assert_eq(outcome_of(before), 0);
        gate_await(gate, 1);
        cr_assert_eq(soon_future_kill(f), 0);
        cr_assert_eq(outcome_of(f), SOON_EKILLED);
        gate_free(first);
        f = hang_deaf_submit(pool, &gate, NULL);
        gate_await(gate, 1);
        cr_assert_eq(soon_future_kill(f), 0);
        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(f)->worker_signal, SIGTERM);
        cr_assert_eq(outcome_of(f), SOON_EKILLED);
    }
    free_pool(pool);
    gate_free(gate);
}

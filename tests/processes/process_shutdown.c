/*
 * process_shutdown.c - the end of a process pool: in every mode, in every state, and with the process that has it.
 */
#include "../support/process_fixture.h"

#include <sys/prctl.h>

TestSuite(process_shutdown);

static const soon_shutdown modes[] = {SOON_DRAIN, SOON_CANCEL_PENDING, SOON_TERMINATE, SOON_KILL};

/* CPython: test_processes_terminate, test_context_manager_shutdown, test_del_shutdown; loky:
 * test_processes_terminate_on_executor_gc */
Test(process_shutdown, leaves_no_process_in_any_mode)
{
    for (size_t m = 0; m < 4; m++) {
        soon_executor *pool = new_processes(.workers = 3);
        int pids[30];

        cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
        cr_assert_eq(soon_map(pool, own_pid, NULL, 30, pids), 0);
        cr_assert_eq(soon_executor_shutdown(pool, modes[m], SOON_FOREVER), 0);
        for (int i = 0; i < 30; i++)
            cr_assert_not(is_alive(pids[i]));
        cr_assert_eq(workers_of(pool), 0);
        free_pool(pool);
    }
}

/* CPython: test_force_shutdown_workers_not_started_yet */
Test(process_shutdown, of_one_that_never_ran_anything_starts_nothing)
{
    for (size_t m = 0; m < 4; m++) {
        soon_executor *pool = new_processes(.workers = 3);

        cr_assert_eq(soon_executor_shutdown(pool, modes[m], SOON_FOREVER), 0);
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), SOON_ESHUTDOWN);
        free_pool(pool);
    }
}

/* A boot that nobody waited for: what it still wants ends with the pool's being open. */
Test(process_shutdown, after_a_boot_that_was_not_waited_for_ends_in_any_mode)
{
    for (size_t m = 0; m < 8; m++) {
        soon_executor *pool = new_processes(.workers = 3, .grace_ms = 50);
        soon_future *future = NULL;

        cr_assert_eq(soon_executor_boot(pool, 0), -ETIMEDOUT);
        if (m >= 4)
            future = soon_submit(pool, nothing);
        cr_assert_eq(soon_executor_shutdown(pool, modes[m % 4], SOON_FOREVER), 0);
        cr_assert_eq(soon_executor_boot(pool, 0), SOON_ESHUTDOWN);
        cr_assert(!future || soon_future_done(future));
        soon_future_unref(future);
        free_pool(pool);
    }
}

/* While workers are on their way: from at once to when all are there. */
Test(process_shutdown, while_workers_start_leaves_no_future_unresolved)
{
    for (int i = 0; i < 40; i++) {
        soon_executor *pool = new_processes(.workers = 3, .grace_ms = 50);
        soon_future *futures[10];

        for (int j = 0; j < 10; j++)
            futures[j] = soon_submit(pool, nothing);
        nanosleep(&(struct timespec){.tv_nsec = i * 100000L}, NULL);
        cr_assert_eq(soon_executor_shutdown(pool, modes[i % 4], SOON_FOREVER), 0);
        for (int j = 0; j < 10; j++) {
            cr_assert(soon_future_done(futures[j]));
            cr_assert(i % 4 || soon_future_succeeded(futures[j]));
        }
        soon_futures_unref(futures, 10);
        free_pool(pool);
    }
}

/* Caught: an injector that stays open. */
Test(process_shutdown, refuses_what_comes_after_it_in_a_flood)
{
    for (size_t m = 0; m < 4; m++) {
        struct gate gate = gate_new();
        soon_executor *pool = new_processes(.workers = 1, .grace_ms = 50);
        soon_future *running, *pending[200];

        running = submit_pass(pool, gate);
        gate_await(gate, 1);
        for (int i = 0; i < 200; i++)
            pending[i] = soon_submit(pool, nothing);
        cr_assert(begins_shutdown(pool, modes[m]));
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), SOON_ESHUTDOWN);
        gate_open(gate, 1);
        cr_assert_eq(soon_executor_shutdown(pool, modes[m], SOON_FOREVER), 0);
        for (int i = 0; i < 200; i++)
            cr_assert_eq(outcome_of(pending[i]), m == 0 ? 0 : -ECANCELED);
        soon_future_unref(running);
        cr_assert_eq(stats_of(pool).submitted, 201);
        free_pool(pool);
        gate_free(gate);
    }
}

/* CPython: test_force_shutdown_workers (terminate_workers, kill_workers), test_force_shutdown_workers_stops_pool; loky:
 * test_shutdown_kill, test_shutdown_and_kill_workers */
Test(process_shutdown, by_force_ends_what_does_not_listen)
{
    for (size_t m = 2; m < 4; m++) {
        struct gate gate = gate_new();
        soon_executor *pool = new_processes(.workers = 2, .grace_ms = 1000000);
        soon_future *running[2], *pending[20];
        int signal = modes[m] == SOON_KILL ? SIGKILL : SIGTERM;

        for (int i = 0; i < 2; i++)
            running[i] = stay_submit(pool, &gate, NULL);
        gate_await(gate, 2);
        for (int i = 0; i < 20; i++)
            pending[i] = stay_submit(pool, &gate, NULL);
        cr_assert_eq(soon_executor_shutdown(pool, modes[m], SOON_FOREVER), 0);

        for (int i = 0; i < 2; i++) {
            cr_assert_eq(soon_future_error(running[i])->worker_signal, signal);
            cr_assert(soon_future_error(running[i])->started);
            cr_assert_eq(outcome_of(running[i]), SOON_EKILLED);
        }
        for (int i = 0; i < 20; i++)
            cr_assert_eq(outcome_of(pending[i]), -ECANCELED);
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), SOON_ESHUTDOWN);
        cr_assert_eq(gate_arrived(gate), 0);
        free_pool(pool);
        gate_free(gate);
    }
}

/* Says that it is there, and cannot be terminated. */
SOON_TASK(ignore_sigterm, struct gate, int)
{
    signal(SIGTERM, SIG_IGN);
    return gate_pass(*arg, NULL);
}

SOON_TASK(block_all_signals, struct gate, int)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    return gate_pass(*arg, NULL);
}

SOON_TASK(stand_still, struct gate, int)
{
    gate_knock(*arg);
    raise(SIGSTOP);
    return 0;
}

/* pebble: test_process_pool_ignoring_sigterm (stop) */
Test(process_shutdown, by_terminate_kills_what_is_there_after_the_grace_period)
{
    const soon_function *stubborn[] = {&ignore_sigterm_task, &block_all_signals_task, &stand_still_task};

    for (int i = 0; i < 3; i++) {
        struct gate gate = gate_new();
        soon_executor *pool = new_processes(.workers = 1, .grace_ms = 20);
        soon_future *f = soon_submit_bytes(pool, stubborn[i], &gate, sizeof gate, NULL);

        gate_await(gate, 1);
        cr_assert_eq(soon_executor_shutdown(pool, SOON_TERMINATE, SOON_FOREVER), 0);
        cr_assert(soon_future_error(f)->worker_signal == SIGKILL ||
                  i == 2); /* that one may get SIGTERM before it stands */
        cr_assert_eq(outcome_of(f), SOON_EKILLED);
        free_pool(pool);
        gate_free(gate);
    }
}

static struct gate tidying;

static void tidy_up(int signal)
{
    (void)signal;
    gate_knock(tidying);
    _exit(0);
}

SOON_TASK(tidy_up_when_terminated, struct gate, int)
{
    tidying = *arg;
    signal(SIGTERM, tidy_up);
    return gate_pass(*arg, NULL);
}

Test(process_shutdown, by_terminate_lets_a_task_tidy_up)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = 100000);
    soon_future *f = tidy_up_when_terminated_submit(pool, &gate, NULL);

    gate_await(gate, 1);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_TERMINATE, SOON_FOREVER), 0);
    gate_await(gate, 1); /* it did */
    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    free_pool(pool);
    gate_free(gate);
}

Test(process_shutdown, may_become_stronger_at_any_time)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_processes(.workers = 2, .grace_ms = 100000);
    soon_future *running = ignore_sigterm_submit(pool, &gate, NULL);

    gate_await(gate, 1);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 1), -ETIMEDOUT);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_CANCEL_PENDING, 1), -ETIMEDOUT);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_TERMINATE, 1), -ETIMEDOUT);
    cr_assert_not(soon_future_done(running));
    cr_assert_eq(soon_executor_shutdown(pool, SOON_KILL, SOON_FOREVER), 0);

    cr_assert_eq(outcome_of(running), SOON_EKILLED);
    free_pool(pool);
    gate_free(gate);
}

/* pebble: test_process_pool_stop_large_data; deadlock tests: stop while large data is queued and cancelled */
SOON_TASK_BYTES(give_back)
{
    return soon_task_return_bytes(task, arg.data, arg.size);
}

Test(process_shutdown, with_large_data_on_the_way_does_not_hang)
{
    size_t size = 20 << 20;
    char *bytes = calloc(1, size);

    for (int round = 0; round < 4; round++) {
        soon_executor *pool = new_processes(.workers = 2, .grace_ms = 50);
        soon_future *futures[10];

        for (int i = 0; i < 10; i++)
            futures[i] = give_back_submit(pool, bytes, size, NULL);
        if (round % 2)
            cr_assert_eq(soon_future_wait(futures[0], SOON_FOREVER), 0);
        for (int i = 0; i < 10; i += 2)
            soon_future_cancel(futures[i]);
        cr_assert_eq(soon_executor_shutdown(pool, round < 2 ? SOON_TERMINATE : SOON_KILL, SOON_FOREVER), 0);
        for (int i = 0; i < 10; i++)
            cr_assert(soon_future_done(futures[i]));
        soon_futures_unref(futures, 10);
        free_pool(pool);
    }
    free(bytes);
}

/* CPython: test_hang_gh94440, with processes; test_gh105829_should_not_deadlock_if_wakeup_pipe_full: nothing wakes through
 * a pipe that could be full */
Test(process_shutdown, right_behind_very_many_submits_runs_them_all)
{
    enum { MANY = 20000 };
    static soon_future *futures[MANY];
    soon_executor *pool = new_processes(.workers = 2);

    for (int i = 0; i < MANY; i++)
        futures[i] = soon_submit(pool, nothing);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
    for (int i = 0; i < MANY; i++)
        cr_assert(soon_future_succeeded(futures[i]));
    soon_futures_unref(futures, MANY);
    free_pool(pool);
}

/* CPython: test_shutdown_no_wait (processes); mpi4py: shutdown_nowait */
Test(process_shutdown, without_waiting_ends_when_its_tasks_have)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_processes(.workers = 2);
    soon_future *f = occupy_one(pool, gate), *down = soon_executor_down(pool);

    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_not(soon_future_done(down));
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(down), 0);
    cr_assert_eq(outcome_of(f), 0);
    free_pool(pool);
    gate_free(gate);
}

/*
 * With the process that has the pool
 */

struct told {
    int pids[3];
};

/* In a process of its own: makes a pool, tells its workers' numbers, and ends without a word to the pool. */
static void end_with_a_pool(int fd, bool by_exit)
{
    soon_executor *pool = new_processes(.workers = 3);
    struct gate gate = gate_new();
    struct told told;
    soon_future *futures[3];

    for (int i = 0; i < 3; i++)
        futures[i] = own_pid_at_gate_submit(pool, &gate, NULL);
    gate_await(gate, 3);
    gate_open(gate, 3);
    for (int i = 0; i < 3; i++)
        (void)soon_take(futures[i], &told.pids[i]);
    for (int i = 0; i < 3; i++)
        soon_future_unref(soon_submit(pool, hang));
    cr_assert_eq(write(fd, &told, sizeof told), (ssize_t)sizeof told);
    if (by_exit)
        _exit(0);
    raise(SIGKILL);
}

/* loky: test_sigkill_shutdown_leaks_workers, test_exited_child; CPython: test_interpreter_shutdown, as far as workers go:
 * there is no implicit join */
Test(process_shutdown, comes_with_the_end_of_its_process_however_that_ends)
{
    for (int by_exit = 0; by_exit < 2; by_exit++) {
        struct told told;
        int ends[2], status;
        pid_t child;

        cr_assert_eq(pipe(ends), 0);
        prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans come to us, so that their numbers stay theirs */
        child = test_fork();
        if (child == 0)
            end_with_a_pool(ends[1], by_exit);
        cr_assert_eq(read(ends[0], &told, sizeof told), (ssize_t)sizeof told);
        cr_assert_eq(waitpid(child, &status, 0), child);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(waitpid(told.pids[i], &status, 0), told.pids[i]);
        close(ends[0]);
        close(ends[1]);
    }
}

/* Signals to the group: a service manager's SIGTERM, or SIGHUP that it may read its files anew, and the terminal's ^C are not for
 * workers. */
Test(process_shutdown, is_not_done_by_strangers)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGTTOU, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    struct gate gate = gate_new();
    soon_executor *pool = new_processes(.workers = 1);
    int pid = pid_of_one(pool), told;
    soon_future *f = own_pid_at_gate_submit(pool, &gate, NULL);
    pid_t child;

    gate_await(gate, 1);
    child = test_fork();
    if (child == 0) {
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
            kill(pid, signals[i]);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, NULL, 0), child);
    gate_open(gate, 1);

    cr_assert_eq(soon_take(f, &told), 0);
    cr_assert_eq(told, pid);
    cr_assert_eq(pid_of_one(pool), pid);
    free_pool(pool);
    gate_free(gate);
}

/* CPython: test_hang_global_shutdown_lock, test_process_fork_from_a_threadpool: what is forked has no pool */
Test(process_shutdown, is_not_for_a_forked_child)
{
    soon_executor *pool = new_processes(.workers = 1);
    int pid = pid_of_one(pool), status;
    pid_t child = test_fork();

    if (child == 0) {
        soon_executor *own;
        int value = 0, rc = soon_executor_shutdown(pool, SOON_KILL, SOON_FOREVER);

        if (rc != SOON_EFORKED || outcome_of(soon_submit(pool, nothing)) != SOON_EFORKED)
            _exit(1);
        own = new_processes(.workers = 1);
        rc = soon_take(soon_submit(own, twice, 4), &value);
        rc = rc ? rc : soon_executor_free(own);
        _exit(rc == 0 && value == 8 ? 0 : 2);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(pid_of_one(pool), pid);
    free_pool(pool);
}

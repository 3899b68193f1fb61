/*
 * process_conduct.c - what tasks do to the worker that they run in: the pool goes on.
 */
#include "../support/process_fixture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

TestSuite(process_conduct);

/* Each either succeeds or is the end of its worker, or closes what its result lies in; after it the pool works. */
static void assert_goes_on(soon_executor *pool, soon_future *future, bool may_die, const char *what)
{
    int code, doubled = 0;

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    code = soon_future_error(future)->code;
    cr_assert(code == 0 || (may_die && (code == SOON_EWORKERDIED || code == -EBADF)), "%s: %s", what,
              soon_future_error(future)->message);
    soon_future_unref(future);
    cr_assert_eq(soon_take(soon_submit(pool, twice, 21), &doubled), 0, "%s", what);
    cr_assert_eq(doubled, 42);
}

/*
 * Descriptors
 */

enum { FIRST_OF_OURS = 3, LARGE = 5 << 20 };

struct closing {
    int first, last;
    size_t result_size;
};

/* Then it answers: in the reply itself, in the area, or by a descriptor. */
SOON_TASK_BYTES(close_some)
{
    const struct closing *closing = arg.data;
    void *space = soon_task_return_space(task, closing->result_size);

    if (!space)
        return ENOMEM;
    close_range((unsigned)closing->first, (unsigned)closing->last, 0);
    memset(space, 5, closing->result_size);
    return 0;
}

Test(process_conduct, may_close_descriptors_that_are_not_theirs)
{
    static const size_t sizes[] = {4, 5000, LARGE};
    soon_executor *pool = new_processes(.workers = 1);

    for (int first = FIRST_OF_OURS; first < 10; first++) {
        for (int last = first; last < 11; last++) {
            for (int i = 0; i < 3; i++) {
                struct closing closing = {first, last == 10 ? 1000 : last, sizes[i]};
                char what[64];

                snprintf(what, sizeof what, "%d to %d, %zu bytes", first, last, sizes[i]);
                assert_goes_on(pool, close_some_submit(pool, &closing, sizeof closing, NULL), true, what);
            }
        }
    }
    free_pool(pool);
}

SOON_TASK(put_a_file_in_its_place, int, int)
{
    int file = memfd_create("file", 0);

    *result = dup2(file, *arg);
    close(file);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* the parent sleeps, so it is to be woken */
    return 0;
}

/* Nothing of ours is written to what is not ours. */
Test(process_conduct, may_put_something_else_where_descriptors_of_ours_were)
{
    soon_executor *pool = new_processes(.workers = 1);

    for (int fd = FIRST_OF_OURS; fd < 10; fd++) {
        char what[16];

        snprintf(what, sizeof what, "%d", fd);
        assert_goes_on(pool, soon_submit(pool, put_a_file_in_its_place, fd), true, what);
    }
    free_pool(pool);
}

SOON_TASK(block_nothing, soon_none, int)
{
    for (int fd = FIRST_OF_OURS; fd < 10; fd++) {
        int flags = fcntl(fd, F_GETFL);

        if (flags >= 0)
            fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
    *result = 0;
    return 0;
}

Test(process_conduct, may_change_how_descriptors_block)
{
    soon_executor *pool = new_processes(.workers = 1);

    assert_goes_on(pool, soon_submit(pool, block_nothing), false, "O_NONBLOCK");
    free_pool(pool);
}

SOON_TASK(exhaust_descriptors, soon_none, int)
{
    while (dup(1) >= 0)
        ++*result;
    return 0;
}

SOON_TASK_BYTES(size_of_arg)
{
    return soon_task_return_bytes(task, &arg.size, sizeof arg.size);
}

/* The next task cannot have a large argument there. */
Test(process_conduct, may_use_up_all_descriptors)
{
    soon_executor *pool = new_processes(.workers = 1);
    char *bytes = calloc(1, LARGE);
    soon_future *large;
    size_t size;
    int rc;

    assert_goes_on(pool, soon_submit(pool, exhaust_descriptors), false, "descriptors");
    large = size_of_arg_submit(pool, bytes, LARGE, NULL);
    rc = soon_result(large, &size);
    cr_assert_eq(rc, -EMFILE, "%s", soon_strerror(rc));
    cr_assert_not(soon_future_error(large)->started);
    soon_future_unref(large);
    free_pool(pool);
    free(bytes);
}

/*
 * Children
 */

/* A child that lives on, in the worker's group or not, and holds its copies of what the worker has. */
SOON_TASK(leave_child, bool, int)
{
    bool away = *arg; /* the argument is no child's: it goes with the task */

    *result = test_fork();
    if (*result == 0) {
        if (away)
            setsid();
        for (;;)
            pause();
    }
    return 0;
}

Test(process_conduct, may_leave_children_that_hold_up_nobody)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* those in the worker's group end with it, the others with us */
    for (int away = 0; away < 2; away++) {
        soon_executor *pool = new_processes(.workers = 2);
        int child = 0, other = 0;

        cr_assert_eq(soon_take(soon_submit(pool, leave_child, away), &child), 0);
        cr_assert_eq(soon_take(soon_submit(pool, leave_child, away), &other), 0);
        assert_goes_on(pool, soon_submit(pool, die_by, BY_SIGKILL), true, "a worker whose child lives");
        free_pool(pool);
        kill(child, SIGKILL);
        kill(other, SIGKILL);
        cr_assert_eq(waitpid(child, NULL, 0), child);
        cr_assert_eq(waitpid(other, NULL, 0), other);
    }
}

/*
 * The rest of a process
 */

SOON_TASK(move_away, soon_none, soon_none)
{
    return chdir("/") < 0 ? errno : 0;
}

SOON_TASK(write_and_read, soon_none, int)
{
    char byte;

    printf("%s", "");
    fflush(stdout);
    *result = (int)read(0, &byte, 1); /* nobody's terminal is here: its end */
    return 0;
}

SOON_TASK(block_signals, soon_none, soon_none)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_IGN);
    return 0;
}

SOON_TASK(leave_group, soon_none, soon_none)
{
    return setpgid(0, getppid()) < 0 && setsid() < 0 && errno != EPERM ? errno : 0;
}

SOON_TASK(allocate_without_end, soon_none, size_t)
{
    struct rlimit some = {512 << 20, RLIM_INFINITY};
    char *bytes;

    if (setrlimit(RLIMIT_AS, &some) < 0)
        return errno;
    while ((bytes = malloc(1 << 20)))
        *result += 1 << 20;
    return 0;
}

SOON_TASK(stop_oneself, soon_none, soon_none)
{
    raise(SIGSTOP);
    return 0;
}

/* Its end comes a moment later, wherever it is then. */
SOON_TASK(hang_up, soon_none, soon_none)
{
    shutdown(FIRST_OF_OURS, SHUT_RDWR);
    for (;;)
        pause();
    return 0;
}

SOON_TASK(forget_environment, soon_none, soon_none)
{
    clearenv();
    return 0;
}

static void *sleep_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

SOON_TASK(start_threads, soon_none, soon_none)
{
    pthread_t thread;

    for (int i = 0; i < 20; i++) {
        if (pthread_create(&thread, NULL, sleep_for_ever, NULL))
            return EAGAIN;
        pthread_detach(thread);
    }
    return 0;
}

Test(process_conduct, may_change_all_that_a_process_has)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = 20);

    assert_goes_on(pool, soon_submit(pool, move_away), false, "directory");
    assert_goes_on(pool, soon_submit(pool, write_and_read), false, "input and output");
    assert_goes_on(pool, soon_submit(pool, forget_environment), false, "environment");
    assert_goes_on(pool, soon_submit(pool, start_threads), false, "threads");
    assert_goes_on(pool, soon_submit(pool, hang_up), true, "socket");
    assert_goes_on(pool, soon_submit(pool, leave_group), false, "group");
    assert_goes_on(pool, soon_submit(pool, block_signals), false, "signals");
    assert_goes_on(pool, soon_submit(pool, move_away), false, "directory, blocked");
    cr_assert_eq(outcome_of(soon_submit_with(pool, (.time_limit_ms = 50), hang)), SOON_ETIMELIMIT);
    cr_assert_eq(outcome_of(soon_submit_with(pool, (.time_limit_ms = 50), stop_oneself)), SOON_ETIMELIMIT);
    free_pool(pool);
}

/* Without one of its own, the library is where memory is wanted next. */
Test(process_conduct, may_use_up_their_memory)
{
    soon_executor *pool;
    soon_future *large, *used;
    char *bytes;

    if (UNDER_ASAN || UNDER_TSAN)
        cr_skip_test("the sanitizer's own memory is beyond any limit");
    bytes = calloc(1, LARGE);
    pool = new_processes(.workers = 1);
    used = soon_submit(pool, allocate_without_end);
    assert_goes_on(pool, used, true, "memory");
    large = size_of_arg_submit(pool, bytes, LARGE, NULL);
    cr_assert_eq(soon_future_wait(large, SOON_FOREVER), 0);
    cr_assert(soon_future_succeeded(large) || soon_future_error(large)->code == -ENOMEM, "%s",
              soon_future_error(large)->message);
    soon_future_unref(large);
    free_pool(pool);
    free(bytes);
}

/* A pool of its own: made, used, and freed or forgotten. */
SOON_TASK(use_a_pool, bool, int)
{
    soon_executor *pool;
    int rc = soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = 2}), doubled = 0;

    if (rc == 0)
        rc = soon_take(soon_submit(pool, twice, *arg), &doubled);
    if (rc == 0 && *arg)
        rc = soon_executor_free(pool);
    *result = doubled;
    return rc;
}

Test(process_conduct, may_have_pools_of_their_own)
{
    soon_executor *pool = new_processes(.workers = 2);

    for (int i = 0; i < 10; i++)
        assert_goes_on(pool, soon_submit(pool, use_a_pool, i % 3 > 0), false, "a pool");
    free_pool(pool);
}

/*
 * Standing still
 */

/* What was sent for requests that were taken back fills the socket; the next one waits, and goes its way in the end. */
Test(process_conduct, may_stand_still_while_their_socket_fills_up)
{
    soon_executor *pool = new_processes(.workers = 1);
    char *bytes = calloc(1, LARGE);
    int pid = pid_of_one(pool);
    soon_future *future;
    size_t size;

    stop_process(pid);
    for (int i = 0; i < 600; i++) {
        future = size_of_arg_submit(pool, bytes, LARGE, NULL);
        cr_assert(soon_future_cancel(future));
        soon_future_unref(future);
    }
    future = size_of_arg_submit(pool, bytes, LARGE, NULL);
    kill(pid, SIGCONT);

    cr_assert_eq(soon_take(future, &size), 0);
    cr_assert_eq(size, (size_t)LARGE);
    cr_assert_eq(pid_of_one(pool), pid);
    free_pool(pool);
    free(bytes);
}

/* What it was given and has not claimed goes to another one, which has nothing to do. */
Test(process_conduct, may_stand_still_before_they_claim_a_task)
{
    soon_executor *pool = new_processes(.workers = 2);
    int pids[2], doubled;
    struct gate gate = gate_new();
    soon_future *futures[2];

    for (int i = 0; i < 2; i++)
        futures[i] = own_pid_at_gate_submit(pool, &gate, NULL);
    gate_await(gate, 2);
    gate_open(gate, 2);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(soon_take(futures[i], &pids[i]), 0);

    for (int i = 0; i < 2; i++) {
        stop_process(pids[i]);
        for (int k = 0; k < 3; k++) {
            cr_assert_eq(soon_take(soon_submit(pool, twice, k), &doubled), 0);
            cr_assert_eq(doubled, 2 * k);
        }
        kill(pids[i], SIGCONT);
    }
    free_pool(pool);
    gate_free(gate);
}

/*
 * Ends that are none
 */

SOON_TASK(leave_its_thread, soon_none, soon_none)
{
    pthread_exit(NULL);
    return 0;
}

Test(process_conduct, may_end_their_thread)
{
    soon_executor *pool = new_processes(.workers = 1);
    int doubled;

    cr_assert_eq(outcome_of(soon_submit(pool, leave_its_thread)), SOON_EWORKERDIED);
    cr_assert_eq(soon_take(soon_submit(pool, twice, 2), &doubled), 0);
    free_pool(pool);
}

SOON_TASK(leave_a_stubborn_child, soon_none, soon_none)
{
    sigset_t term;
    pid_t child;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL); /* before there is a moment in which it could be hit */
    child = test_fork();
    while (child == 0)
        pause();
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    soon_task_set_progress(task, (uint64_t)child, 0);
    pause();
    return 0;
}

/* When a worker is killed, what it has left in its group goes with it. */
Test(process_conduct, may_leave_children_that_do_not_listen)
{
    soon_executor *pool = new_processes(.workers = 1);
    soon_future *future;
    pid_t child;
    int status;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    future = soon_submit(pool, leave_a_stubborn_child);
    test_wait_until(soon_future_progress(future).done > 0);
    child = (pid_t)soon_future_progress(future).done;
    cr_assert_eq(soon_future_kill(future), 0);

    cr_assert_eq(outcome_of(future), SOON_EKILLED);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(WTERMSIG(status), SIGKILL);
    free_pool(pool);
}

/*
 * worker_end.c - what tasks and others may do to a worker process: forks, signals, and all the ways to go.
 */
#include "../../../executor/processes/both/wire_internal.h"
#include "../../../executor/processes/worker/signals_internal.h"
#include "worker_shared.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

TestSuite(worker_end);

SOON_TASK(answer, soon_none, int)
{
    *result = 42;
    return 0;
}

/*
 * Forks
 */

static int status_of(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return status;
}

SOON_TASK(return_twice, soon_none, int)
{
    pid_t child = test_fork();

    soon_task_set_progress(task, 1, 1);
    if (child == 0) {
        soon_task_set_progress(task, 99, 99);
        *result = -1;
        return 0;
    }
    *result = status_of(child);
    return 0;
}

SOON_TASK(fork_and_look, soon_none, int)
{
    pid_t child = test_fork();

    if (child == 0)
        _exit(10 * (fcntl(SOON__FD_CONTROL, F_GETFD) >= 0) + (fcntl(SOON__FD_BELL, F_GETFD) >= 0));
    *result = status_of(child);
    return 0;
}

/* None outlives the worker: not even where the test fails. */
static pid_t fork_bound(void)
{
    pid_t child = test_fork();

    if (child == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return child;
}

/* What ends a child that is nobody's worker. SIGTERM does that from its first moment on. */
SOON_TASK(fork_and_kill, int, int)
{
    int ready[2];
    pid_t child;
    char byte;

    cr_assert_eq(pipe(ready), 0);
    child = fork_bound();
    if (child == 0) {
        cr_assert_eq(write(ready[1], "", 1), 1);
        for (;;)
            pause();
    }
    if (*arg != SIGTERM || UNDER_TSAN) /* which holds signals back, and loses them in a fork */
        cr_assert_eq(read(ready[0], &byte, 1), 1);
    kill(child, *arg);
    *result = status_of(child);
    close(ready[0]);
    close(ready[1]);
    return 0;
}

SOON_TASK(leave_a_child, soon_none, int)
{
    *result = test_fork();
    if (*result == 0) {
        alarm(60);
        for (;;)
            pause();
    }
    return 0;
}

Test(worker_end, is_not_served_twice_when_a_task_forks)
{
    struct worker worker = ready_worker();
    uint64_t done_count, total;
    int sigint = SIGINT, sigterm = SIGTERM, sighup = SIGHUP;

    for (int i = 0; i < 10; i++) {
        cr_assert_eq(ask(&worker, &return_twice_task), 0);
        cr_assert(soon__channel_progress(&worker.channel, 0, &done_count, &total));
        cr_assert_eq(done_count, 1);
    }
    cr_assert_eq(worker.head, 10);
    cr_assert_eq(ask(&worker, &fork_and_look_task), 0, "a child has bell or socket");
    for (int i = 0; i < 100; i++)
        cr_assert_eq(ask_int(&worker, &fork_and_kill_task, &sigterm, sizeof sigterm), SIGTERM);
    cr_assert_eq(ask_int(&worker, &fork_and_kill_task, &sigint, sizeof sigint), SIGINT);
    cr_assert_eq(ask_int(&worker, &fork_and_kill_task, &sighup, sizeof sighup), SIGHUP);
    retire(&worker);
}

/* It is for the parent to end them (process_commands.c): this one does not. */
Test(worker_end, may_leave_children)
{
    struct worker worker = ready_worker();
    pid_t child = ask(&worker, &leave_a_child_task);

    cr_assert_gt(child, 0);
    retire(&worker);
    cr_assert_eq(kill(child, SIGTERM), 0);
}

/*
 * Signals, and the end
 */

static void signal_as_a_stranger(pid_t pid)
{
    static const int signals[] = {SIGTERM, SIGINT,  SIGTTOU, SIGTTIN, SIGTSTP,
                                  SIGHUP,  SIGQUIT, SIGUSR1, SIGUSR2, SOON__SIGNAL_OF_END};
    pid_t stranger = test_fork();
    int failed = 0;

    if (stranger == 0) {
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
            failed += kill(pid, signals[i]) < 0;
        _exit(failed);
    }
    cr_assert_eq(status_of(stranger), 0);
}

Test(worker_end, ignores_what_strangers_send)
{
    struct worker worker = ready_worker();

    for (int i = 0; i < 100; i++) {
        signal_as_a_stranger(worker.pid);
        cr_assert_eq(ask(&worker, &answer_task), 42);
    }
    cr_assert_eq(kill(worker.pid, SIGINT), 0); /* not even from the parent */
    cr_assert_eq(ask(&worker, &answer_task), 42);
    retire(&worker);
}

static void assert_killed_by(struct worker *worker, int signal)
{
    struct soon__exit ended = await_end(worker);

    cr_assert(ended.killed);
    cr_assert_eq(ended.number, signal);
}

/* ThreadSanitizer holds a signal back from a thread that sleeps as ours does. */
Test(worker_end, ends_when_the_parent_terminates_it_without_work, .disabled = UNDER_TSAN)
{
    struct worker worker = ready_worker();

    cr_assert_eq(soon__process_signal(worker.watch, worker.pid, SIGTERM), 0);
    assert_killed_by(&worker, SIGTERM);
}

Test(worker_end, ends_of_any_signal_of_the_parents)
{
    static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct shared *shared;
        struct worker worker = sharing_worker(&shared);

        post(&worker, &obey_task, &nothing, sizeof nothing, (struct asked){0});
        test_wait_until(atomic_load(&shared->begun));
        cr_assert_eq(kill(worker.pid, signals[i]), 0);
        assert_killed_by(&worker, signals[i]);
        soon__shm_unmap(shared, sizeof *shared);
    }
}

Test(worker_end, ends_when_the_parent_terminates_it_in_a_task)
{
    struct shared *shared;
    struct worker worker = sharing_worker(&shared);

    post(&worker, &obey_task, &nothing, sizeof nothing, (struct asked){0});
    test_wait_until(atomic_load(&shared->begun));
    cr_assert_eq(soon__process_signal(worker.watch, worker.pid, SIGTERM), 0);
    assert_killed_by(&worker, SIGTERM);
    soon__shm_unmap(shared, sizeof *shared);
}

Test(worker_end, ends_when_the_parent_lets_go_of_it)
{
    struct shared *shared;
    struct worker worker = sharing_worker(&shared);

    post(&worker, &obey_task, &nothing, sizeof nothing, (struct asked){0});
    test_wait_until(atomic_load(&shared->begun));
    close(worker.control);
    worker.control = -1;
    assert_killed_by(&worker, SIGKILL); /* with its group */
    soon__shm_unmap(shared, sizeof *shared);
}

SOON_TASK(leave, int, int)
{
    *result = 0;
    exit(*arg);
}

Test(worker_end, ends_when_a_task_leaves)
{
    struct worker worker = ready_worker();
    int status = 9;

    post(&worker, &leave_task, &status, sizeof status, (struct asked){0});
    assert_exits_with(&worker, 9);
}

Test(worker_end, does_what_was_posted_before_it_retires)
{
    struct worker worker = ready_worker();
    uint64_t sequences[SOON__SLOTS];

    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++)
        sequences[slot] = post(&worker, &answer_task, &nothing, sizeof nothing, (struct asked){.slot = slot});
    soon__channel_retire(&worker.channel);
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        done(&worker, sequences[slot]);

        consume(&worker);
    }
    assert_exits_with(&worker, 0);
}

static void small_memory(struct soon__replies *replies)
{
    replies->memory_limit = 64 << 20;
}

SOON_TASK(grow, int, int)
{
    size_t size = (size_t)*arg << 20;
    static char *kept;

    free(kept);
    kept = malloc(size);
    memset(kept, 1, size);
    *result = kept[size / 2];
    return 0;
}

Test(worker_end, asks_to_be_replaced_when_it_has_grown)
{
    struct worker worker = greeted_worker((struct how){.change = small_memory});
    int little = 1, much = 128;

    cr_assert_eq(ask_int(&worker, &grow_task, &little, sizeof little), 1);
    soon__bell_quiet(worker.channel.bell);
    if (!UNDER_ASAN)
        cr_assert_eq(atomic_load(&worker.channel.replies->over_limit), 0);
    while (!atomic_load(&worker.channel.replies->over_limit)) /* it looks every 10 ms */
        cr_assert_eq(ask_int(&worker, &grow_task, &much, sizeof much), 1);
    retire(&worker);
}

static void tell(struct soon__replies *replies)
{
    replies->tell_claims = 1;
}

Test(worker_end, tells_of_claims_if_asked)
{
    struct shared *shared;
    struct worker worker = greeted_worker((struct how){.change = tell, .shared_size = sizeof *shared});

    shared = worker.shared;
    uint64_t sequence = post(&worker, &obey_task, &nothing, sizeof nothing, (struct asked){0});
    await_readable(worker.channel.bell);
    cr_assert_eq(soon__channel_look(&worker.channel, 0, sequence), SOON__LOOK_CLAIMED);
    atomic_store(&shared->may_end, 1);
    done(&worker, sequence);
    consume(&worker);
    retire(&worker);
    soon__shm_unmap(shared, sizeof *shared);
}

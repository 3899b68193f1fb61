/*
 * process_fixture.h - process pools for tests, tasks that tell where they run, and ways to die.
 */
#ifndef SOON_TESTS_PROCESS_FIXTURE_H
#define SOON_TESTS_PROCESS_FIXTURE_H

#include "pools.h"

#include <sys/resource.h>
#include <sys/wait.h>

static inline soon_executor *new_processes_of(const soon_process_pool_options *options)
{
    soon_executor *pool = NULL;
    int rc = soon_process_pool_new(&pool, options);

    cr_assert_eq(rc, 0, "%s", soon_strerror(rc));
    return pool;
}
/* new_processes(.workers = 2, .queue_max = 5) */
#define new_processes(...) new_processes_of(&(soon_process_pool_options){__VA_ARGS__})

/* Makes a process pool with these options and frees it. Returns what making it has returned. */
static inline int try_processes_of(const soon_process_pool_options *options)
{
    soon_executor *pool = NULL;
    int rc = soon_process_pool_new(&pool, options);

    cr_assert_eq(pool != NULL, rc == 0);
    free_pool(pool);
    return rc;
}
#define try_processes(...) try_processes_of(&(soon_process_pool_options){__VA_ARGS__})

/* From now on this process can open `count` more descriptors. Returns what allow_descriptors() takes to undo that. */
static inline struct rlimit leave_descriptors(int count)
{
    struct rlimit before, few;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = (rlim_t)(next + count);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    return before;
}

static inline void allow_descriptors(struct rlimit before)
{
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}

SOON_TASK(own_pid, soon_none, int)
{
    *result = getpid();
    return 0;
}

static inline int pid_of_one(soon_executor *pool)
{
    int pid = 0, rc = soon_take(soon_submit(pool, own_pid), &pid);

    cr_assert_eq(rc, 0, "%s", soon_strerror(rc));
    return pid;
}

/* Waits at the gate until it is let through or asked to end. Its result is the number of its process. */
SOON_TASK(own_pid_at_gate, struct gate, int)
{
    *result = getpid();
    return gate_pass(*arg, task);
}

/* Waits at the gate until it is let through, even if it is asked to end. */
SOON_TASK(stay, struct gate, int)
{
    *result = 42;
    return gate_pass(*arg, NULL);
}

/* How a task ends its process. */
enum death {
    BY_EXIT_0,
    BY_EXIT_3,
    BY_EXIT_AT_ONCE,
    BY_ABORT,
    BY_SEGFAULT,
    BY_SIGKILL,
    BY_SIGTERM,
    BY_EXECUTING_ANOTHER_PROGRAM,
    BY_EXIT_OF_A_THREAD,
    BY_STACK_OVERFLOW,
    DEATHS
};

static inline void *exit_here(void *unused)
{
    _exit(5);
    return unused;
}

static inline int overflow(volatile char *above)
{
    volatile char space[4096];

    space[0] = above ? *above : 1;
    return space[0] ? overflow(space) + space[0] : 0; /* calls itself for ever */
}

static inline void die(enum death how)
{
    pthread_t thread;

    signal(SIGTERM, SIG_DFL); /* a worker's own handler looks at who has sent it */
    signal(SIGSEGV, SIG_DFL); /* a sanitizer may have a handler */
    signal(SIGABRT, SIG_DFL);
    switch (how) {
    case BY_EXIT_0:
        exit(0);
    case BY_EXIT_3:
        exit(3);
    case BY_EXIT_AT_ONCE:
        _exit(99);
    case BY_ABORT:
        abort();
    case BY_SEGFAULT:
        raise(SIGSEGV);
        break;
    case BY_SIGKILL:
        raise(SIGKILL);
        break;
    case BY_SIGTERM:
        raise(SIGTERM);
        break;
    case BY_EXECUTING_ANOTHER_PROGRAM:
        execl("/bin/sh", "sh", "-c", "exit 7", NULL);
        break;
    case BY_EXIT_OF_A_THREAD:
        pthread_create(&thread, NULL, exit_here, NULL);
        pthread_join(thread, NULL);
        break;
    case BY_STACK_OVERFLOW:
        overflow(NULL);
        break;
    default:
        break;
    }
}

SOON_TASK(die_by, enum death, int)
{
    die(*arg);
    return 0;
}

/* Sleeps until it is killed. */
SOON_TASK(hang, soon_none, soon_none)
{
    while (*(volatile const char *)&arg->none == 0)
        pause();
    return 0;
}

/* Stops a worker process; on return it stands still. */
static inline void stop_process(int pid)
{
    siginfo_t how;

    cr_assert_eq(kill(pid, SIGSTOP), 0);
    cr_assert_eq(waitid(P_PID, (id_t)pid, &how, WSTOPPED | WNOWAIT), 0);
}

static inline bool is_alive(int pid)
{
    return kill(pid, 0) == 0;
}

#endif

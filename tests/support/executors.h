/*
 * executors.h - the kinds of executors. A test that uses the public interface alone runs on each of them, one after
 * another:
 *
 *     TestOnEach(map, gives_results_in_the_order_of_the_input)
 *     {
 *         ... `executor`, `kind` ...
 *     }
 *
 * The executor is freed behind the body. Where not every kind can do what the test is about, `kind` says whether this
 * one can.
 */
#ifndef SOON_TESTS_SUPPORT_EXECUTORS_H
#define SOON_TESTS_SUPPORT_EXECUTORS_H

#include "own_executor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <soon.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static inline soon_executor *make_threads(int workers)
{
    soon_executor *executor;

    cr_assert_eq(soon_thread_pool_new(&executor, &(soon_thread_pool_options){.workers = workers}), 0);
    return executor;
}
static inline soon_executor *make_one_thread(void)
{
    return make_threads(1);
}
static inline soon_executor *make_four_threads(void)
{
    return make_threads(4);
}

/* A task that listens has the time that it takes to hear of its end. */
static inline soon_executor *make_processes(int workers)
{
    soon_executor *executor;
    int rc = soon_process_pool_new(&executor, &(soon_process_pool_options){.workers = workers, .grace_ms = 1000000});

    cr_assert_eq(rc, 0, "%s", soon_strerror(rc));
    return executor;
}
static inline soon_executor *make_one_process(void)
{
    return make_processes(1);
}
static inline soon_executor *make_three_processes(void)
{
    return make_processes(3);
}

struct executor_kind {
    const char *name;
    soon_executor *(*make)(void);
    int workers;         /* how many tasks run at once */
    bool takes_back;     /* a pending task can be cancelled at once */
    bool kills;          /* a running task can be ended by force */
    bool nests;          /* a task may submit to its own executor and wait */
    bool counts;         /* it has stats */
    bool has_priorities; /* it takes notice of the submit option */
    bool is_elsewhere;   /* its tasks run in other processes */
    bool hears_late;     /* it is told that a task runs, a moment later */
};

static const struct executor_kind executors[] = {
    {"a thread", make_one_thread, 1, .takes_back = true, .nests = true, .counts = true, .has_priorities = true},
    {"four threads", make_four_threads, 4, .takes_back = true, .nests = true, .counts = true, .has_priorities = true},
    {"an executor of the user's own", make_own, 1, .takes_back = true, .nests = true},
    {"one that cannot take a call back", make_own_that_keeps_what_it_has, 1, .nests = true},
    {"a process", make_one_process, 1, .takes_back = true, .kills = true, .counts = true, .has_priorities = true,
     .is_elsewhere = true},
    {"three processes", make_three_processes, 3, .takes_back = true, .kills = true, .counts = true,
     .has_priorities = true, .is_elsewhere = true},
};

/*
 * Memory that a test shares with its tasks, wherever they run: worker processes find it by an environment variable.
 */
struct common {
    _Atomic int arrived;       /* how many tasks have come to the gate */
    _Atomic bool open;         /* the gate is open */
    _Atomic int runs, started; /* counters for the tasks of the tests */
};
#define COMMON_VARIABLE "SOON_TEST_COMMON"

static struct common *common_memory;
static bool tasks_are_elsewhere; /* the executor of this round has its tasks run in other processes */

static inline struct common *common__map(int fd)
{
    void *memory = mmap(NULL, sizeof(struct common), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    cr_assert_neq(memory, MAP_FAILED);
    return (struct common *)memory;
}

/* The test's process calls it before it makes its executors. */
static inline void common_begin(void)
{
    char path[64];
    int fd;

    if (common_memory)
        return;
    fd = memfd_create("common", MFD_CLOEXEC);
    cr_assert_eq(ftruncate(fd, sizeof(struct common)), 0);
    common_memory = common__map(fd);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), fd);
    setenv(COMMON_VARIABLE, path, 1);
    test_accept_open_descriptors(); /* this one stays open */
}

static inline struct common *common(void)
{
    const char *path = getenv(COMMON_VARIABLE);

    if (!common_memory && path) { /* in a worker process, which runs one task at a time */
        int fd = open(path, O_RDWR | O_CLOEXEC);

        common_memory = common__map(fd);
        close(fd);
    } else if (!common_memory) {
        common_begin();
    }
    return common_memory;
}

/*
 * The gate in that memory: tasks wait at it until the test opens it or they are asked to end. They poll, since a worker
 * process may be killed there, and a lock would not survive that. For several gates at once see gate.h.
 */

static inline void close_gate(void)
{
    common()->arrived = 0;
    common()->open = false;
}

static inline void open_gate(void)
{
    common()->open = true;
}

static inline int arrivals(void)
{
    return common()->arrived;
}

/* Waits until `count` tasks have come to the gate since it was closed. */
static inline void await_arrivals(int count)
{
    test_wait_until(arrivals() >= count);
}

/* In a task. Returns 0 when the gate is open, -ECANCELED when the task was asked to end. */
static inline int wait_at_gate(soon_task *task)
{
    common()->arrived++;
    while (!common()->open) {
        if (soon_task_cancel_requested(task))
            return -ECANCELED;
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return 0;
}

/* Of programs with SOON_WORKERD in their environment, whose tasks are in an object that it loads. */
#include "cluster_kind.h"

static inline void on_executor(const struct executor_kind *kind,
                               void (*body)(soon_executor *, const struct executor_kind *))
{
    soon_executor *executor = kind->make();

    tasks_are_elsewhere = kind->is_elsewhere;
    close_gate();
    body(executor, kind);
    cr_assert_eq(soon_executor_free(executor), 0, "on %s", kind->name);
}

/* `here`: on those alone that run their tasks in this process. */
static inline void on_each_executor(void (*body)(soon_executor *, const struct executor_kind *), bool here)
{
    common_begin();
    for (size_t i = 0; i < sizeof executors / sizeof *executors; i++) {
        if (!executors[i].is_elsewhere || (!here && test_has_processes()))
            on_executor(&executors[i], body);
    }
    if (!here && cluster_kind_is_there()) {
        on_executor(&cluster_kind, body);
        cluster_kind_end();
    }
}

#define TestOnEach(...) TEST__ON_EACH(false, __VA_ARGS__, .sentinel = 0)
/* For tests whose tasks have pointers to memory of the test, such as LOCAL ones, or submit to their own executor. */
#define TestOnEachHere(...) TEST__ON_EACH(true, __VA_ARGS__, .sentinel = 0)
#define TEST__ON_EACH(here, suite, name, ...)                                                                          \
    static void suite##_##name##_on(soon_executor *executor, const struct executor_kind *kind);                        \
    TEST__CASE(suite, name, __VA_ARGS__)                                                                               \
    {                                                                                                                  \
        on_each_executor(suite##_##name##_on, here);                                                                   \
    }                                                                                                                  \
    static void suite##_##name##_on(SOON_UNUSED soon_executor *executor, SOON_UNUSED const struct executor_kind *kind)

#endif

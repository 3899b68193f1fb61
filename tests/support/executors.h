/*
 * executors.h - the executors that a test written against the interface runs on, one after the other.
 *
 *     TestOnEach(map, gives_results_in_the_order_of_the_input)
 *     {
 *         ... `executor` ...
 *     }
 */
#ifndef SOON_TESTS_EXECUTORS_H
#define SOON_TESTS_EXECUTORS_H

#include "../harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <soon.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/*
 * A user's own: one thread and a list. With `help`, as its thread may wait in a task for another one.
 */
struct own {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    soon_call *calls[32768];
    size_t first, end;
    soon_promise *down;
};

static inline soon_call *own__pop(struct own *own)
{
    soon_call *call = NULL;

    while (own->first < own->end && !call)
        call = own->calls[own->first++ % 32768];
    return call;
}

static inline void *own__main(void *data)
{
    struct own *own = data;
    soon_call *call;

    pthread_mutex_lock(&own->mutex);
    for (;;) {
        call = own__pop(own);
        if (!call && own->down)
            break;
        if (!call) {
            pthread_cond_wait(&own->changed, &own->mutex);
            continue;
        }
        pthread_mutex_unlock(&own->mutex);
        soon_call_run(call);
        pthread_mutex_lock(&own->mutex);
    }
    pthread_mutex_unlock(&own->mutex);
    soon_promise_set_result(own->down, NULL, 0);
    return NULL;
}

static inline int own__submit(void *self, soon_call *call, bool may_block)
{
    struct own *own = self;
    int rc = 0;

    (void)may_block;
    pthread_mutex_lock(&own->mutex);
    if (own->down)
        rc = SOON_ESHUTDOWN;
    else if (own->end - own->first == 32768)
        rc = SOON_EFULL;
    else
        own->calls[own->end++ % 32768] = call;
    pthread_cond_signal(&own->changed);
    pthread_mutex_unlock(&own->mutex);
    return rc;
}

static inline bool own__take_back(void *self, soon_call *call)
{
    struct own *own = self;
    bool found = false;

    pthread_mutex_lock(&own->mutex);
    for (size_t i = own->first; i < own->end && !found; i++) {
        found = own->calls[i % 32768] == call;
        if (found)
            own->calls[i % 32768] = NULL;
    }
    pthread_mutex_unlock(&own->mutex);
    return found;
}

static inline bool own__help(void *self, soon_call *call)
{
    if (!own__take_back(self, call))
        return false;
    soon_call_run(call);
    return true;
}

static inline int own__shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct own *own = self;
    soon_call *cancelled[32768];
    size_t count = 0;

    pthread_mutex_lock(&own->mutex);
    while (mode > SOON_DRAIN && (cancelled[count] = own__pop(own)))
        count++;
    own->down = down;
    pthread_cond_signal(&own->changed);
    pthread_mutex_unlock(&own->mutex);
    for (size_t i = 0; i < count; i++) {
        soon_promise_set_cancelled(soon_call_promise(cancelled[i]));
        soon_call_free(cancelled[i]);
    }
    return 0;
}

static inline void own__free(void *self)
{
    struct own *own = self;

    pthread_join(own->thread, NULL);
    pthread_cond_destroy(&own->changed);
    pthread_mutex_destroy(&own->mutex);
    free(own);
}

static inline soon_executor *own__make(bool can_take_back)
{
    soon_executor_class klass = {.size = sizeof klass,
                                 .name = "own",
                                 .submit = own__submit,
                                 .take_back = can_take_back ? own__take_back : NULL,
                                 .help = own__help,
                                 .shutdown = own__shutdown,
                                 .free = own__free};
    struct own *own = calloc(1, sizeof *own);
    soon_executor *executor;

    pthread_mutex_init(&own->mutex, NULL);
    pthread_cond_init(&own->changed, NULL);
    cr_assert_eq(pthread_create(&own->thread, NULL, own__main, own), 0);
    cr_assert_eq(soon_executor_new(&executor, &klass, own), 0);
    return executor;
}
static inline soon_executor *make_own(void)
{
    return own__make(true);
}
static inline soon_executor *make_own_that_keeps_what_it_has(void)
{
    return own__make(false);
}

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

static inline soon_executor *make_processes(int workers)
{
    soon_executor *executor;
    int rc = soon_process_pool_new(&executor, &(soon_process_pool_options){.workers = workers, .grace_ms = 50});

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

static const struct {
    const char *name;
    soon_executor *(*make)(void);
    bool is_elsewhere;
} executors[] = {
    {"a thread", make_one_thread, false},
    {"four threads", make_four_threads, false},
    {"an executor of the user's own", make_own, false},
    {"one that cannot take a call back", make_own_that_keeps_what_it_has, false},
    {"a process", make_one_process, true},
    {"three processes", make_three_processes, true},
};

/*
 * What tests have in common with their tasks, wherever those run: worker processes find it by the environment.
 */
struct common {
    _Atomic int arrived; /* at the gate */
    _Atomic bool open;
    _Atomic int runs, started; /* for the tests' own tasks to count in */
};
#define COMMON_VARIABLE "SOON_TEST_COMMON"

static struct common *common_memory;
static bool tasks_are_elsewhere; /* of the executor of this round */

static inline struct common *common__map(int fd)
{
    void *memory = mmap(NULL, sizeof(struct common), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    cr_assert_neq(memory, MAP_FAILED);
    return (struct common *)memory;
}

/* In the test's process, before its executors are made. */
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
    test_accept_open_descriptors(); /* it stays */
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
 * A gate: tasks that wait at it until the test opens it, or they are asked to end. Who waits looks again and again: a
 * worker process may be killed there, which locks would not survive.
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

/* Until so many tasks have come to it since it was closed. */
static inline void await_arrivals(int count)
{
    test_wait_until(arrivals() >= count);
}

/* In a task: 0 when it was opened, -ECANCELED when the task was asked to end. */
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

/* `here`: only those that run tasks in this process. */
static inline void on_each_executor(void (*body)(soon_executor *executor), bool here)
{
    common_begin();
    for (size_t i = 0; i < sizeof executors / sizeof *executors; i++) {
        soon_executor *executor;

        if (executors[i].is_elsewhere && (here || !test_has_processes()))
            continue;
        executor = executors[i].make();
        tasks_are_elsewhere = executors[i].is_elsewhere;
        close_gate();
        body(executor);
        cr_assert_eq(soon_executor_free(executor), 0, "on %s", executors[i].name);
    }
}

#define TestOnEach(...) TEST__ON_EACH(false, __VA_ARGS__, .sentinel = 0)
/* For tests whose tasks share memory with them, or with each other, by other means than `common`: such as LOCAL ones, and
 * those that submit to the executor that they run on. */
#define TestOnEachHere(...) TEST__ON_EACH(true, __VA_ARGS__, .sentinel = 0)
#define TEST__ON_EACH(here, suite, name, ...)                                                                          \
    static void suite##_##name##_on(soon_executor *executor);                                                          \
    TEST__CASE(suite, name, __VA_ARGS__)                                                                               \
    {                                                                                                                  \
        on_each_executor(suite##_##name##_on, here);                                                                   \
    }                                                                                                                  \
    static void suite##_##name##_on(SOON_UNUSED soon_executor *executor)

#endif

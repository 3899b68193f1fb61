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

#include "harness/test.h"

#include <errno.h>
#include <pthread.h>
#include <soon.h>
#include <stdio.h>
#include <stdlib.h>

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

static const struct {
    const char *name;
    soon_executor *(*make)(void);
} executors[] = {
    {"a thread", make_one_thread},
    {"four threads", make_four_threads},
    {"an executor of the user's own", make_own},
    {"one that cannot take a call back", make_own_that_keeps_what_it_has},
};

/*
 * A gate: tasks that wait at it until the test opens it, or they are asked to end.
 */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int arrived;
    bool open;
};
static struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};

static inline void close_gate(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.arrived = 0;
    gate.open = false;
    pthread_mutex_unlock(&gate.mutex);
}

static inline void open_gate(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

/* Until so many tasks have come to it since it was closed. */
static inline void await_arrivals(int count)
{
    pthread_mutex_lock(&gate.mutex);
    while (gate.arrived < count)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static inline int arrivals(void)
{
    int arrived;

    pthread_mutex_lock(&gate.mutex);
    arrived = gate.arrived;
    pthread_mutex_unlock(&gate.mutex);
    return arrived;
}

/* In a task: 0 when it was opened, -ECANCELED when the task was asked to end. */
static inline int wait_at_gate(soon_task *task)
{
    struct timespec until;
    int rc = 0;

    pthread_mutex_lock(&gate.mutex);
    gate.arrived++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open && rc == 0) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 2000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&gate.changed, &gate.mutex, &until);
        if (soon_task_cancel_requested(task))
            rc = -ECANCELED;
    }
    pthread_mutex_unlock(&gate.mutex);
    return rc;
}

static inline void on_each_executor(void (*body)(soon_executor *executor))
{
    for (size_t i = 0; i < sizeof executors / sizeof *executors; i++) {
        soon_executor *executor = executors[i].make();

        close_gate();
        body(executor);
        cr_assert_eq(soon_executor_free(executor), 0, "on %s", executors[i].name);
    }
}

#define TestOnEach(...) TEST__ON_EACH(__VA_ARGS__, .sentinel = 0)
#define TEST__ON_EACH(suite, name, ...)                                                                                \
    static void suite##_##name##_on(soon_executor *executor);                                                          \
    TEST__CASE(suite, name, __VA_ARGS__)                                                                               \
    {                                                                                                                  \
        on_each_executor(suite##_##name##_on);                                                                         \
    }                                                                                                                  \
    static void suite##_##name##_on(SOON_UNUSED soon_executor *executor)

#endif

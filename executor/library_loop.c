/*
 * library_loop.c - the library's own loop and the callback thread.
 *
 *     none --start--> both run, parked, until the process ends --fork, in the child--> none
 *
 * B1  The loop never ends: one async handle, referenced, wakes it. Parked it sits in epoll_wait, the callback
 *     thread in pthread_cond_wait, both without a timeout.
 * B2  Job lists are spliced out under their mutex and run without it. What a job posts comes after what was there,
 *     so that timers have their turn.
 * B3  A fork leaves all of this to the parent. The child closes its copies of the loop's descriptors (close alone:
 *     anything that libuv would do goes to the epoll set that both share) and forgets the rest. Other threads may
 *     have been in the middle of it, so it is not read any further; it stays reachable, for leak checkers.
 */
#include "library_loop_internal.h"

#include "surroundings_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct jobs {
    struct soon__job *head, *tail;
};

struct library {
    uint32_t generation;
    struct library *inherited; /* of the parent */
    uv_loop_t uv;
    uv_async_t wake;
    pthread_t callback_thread, loop_thread;

    struct {
        pthread_mutex_t mutex;
        struct {
            struct jobs jobs;
        } locked;
    } loop;

    struct {
        pthread_mutex_t mutex;
        pthread_cond_t some; /* something in it, or stopping */
        struct {
            struct jobs jobs;
            struct soon__future_list futures;
            bool stopping; /* the start has failed half-way */
        } locked;
    } callbacks;
};

static struct {
    pthread_mutex_t mutex;
    bool watches_forks; /* under the mutex */
    _Atomic(struct library *) library;
    struct library *inherited; /* under the mutex */
} start = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool on_loop;

static struct library *library(void)
{
    /* Acquire: pairs with the release in soon__library_start(). */
    return atomic_load_explicit(&start.library, memory_order_acquire);
}

static bool push_job(struct jobs *jobs, struct soon__job *job)
{
    bool was_empty = !jobs->head;

    job->next = NULL;
    if (was_empty)
        jobs->head = job;
    else
        jobs->tail->next = job;
    jobs->tail = job;
    return was_empty;
}

/*
 * The loop's thread
 */

static void on_wake(uv_async_t *wake)
{
    struct library *self = wake->data;
    struct soon__job *job, *next;

    pthread_mutex_lock(&self->loop.mutex);
    job = self->loop.locked.jobs.head;
    self->loop.locked.jobs.head = NULL;
    pthread_mutex_unlock(&self->loop.mutex);
    for (; job; job = next) {
        next = job->next;
        job->run(job);
    }
}

/* soon__thread.sink: what this thread completes or releases, the other settles. */
static void sink(soon_future *future)
{
    struct library *self = library();
    struct soon__future_list *futures = &self->callbacks.locked.futures;

    future->link = NULL;
    pthread_mutex_lock(&self->callbacks.mutex);
    if (futures->head)
        futures->tail->link = future;
    else
        futures->head = future;
    futures->tail = future;
    pthread_cond_signal(&self->callbacks.some);
    pthread_mutex_unlock(&self->callbacks.mutex);
}

static void *run_loop(void *data)
{
    struct library *self = data;
    struct soon__thread *thread = soon__thread_self();

    soon__surroundings_give(soon__surroundings_of_process(), 0);
    pthread_setname_np(pthread_self(), "soon-loop");
    on_loop = true;
    thread->of_library = true;
    thread->sink = sink;
    uv_run(&self->uv, UV_RUN_DEFAULT);
    return NULL;
}

/*
 * The callback thread
 */

/* Takes all there is. False: stopping. */
static bool await(struct library *self, struct soon__future_list *ret_futures, struct jobs *ret_jobs)
{
    bool stopping;

    pthread_mutex_lock(&self->callbacks.mutex);
    while (!self->callbacks.locked.futures.head && !self->callbacks.locked.jobs.head &&
           !self->callbacks.locked.stopping)
        pthread_cond_wait(&self->callbacks.some, &self->callbacks.mutex);
    stopping = self->callbacks.locked.stopping;
    *ret_futures = self->callbacks.locked.futures;
    *ret_jobs = self->callbacks.locked.jobs;
    self->callbacks.locked.futures.head = NULL;
    self->callbacks.locked.jobs.head = NULL;
    pthread_mutex_unlock(&self->callbacks.mutex);
    return !stopping;
}

static void *run_callbacks(void *data)
{
    struct library *self = data;
    struct soon__future_list futures;
    struct jobs jobs;

    soon__surroundings_give(soon__surroundings_of_process(), 0);
    pthread_setname_np(pthread_self(), "soon-callbacks");
    soon__thread_self()->of_library = true;
    while (await(self, &futures, &jobs)) {
        for (soon_future *future = futures.head, *next; future; future = next) {
            next = future->link;
            soon__future_settle(future);
            if (self->generation != soon__generation())
                soon__leave_child(); /* user code forked, and this is the child */
        }
        for (struct soon__job *job = jobs.head, *next; job; job = next) {
            next = job->next;
            job->run(job);
            if (self->generation != soon__generation())
                soon__leave_child();
        }
    }
    return NULL;
}

/*
 * Start
 */

/* Signals are for the program's threads. Faults stay open, so that its crash handler sees those of user code here. */
static int start_thread(pthread_t *ret, void *(*fn)(void *), struct library *self)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t all, old;
    int error;

    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(ret, NULL, fn, self);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -error;
}

static void stop_callbacks(struct library *self)
{
    pthread_mutex_lock(&self->callbacks.mutex);
    self->callbacks.locked.stopping = true;
    pthread_cond_signal(&self->callbacks.some);
    pthread_mutex_unlock(&self->callbacks.mutex);
    pthread_join(self->callback_thread, NULL);
}

/* The first loop of a process makes libuv open descriptors that it aborts without. So looks first if there are any. */
static int probe_descriptors(void)
{
    int pairs[3][2], count = 0, rc = 0;

    while (count < 3 && rc == 0) {
        if (pipe2(pairs[count], O_CLOEXEC) < 0)
            rc = -errno;
        else
            count++;
    }
    while (count-- > 0) {
        close(pairs[count][0]);
        close(pairs[count][1]);
    }
    return rc;
}

static int init_uv(struct library *self)
{
    int rc = uv_loop_init(&self->uv);

    if (rc < 0)
        return rc;
    rc = uv_async_init(&self->uv, &self->wake, on_wake);
    if (rc < 0)
        uv_loop_close(&self->uv);
    self->wake.data = self;
    return rc;
}

/* libuv aborts at the end of a program in which descriptors of its own are those of input, output or errors: in one that
 * has closed these, their places are taken while it makes its own. */
static int start_uv(struct library *self)
{
    int places[4], count = 0, rc;

    do {
        places[count] = eventfd(0, EFD_CLOEXEC); /* of no file: there may be none */
        rc = places[count] < 0 ? -errno : 0;
    } while (rc == 0 && places[count++] < 3);
    if (rc == 0)
        rc = probe_descriptors();
    if (rc == 0)
        rc = init_uv(self);
    while (count > 0)
        close(places[--count]);
    return rc;
}

static void stop_uv(struct library *self)
{
    uv_close((uv_handle_t *)&self->wake, NULL);
    uv_run(&self->uv, UV_RUN_DEFAULT);
    uv_loop_close(&self->uv);
}

static int library_new(struct library **ret)
{
    struct library *self = calloc(1, sizeof *self);
    int rc;

    if (!self)
        return -ENOMEM;
    self->generation = soon__generation();
    self->inherited = start.inherited;
    self->loop.mutex = self->callbacks.mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    self->callbacks.some = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    rc = start_uv(self);
    if (rc < 0)
        goto fail_uv;
    rc = start_thread(&self->callback_thread, run_callbacks, self);
    if (rc < 0)
        goto fail_callbacks;
    rc = start_thread(&self->loop_thread, run_loop, self);
    if (rc < 0)
        goto fail_loop;
    *ret = self;
    return 0;

fail_loop:
    stop_callbacks(self);
fail_callbacks:
    stop_uv(self);
fail_uv:
    pthread_cond_destroy(&self->callbacks.some);
    pthread_mutex_destroy(&self->callbacks.mutex);
    pthread_mutex_destroy(&self->loop.mutex);
    free(self);
    return rc;
}

/* B3 */
static void forget_in_child(void)
{
    struct library *old = library();

    start.mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    if (!old)
        return;
    close(uv_backend_fd(&old->uv));
    close(old->uv.async_io_watcher.fd);
    close(old->uv.signal_pipefd[0]);
    close(old->uv.signal_pipefd[1]);
    start.inherited = old;
    /* Relaxed: there is no other thread. */
    atomic_store_explicit(&start.library, NULL, memory_order_relaxed);
    on_loop = false;
}

static int start_locked(void)
{
    struct library *self = library();
    int rc = 0;

    if (self)
        return 0;
    if (!start.watches_forks)
        rc = soon__at_fork_child(forget_in_child);
    if (rc < 0)
        return rc;
    start.watches_forks = true;
    rc = library_new(&self);
    if (rc < 0)
        return rc;
    /* Release publishes what it points to; pairs with the acquire in library(). */
    atomic_store_explicit(&start.library, self, memory_order_release);
    return 0;
}

int soon__library_start(void)
{
    int cancel_state, rc;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    pthread_mutex_lock(&start.mutex);
    rc = start_locked();
    pthread_mutex_unlock(&start.mutex);
    pthread_setcancelstate(cancel_state, NULL);
    return rc;
}

/*
 * Posts
 */

/* A program that closes all descriptors has closed the loop's: libuv is about to abort, without a word. */
static void check_descriptors(const struct library *self)
{
    static const char text[] =
        "libsoon: the program has closed descriptors of the library's (closefrom()?), and cannot "
        "go on: see \"Threads and loops\" in its documentation\n";
    ssize_t written;

    if (fcntl(uv_backend_fd(&self->uv), F_GETFD) >= 0 || errno != EBADF)
        return;
    written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written; /* nothing more can be done */
    abort();
}

void soon__library_loop_post(struct soon__job *job)
{
    struct library *self = library();
    bool was_empty;

    assert(self);
    pthread_mutex_lock(&self->loop.mutex);
    was_empty = push_job(&self->loop.locked.jobs, job);
    pthread_mutex_unlock(&self->loop.mutex);
    if (!was_empty)
        return;
    check_descriptors(self);
    uv_async_send(&self->wake);
}

void soon__library_callbacks_post(struct soon__job *job)
{
    struct library *self = library();

    assert(self);
    pthread_mutex_lock(&self->callbacks.mutex);
    push_job(&self->callbacks.locked.jobs, job);
    pthread_cond_signal(&self->callbacks.some);
    pthread_mutex_unlock(&self->callbacks.mutex);
}

uv_loop_t *soon__library_uv(void)
{
    assert(on_loop);
    return &library()->uv;
}

bool soon__library_on_loop(void)
{
    return on_loop;
}

bool soon__library_on_callbacks(void)
{
    return soon__thread_self()->of_library && !on_loop;
}

void soon__library_stint_begin(struct soon__stint *stint)
{
    struct soon__thread *self = soon__thread_self();

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &stint->cancel_state);
    stint->sink = self->sink;
    soon__thread_set_aside(&stint->saved);
    self->sink = sink;
}

void soon__library_stint_end(const struct soon__stint *stint)
{
    soon__thread_take_up(&stint->saved);
    soon__thread_self()->sink = stint->sink;
    pthread_setcancelstate(stint->cancel_state, NULL);
}

bool soon__library_is_quiet(void)
{
    return soon__thread_self()->sink != NULL;
}

int64_t soon__later(int64_t now, int64_t span)
{
    return span > INT64_MAX - now ? SOON__NEVER : now + span;
}

void soon__loop_timer(uv_timer_t *timer, uv_timer_cb fn, int64_t when)
{
    int64_t now = soon__clock_ns();
    uint64_t wait_ms = when > now ? (uint64_t)(when - now + 999999) / 1000000 : 0;

    if (when == SOON__NEVER) {
        uv_timer_stop(timer);
        return;
    }
    uv_update_time(soon__library_uv());
    uv_timer_start(timer, fn, wait_ms, 0);
}

/*
 * library_loop.c - the library's own loop and the callback thread.
 *
 *     none --start--> both run, parked, until the process ends --fork, in the child--> none
 *
 * B1  The loop never ends. Parked it sleeps on its set of watches, the callback thread in pthread_cond_wait, both without a
 *     timeout.
 * B2  Job lists are spliced out under their mutex and run without it. What a job posts comes after what was there,
 *     so that timers have their turn.
 * B3  The loop's timers are libuv's. libuv ends the program where it cannot get what it needs, and it needs something
 *     when a loop is made, and when it polls for the first time. So the start asks for as much before, and lets it poll
 *     once. After that it is run when a timer is due or a handle closes, which needs nothing: descriptors are watched without
 *     it (loops/watch.c).
 * B4  `awake` is held by the loop's thread while it does anything, and given up while it sleeps. A fork takes it, so that
 *     libuv's loop is whole in the child, which closes it by libuv's own means. A loop that has always something to do gives
 *     it up only for a moment in each turn: so it looks whether a fork waits (`forks`), and lets that go first. A fork does
 *     not wait for ever: an allocator that locks itself before us, as sanitizers do, may keep the loop's thread from its
 *     end. Then the child closes what it knows of, and no more.
 * B5  All else is left to the parent and forgotten by the child; it stays reachable, for leak checkers.
 */
#include "../../futures/run_callbacks_internal.h"
#include "library_loop_internal.h"
#include "watch_internal.h"

#include "../system/surroundings_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FORK_WAIT_NS INT64_C(1000000000)

struct jobs {
    struct soon__job *head, *tail;
};

struct library {
    uint32_t generation;
    struct library *inherited; /* of the parent */
    struct soon__watches watches;
    pthread_mutex_t awake; /* B4 */
    _Atomic int forks;     /* B4; how many threads that fork wait for `awake` */
    uv_loop_t uv;
    uv_timer_t first;                      /* of its handles; closed */
    _Atomic(struct soon__job *) interrupt; /* from a signal handler; NULL: none */
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
/* Whose `awake` this thread holds over its fork; NULL: it was not to be had. Several threads may fork at the same time. */
static _Thread_local struct library *held_over_fork;

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

static void run_interrupt(struct library *self)
{
    struct soon__job *job;

    /* Relaxed: the wake-up orders it; one that comes later wakes us again. */
    if (!atomic_load_explicit(&self->interrupt, memory_order_relaxed))
        return;
    /* Acquire: pairs with the release in soon__library_loop_interrupt(). */
    job = atomic_exchange_explicit(&self->interrupt, NULL, memory_order_acquire);
    job->run(job);
}

static void run_jobs(struct library *self)
{
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

/* Runs timers that are due and the ends of handles. How long the next may be waited for, in milliseconds; -1: for ever. */
static int run_timers(struct library *self)
{
    uv_update_time(&self->uv);
    if (uv_loop_alive(&self->uv) && uv_backend_timeout(&self->uv) == 0)
        uv_run(&self->uv, UV_RUN_NOWAIT);
    return uv_loop_alive(&self->uv) ? uv_backend_timeout(&self->uv) : -1;
}

/* A program that closes all descriptors has closed the loop's. */
static _Noreturn void descriptors_are_gone(void)
{
    static const char text[] =
        "libsoon: the program has closed descriptors of the library's (closefrom()?), and cannot "
        "go on: see \"Threads and loops\" in its documentation\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);

    (void)written; /* nothing more can be done */
    abort();
}

/* It sleeps, so that the thread that forks can run, whatever the priorities of both. */
static void let_forks_go_first(struct library *self)
{
    /* Relaxed: it orders nothing; a fork that is seen late goes first in the next turn. */
    while (atomic_load_explicit(&self->forks, memory_order_relaxed) > 0)
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static void turn(struct library *self)
{
    int timeout_ms = run_timers(self), rc;

    /* A fork finds no handle half closed: its end would call us in the child. Then libuv wants its next turn at once. */
    if (timeout_ms)
        pthread_mutex_unlock(&self->awake);
    rc = soon__watches_wait(&self->watches, timeout_ms);
    if (timeout_ms) {
        let_forks_go_first(self);
        pthread_mutex_lock(&self->awake);
    }
    if (rc < 0)
        descriptors_are_gone();
    if (!soon__watches_dispatch(&self->watches))
        return;
    run_interrupt(self);
    run_jobs(self);
}

/* soon__thread.sink: users' callbacks of what this thread completes, and what it releases, run on the callback thread. */
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
    pthread_mutex_lock(&self->awake);
    for (;;)
        turn(self);
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
            soon__future_run_sunk(future);
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

/*
 * What libuv may not find wanting: B3. Copies of a descriptor take the places of those that it will make, and of those of
 * input, output and errors in a program that has closed these: libuv ends a program in which one of its own is among them.
 */
enum { PLACES = 16, PLACES_MIN = 10, WATCHES = 4, MEMORY = 1 << 16 };

struct places {
    int taken[PLACES];
    int count;
};

static void give_places(struct places *places, int down_to)
{
    for (int i = places->count; i > 0; i--) {
        if (places->taken[i - 1] < down_to)
            continue;
        close(places->taken[i - 1]);
        places->taken[i - 1] = places->taken[--places->count];
    }
}

static int take_places(struct places *places, int of)
{
    int fd, above = 0;

    for (places->count = 0; above < PLACES_MIN;) {
        fd = fcntl(of, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            int error = errno;

            give_places(places, 0);
            return -error;
        }
        places->taken[places->count++] = fd;
        if (fd > STDERR_FILENO)
            above++;
    }
    return 0;
}

/* Is there room for so many in an epoll set? */
static int probe_watches(struct library *self, const struct places *places)
{
    struct soon__watch watches[WATCHES] = {{NULL, 0, false}};
    int rc = 0;

    for (int i = 0; i < WATCHES && rc == 0; i++)
        rc = soon__watches_add(&self->watches, &watches[i], places->taken[places->count - 1 - i], true);
    for (int i = 0; i < WATCHES; i++)
        soon__watches_remove(&self->watches, &watches[i]);
    return rc;
}

static int probe_memory(const struct places *places)
{
    /* libuv has an array with a place for each descriptor up to its own. */
    void *memory = malloc(MEMORY + 4 * sizeof(void *) * (size_t)places->taken[places->count - 1]);

    free(memory);
    return memory ? 0 : -ENOMEM;
}

/* A loop without handles would not poll. */
static void poll_once(struct library *self)
{
    uv_timer_init(&self->uv, &self->first);
    uv_close((uv_handle_t *)&self->first, NULL);
    uv_run(&self->uv, UV_RUN_NOWAIT);
}

static int start_uv(struct library *self)
{
    struct places places;
    int rc = take_places(&places, self->watches.wake);

    if (rc < 0)
        return rc;
    rc = probe_watches(self, &places);
    if (rc == 0)
        rc = probe_memory(&places);
    if (rc == 0) {
        give_places(&places, STDERR_FILENO + 1);
        rc = uv_loop_init(&self->uv);
    }
    if (rc == 0)
        poll_once(self);
    give_places(&places, 0);
    return rc;
}

static void stop_uv(struct library *self)
{
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
    self->loop.mutex = self->callbacks.mutex = self->awake = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    self->callbacks.some = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    rc = soon__watches_init(&self->watches);
    if (rc < 0)
        goto fail_watches;
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
    soon__watches_fini(&self->watches);
fail_watches:
    pthread_cond_destroy(&self->callbacks.some);
    pthread_mutex_destroy(&self->callbacks.mutex);
    pthread_mutex_destroy(&self->awake);
    pthread_mutex_destroy(&self->loop.mutex);
    free(self);
    return rc;
}

/*
 * Forks
 */

static bool try_to_hold(struct library *self)
{
    int64_t end = soon__clock_ns() + FORK_WAIT_NS;
    bool held;

    /* Relaxed, both: see let_forks_go_first(). */
    atomic_fetch_add_explicit(&self->forks, 1, memory_order_relaxed);
    while (!(held = pthread_mutex_trylock(&self->awake) == 0) && soon__clock_ns() < end)
        sched_yield();
    atomic_fetch_sub_explicit(&self->forks, 1, memory_order_relaxed);
    return held;
}

/* B4 */
static void before_fork(void)
{
    struct library *self = library();

    held_over_fork = self && !on_loop && try_to_hold(self) ? self : NULL;
}

static void after_fork_in_parent(void)
{
    if (held_over_fork)
        pthread_mutex_unlock(&held_over_fork->awake);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Nothing may be done to the loop as it is: its epoll set is the parent's, too. */
static void close_inherited_uv(struct library *old)
{
    struct places places;

    if (take_places(&places, old->watches.wake) < 0)
        places.count = 0;
    give_places(&places, STDERR_FILENO + 1);
    if (uv_loop_fork(&old->uv) == 0) {
        uv_walk(&old->uv, close_handle, NULL);
        uv_run(&old->uv, UV_RUN_NOWAIT);
        uv_loop_close(&old->uv);
    }
    give_places(&places, 0);
}

static void forget_in_child(void)
{
    struct library *old = library();

    start.mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    start.watches_forks = true; /* who was about to note that is not here */
    if (!old)
        return;
    if (held_over_fork)
        close_inherited_uv(old);
    else
        close(uv_backend_fd(&old->uv));
    soon__watches_fini(&old->watches);
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
        rc = soon__at_fork(before_fork, after_fork_in_parent, forget_in_child);
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

    soon__stay_loaded();
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

void soon__library_loop_post(struct soon__job *job)
{
    struct library *self = library();
    int cancel_state;
    bool was_empty;

    assert(self);
    pthread_mutex_lock(&self->loop.mutex);
    was_empty = push_job(&self->loop.locked.jobs, job);
    pthread_mutex_unlock(&self->loop.mutex);
    if (!was_empty)
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state); /* the caller may hold a mutex */
    if (soon__watches_wake(&self->watches) < 0)
        descriptors_are_gone();
    pthread_setcancelstate(cancel_state, NULL);
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

int soon__library_watch(struct soon__watch *watch, int fd, bool once_each)
{
    assert(on_loop);
    return soon__watches_add(&library()->watches, watch, fd, once_each);
}

void soon__library_unwatch(struct soon__watch *watch)
{
    assert(on_loop);
    soon__watches_remove(&library()->watches, watch);
}

void soon__library_loop_interrupt(struct soon__job *job)
{
    struct library *self = library();

    if (!self)
        return;
    /* Release what the handler has noted; pairs with the acquire in run_interrupt(). */
    atomic_store_explicit(&self->interrupt, job, memory_order_release);
    (void)soon__watches_wake(&self->watches); /* a later post tells that it is gone */
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

void soon__library_guest_begin(struct soon__loop_guest *guest)
{
    struct soon__thread *self = soon__thread_self();

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guest->cancel_state);
    guest->sink = self->sink;
    soon__thread_set_aside(&guest->saved);
    self->sink = sink;
}

void soon__library_guest_end(const struct soon__loop_guest *guest)
{
    soon__thread_take_up(&guest->saved);
    soon__thread_self()->sink = guest->sink;
    pthread_setcancelstate(guest->cancel_state, NULL);
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

/*
 * library_loop.c - the library's own loop and the callback thread.
 *
 *     none --start--> both run, parked, until the process ends --fork, in the child--> none
 *
 * B1  The loop never ends. Parked it sleeps on its set of watches, the callback thread in pthread_cond_wait, both
 *     without a timeout.
 * B2  Job lists are spliced out under their mutex and run without it. What a job posts comes after what was there,
 *     so that timers run in between.
 * B3  The loop's timers are libuv's. libuv ends the program where it cannot get what it needs, and it needs something
 *     when a loop is made, and when it polls for the first time. So the start asks for as much before, and lets it poll
 *     once. After that it is run when a timer is due or a handle closes, which needs nothing: descriptors are watched
 *     without it (loops/watch.c). Only connections are libuv's, and what a daemon of a cluster has besides. As soon as
 *     there is one, libuv's own set of descriptors is one of those that are watched; and who makes the connection sees
 *     to it that libuv finds what it needs.
 * B4  `awake` is held by the loop's thread while it does anything, and given up while it sleeps. A fork takes it, so
 *     that libuv's loop is whole in the child, which closes it by libuv's own means. A loop that has always something
 *     to do gives it up only for a moment in each turn: so it reads whether a fork waits (`forks`), and lets that go
 *     first. A fork does not wait for ever: an allocator that locks itself before us, as sanitizers do, may keep the
 *     loop's thread from its end. Then the child closes what it knows of, and no more.
 * B5  A thread of the program may do a job of the loop's while that sleeps: it holds `awake` instead, and waits for no
 *     wake-up. It runs no libuv, whose stack is large; it changes no watches, which the loop sleeps on; it closes no
 *     handle, which a fork might find half closed (B4). It wakes the loop for what is due earlier than that has
 *     thought. What was posted before comes first, and so does a fork.
 * B6  All else is left to the parent and forgotten by the child; it stays reachable, for leak checkers.
 */
#include "../../futures/run_callbacks_internal.h"
#include "callback_thread_internal.h"
#include "library_loop_internal.h"
#include "library_uv_internal.h"
#include "watch_internal.h"

#include "../system/surroundings_internal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FORK_WAIT_NS INT64_C(1000000000)
enum { FORK_NAPS_MAX = 10000 /* of 50 us */, OFTEN_MS = 10 };

struct library {
    uint32_t generation;
    struct library *inherited; /* of the parent */
    struct soon__watches watches;
    pthread_mutex_t awake; /* B4 */
    _Atomic int forks;     /* B4; how many threads that fork wait for `awake` */
    uint64_t wakes_at_ms;  /* B5; while it sleeps, of uv_now(). UINT64_MAX: when it is woken */
    uv_loop_t uv;
    struct soon__watch uv_watch;           /* B3; active: libuv watches descriptors, too */
    _Atomic(struct soon__job *) interrupt; /* from a signal handler; NULL: none */
    pthread_t thread;

    struct {
        pthread_mutex_t mutex;
        struct {
            struct soon__jobs jobs;
        } locked;
    } loop;

    struct soon__callback_thread callbacks;
};

static struct {
    pthread_mutex_t mutex;
    bool watches_forks; /* under the mutex */
    _Atomic(struct library *) library;
    struct library *inherited; /* under the mutex */
} start = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local enum { ELSEWHERE, AS_GUEST /* B5 */, ON_LOOP } here;
/* Whose `awake` this thread holds over its fork; NULL: it was not to be had. Several threads may fork at the same
 * time. */
static _Thread_local struct library *held_over_fork;

static struct library *library(void)
{
    /* Acquire: pairs with the release in soon__library_start(). */
    return atomic_load_explicit(&start.library, memory_order_acquire);
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

/* Before 1.44 libuv does not say by its timeout that there are descriptors which it is to watch from now on. */
static bool is_to_be_asked_often(const struct library *self)
{
    return self->uv_watch.active && uv_version() < (1 << 16 | 44 << 8);
}

/* How long it may sleep, in milliseconds; -1: for ever. */
static int time_to_sleep(const struct library *self)
{
    int timeout_ms = uv_loop_alive(&self->uv) ? uv_backend_timeout(&self->uv) : -1;

    return is_to_be_asked_often(self) && (unsigned)timeout_ms > OFTEN_MS ? OFTEN_MS : timeout_ms;
}

/* Runs timers that are due and the ends of handles. */
static void run_timers(struct library *self)
{
    uv_update_time(&self->uv);
    if (uv_loop_alive(&self->uv) && (is_to_be_asked_often(self) || uv_backend_timeout(&self->uv) == 0))
        uv_run(&self->uv, UV_RUN_NOWAIT);
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

/* It sleeps, so that the thread that forks can run, whatever the priorities of both. Not for ever: threads that fork
 * without a pause would keep it from its work. */
static void let_forks_go_first(struct library *self)
{
    /* Relaxed: it orders nothing; a fork that is seen late goes first in the next turn. */
    for (int i = 0; i < FORK_NAPS_MAX && atomic_load_explicit(&self->forks, memory_order_relaxed) > 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static void turn(struct library *self)
{
    int timeout_ms, rc;

    run_timers(self);
    timeout_ms = time_to_sleep(self);
    self->wakes_at_ms = timeout_ms < 0 ? UINT64_MAX : uv_now(&self->uv) + (uint64_t)timeout_ms;
    /* A fork finds no handle half closed: its end would call us in the child. Then libuv wants its next turn at
     * once. */
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

/* soon__thread.sink: users' callbacks of what this thread completes, and what it releases, run on the callback
 * thread. */
static void sink(soon_future *future)
{
    soon__callback_thread_sink(&library()->callbacks, future);
}

static void *run_loop(void *data)
{
    struct library *self = data;
    struct soon__thread *thread = soon__thread_self();

    soon__surroundings_give(soon__surroundings_of_process(), 0);
    pthread_setname_np(pthread_self(), "soon-loop");
    here = ON_LOOP;
    thread->of_library = true;
    thread->sink = sink;
    pthread_mutex_lock(&self->awake);
    for (;;)
        turn(self);
    return NULL;
}

/*
 * Start
 */

static int library_new(struct library **ret)
{
    struct library *self = calloc(1, sizeof *self);
    int rc;

    if (!self)
        return -ENOMEM;
    self->generation = soon__generation();
    self->inherited = start.inherited;
    self->loop.mutex = self->awake = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    rc = soon__watches_init(&self->watches);
    if (rc < 0)
        goto fail_watches;
    rc = soon__uv_open(&self->uv, &self->watches);
    if (rc < 0)
        goto fail_uv;
    rc = soon__callback_thread_start(&self->callbacks);
    if (rc < 0)
        goto fail_callbacks;
    rc = soon__library_thread_start(&self->thread, run_loop, self);
    if (rc < 0)
        goto fail_loop;
    *ret = self;
    return 0;

fail_loop:
    soon__callback_thread_stop(&self->callbacks);
fail_callbacks:
    uv_loop_close(&self->uv);
fail_uv:
    soon__watches_fini(&self->watches);
fail_watches:
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

    held_over_fork = self && here == ELSEWHERE && try_to_hold(self) ? self : NULL;
}

static void after_fork_in_parent(void)
{
    if (held_over_fork)
        pthread_mutex_unlock(&held_over_fork->awake);
}

static void forget_in_child(void)
{
    struct library *old = library();

    start.mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    start.watches_forks = true; /* the thread that was about to note that is not here */
    if (!old)
        return;
    if (held_over_fork)
        soon__uv_close_inherited(&old->uv, &old->watches);
    else
        close(uv_backend_fd(&old->uv));
    soon__watches_fini(&old->watches);
    start.inherited = old;
    /* Relaxed: there is no other thread. */
    atomic_store_explicit(&start.library, NULL, memory_order_relaxed);
    here = ELSEWHERE;
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
    was_empty = soon__jobs_push(&self->loop.locked.jobs, job);
    pthread_mutex_unlock(&self->loop.mutex);
    if (!was_empty)
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state); /* the caller may hold a mutex */
    if (soon__watches_wake(&self->watches) < 0)
        descriptors_are_gone();
    pthread_setcancelstate(cancel_state, NULL);
}

static bool has_jobs(struct library *self)
{
    bool has;

    pthread_mutex_lock(&self->loop.mutex);
    has = self->loop.locked.jobs.head != NULL;
    pthread_mutex_unlock(&self->loop.mutex);
    return has;
}

static bool wakes_too_late(const struct library *self)
{
    int timeout_ms = time_to_sleep(self);

    return timeout_ms >= 0 && uv_now(&self->uv) + (uint64_t)timeout_ms < self->wakes_at_ms;
}

/* B5; `awake` is held. */
static void run_as_guest(struct library *self, struct soon__job *job)
{
    struct soon__loop_guest guest;
    int saved = errno;

    soon__library_guest_begin(&guest);
    here = AS_GUEST;
    uv_update_time(&self->uv);
    job->run(job);
    if (wakes_too_late(self) && soon__watches_wake(&self->watches) < 0)
        descriptors_are_gone();
    here = ELSEWHERE;
    soon__library_guest_end(&guest);
    errno = saved;
}

static bool try_as_guest(struct library *self, struct soon__job *job)
{
    bool may;

    /* Relaxed: see let_forks_go_first(). */
    if (soon__library_is_quiet() || atomic_load_explicit(&self->forks, memory_order_relaxed) > 0 ||
        pthread_mutex_trylock(&self->awake) != 0)
        return false;
    may = !has_jobs(self);
    if (may)
        run_as_guest(self, job);
    pthread_mutex_unlock(&self->awake);
    return may;
}

void soon__library_loop_run_or_post(struct soon__job *job)
{
    struct library *self = library();

    assert(self);
    if (!try_as_guest(self, job))
        soon__library_loop_post(job);
}

void soon__library_callbacks_post(struct soon__job *job)
{
    struct library *self = library();

    assert(self);
    soon__callback_thread_post(&self->callbacks, job);
}

int soon__library_watch(struct soon__watch *watch, int fd, bool once_each)
{
    assert(here == ON_LOOP);
    return soon__watches_add(&library()->watches, watch, fd, once_each);
}

void soon__library_unwatch(struct soon__watch *watch)
{
    assert(here == ON_LOOP);
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

static void run_uv(struct soon__watch *unused)
{
    (void)unused;
    uv_run(&library()->uv, UV_RUN_NOWAIT);
}

int soon__library_poll_uv(void)
{
    struct library *self = library();

    assert(here == ON_LOOP);
    if (self->uv_watch.active)
        return 0;
    self->uv_watch.ready = run_uv;
    return soon__watches_add(&self->watches, &self->uv_watch, uv_backend_fd(&self->uv), false);
}

uv_loop_t *soon__library_uv(void)
{
    assert(here != ELSEWHERE);
    return &library()->uv;
}

bool soon__library_on_loop(void)
{
    return here != ELSEWHERE;
}

bool soon__library_is_guest(void)
{
    return here == AS_GUEST;
}

bool soon__library_on_callbacks(void)
{
    return soon__thread_self()->of_library && here == ELSEWHERE;
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

/*
 * worker.c - a worker thread: its start, its search for work, its parking inside a task. The invariants are in
 * pool_internal.h.
 */
#include "pool_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_RESERVE_MIN = 64 * 1024 };

static const struct soon__parking parking;

bool soon__worker_is_of(const struct soon__pool *pool)
{
    struct soon__thread *self = soon__thread_self();

    return self->parking == &parking && ((struct soon__worker *)self->worker)->pool == pool;
}

void soon__worker_ring(struct soon__worker *worker)
{
    /* Release: pairs with the acquire in sleep_locked(); the mutex orders the rest. */
    atomic_store_explicit(&worker->bell, 1, memory_order_release);
    soon__unpark_one(&worker->bell);
}

/*
 * Running
 */

static void counted(void *data, const struct soon__outcome *outcome)
{
    struct soon__worker *worker = data;
    _Atomic uint64_t *count = &worker->succeeded;

    if (outcome->error)
        count = outcome->cancelled ? &worker->cancelled : &worker->failed;
    /* Relaxed, and no read-modify-write: this thread alone writes. Publishing the outcome comes after and orders it. */
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&worker->running, atomic_load_explicit(&worker->running, memory_order_relaxed) - 1,
                          memory_order_relaxed);
    atomic_store_explicit(&worker->between, true, memory_order_relaxed);
}

static void run(struct soon__worker *worker, soon_call *call)
{
    struct soon__run_hooks hooks = {.counted = counted, .data = worker};

    atomic_store_explicit(&worker->running, atomic_load_explicit(&worker->running, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    soon__call_run(call, &worker->local, &hooks);
}

/* Has looked for work, or goes on with a task further down. */
static void no_longer_between(struct soon__worker *worker)
{
    atomic_store_explicit(&worker->between, false, memory_order_relaxed);
}

/* Is there still room for a task on top of this stack? What a task needs is not known: a quarter is left free. */
static bool has_stack(const struct soon__worker *worker)
{
    return (uintptr_t)__builtin_frame_address(0) > worker->stack_end;
}

static bool run_if_queued(struct soon__worker *worker, soon_call *call)
{
    struct soon__pool *pool = worker->pool;
    bool queued;

    if (!has_stack(worker))
        return false;
    pthread_mutex_lock(&pool->mutex);
    queued = call->queued;
    if (queued) {
        soon__queue_remove(&pool->locked.queue, call);
        soon__pool_freed_locked(pool);
    }
    pthread_mutex_unlock(&pool->mutex);
    if (queued) {
        run(worker, call);
        no_longer_between(worker);
    }
    return queued;
}

int soon__worker_help(void *data, soon_future *awaited)
{
    struct soon__worker *worker = data;
    struct soon__pool *pool = worker->pool;
    soon_call *call = awaited ? soon__call_of(awaited) : NULL;
    struct soon__wake wake = {NULL, false};

    no_longer_between(worker); /* a callback waits */
    if (call && call->executor == pool->executor && run_if_queued(worker, call))
        return 1;
    pthread_mutex_lock(&pool->mutex);
    if (pool->locked.threads - pool->locked.parked == 1 && pool->locked.threads >= pool->max + SOON__SPARES_MAX) {
        pthread_mutex_unlock(&pool->mutex);
        return SOON_EDEADLK; /* I4 */
    }
    pool->locked.parked++;
    if (pool->locked.queue.count)
        wake = soon__pool_decide_locked(pool);
    pthread_mutex_unlock(&pool->mutex);
    soon__pool_do(pool, wake);
    return 0;
}

static void unparked(void *data)
{
    struct soon__pool *pool = ((struct soon__worker *)data)->pool;

    pthread_mutex_lock(&pool->mutex);
    pool->locked.parked--;
    pthread_mutex_unlock(&pool->mutex);
}

static const struct soon__parking parking = {.help = soon__worker_help, .unparked = unparked};

/*
 * Looking for work
 */

static bool is_surplus_locked(const struct soon__pool *pool)
{
    return soon__pool_active_locked(pool) > pool->max; /* I3 */
}

static soon_call *take_locked(struct soon__pool *pool)
{
    soon_call *call;

    if (is_surplus_locked(pool))
        return NULL;
    call = soon__queue_pop(&pool->locked.queue);
    if (call)
        soon__pool_freed_locked(pool);
    return call;
}

static bool must_end_locked(const struct soon__worker *worker)
{
    const struct soon__pool *pool = worker->pool;

    if (worker->retired || pool->locked.broken)
        return true;
    return pool->locked.closed && (!pool->locked.queue.count || is_surplus_locked(pool));
}

static void push_idle_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    worker->idle = true;
    worker->previous_idle = NULL;
    worker->next_idle = pool->locked.idle_first;
    if (worker->next_idle)
        worker->next_idle->previous_idle = worker;
    else
        pool->locked.idle_last = worker;
    pool->locked.idle_first = worker;
    pool->locked.idle++;
}

/* Asleep until somebody has taken it off the idle list and rung. */
static void sleep_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    push_idle_locked(worker);
    worker->idle_since = soon__clock_ns();
    if (pool->idle_timeout_ns || pool->locked.threads > pool->max)
        soon__pool_alarm_locked(pool, worker->idle_since + soon__pool_idle_limit(pool));
    atomic_store_explicit(&worker->bell, 0, memory_order_relaxed);
    pthread_mutex_unlock(&pool->mutex);
    while (!atomic_load_explicit(&worker->bell, memory_order_acquire))
        soon__park(&worker->bell, 0, SOON__NEVER);
    pthread_mutex_lock(&pool->mutex);
    pool->locked.waking = false; /* I2 */
}

static void work(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    struct soon__wake wake;
    soon_call *call;

    pthread_mutex_lock(&pool->mutex);
    no_longer_between(worker);
    while (!must_end_locked(worker)) {
        call = take_locked(pool);
        if (!call) {
            sleep_locked(worker);
            continue;
        }
        wake = (struct soon__wake){NULL, false};
        if (pool->locked.queue.count)
            wake = soon__pool_decide_locked(pool); /* I2: the baton */
        pthread_mutex_unlock(&pool->mutex);
        soon__pool_do(pool, wake);
        run(worker, call);
        pthread_mutex_lock(&pool->mutex);
        no_longer_between(worker);
    }
    pthread_mutex_unlock(&pool->mutex);
}

/*
 * From start to end
 */

static void set_name(const struct soon__worker *worker)
{
    char name[SOON__NAME_SIZE], number[12];

    /* The number is what tells them apart: the name gives way. */
    snprintf(number, sizeof number, "_%u", worker->number);
    snprintf(name, sizeof name, "%.*s%s", (int)(sizeof name - 1 - strlen(number)), worker->pool->name, number);
    pthread_setname_np(pthread_self(), name);
}

static void measure_stack(struct soon__worker *worker)
{
    pthread_attr_t attributes;
    void *address;
    size_t size, reserve;

    worker->stack_end = UINTPTR_MAX; /* not known: no task on top of another */
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &address, &size) == 0) {
        reserve = size / 4 > STACK_RESERVE_MIN ? size / 4 : STACK_RESERVE_MIN;
        worker->stack_end = (uintptr_t)address + reserve;
    }
    pthread_attr_destroy(&attributes);
}

/* It is ready, or never will be. */
static void started_locked(struct soon__pool *pool)
{
    pool->locked.starting--;
    pthread_cond_broadcast(&pool->ready);
}

static bool initialize(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    struct soon__error *error = NULL;

    if (pool->initializer)
        error = soon__initializer_run(pool->executor, pool->initializer, pool->initializer_arg, &worker->local);
    if (error)
        soon__pool_break(pool, error);
    pthread_mutex_lock(&pool->mutex);
    started_locked(pool);
    atomic_store_explicit(&worker->between, true, memory_order_relaxed); /* until work() */
    pthread_mutex_unlock(&pool->mutex);
    return !error;
}

static void leave_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    if (worker->next)
        worker->next->previous = worker->previous;
    if (worker->previous)
        worker->previous->next = worker->next;
    else
        pool->locked.workers = worker->next;
    pool->locked.threads--;
    pool->locked.retiring -= worker->retired;
    pool->locked.succeeded += atomic_load_explicit(&worker->succeeded, memory_order_relaxed);
    pool->locked.failed += atomic_load_explicit(&worker->failed, memory_order_relaxed);
    pool->locked.cancelled += atomic_load_explicit(&worker->cancelled, memory_order_relaxed);
}

static void *worker_main(void *data)
{
    struct soon__worker *worker = data;
    struct soon__pool *pool = worker->pool;
    struct soon__thread *self = soon__thread_self();
    /* Also in callbacks and releases: here the pool cannot be waited for, or freed. */
    struct soon__frame frame = {.executor = pool->executor};
    struct soon__wake wake = {NULL, false};

    set_name(worker);
    measure_stack(worker);
    self->parking = &parking;
    self->worker = worker;
    self->frames = &frame;
    if (initialize(worker))
        work(worker);
    if (worker->local.release)
        worker->local.release(worker->local.value);
    self->parking = NULL;
    pthread_mutex_lock(&pool->mutex);
    leave_locked(worker);
    /* One that retires may be the one that was to take what has just come. */
    if (pool->locked.queue.count && !pool->locked.broken)
        wake = soon__pool_decide_locked(pool);
    pthread_mutex_unlock(&pool->mutex);
    soon__pool_do(pool, wake);
    self->frames = NULL;
    soon__library_loop_post(&worker->end); /* the last touch */
    return NULL;
}

static void enter_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    worker->number = pool->locked.numbers++;
    worker->next = pool->locked.workers;
    if (worker->next)
        worker->next->previous = worker;
    pool->locked.workers = worker;
}

/* Its place is given back. The last thread that could have run what is pending takes that with it. */
static void start_failed(struct soon__pool *pool, struct soon__worker *worker, int rc)
{
    bool held = soon__callbacks_hold(); /* while we have a pin */
    soon_executor *executor = pool->executor;
    soon_call *pending = NULL, *next;
    size_t left;

    pthread_mutex_lock(&pool->mutex);
    if (worker)
        leave_locked(worker);
    else
        pool->locked.threads--;
    pool->locked.start_error = rc;
    started_locked(pool);
    left = pool->locked.threads - pool->locked.parked;
    if (!left) {
        pool->locked.failed += pool->locked.queue.count;
        pending = soon__queue_take_all(&pool->locked.queue);
        pthread_cond_broadcast(&pool->place);
    }
    soon__executor_pin(executor);
    pool->locked.unjoined--;
    soon__pool_close_if_empty_locked(pool);
    pthread_mutex_unlock(&pool->mutex);
    for (; pending; pending = next) {
        next = pending->next;
        soon__call_fail(pending, soon__call_error(pending, SOON_EBROKEN, "the executor could not start a worker"));
    }
    soon__executor_unpin(executor);
    soon__callbacks_release(held);
}

int soon__worker_start(struct soon__pool *pool)
{
    struct soon__worker *worker = calloc(1, sizeof *worker);
    int rc;

    if (!worker) {
        start_failed(pool, NULL, -ENOMEM);
        return -ENOMEM;
    }
    worker->pool = pool;
    worker->adopt.run = soon__worker_adopted;
    worker->end.run = soon__worker_ended;
    pthread_mutex_lock(&pool->mutex);
    enter_locked(worker);
    pthread_mutex_unlock(&pool->mutex);
    rc = pthread_create(&worker->thread, &pool->attributes, worker_main, worker);
    if (rc) {
        start_failed(pool, worker, -rc);
        free(worker);
        return -rc;
    }
    soon__library_loop_post(&worker->adopt); /* I5 */
    return 0;
}

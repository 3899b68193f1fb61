/*
 * life.c - a worker thread from its start to its end: the library's loop creates and joins it (I5). The invariants are
 * in state_internal.h.
 *
 *     loop: soon__worker_start() --> thread: worker_main() --> loop: on_end(), join() --> gone
 *              |                                                  ^         |
 *              +--> start_failed()                                +---------+ its thread has not ended yet
 */
#include "life_internal.h"

#include "closing_internal.h"
#include "deque_internal.h"
#include "park_internal.h"
#include "run_internal.h"
#include "worker_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum { JOIN_TRIES = 100 };
#define JOIN_AGAIN_FIRST_NS INT64_C(1000000)
#define JOIN_AGAIN_MAX_NS INT64_C(100000000)

static void enter_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    worker->number = pool->locked.numbers++;
    pool->backlog.locked.starts++;
    soon__deque_enter_locked(worker);
    worker->locked.next = pool->locked.workers;
    if (worker->locked.next)
        worker->locked.next->locked.previous = worker;
    pool->locked.workers = worker;
}

static void leave_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    struct soon__backlog *backlog = &pool->backlog;

    if (worker->locked.next)
        worker->locked.next->locked.previous = worker->locked.previous;
    if (worker->locked.previous)
        worker->locked.previous->locked.next = worker->locked.next;
    else
        pool->locked.workers = worker->locked.next;
    soon__deque_leave_locked(worker);
    /* Relaxed, all: its thread has written them, and it is here, or never was. */
    backlog->locked.submitted += atomic_load_explicit(&worker->counts.submitted, memory_order_relaxed);
    for (int how = 0; how < SOON__ENDINGS; how++)
        backlog->locked.ended[how] += atomic_load_explicit(&worker->counts.ended[how], memory_order_relaxed);
}

/*
 * The thread
 */

static void set_name(struct soon__worker *worker)
{
    char name[SOON__NAME_SIZE];

    soon__worker_name(name, sizeof name, worker->pool->backlog.name, worker->number);
    pthread_setname_np(pthread_self(), name);
    atomic_store_explicit(&worker->id, gettid(), memory_order_relaxed); /* to be shown */
}

/* False: its initializer has failed, and it is LEAVING. */
static bool initialize(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    struct soon__error *error = NULL;

    if (pool->backlog.initializer.function)
        error = soon__initializer_run(pool->backlog.executor, &pool->backlog.initializer, &worker->own.local);
    if (error)
        soon__pool_break(pool, error);
    soon__pool_lock(pool);
    soon__worker_become(worker, SOON__WORKER_STARTING, error ? SOON__WORKER_LEAVING : SOON__WORKER_RUNNING);
    soon__condition_tell_all(&pool->backlog.ready);
    if (!error)
        soon__worker_search(worker); /* until soon__worker_work() */
    soon__pool_unlock(pool);
    return !error;
}

/* It takes no more work: others may be started in its place. */
static void stop_working(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    bool is_broken;

    soon__pool_lock(pool);
    if (worker->state != SOON__WORKER_LEAVING)
        soon__worker_become(worker, SOON__WORKER_RUNNING, SOON__WORKER_LEAVING);
    is_broken = pool->backlog.locked.state == SOON__BROKEN;
    soon__pool_unlock(pool);
    if (is_broken)
        soon__pool_fail_pending(pool); /* calls that this worker had taken when the pool broke */
}

/* What its thread is known by from here on; the frame stays to the end of the thread. */
static void become_worker(struct soon__worker *worker)
{
    struct soon__thread *self = soon__thread_self();

    soon__surroundings_give(&worker->pool->options.surroundings, 0);
    set_name(worker);
    soon__worker_measure_stack(worker);
    self->parking = &soon__worker_parking;
    self->worker = worker;
    self->pool = worker->pool;
    worker->own.frame.executor = worker->pool->backlog.executor;
    self->frames = &worker->own.frame;
}

static void tell(const struct soon__worker *worker, enum soon__worker_moment moment)
{
    /* Relaxed: this thread has written it. */
    soon__backlog_tell(&worker->pool->backlog, moment, worker->number,
                       atomic_load_explicit(&worker->id, memory_order_relaxed), 0);
}

static void *worker_main(void *data)
{
    struct soon__worker *worker = data;
    struct soon__pool *pool = worker->pool;

    become_worker(worker);
    tell(worker, SOON__MOMENT_STARTED);
    if (initialize(worker)) {
        tell(worker, SOON__MOMENT_READY);
        soon__worker_work(worker);
    }
    soon__thread_self()->parking = NULL;
    soon__thread_self()->pool = NULL;
    stop_working(worker);
    if (worker->own.local.release) /* which may take its time, or wait for a task: others are there for that */
        worker->own.local.release(worker->own.local.value);
    tell(worker, SOON__MOMENT_ENDED);
    soon__pool_lock(pool);
    leave_locked(worker);
    soon__pool_unlock(pool);
    soon__library_loop_post(&worker->job); /* the last touch, but of its frame */
    return NULL;
}

/*
 * The end
 */

/* I5. False: its thread has not ended yet. */
static bool join(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    int rc = EBUSY;

    for (int tries = 0; tries < JOIN_TRIES && rc == EBUSY; tries++) {
        rc = pthread_tryjoin_np(worker->thread, NULL);
        if (rc == EBUSY)
            sched_yield(); /* most often it is a matter of microseconds */
    }
    if (rc == EBUSY)
        return false;
    free(worker);
    soon__pool_lock(pool);
    pool->locked.in[SOON__WORKER_LEAVING]--;
    soon__pool_end_if_empty_locked(pool);
    soon__pool_unlock(pool);
    return true;
}

static void on_end(struct soon__job *job)
{
    struct soon__worker *worker = (struct soon__worker *)job;
    struct soon__pool *pool = worker->pool;

    assert(soon__library_on_loop());
    if (join(worker))
        return;
    worker->next_ended = pool->loop.ended;
    pool->loop.ended = worker;
    pool->loop.join_again_ns = JOIN_AGAIN_FIRST_NS;
    soon__pool_lock(pool);
    soon__pool_alarm_locked(pool, soon__clock_ns() + pool->loop.join_again_ns);
    soon__pool_unlock(pool);
}

int64_t soon__workers_join(struct soon__pool *pool, int64_t now)
{
    struct soon__worker **link = &pool->loop.ended, *next;

    while (*link) {
        next = (*link)->next_ended;
        if (join(*link))
            *link = next;
        else
            link = &(*link)->next_ended;
    }
    if (!pool->loop.ended)
        return SOON__NEVER;
    pool->loop.join_again_ns *= 2;
    if (pool->loop.join_again_ns > JOIN_AGAIN_MAX_NS)
        pool->loop.join_again_ns = JOIN_AGAIN_MAX_NS;
    return now + pool->loop.join_again_ns;
}

/*
 * The start
 */

/* What is pending, if no thread is left that could run it. */
static soon_call *orphans_locked(struct soon__pool *pool)
{
    if (soon__pool_unparked_locked(pool))
        return NULL;
    soon__pool_take_in_locked(pool);
    soon__condition_tell_all(&pool->backlog.place);
    return soon__backlog_take_all_locked(&pool->backlog, &pool->backlog.locked.ended[SOON__ENDED_OTHERWISE]);
}

/* The executor is pinned, and unpinned here. */
static void fail_orphans(soon_executor *executor, soon_call *orphans)
{
    struct soon__pinned visit;
    soon_call *next;

    soon__executor_enter(executor, &visit);
    for (; orphans; orphans = next) {
        next = orphans->next;
        soon__call_fail(orphans, soon__call_error(orphans, SOON_EBROKEN, "the executor could not start a worker"));
    }
    soon__executor_leave(executor, &visit);
}

/* It is not counted any more. `worker` NULL: there was no memory for it. */
static void start_failed(struct soon__pool *pool, struct soon__worker *worker, int rc)
{
    soon_executor *executor = pool->backlog.executor;
    soon_call *orphans;

    soon__pool_lock(pool);
    pool->locked.in[SOON__WORKER_STARTING]--;
    if (worker)
        leave_locked(worker);
    pool->backlog.locked.start_error = rc;
    pool->locked.cannot_start = true;
    soon__condition_tell_all(&pool->backlog.ready);
    orphans = orphans_locked(pool);
    soon__executor_pin(executor);
    soon__pool_end_if_empty_locked(pool);
    soon__pool_unlock(pool);
    fail_orphans(executor, orphans);
}

/* NULL: no memory. */
static struct soon__worker *worker_new(struct soon__pool *pool)
{
    struct soon__worker *worker = calloc(1, sizeof *worker);

    if (!worker)
        return NULL;
    worker->pool = pool;
    worker->state = SOON__WORKER_STARTING;
    worker->job.run = on_end;
    soon__pool_lock(pool);
    enter_locked(worker);
    soon__pool_unlock(pool);
    worker->own.hooks = (struct soon__run_hooks){
        .counted = soon__worker_counted, .data = worker, .worker = soon__worker_mark(worker->number)};
    return worker;
}

void soon__worker_start(struct soon__pool *pool)
{
    struct soon__worker *worker;
    int rc;

    assert(soon__library_on_loop());
    worker = worker_new(pool);
    rc = worker ? pthread_create(&worker->thread, &pool->options.attributes, worker_main, worker) : ENOMEM;
    if (rc == 0)
        return;
    start_failed(pool, worker, -rc);
    free(worker);
}

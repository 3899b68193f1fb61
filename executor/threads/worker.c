/*
 * worker.c - a worker thread: its start, its search for work, its parking inside a task. The invariants are in
 * pool_internal.h.
 */
#include "../../futures/depend_internal.h"
#include "../pools/backlog_internal.h"
#include "state_internal.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_RESERVE_MIN = 64 * 1024, BATCH_MAX = 16, BATCH_NS = 20000 };

bool soon__worker_push(struct soon__pool *pool, soon_call *call)
{
    struct soon__thread *self = soon__thread_self();

    return self->pool == pool && soon__deque_push(self->worker, pool, call);
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

/* I2. False: another one does. */
static bool search(struct soon__worker *worker)
{
    if (!worker->searches)
        worker->searches = soon__inject_search(&worker->pool->inject);
    return worker->searches;
}

static void counted(void *data, const struct soon__outcome *outcome)
{
    struct soon__worker *worker = data;
    _Atomic uint64_t *count = &worker->succeeded;

    if (outcome->error)
        count = outcome->cancelled ? &worker->cancelled : &worker->failed;
    /* Publishing the outcome comes after and orders it. */
    soon__count(count, 1);
    soon__count(&worker->running, (uint64_t)-1);
    /* I2. Before the outcome is published, so that who submits the next one knows of it. */
    if (worker->quick && !outcome->error && !outcome->payload &&
        (soon__inject_look(&worker->pool->inject) & SOON__MODE) == SOON__NEEDED)
        search(worker);
}

/* Ending it runs no user code: it releases nothing of theirs. */
static bool is_quick(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    return call->flags & SOON__CALL_PLAIN || (!call->function->free_arg && !call->function->free_result &&
                                              (!extra || (!extra->options.payload && !extra->first && !extra->items)));
}

static inline void run(struct soon__worker *worker, soon_call *call)
{
    soon__count(&worker->running, 1);
    if (call->flags & SOON__CALL_PLAIN)
        soon__call_run_plain(call, &worker->local, &worker->hooks);
    else
        soon__call_run(call, &worker->local, &worker->hooks);
    if (soon__thread_self()->worker != worker)
        soon__leave_child(); /* a callback has forked, and this is the child, which has no workers */
}

static void run_next(struct soon__worker *worker, soon_call *call, bool more)
{
    worker->quick = !more && is_quick(call);
    run(worker, call);
}

/* On top of a task that waits for it: that one goes on then, so this worker is not about to look for work. */
static void run_on_top(struct soon__worker *worker, soon_call *call)
{
    bool quick = worker->quick;

    worker->quick = false;
    run(worker, call);
    worker->quick = quick;
}

/* User code is about to run that is not a task, or may be: a callback, a release. It may take its time. */
static void held_up(void *data)
{
    struct soon__worker *worker = data;

    if (!worker->searches)
        return;
    soon__worker_lock(worker);
    soon__pool_unlock(worker->pool);
}

/* Is there still room for a task on top of this stack? What a task needs is not known: a quarter is left free. */
static bool has_stack(const struct soon__worker *worker)
{
    return (uintptr_t)__builtin_frame_address(0) > worker->stack_end;
}

/* Before it is asked whether this could end: what is in our deque has not begun. */
static bool run_own(void *data, soon_future *awaited)
{
    struct soon__worker *worker = data;
    soon_call *call = soon__call_of(awaited);

    if (!call || call->executor != worker->pool->executor || !has_stack(worker) || !soon__deque_take(worker, call))
        return false;
    held_up(worker); /* a callback or a release waits */
    run_on_top(worker, call);
    return true;
}

static bool is_call_of(soon_future *future, const void *executor, bool by_callback)
{
    soon_call *call = soon__call_of(future);

    (void)by_callback;
    return call && call->executor == executor;
}

static bool is_others(void *data, soon_future *future)
{
    return !soon__future_needs(future, is_call_of, ((struct soon__worker *)data)->pool->executor);
}

/* I4 */
static bool park_locked(struct soon__worker *worker, bool others)
{
    struct soon__pool *pool = worker->pool;
    bool last = pool->locked.threads - pool->locked.parked == 1,
         may_start = pool->locked.threads < pool->max + SOON__SPARES_MAX;

    if (last && !may_start && !others && !pool->locked.parked_for_others)
        return false;
    pool->locked.parked++;
    pool->locked.parked_for_others += others;
    worker->parked_for_others = others;
    return true;
}

static int help(void *data, soon_future *awaited, bool others)
{
    struct soon__worker *worker = data;
    struct soon__pool *pool = worker->pool;
    soon_call *call = awaited ? soon__call_of(awaited) : NULL;
    bool runs, parks;

    held_up(worker);
    soon__pool_lock(pool);
    runs = call && call->executor == pool->executor && has_stack(worker) && soon__pool_take_back_locked(pool, call);
    parks = !runs && park_locked(worker, others);
    soon__pool_unlock(pool);
    if (runs)
        run_on_top(worker, call);
    return runs ? 1 : parks ? 0 : SOON_EDEADLK;
}

static void unparked(void *data)
{
    struct soon__worker *worker = data;
    struct soon__pool *pool = worker->pool;

    soon__pool_lock(pool);
    pool->locked.parked--;
    pool->locked.parked_for_others -= worker->parked_for_others;
    soon__pool_unlock(pool);
}

static const struct soon__parking parking = {
    .run_own = run_own, .help = help, .unparked = unparked, .is_others = is_others, .held_up = held_up};

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
    soon__deques_look_locked(pool, 1);
    call = soon__queue_pop(&pool->locked.queue);
    if (call) {
        soon__pool_freed_locked(pool);
        pool->locked.cannot_start = false;
    }
    return call;
}

static bool must_end_locked(const struct soon__worker *worker)
{
    const struct soon__pool *pool = worker->pool;

    if (worker->retired || pool->locked.broken)
        return true;
    return pool->locked.closed && (!pool->locked.queue.count || is_surplus_locked(pool));
}

/* I10 */
static bool has_news(void *data)
{
    const struct soon__pool *pool = data;
    uintptr_t word = soon__inject_look(&pool->inject);

    /* Relaxed: who sees it takes the mutex, which orders the rest. */
    return soon__inject_latest(word) || word & SOON__QUEUED || (word & SOON__MODE) == SOON__SHUT ||
           atomic_load_explicit(&pool->nested, memory_order_relaxed);
}

/* The only one that came; else what came goes to `*ret_rest`, for the queue. */
static soon_call *take_injected(struct soon__worker *worker, soon_call **ret_rest)
{
    struct soon__pool *pool = worker->pool;
    soon_call *call = soon__inject_take(&pool->inject);

    if (!call)
        return NULL;
    worker->searches = false;
    /* Sequentially consistent, after that exchange: Q3. */
    if (!call->next && !atomic_load_explicit(&pool->nested, memory_order_seq_cst)) {
        soon__count(&worker->submitted, 1);
        soon__call_move(call, SOON__CALL_IN_HAND);
        return call;
    }
    *ret_rest = call;
    return NULL;
}

/* I10. True: something came, or may have. */
static bool linger_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    soon_call *call, *rest = NULL;
    bool came;

    if (!pool->linger_ns || is_surplus_locked(pool) || !soon__spin_pays(&pool->locked.spin) || !search(worker))
        return false;
    soon__pool_unlock(pool);
    do {
        came = soon__spin_until(has_news, pool, soon__clock_ns() + pool->linger_ns);
        soon__spin_note(&pool->locked.spin, came);
        call = came ? take_injected(worker, &rest) : NULL;
        if (call)
            run_next(worker, call, false);
    } while (call && search(worker));
    soon__worker_lock(worker);
    soon__pool_enqueue_locked(pool, rest);
    return came || pool->locked.queue.count || must_end_locked(worker); /* the mutex was out of our hands */
}

/* Asleep until somebody has taken it off the idle list and rung. */
static void sleep_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    worker->next_idle = pool->locked.idlers;
    pool->locked.idlers = worker;
    pool->locked.idle++;
    worker->idle_since = soon__clock_ns();
    if (pool->all_retire || pool->locked.threads > pool->max)
        soon__pool_alarm_locked(pool, worker->idle_since + pool->idle_limit_ns);
    atomic_store_explicit(&worker->bell, 0, memory_order_relaxed);
    soon__pool_unlock(pool);
    while (!atomic_load_explicit(&worker->bell, memory_order_acquire))
        soon__park(&worker->bell, 0, SOON__NEVER);
    soon__worker_lock(worker);
}

/* Q5. How many more it may take at once. */
static size_t room_locked(struct soon__worker *worker)
{
    size_t share = worker->pool->locked.queue.count / worker->pool->max;
    int64_t now, before = worker->batch_since, each;

    worker->batch_since = 0;
    if (share < 2 || !worker->deque || soon__pool_mode_locked(worker->pool) != SOON__BUSY)
        return 0;
    worker->batch_since = now = soon__clock_ns();
    if (!before)
        return 0;
    each = (now - before) / (int64_t)worker->batch + 1;
    if (share > BATCH_MAX)
        share = BATCH_MAX;
    return each * (int64_t)share < BATCH_NS ? share : (size_t)(BATCH_NS / each);
}

static size_t take_more_locked(struct soon__worker *worker)
{
    size_t more = soon__deque_fill_locked(worker, room_locked(worker));

    worker->batch = more + 1;
    return more;
}

static void work(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    soon_call *call;
    size_t more;

    soon__worker_lock(worker);
    while (!must_end_locked(worker)) {
        call = take_locked(pool);
        if (call) {
            more = take_more_locked(worker);
            soon__pool_unlock(pool); /* I2: passes the baton on */
            do {
                run_next(worker, call, more);
            } while (more-- && (soon__inject_look(&pool->inject) & SOON__MODE) == SOON__BUSY &&
                     (call = soon__deque_next(worker)));
            soon__worker_lock(worker);
        } else if (!linger_locked(worker)) {
            sleep_locked(worker);
        }
    }
    soon__pool_unlock(pool);
}

/*
 * From start to end
 */

static void set_name(struct soon__worker *worker)
{
    char name[SOON__NAME_SIZE];

    soon__worker_name(name, sizeof name, worker->pool->name, worker->number);
    pthread_setname_np(pthread_self(), name);
    atomic_store_explicit(&worker->id, gettid(), memory_order_relaxed); /* to be shown */
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
    soon__condition_tell_all(&pool->ready);
}

static bool initialize(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;
    struct soon__error *error = NULL;

    if (pool->initializer.function)
        error = soon__initializer_run(pool->executor, &pool->initializer, &worker->local);
    if (error)
        soon__pool_break(pool, error);
    soon__pool_lock(pool);
    started_locked(pool);
    if (!error)
        search(worker); /* until work() */
    soon__pool_unlock(pool);
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
    soon__deque_leave_locked(worker);
    pool->locked.submitted += atomic_load_explicit(&worker->submitted, memory_order_relaxed);
    pool->locked.succeeded += atomic_load_explicit(&worker->succeeded, memory_order_relaxed);
    pool->locked.failed += atomic_load_explicit(&worker->failed, memory_order_relaxed);
    pool->locked.cancelled += atomic_load_explicit(&worker->cancelled, memory_order_relaxed);
}

static void *worker_main(void *data)
{
    struct soon__worker *worker = data;
    struct soon__pool *pool = worker->pool;
    struct soon__thread *self = soon__thread_self();
    bool broken;

    soon__surroundings_give(&pool->surroundings, 0);
    set_name(worker);
    measure_stack(worker);
    self->parking = &parking;
    self->worker = worker;
    self->pool = pool;
    worker->frame.executor = pool->executor;
    self->frames = &worker->frame; /* to the end of the thread */
    if (initialize(worker))
        work(worker);
    self->parking = NULL;
    self->pool = NULL;
    soon__pool_lock(pool);
    pool->locked.threads -= !worker->retired; /* what it has counted stays its own until it leaves */
    broken = pool->locked.broken;
    soon__pool_unlock(pool);
    if (broken)
        soon__pool_fail_pending(pool); /* what it had in its hands when that became so */
    if (worker->local.release)         /* which may take its time, or wait for a task: others are there for that */
        worker->local.release(worker->local.value);
    soon__pool_lock(pool);
    leave_locked(worker);
    soon__pool_unlock(pool);
    soon__library_loop_post(&worker->job); /* the last touch, but of its frame */
    return NULL;
}

static void enter_locked(struct soon__worker *worker)
{
    struct soon__pool *pool = worker->pool;

    worker->number = pool->locked.numbers++;
    soon__deque_enter_locked(worker);
    worker->next = pool->locked.workers;
    if (worker->next)
        worker->next->previous = worker;
    pool->locked.workers = worker;
}

/* Its place is given back. The last thread that could have run what is pending takes that with it. */
static void start_failed(struct soon__pool *pool, struct soon__worker *worker, int rc)
{
    soon_executor *executor = pool->executor;
    struct soon__pinned visit;
    soon_call *pending = NULL, *next;
    size_t left;

    soon__pool_lock(pool);
    pool->locked.threads--;
    if (worker)
        leave_locked(worker);
    pool->locked.start_error = rc;
    pool->locked.cannot_start = true;
    started_locked(pool);
    left = pool->locked.threads - pool->locked.parked;
    if (!left) {
        soon__pool_take_in_locked(pool);
        pool->locked.failed += pool->locked.queue.count;
        pending = soon__queue_take_all(&pool->locked.queue);
        soon__condition_tell_all(&pool->place);
    }
    soon__executor_pin(executor);
    pool->locked.unjoined--;
    soon__pool_close_if_empty_locked(pool);
    soon__pool_unlock(pool);
    soon__executor_enter(executor, &visit);
    for (; pending; pending = next) {
        next = pending->next;
        soon__call_fail(pending, soon__call_error(pending, SOON_EBROKEN, "the executor could not start a worker"));
    }
    soon__executor_leave(executor, &visit);
}

/* I5 */
static void start(struct soon__job *job)
{
    struct soon__worker *worker = (struct soon__worker *)job;
    struct soon__pool *pool = worker->pool;
    int rc;

    assert(soon__library_on_loop());
    job->run = soon__worker_ended; /* when it is posted again */
    rc = pthread_create(&worker->thread, &pool->attributes, worker_main, worker);
    if (!rc)
        return;
    start_failed(pool, worker, -rc);
    free(worker);
}

void soon__worker_start(struct soon__pool *pool)
{
    struct soon__worker *worker = calloc(1, sizeof *worker);

    if (!worker) {
        start_failed(pool, NULL, -ENOMEM);
        return;
    }
    worker->pool = pool;
    worker->hooks = (struct soon__run_hooks){.counted = counted, .data = worker};
    worker->job.run = start;
    soon__pool_lock(pool);
    enter_locked(worker);
    soon__pool_unlock(pool);
    soon__library_loop_post(&worker->job);
}

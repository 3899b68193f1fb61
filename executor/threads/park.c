/*
 * park.c - a task that waits: its worker runs what it waits for, if that has not begun, or parks.
 *
 *     wait --awaited is in our deque, or in the queue--> run it on top of the task that waits, look again
 *          --somebody else has it--> park: another worker may take this one's place (I3, I4)
 *
 * If calls are queued, scheduler.c wakes that other worker, or starts a spare, when help() unlocks the mutex.
 *
 * A task that waits may hold a lock. So nothing but what it waits for is run on top of it: another task could want that
 * lock.
 */
#include "park_internal.h"

#include "../../futures/depend_internal.h"
#include "../core/call_class_internal.h"
#include "deque_internal.h"
#include "run_internal.h"

enum { STACK_RESERVE_MIN = 64 * 1024 };

void soon__worker_measure_stack(struct soon__worker *worker)
{
    pthread_attr_t attributes;
    void *address;
    size_t size, reserve;

    worker->own.stack_end = UINTPTR_MAX; /* not known: no task on top of another */
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &address, &size) == 0) {
        reserve = size / 4 > STACK_RESERVE_MIN ? size / 4 : STACK_RESERVE_MIN;
        worker->own.stack_end = (uintptr_t)address + reserve;
    }
    pthread_attr_destroy(&attributes);
}

/* Whether there is room for another task on this stack. Nobody knows what a task needs: a quarter is left free. */
static bool has_stack(const struct soon__worker *worker)
{
    return (uintptr_t)__builtin_frame_address(0) > worker->own.stack_end;
}

/* User code that is not a task is about to run, or may be: a callback, a release. It may take its time. */
static void held_up(void *data)
{
    struct soon__worker *worker = data;

    if (worker->state != SOON__WORKER_SEARCHING)
        return;
    soon__worker_lock(worker);
    soon__pool_unlock(worker->pool);
}

/* Runs what is awaited if it is in our deque. This comes before the question whether the wait could ever end: what is
 * in our deque has not begun, so it can be run here. */
static bool run_own(void *data, soon_future *awaited)
{
    struct soon__worker *worker = data;
    soon_call *call = soon__call_of(awaited);

    if (!call || call->executor != worker->pool->backlog.executor || !has_stack(worker) ||
        !soon__deque_take(worker, call))
        return false;
    held_up(worker); /* a callback or a release waits */
    soon__worker_run_on_top(worker, call);
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
    return !soon__future_needs(future, is_call_of, ((struct soon__worker *)data)->pool->backlog.executor);
}

/* I4 */
static bool park_locked(struct soon__worker *worker, bool others)
{
    struct soon__pool *pool = worker->pool;
    bool last = soon__pool_unparked_locked(pool) == 1,
         may_start = soon__pool_threads_locked(pool) < pool->options.max + SOON__SPARES_MAX;

    if (last && !may_start && !others && !pool->locked.parked_for_others)
        return false;
    if (worker->state == SOON__WORKER_STARTING)
        soon__worker_become(worker, SOON__WORKER_STARTING, SOON__WORKER_STARTING_PARKED);
    else
        soon__worker_become(worker, SOON__WORKER_RUNNING, SOON__WORKER_PARKED);
    pool->locked.parked_for_others += others;
    worker->locked.parked_for_others = others;
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
    runs = call && call->executor == pool->backlog.executor && has_stack(worker) &&
           soon__pool_take_back_locked(pool, call);
    parks = !runs && park_locked(worker, others);
    soon__pool_unlock(pool);
    if (runs)
        soon__worker_run_on_top(worker, call);
    return runs ? 1 : parks ? 0 : SOON_EDEADLK;
}

static void unparked(void *data)
{
    struct soon__worker *worker = data;
    struct soon__pool *pool = worker->pool;

    soon__pool_lock(pool);
    if (worker->state == SOON__WORKER_STARTING_PARKED)
        soon__worker_become(worker, SOON__WORKER_STARTING_PARKED, SOON__WORKER_STARTING);
    else
        soon__worker_become(worker, SOON__WORKER_PARKED, SOON__WORKER_RUNNING);
    pool->locked.parked_for_others -= worker->locked.parked_for_others;
    soon__pool_unlock(pool);
}

const struct soon__parking soon__worker_parking = {.run_own = run_own,
                                                   .before_park = help,
                                                   .after_park = unparked,
                                                   .is_others = is_others,
                                                   .before_user_code = held_up};

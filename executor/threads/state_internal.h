/*
 * state_internal.h - the thread pool: a queue, workers, and one mutex that decides who sleeps, who is woken, who is
 * started.
 *
 * A worker:
 *
 *     starting --> initializing --> looking for work <--> running a task --> (parked inside it)
 *         |              |             |      ^
 *         |              |          idle (asleep)
 *         v              v             v
 *       (failed)     broken pool     ended --loop: joined--> gone
 *
 * I1  Everything about who works and who sleeps is decided under `mutex`, when it is given back: soon__pool_unlock(). So
 *     a submit either sees a worker asleep and wakes it, or the worker sees the task before it sleeps.
 * I2  At most one worker is the searcher: it was woken, or lingers, or is about to publish an outcome and to look then. Nobody
 *     is woken while there is one; one that is starting does not count, its initializer may take long. Who takes a task is
 *     it no more and passes the baton on, if there is more, before it runs it. So a burst of submits costs one wake-up, and
 *     two long tasks still run side by side. A worker that may run user code before it looks (a callback, a release, the hook
 *     for an error that nobody has read) is no searcher.
 * I3  Active workers (alive, neither idle nor parked inside a task) take work up to `max`. When one parks inside a
 *     task another may take its place, up to SPARES_MAX threads more than `max`; when it comes back, whoever first
 *     looks for work while there are too many becomes idle.
 * I4  A worker may park inside a task if another thread is left to run what is in the queue, or one may still be started.
 *     Else only if others than this pool's tasks can end its wait, or that of one that is parked (`parked_for_others`): a
 *     promise's maker, another pool. Then that one comes back, and goes on with the queue. If all would wait for what only
 *     they could run, the wait is SOON_EDEADLK. What others bring about may be noted as ours (a soon_any() of both), never
 *     the other way.
 * I5  The thread that decides to start a worker counts it first, in `threads` and `unjoined`, and tells the loop outside the
 *     mutex. The loop starts it, and joins it when it has told the loop of its end. So a worker inherits from the loop, and
 *     not from whoever submitted: a niceness, or a filter of system calls, cannot be undone. A thread ends with destructors
 *     of the program's (pthread_key_create(), C++), which may wait for other pools, and so for the loop: it waits for none.
 * I6  The pool is down when it is closed and nothing is unjoined; then the loop closes its timer and resolves
 *     `down`, its last touch of the pool.
 * I7  No future's LOCK is taken, and no user code called, under `mutex`.
 * I8  No worker is started for work that has a taker: as many are starting, or there is a searcher. So tasks one after the
 *     other need one thread.
 * I9  While nobody has to be woken or started for one more task, submits leave it in `inject`, without the mutex. Who has
 *     the mutex has emptied that into the queue. Who gives it back sets the mode, by how many work, and takes out what has
 *     come if it is not open then; so does the searcher that takes the only call without the mutex. So no task is left there
 *     that nobody is about to look for. QUEUED keeps the searcher from that: it has to pass the baton on then.
 *     What a task of the pool submits goes to a deque of its worker, in the same way, and so does what a worker takes of
 *     the queue beyond the next: see deque.c.
 * I10 The searcher may linger: it looks at `inject` and `nested` for a short time before it sleeps, and counts as active.
 */
#ifndef SOON_EXECUTOR_THREADS_STATE_INTERNAL_H
#define SOON_EXECUTOR_THREADS_STATE_INTERNAL_H

#include "../core/executor_internal.h"
#include "../core/spin_internal.h"
#include "../loops/library_loop_internal.h"
#include "../pools/inject_internal.h"
#include "../pools/mutex_internal.h"
#include "../pools/queue_internal.h"
#include "../system/surroundings_internal.h"

#include <pthread.h>

enum { SOON__SPARES_MAX = 256, SOON__NAME_SIZE = 16 /* what the system takes, with the NUL */ };

enum { SOON__DEQUES_MAX = UINT8_MAX - SOON__CALL_IN_DEQUE }; /* workers beyond that submit as everybody does */

struct soon__pool;

/* See deque.c. */
struct soon__deque {
    _Alignas(64) _Atomic uint32_t lock;
    uint8_t place;           /* of a call that is in it */
    bool owned;              /* by a worker; under the pool's mutex */
    soon_call *first, *last; /* the oldest first; under the lock */
};

struct soon__worker {
    struct soon__job job; /* first; for the loop: its start, and then its end */
    struct soon__pool *pool;
    pthread_t thread;
    struct soon__worker *next, *previous; /* all of the pool, under its mutex, as the next three */
    struct soon__worker *next_idle;
    bool retired; /* told to end, and counted in `threads` no more */
    int64_t idle_since;
    _Atomic uint32_t bell; /* idle workers sleep on it: 1 when rung */
    unsigned number;
    _Atomic int id; /* of its thread; 0: it has not begun */
    /* Its own thread only, as the next. Also in callbacks, releases, destructors: here the pool cannot be waited for, or freed. */
    struct soon__frame frame;
    struct soon__local local;
    struct soon__run_hooks hooks;
    struct soon__deque *deque; /* NULL: it has none, since there are too many, or the queue has a bound */
    int64_t batch_since;       /* when it last took one of many; 0: it was one of few */
    size_t batch;              /* how many it took then */
    uintptr_t stack_end;       /* the lowest address at which another task may start on its stack */
    /* Written by the worker alone, before what they count can be seen; read by stats. */
    _Atomic uint64_t succeeded, failed, cancelled, running;
    _Atomic uint64_t submitted; /* those that no mutex has seen come */
    bool searches; /* it is the searcher; written by others while it is idle. Its own thread only, as the next */
    bool quick;    /* what it runs ends without user code */
    bool parked_for_others;          /* counted in the pool's; under the mutex */
    struct soon__worker *next_ended; /* loop thread only */
};

struct soon__pool {
    struct soon__job look; /* first; for the loop, which looks at what `alarm` is for */
    soon_executor *executor;
    soon_promise *down; /* set with the first shutdown */
    size_t max;
    char name[SOON__NAME_SIZE];
    struct soon__initializer initializer;
    size_t queue_max;      /* 0: unbounded */
    int64_t idle_limit_ns; /* until an idle worker retires: */
    bool all_retire;       /* any; else only those that stood in for parked ones */
    pthread_attr_t attributes;
    struct soon__surroundings surroundings; /* of who made the pool */
    struct soon__deque *deques;
    size_t deques_count;
    int64_t linger_ns; /* how long a worker looks before it sleeps; 0: not at all */

    char apart[64];             /* what submitters write is on cache lines of its own */
    struct soon__inject inject; /* I9 */
    _Atomic bool nested;        /* there may be something in a deque */
    char apart_too[64];
    struct soon__mutex mutex;
    struct soon__condition place; /* submitters: the queue has room, or the pool is closed or broken */
    struct soon__condition ready; /* boot: a worker is ready, or never will be */
    struct {
        struct soon__queue queue;
        struct soon__worker *workers;
        struct soon__worker *idlers; /* the latest first */
        size_t threads;              /* starting or alive, but for those that have retired */
        size_t idle;
        size_t parked; /* inside a task */
        size_t parked_for_others;
        size_t starting; /* not yet ready to work */
        size_t unjoined; /* threads, and those that have ended but are not joined */
        unsigned numbers;
        size_t deques_used; /* those behind never had an owner */
        struct soon__spin spin;
        bool cannot_start; /* the last start has failed: not again before there is another reason, or nobody else */
        bool closed;
        int start_error;            /* the last start that failed, for boot */
        struct soon__error *broken; /* why; NULL: it is not */
        uint64_t submitted, wakeups;
        uint64_t succeeded, failed, cancelled; /* by workers that have ended, and without any worker */
        int64_t alarm;                         /* when the loop is to look next; SOON__NEVER: not at all */
        bool look_posted;
        bool closing; /* the look that is posted then is the last */
    } locked;

    /* Loop thread only. */
    uv_timer_t timer;
    struct soon__worker *ended; /* whose threads have not ended yet: I5 */
    int64_t join_again_ns;      /* when they are looked at once more, from the last look on */
};

/* Takes the mutex, and what has come in meanwhile into the queue. */
void soon__pool_lock(struct soon__pool *pool);
/* Gives it back, and wakes or starts who is needed for what is in the queue. The pool may be gone then. */
void soon__pool_unlock(struct soon__pool *pool);
/* For a worker: it searches no more. */
void soon__worker_lock(struct soon__worker *worker);
/* True: one more task takes somebody: nothing comes in without the mutex any more, and what has, and what is in deques, is
 * in the queue. */
bool soon__pool_take_in_locked(struct soon__pool *pool);
void soon__pool_enqueue_locked(struct soon__pool *pool, soon_call *latest); /* a list by `next` */
uintptr_t soon__pool_mode_locked(const struct soon__pool *pool);            /* see inject_internal.h */
/* Without the mutex. False: this one needs it. */
bool soon__pool_push(struct soon__pool *pool, soon_call *call);
void soon__pool_count_start_locked(struct soon__pool *pool, size_t count); /* before soon__worker_start() */
struct soon__worker *soon__pool_pop_idle_locked(struct soon__pool *pool);  /* there is one: the latest */
size_t soon__pool_active_locked(const struct soon__pool *pool);
/* A place in the queue has become free. */
void soon__pool_freed_locked(struct soon__pool *pool);
/* True: it had not begun, and is the caller's. */
bool soon__pool_take_back_locked(struct soon__pool *pool, soon_call *call);
void soon__pool_alarm_locked(struct soon__pool *pool, int64_t when); /* the loop looks then at the latest */
void soon__pool_close_if_empty_locked(struct soon__pool *pool);
void soon__pool_break(struct soon__pool *pool, struct soon__error *why); /* takes the reference */
void soon__pool_fail_pending(struct soon__pool *pool);                   /* of one that is broken */

/* For a count that this thread alone writes: no read-modify-write. */
static inline void soon__count(_Atomic uint64_t *count, uint64_t more)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more, memory_order_relaxed);
}

/*
 * deque.c
 */

int soon__deques_new(struct soon__pool *pool);
void soon__deque_enter_locked(struct soon__worker *worker);
void soon__deque_leave_locked(struct soon__worker *worker); /* what is in it stays, to be looked for */
/* By the worker's own thread, which holds a reference. False: it is to go to the queue. */
bool soon__deque_push(struct soon__worker *worker, struct soon__pool *pool, soon_call *call);
/* By the worker's own thread. True: it was there, and is the caller's. */
bool soon__deque_take(struct soon__worker *worker, soon_call *call);
/* By the worker's own thread: the oldest; NULL: it is empty. */
soon_call *soon__deque_next(struct soon__worker *worker);
/* The next of the queue, up to `most`, into the worker's own; how many. */
size_t soon__deque_fill_locked(struct soon__worker *worker, size_t most);
/* Into the queue: the oldest of each, up to so many. */
void soon__deques_look_locked(struct soon__pool *pool, size_t most);
/* True: it was in a deque, and is the caller's. */
bool soon__deque_take_back_locked(struct soon__pool *pool, soon_call *call);

/* worker.c */
void soon__worker_start(struct soon__pool *pool); /* counted already; not any more if it cannot be started */
/* One that a task of the pool submits, without the mutex. False: it needs it, or is from elsewhere. */
bool soon__worker_push(struct soon__pool *pool, soon_call *call);
void soon__worker_ring(struct soon__worker *worker);

/* watch.c: what the library's loop does for a pool. */
void soon__pool_look(struct soon__job *job);
void soon__worker_ended(struct soon__job *job);

#endif

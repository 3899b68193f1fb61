/*
 * pool_internal.h - the thread pool: a queue, workers, and one mutex that decides who sleeps, who is woken, who is
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
 * I1  Everything about who works and who sleeps is decided under `mutex`. So a submit either sees a worker asleep
 *     and wakes it, or the worker sees the task before it sleeps.
 * I2  At most one worker is being woken at a time (`waking`); it passes the baton on, if there is more, before it
 *     runs its first task. So a burst of submits costs one wake-up, and two long tasks still run side by side.
 * I3  Active workers (alive, neither idle nor parked inside a task) take work up to `max`. When one parks inside a
 *     task another may take its place, up to SPARES_MAX threads more than `max`; when it comes back, whoever first
 *     looks for work while there are too many becomes idle.
 * I4  A worker may park inside a task only if another thread is left to run what is in the queue, or one may still be
 *     started: else the wait is SOON_EDEADLK.
 * I5  The thread that decides to start a worker counts it first, in `threads` and `unjoined`, and starts it outside
 *     the mutex. The loop joins it when both its starter and itself have told the loop of it.
 * I6  The pool is down when it is closed and nothing is unjoined; then the loop closes its timer and resolves
 *     `down`, its last touch of the pool.
 * I7  No future's LOCK is taken, and no user code called, under `mutex`.
 * I8  No worker is started for work that has a taker: as many are starting, or are between two tasks and will look in a moment.
 *     So tasks one after the other need one thread. Should those between be held up, by a callback for instance, the loop
 *     starts one a millisecond later.
 */
#ifndef SOON_EXECUTOR_THREADS_POOL_INTERNAL_H
#define SOON_EXECUTOR_THREADS_POOL_INTERNAL_H

#include "../executor_internal.h"
#include "../library_loop_internal.h"
#include "../queue_internal.h"

#include <pthread.h>

enum { SOON__SPARES_MAX = 256, SOON__NAME_SIZE = 16 /* what the system takes, with the NUL */ };

struct soon__pool;

struct soon__worker {
    struct soon__pool *pool;
    pthread_t thread;
    struct soon__worker *next, *previous;           /* all of the pool, under its mutex */
    struct soon__worker *next_idle, *previous_idle; /* the latest first */
    bool idle, retired;                             /* under the mutex */
    int64_t idle_since;
    _Atomic uint32_t bell; /* idle workers sleep on it: 1 when rung */
    unsigned number;
    struct soon__local local; /* its own thread only */
    uintptr_t stack_end;      /* the lowest address at which another task may start on its stack */
    /* Written by the worker alone, before what they count can be seen; read by stats. */
    _Atomic uint64_t succeeded, failed, cancelled;
    _Atomic uint32_t running;
    _Atomic bool between; /* its task has ended and it is about to look for work, unless it is held up */
    /* Loop thread only. */
    struct soon__job adopt, end;
    bool adopted, ended;
};

struct soon__pool {
    soon_executor *executor;
    soon_promise *down; /* set with the first shutdown */
    size_t max;
    char name[SOON__NAME_SIZE];
    const soon_function *initializer;
    void *initializer_arg;
    size_t queue_max;        /* 0: unbounded */
    int64_t idle_timeout_ns; /* 0: none */
    pthread_attr_t attributes;

    pthread_mutex_t mutex;
    pthread_cond_t place; /* submitters: the queue has room, or the pool is closed or broken */
    pthread_cond_t ready; /* boot: a worker is ready, or never will be */
    struct {
        struct soon__queue queue;
        struct soon__worker *workers;
        struct soon__worker *idle_first, *idle_last;
        size_t threads; /* starting or alive */
        size_t idle;
        size_t parked;   /* inside a task */
        size_t starting; /* not yet ready to work */
        size_t retiring; /* told to end, but still counted in threads */
        size_t unjoined; /* threads, and those that have ended but are not joined */
        size_t waiting;  /* submitters that wait for `place` */
        unsigned numbers;
        bool waking;
        bool closed;
        int start_error;            /* the last start that failed, for boot */
        struct soon__error *broken; /* why; NULL: it is not */
        uint64_t submitted, wakeups;
        uint64_t succeeded, failed, cancelled; /* by workers that have ended, and without any worker */
        int64_t alarm;                         /* when the loop is to look next; SOON__NEVER: not at all */
        int64_t grow_at;                       /* a start was put off until then (I8); SOON__NEVER: none was */
        bool look_posted;
        bool close_posted;
    } locked;

    /* Loop thread only, but for posting. */
    struct soon__job open, look, close;
    uv_timer_t timer;
};

/* What is to be done outside the mutex about a decision under it. */
struct soon__wake {
    struct soon__worker *worker; /* ring it */
    bool start;                  /* start a new one: it is counted already */
};
/* Work is there: who shall take it? */
struct soon__wake soon__pool_decide_locked(struct soon__pool *pool);
/* The same on the loop, when a start that was put off is due. */
struct soon__wake soon__pool_grow_locked(struct soon__pool *pool, int64_t now);
void soon__pool_count_start_locked(struct soon__pool *pool, size_t count); /* before soon__worker_start() */
void soon__pool_do(struct soon__pool *pool, struct soon__wake wake);
void soon__pool_ring_all_locked(struct soon__pool *pool); /* those that are idle */
struct soon__worker *soon__pool_pop_idle_locked(struct soon__pool *pool, struct soon__worker *worker);
size_t soon__pool_active_locked(const struct soon__pool *pool);
int64_t soon__pool_idle_limit(const struct soon__pool *pool); /* ns until an idle worker retires */
/* A place in the queue has become free. */
void soon__pool_freed_locked(struct soon__pool *pool);
void soon__pool_alarm_locked(struct soon__pool *pool, int64_t when); /* the loop looks then at the latest */
void soon__pool_close_if_empty_locked(struct soon__pool *pool);
void soon__pool_break(struct soon__pool *pool, struct soon__error *why); /* takes the reference */
void soon__pool_free(struct soon__pool *pool);

/* worker.c */
int soon__worker_start(struct soon__pool *pool); /* counted already. 0 or a negative errno: then it counts no more */
int soon__worker_help(void *worker, soon_future *awaited);
bool soon__worker_is_of(const struct soon__pool *pool); /* the calling thread */
void soon__worker_ring(struct soon__worker *worker);

/* watch.c: what the library's loop does for a pool. */
void soon__pool_watch(struct soon__pool *pool);
void soon__worker_adopted(struct soon__job *job);
void soon__worker_ended(struct soon__job *job);
void soon__pool_look(struct soon__job *job);
void soon__pool_close(struct soon__job *job);

#endif

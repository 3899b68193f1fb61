/*
 * state_internal.h - a thread pool and its workers: their states, and who may touch what.
 *
 * A worker. soon__worker_become() alone moves it:
 *
 *     STARTING_PARKED <--waits in its initializer--> STARTING --its initializer failed--> LEAVING
 *                                                       |
 *                                                     ready
 *                                                       v
 *         PARKED <--------waits inside a task--------> RUNNING --the pool ends, or broke--> LEAVING
 *                                                       ^  |
 *                      has found a call, or has locked  |  |  looks for work without the mutex, or is about to
 *                                                       |  v
 *                                                     SEARCHING
 *
 *     RUNNING --sleeps--> IDLE --woken for a call--> SEARCHING
 *                              --woken since the pool was shut down, or broke--> RUNNING
 *                              --idle for too long--> LEAVING
 *     LEAVING --its thread has ended, and the loop has joined it--> gone
 *
 * I1  Who works, who sleeps and who is woken is decided under the pool's mutex, when it is unlocked:
 *     soon__pool_unlock(). So a submit sees a worker asleep and wakes it, or the worker sees the task before it sleeps.
 * I2  At most one worker is SEARCHING, and no sleeping worker is woken while one is. A worker that takes a call leaves
 *     SEARCHING, and wakes the next worker if calls are left, before it runs its own. So a burst of submits costs one
 *     wake-up, and two long tasks still run side by side. A worker begins to search also before it publishes the
 *     outcome of a task, without the mutex: a thread that sees the outcome, and submits the next task, need not wake
 *     anybody. It does not where user code may run before it looks for work (a callback, a release, the hook for an
 *     error that nobody has read). STARTING does not count as SEARCHING, since an initializer may take long.
 * I3  Active workers (STARTING, RUNNING, SEARCHING) take work, up to `max` of them. When one parks, another may take
 *     its place, up to SPARES_MAX threads more than `max`. When the parked one is back there is one too many, and the
 *     worker that looks for work next becomes IDLE.
 * I4  A worker may park if another thread is left to run what is in the queue, or one may still be started. Otherwise
 *     it may park only if somebody outside can end its wait, or that of another parked worker, which then goes on with
 *     the queue: the maker of a promise, another pool. If all would wait for what only they could run, the wait returns
 *     SOON_EDEADLK. A wait that both sides can end (a soon_any() of both) may count as one that only this pool can end,
 *     but never the other way round.
 * I5  A thread that decides to start a worker counts it as STARTING, and tells the loop. The loop creates the thread.
 *     So a worker inherits niceness, filters of system calls and the like from the loop, and not from the thread that
 *     submitted: it could not get rid of them. The loop joins the thread after that has told it of its end, and waits
 *     for no thread: one that ends runs destructors of the program's (pthread_key_create(), C++), which may wait for
 *     other pools, and so for the loop.
 * I6  The pool is down when it is ending (B3 in backlog_internal.h) and has no workers. Then the loop closes its timer
 *     and resolves `down`: its last touch of the pool.
 * I7  No future's LOCK is taken, and no user code called, under the mutex.
 * I8  No worker is started for a call that will be taken anyway: by one that is STARTING, or by one that is SEARCHING.
 *     So tasks that come one after the other need one thread.
 * I9  While nobody has to be woken or started for one more task, submits leave it in the injector, without the mutex. A
 *     thread that locks the mutex moves what is there to the queue. Before it unlocks, it sets the mode by the number
 *     of active workers, and if the injector is closed then, it takes out what has come meanwhile. So no call is left
 *     there that nobody will look for. A worker that is SEARCHING may take a single call without the mutex, unless
 *     QUEUED says that there is more: then it has to wake the next worker. What a task submits to its own pool goes to
 *     a deque of its worker, by the same rule, and so does what a worker takes from the queue beyond the next call: see
 *     deque.c.
 * I10 The worker that is SEARCHING may spin: it looks at the injector and at `nested` for a short time before it
 *     sleeps.
 */
#ifndef SOON_EXECUTOR_THREADS_STATE_INTERNAL_H
#define SOON_EXECUTOR_THREADS_STATE_INTERNAL_H

#include "../core/executor_internal.h"
#include "../core/run_internal.h"
#include "../core/spin_internal.h"
#include "../loops/library_loop_internal.h"
#include "../pools/backlog_internal.h"
#include "../system/surroundings_internal.h"

#include <pthread.h>

enum { SOON__SPARES_MAX = 256 };
enum { SOON__DEQUES_MAX = UINT8_MAX - SOON__CALL_IN_DEQUE }; /* workers beyond that submit as everybody does */

enum soon__worker_state {
    SOON__WORKER_STARTING,        /* its thread is to be created, or is in its initializer */
    SOON__WORKER_STARTING_PARKED, /* it waits inside its initializer */
    SOON__WORKER_RUNNING,   /* it runs a task, or user code before or after one, or looks for work under the mutex */
    SOON__WORKER_SEARCHING, /* it looks for work, or will before user code runs: SEARCHER stands for it */
    SOON__WORKER_PARKED,    /* it waits inside a task */
    SOON__WORKER_IDLE,      /* it is asleep, and in `idlers` */
    SOON__WORKER_LEAVING,   /* it takes no more work, and is not joined yet */
    SOON__WORKER_STATES,
};

struct soon__pool;

/* See deque.c. */
struct soon__deque {
    _Alignas(64) _Atomic uint32_t lock;
    uint8_t place;           /* of a call that is in it */
    bool owned;              /* by a worker; under the pool's mutex */
    soon_call *first, *last; /* the oldest first; under the lock */
};

struct soon__worker {
    struct soon__job job; /* first; tells the loop of its end */
    struct soon__pool *pool;
    pthread_t thread;
    unsigned number;
    _Atomic int id;            /* of its thread; 0: it has not begun */
    struct soon__deque *deque; /* NULL: it has none, since there are too many, or the queue has a bound */
    /* Changed under the pool's mutex; but its own thread needs none between RUNNING and SEARCHING. Read by its own
     * thread, and while it is IDLE by others, with the mutex. */
    enum soon__worker_state state;
    _Atomic uint32_t bell; /* it sleeps on it while it is IDLE: 1 when rung */
    /* Under the pool's mutex. */
    struct {
        struct soon__worker *next, *previous; /* of all of the pool */
        struct soon__worker *next_idle;
        int64_t idle_since;
        bool parked_for_others; /* I4: somebody outside can end the wait that it is parked in */
    } locked;
    /* Its own thread only. */
    struct {
        /* Says that its thread is inside the pool, in callbacks, releases and destructors too: there the pool cannot
         * be waited for, or freed. */
        struct soon__frame frame;
        struct soon__local local;
        struct soon__run_hooks hooks;
        bool is_quick;       /* what it runs ends without user code */
        int64_t batch_since; /* when it last took several calls at once; 0: it took one */
        size_t batch;        /* how many it took then */
        uintptr_t stack_end; /* the lowest address at which another task may start on its stack */
    } own;
    /* Written by its own thread, before what they count can be seen; read by stats. */
    struct {
        _Atomic uint64_t ended[SOON__ENDINGS], running;
        _Atomic uint64_t submitted; /* of those that came without the mutex */
    } counts;
    struct soon__worker *next_ended; /* loop thread only */
};

struct soon__pool {
    struct soon__backlog backlog; /* first; has the mutex, and ends with the injector: I9 */
    _Atomic bool nested;          /* there may be something in a deque */
    char apart[64];
    struct soon__deque *deques;
    /* Never changed after the pool was made. */
    struct {
        size_t max; /* I3 */
        size_t deques_count;
        int64_t idle_limit_ns; /* a worker that is IDLE for longer retires, */
        bool all_retire;       /* whichever it is; else only as long as there are spares */
        int64_t spin_ns;       /* so long a worker spins before it sleeps; 0: not at all */
        pthread_attr_t attributes;
        struct soon__surroundings surroundings; /* of the thread that made the pool */
    } options;
    /* Under the backlog's mutex. */
    struct {
        size_t in[SOON__WORKER_STATES]; /* workers per state; the one that is SEARCHING counts as RUNNING */
        size_t parked_for_others;       /* so many workers are: I4 */
        size_t to_start;                /* of those that are STARTING, the loop has so many still to create */
        bool cannot_start; /* the last start has failed: none until there is another reason, or nobody else to work */
        struct soon__worker *workers; /* all that have a thread, or will have one in a moment */
        struct soon__worker *idlers;  /* the latest first */
        unsigned numbers;
        size_t deques_used; /* those behind never had an owner */
        struct soon__spin spin;
        uint64_t wakeups;
        int64_t alarm; /* when the loop is to watch over the pool next; SOON__NEVER: not at all */
        bool watch_posted;
        bool is_over; /* nothing is left of the pool: the watch that is posted then is the last */
    } locked;
    /* Loop thread only, but for posting the job. */
    struct {
        struct soon__job watch;
        uv_timer_t timer;
        struct soon__worker *ended; /* those that could not be joined at once: I5 */
        int64_t join_again_ns;      /* how long after a watch they are tried again */
    } loop;
};

/* A count that this thread alone writes needs no read-modify-write. Relaxed: what is counted is published after it. */
static inline void soon__count(_Atomic uint64_t *count, uint64_t more)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more, memory_order_relaxed);
}

#endif

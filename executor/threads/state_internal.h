/*
 * state_internal.h - a thread pool and its workers: their states, and who may touch what.
 *
 * A worker:
 *
 *     STARTING <--waits in its initializer--> STARTING_PARKED
 *        | |
 *        | +--initializer failed------------------------------------+
 *        |                                                          |
 *        +--ready--> RUNNING <--looks for work, has found some--> SEARCHING
 *                    | |  ^ ^                                       ^  |
 *          waits in a| |  | +--woken by a shutdown---+              |  |
 *                task| |  |back                      |         woken|  |
 *                    v |  |                          |              |  |
 *                  PARKED-+      +----sleeps-----> IDLE ------------+  |
 *                      |         |                   |                 |
 *                      +---------+                   |idle too long    |
 *                      |the pool ends                v                 v
 *                      +-------------------------> LEAVING <-----------+
 *                                                    |
 *                                       joined by the loop: gone
 *
 * I1  Who works, who sleeps and who is woken is decided under the pool's mutex, when that is unlocked: soon__pool_unlock(). So a
 *     submit sees a worker asleep and wakes it, or the worker sees the task before it sleeps.
 * I2  A sleeping worker is woken only if no other worker is SEARCHING, and no more than one is. A worker that takes a call leaves
 *     SEARCHING, and wakes the next worker if calls are left, before it runs its own. So a burst of submits costs one wake-up,
 *     and two long tasks still run side by side. A worker enters SEARCHING also without the mutex, before it publishes an
 *     outcome after which it will look for work: a thread that has seen the outcome, and submits, then need not wake anybody.
 *     It does not so where user code may run first (a callback, a release, the hook for an error that nobody has read).
 *     STARTING does not count as SEARCHING, since an initializer may take long.
 * I3  Active workers (STARTING, RUNNING, SEARCHING) take work up to `max`. When one parks, another may take its place, up to
 *     SPARES_MAX threads more than `max`. When the parked one is back, the worker that looks for work next becomes IDLE.
 * I4  A worker may park if another thread is left to run what is in the queue, or one may still be started. Otherwise it may
 *     only if others than this pool's tasks (a promise's maker, another pool) can end its wait, or the wait of another parked
 *     worker: then that one comes back, and goes on with the queue. If all would wait for what only they could run, the wait
 *     is SOON_EDEADLK. What others bring about may be noted as ours (a soon_any() of both), but never the other way round.
 * I5  A thread that decides to start a worker counts it as STARTING, and tells the loop. The loop creates the thread, and joins it
 *     after it has told the loop of its end. So a worker inherits from the loop, and not from the thread that submitted: a
 *     niceness, or a filter of system calls, cannot be undone. A thread ends with destructors of the program's
 *     (pthread_key_create(), C++), which may wait for other pools, and so for the loop: so the loop waits for no thread.
 * I6  The pool is down when it is ending (B3) and has no workers. Then the loop closes its timer and resolves `down`: its last
 *     touch of the pool.
 * I7  No future's LOCK is taken, and no user code called, under the mutex.
 * I8  No worker is started for calls that will be taken anyway: by one that is STARTING, or by the one that is SEARCHING. So tasks
 *     one after the other need one thread.
 * I9  While nobody has to be woken or started for one more task, submits leave it in the injector, without the mutex. A thread
 *     that locks the mutex moves what is there to the queue. Before it unlocks, it sets the mode by the number of active
 *     workers, and takes out what has come if the injector is not open then. So no call is left there that nobody will look
 *     for. A worker that is SEARCHING may take a single call without the mutex; QUEUED keeps it from that, where it would
 *     have to wake the next worker. What a task of the pool submits goes to a deque of its worker, in the same way, and so
 *     does what a worker takes of the queue beyond the next call: see deque.c.
 * I10 The worker that is SEARCHING may spin: it looks at the injector and at `nested` for a short time before it sleeps.
 */
#ifndef SOON_EXECUTOR_THREADS_STATE_INTERNAL_H
#define SOON_EXECUTOR_THREADS_STATE_INTERNAL_H

#include "../core/executor_internal.h"
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
    /* Changed under the pool's mutex; but its own thread needs none between RUNNING and SEARCHING. Read by its own thread, and
     * while it is IDLE by others, with the mutex. */
    enum soon__worker_state state;
    _Atomic uint32_t bell; /* it sleeps on it while it is IDLE: 1 when rung */
    /* Under the pool's mutex. */
    struct {
        struct soon__worker *next, *previous; /* of all of the pool */
        struct soon__worker *next_idle;
        int64_t idle_since;
        bool parked_for_others; /* I4: what parks it now; counted by the pool */
    } locked;
    /* Its own thread only. */
    struct {
        /* Also in callbacks, releases and destructors: here the pool cannot be waited for, or freed. */
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
        _Atomic uint64_t succeeded, failed, cancelled, running;
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
        int64_t idle_limit_ns; /* so long a worker may be IDLE: */
        bool all_retire;       /* any; else only the spares */
        int64_t spin_ns;       /* so long a worker spins before it sleeps; 0: not at all */
        pthread_attr_t attributes;
        struct soon__surroundings surroundings; /* of the thread that made the pool */
    } options;
    /* Under the backlog's mutex. */
    struct {
        size_t in[SOON__WORKER_STATES]; /* workers per state; the one that is SEARCHING counts as RUNNING */
        size_t parked_for_others;       /* of the parked ones: I4 */
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

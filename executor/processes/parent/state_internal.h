/*
 * state_internal.h - the process pool: a queue, worker processes, and one mutex that decides who has which call.
 *
 * The states of a worker process are drawn where struct soon__process is.
 *
 * P1  A call that the pool has is in the queue, or in one slot of one process, or with the thread that took it out of
 *     there under the mutex to end it. A thread that finds it in a slot and wants it back asks the channel (D1).
 * P2  Arguments stay in the parent. A call can go back from its slot to the queue at any time, until the worker has
 *     claimed it.
 * P3  A slot that is FILLING belongs to the thread that copies, outside the mutex. That thread holds the call's bytes
 *     (soon__call_keep()) and a reference to the process. A thread that takes the call out meanwhile leaves the slot
 *     RECALLED.
 * P4  The library's loop alone starts, signals and reaps processes. Before one is signalled it is CONDEMNED or
 *     RETIRING, under the mutex: it gets no more work, and what it has not claimed was taken back. Its last replies
 *     count.
 * P5  The pool is down when it is shut down, nothing is queued, no process is left, and no thread spins. Resolving
 *     `down` is the last that is done with the pool.
 * P6  Under the mutex no future's LOCK is taken and no user code is called. A call that is finished there is finished
 *     in one step (soon__call_finish_bare()). The mutex may be taken under a LOCK.
 * P7  One thread at a time takes in the replies of a process: the loop, or a thread that waits for a call there
 *     (spin.c). Plain replies it takes in under the mutex. Before it leaves the mutex for others it sets
 *     `reading.busy`, and calls no user code until it has cleared that. `reading.over` is set once the process is dead
 *     and its last replies were read. Fields of `loop` are also written by this thread, but only before READY, when no
 *     other thread than the loop's takes in replies.
 * P8  Ten times a second, while slots are in use, the loop checks each worker's shared memory for impossible values, so
 *     a corrupt worker cannot hang its tasks (soon__process_inspect()).
 * P9  While the pool is saturated and every slot is full, submits go to the injector, without the mutex. The thread
 *     that handles the next reply or death dispatches them.
 * P10 A worker with no requests needs no doorbell. A thread that has spun may leave it off; the next post, or the next
 *     inspection, turns it on.
 * P11 A pool that is stopped or broken starts no process, and one that is shut down starts none when nothing is
 *     pending. What wants another process and what takes that wish back ask the same function,
 *     soon__process_pool_may_start_locked(), so they cannot contradict each other for ever. A boot's wish ends when the
 *     pool does not take calls any more.
 * P12 There are never more than `max` processes, and one that is on its way out counts until it is gone. It may be
 *     reprieved, and its successor needs what it holds (a lock, a port). So none is replaced before it is reaped.
 * P13 A process is CONDEMNED because of a task in one of its slots, or of several, each with a sentence of its own; or
 *     as a whole, for a `why`: the pool stops or breaks, or the process is corrupt. The one may come after the other.
 *     Of each kind the first counts, so each task that dies of it has one cause. The process is let live if no task
 *     with a sentence is left and it was not condemned as a whole.
 * P14 One process is started per turn of the loop, and none during a back-off. When a start fails, what was wanted
 *     beside it is forgotten and counted anew. Only a program that ran and died, or that was not ready in time, can
 *     break a pool. A shortage (of memory, descriptors, processes) never does: the other workers go on, and what is
 *     pending fails if no worker was ready for as long as `max_restarts` starts may take.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_STATE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_STATE_INTERNAL_H

#include "../../core/executor_internal.h"
#include "../../core/run_internal.h"
#include "../../core/spin_internal.h"
#include "../../loops/library_loop_internal.h"
#include "../../pools/backlog_internal.h"
#include "../../system/surroundings_internal.h"
#include "../both/channel_replies_internal.h"
#include "../both/channel_requests_internal.h"
#include "../both/channel_running_internal.h"
#include "../both/ring_allocator_internal.h"
#include "../both/wire_internal.h"
#include "crash_internal.h"
#include "directory_internal.h"
#include "launch_internal.h"

#define SOON__INSPECT_NS INT64_C(100000000) /* P8 */
enum { SOON__SATURATED = 8 };               /* calls in slots, from which on there is much to do */

struct soon__process_pool;

/*
 * What the parent knows of a slot; under the pool's mutex. soon__slot_set_locked() alone changes its state.
 *
 *     EMPTY --occupied--> FILLING --filled--> POSTED --seen to be claimed--> RUNNING
 *       ^                  |   |                |                               |
 *       |     could not be |   | taken out      | taken back, or answered       | answered, or the process
 *       |     filled       |   v                | before the claim was seen     | has died
 *       |                  | RECALLED           |                               |
 *       +------------------+---+----------------+-------------------------------+
 *
 * A slot that is RECALLED has no call any more; the thread that fills it (P3) makes it EMPTY.
 */
enum soon__slot_state {
    SOON__SLOT_EMPTY,
    SOON__SLOT_FILLING,
    SOON__SLOT_RECALLED,
    SOON__SLOT_POSTED,  /* from here on the worker may have it */
    SOON__SLOT_RUNNING, /* or has replied, since it claimed that */
};
struct soon__assignment {
    enum soon__slot_state state;
    soon_call *call;
    uint64_t sequence, order;
    bool is_initializer; /* the call is the pool's own: it stays until it is answered, or its process has died */
    bool in_area;
    bool may_be_short; /* a short reply ends it: a single task of a program, at its first try, and not sampled */
    uint32_t region;
    int64_t posted_ns;
    size_t items;       /* of a chunk: how many were posted; 0: a single task */
    size_t ended;       /* of these: how many are known to have ended. By the thread that reads (P7) */
    bool held;          /* of a chunk: the worker was told once to start no further item */
    int64_t seen_ns;    /* with a time limit: when the loop has first seen the task, or this item, run; 0: not yet */
    uint64_t seen_item; /* of a chunk */
    struct soon__sentence {
        int code;      /* what its task fails with if the process is ended for it; 0: there is no sentence */
        uint64_t item; /* of a chunk, with ETIMELIMIT: whose time was over */
    } sentence;        /* P13 */
};

/* Descriptors that came ahead of their reply, which is of this request, this item and these parts. */
struct soon__sent {
    uint32_t slot;
    uint32_t parts; /* enum soon__part; 0: there are none */
    uint64_t sequence, item;
    bool lost; /* this process had no room for them */
    int descriptors[SOON__SOCKET_DESCRIPTORS_MAX];
};

/*
 * A worker process has three states. soon__process_enter_locked() alone changes its stage:
 *
 *     STARTING --HELLO, initializer done--> READY --has nothing to do, and may go--> RETIRING
 *      | | |                                 | ^                                      |  |
 *      | | |        kill, limit, pool stops  | | its tasks have                       |  |
 *      | | |                                 v | ended                                |  |
 *      | | +--corrupt, pool stops------> CONDEMNED <--pool stops----------------------+  |
 *      | |                                   |                                           |
 *      | +--the initializer has failed--> RETIRING                                       |
 *      v                                     v                                           v
 *     DEAD (READY, too, may die): its last replies are read, its tasks are given back, its handles are closed.
 *
 * How far it has come in its start only grows (soon__process_advance()):
 *
 *     SPAWNED --HELLO--> GREETED --> INITIALIZING --> SERVED: it was READY once
 *                           |                           ^
 *                           +---there is no initializer-+
 *
 * Why it is to end, or has ended, is told once (soon__process_blame_locked()); but a shortage explains why it was late,
 * and a reason of the pool's may follow one of its start:
 *
 *     ITSELF --> LATE --> SHORT --> UNWANTED, POOL_BREAKS, POOL_STOPS
 *        |         |                   ^
 *        |         +-------------------+
 *        +--> any of the others, and CORRUPT
 *
 * Because of a single task it ends with ITSELF: that task has a sentence in its slot, and may end before.
 */
enum soon__stage { SOON__STARTING, SOON__READY, SOON__RETIRING, SOON__CONDEMNED, SOON__DEAD };
enum soon__begun { SOON__SPAWNED, SOON__GREETED, SOON__INITIALIZING, SOON__SERVED };
enum soon__why {
    SOON__WHY_ITSELF,
    SOON__WHY_LATE,     /* it was not ready in time */
    SOON__WHY_SHORT,    /* something was short that it needs to become ready (`shortage`) */
    SOON__WHY_CORRUPT,  /* it has written what no worker writes */
    SOON__WHY_UNWANTED, /* it was not ready yet, and is not needed any more */
    SOON__WHY_POOL_BREAKS,
    SOON__WHY_POOL_STOPS,
};

/* What a look of the loop finds is to be done with a process. */
enum soon__due { SOON__DUE_INSPECTION = 1, SOON__DUE_EXECUTION = 2, SOON__DUE_KILL = 4 };

struct soon__process {
    struct soon__process_pool *pool;
    struct soon__process *next, *previous; /* of the pool, under its mutex */
    unsigned number;
    pid_t pid;
    struct soon__channel channel;
    struct soon__parent_notes notes; /* the channel's */

    struct { /* under the pool's mutex */
        enum soon__stage stage;
        enum soon__why why;
        struct soon__assignment slots[SOON__SLOTS];
        uint64_t full;   /* the set of those that are not EMPTY */
        size_t assigned; /* how many these are */
        size_t given;    /* calls since its start */
        uint32_t refs;   /* the loop's, and one per thread that fills a slot or spins */
        /* The next call of the queue does not fit until then, or until a slot is released; 0: it may fit. */
        int64_t no_room_until;
        uint64_t sequence; /* of the last request */
        struct soon__ring_allocator ring;
        struct soon__directory directory;
        int64_t idle_since;
        int64_t moved_on_ns; /* when a task last ended, or the first slot was filled */
        bool spun_on;        /* a thread that waits for a call spins for its replies */
        bool spins;          /* the worker may spin before it sleeps */
        bool to_wake;        /* something was published to it; only while the mutex is held */
        bool bell_is_off;    /* P10 */
        bool stalled;        /* it has not claimed what it was given; until its next reply */
        bool outgrown;       /* it is above the memory limit, and gets nothing more */
    } locked;

    /* What is needed to take in replies and messages. It belongs to the thread that has set `busy`, or that has the
     * mutex while `busy` is not set (P7). */
    struct {
        bool busy;              /* changed under the mutex */
        bool over;              /* changed under the mutex: the process is dead, and its last replies were read */
        _Atomic uint64_t head;  /* the number of replies taken in; a hint for other threads */
        struct soon__sent sent; /* a worker sends the next only when the reply to these was taken in */
        _Atomic bool corrupt;   /* it has written what no worker writes. Nothing more of it is read; any thread looks */
    } reading;

    struct {                           /* loop thread only */
        int watch;                     /* a pidfd; -1: none, or given away */
        int control;                   /* the socket */
        struct soon__remains *remains; /* memory for the case that it cannot be reaped; NULL: not needed any more */
        struct soon__error *initializer_error;
        int64_t ready_by;
        enum soon__begun begun;
        bool late;    /* it was not ready by `ready_by`, and is looked at once more */
        int shortage; /* the error that says what was short when it was to become ready; 0: nothing was */
        int signal_sent;
        int denied;   /* the error with which it could not be signalled: it is asked by its socket. 0: it could */
        unsigned due; /* a set of enum soon__due, found under the mutex and done outside of it */
        struct soon__watch on_death, on_bell, on_control;
        uv_timer_t timer, again;
        int handles; /* how many of the timers are not closed yet */
    } loop;
};

struct soon__process_pool {
    struct soon__backlog backlog; /* first. It has the mutex, and ends with the injector (P9) */
    char apart[64];
    struct soon__condition read; /* the loop waits here until a thread has cleared `reading.busy` */
    struct {                     /* and what follows from them: never changed */
        size_t max;
        int64_t idle_timeout_ns; /* 0: none */
        int64_t start_timeout_ns, grace_ns;
        size_t tasks_per_worker; /* 0: no limit */
        bool may_retire;         /* a limit may retire a process that has nothing to do, before the pool ends */
        uint64_t memory_limit;
        int max_restarts; /* negative: never give up */
        bool break_on_death;
        size_t cpus;
        uint32_t
            spin_ns; /* how long a worker spins for work, and a thread for a reply, before it sleeps; 0: not at all */
    } options;
    struct soon__launch launch;
    struct soon__surroundings surroundings; /* of the thread that made the pool, for processes that the loop starts */

    struct soon__spin spin, loops_spin; /* of threads that wait (spin.c), and of the loop (listen.c) */
    /* Under the backlog's mutex. */
    struct {
        struct soon__process *processes;
        struct soon__process *spinner; /* the process that got a call last, whose worker may spin; NULL: it is gone */
        size_t assigned;               /* calls in slots of all processes */
        size_t busy;                   /* processes that have something in a slot */
        int64_t held_up_at;            /* until then no process is held up (dispatch.c) */
        size_t spinning;               /* threads that spin for replies */
        size_t alive;                  /* processes that are STARTING or READY, or wanted */
        size_t wanted;                 /* to be started by the loop */
        size_t present;                /* alive, or not gone yet (P12) */
        size_t ready;
        size_t at_least;  /* so many are to be alive, for a boot */
        unsigned numbers; /* given to processes so far */
        bool dropping;    /* what is pending is cancelled */
        bool look_posted, close_posted;
        int stop; /* 0, SIGTERM or SIGKILL: what all processes get */
        struct {  /* starts in a row after which no process was ready */
            int failed;
            int killed;  /* ended by a signal from outside; these are not in `failed` */
            int shorted; /* something was short; these are not in `failed` */
            int64_t failing_since_ns;
            int64_t short_since_ns; /* while no worker was ready; 0: none was short, or one is ready */
            int64_t last_short_ns;
            int64_t again_at; /* when the back-off is over */
        } starts;
        int64_t alarm;      /* when the loop is to look next; SOON__NEVER: not at all */
        int64_t inspect_at; /* P8. SOON__NEVER: nothing was posted lately */
        bool posted_lately;
        soon_call *refused; /* a list of calls that the loop is to end with their `refusal` */
        uint64_t deaths, restarts, retries, bytes_to;
        uint64_t bytes_from; /* by plain replies; all others: below */
    } locked;

    _Atomic uint64_t bytes_from;
    struct { /* loop thread only, but for posting */
        struct soon__job open, look, close;
        uv_timer_t timer;
    } loop;
};

/* There is much to do. */
static inline bool soon__process_pool_is_saturated_locked(const struct soon__process_pool *pool)
{
    return pool->locked.assigned >= SOON__SATURATED;
}

#endif

/*
 * state_internal.h - the process pool: a queue, worker processes, and one mutex that decides who has which call.
 *
 * The states of a worker process are drawn where struct soon__process is.
 *
 * P1  A call that the pool has is in the queue, or in one slot of one process, or with the thread that took it out of
 *     there under `mutex` to end it. Who finds it in a slot and wants it back asks the channel (D1).
 * P2  Originals stay here. What is in a slot can be given back to the queue at any time, until it was claimed.
 * P3  A slot that is being FILLED belongs to the thread that copies, outside the mutex: that holds the call's bytes
 *     (soon__call_hold()) and the process (a reference). Who takes the call out meanwhile leaves the slot to it, RECALLED.
 * P4  Processes are started, signalled and reaped on the library's loop alone. A process is marked under the mutex
 *     before it is signalled: it gets no more work then, what it has not claimed was taken back, and its last replies
 *     count.
 * P5  The pool is down when it is closed, nothing is queued, no process is left, and nobody spins; resolving `down` is the last
 *     touch.
 * P6  No future's LOCK is taken, and no user code called, under `mutex`: what is finished there takes one step
 *     (soon__call_finish_bare()). LOCK may be held when that is taken.
 * P7  One thread at a time takes in what a process has answered: the loop, or a thread that waits for a call there
 *     (spin.c). What is plain it takes in under the mutex; before it leaves that for the rest it sets `reading.busy`, and calls no
 *     user code until it has cleared it. `reading.over` ends that, once the process is dead and its last replies were read. What
 *     else is loop thread only is done by who reads only if the process is not READY yet, and then nobody spins.
 * P8  While there are tasks in slots the loop looks at each process ten times a second, rung for or not, and whether what
 *     it sees can be: else one that has written over the channel would keep its tasks for ever (soon__process_inspect()).
 * P9  In a flood in which no process can take more, submits leave what they have in `inject`, without the mutex: there is an
 *     answer to come, or a death, and then who takes that in hands out what has come until then.
 * P10 A process that has nothing in its slots has nothing to answer: then a thread that has spun_on leaves its bell off, and who
 *     publishes the next one turns it on first. So tasks one after the other cost nothing for it. The next inspection turns
 *     it on, too: what a mad worker answers to nobody is heard.
 * P11 A pool that is stopped or broken starts nothing, nor does a closed one in which nothing is pending: who wants one
 *     more, and who takes that back, ask the same function (soon__process_pool_may_start_locked()). Else the one would
 *     want again what the other has taken back, for ever. What a boot wants ends with the pool's being open.
 * P12 There are never more processes than `max`, those counted that are on their way out, until they are gone: one that is
 *     CONDEMNED may be let live, and what a worker holds (a lock, a port) its successor needs. So none is replaced before it is
 *     reaped.
 * P13 A process is CONDEMNED because of a task in one of its slots, or of several, each with a sentence of its own; or as a
 *     whole, for a `why`: the pool stops or breaks, or the process is corrupt. The one may come after the other. Of each kind
 *     the first counts, so each task that dies of it has one cause. The process is let live if no task with a sentence is left
 *     and it was not condemned as a whole.
 * P14 One start a turn of the loop, and none in a back-off: what was wanted still when one failed is wanted anew after it.
 *     Only a program that ran and died, or was not ready in time, can break a pool. Want of something never does: those
 *     who are there go on, and what is pending fails if no worker was ready for as long as `max_restarts` of them may take.
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

#define SOON__INSPECT_NS INT64_C(100000000)
enum { SOON__SATURATED = 8 }; /* so many calls in slots */

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
    uint32_t region;
    int64_t posted_ns;
    size_t items;    /* of a chunk: how many were asked for; 0: a single task */
    size_t ended;    /* of these: so many are known to have ended; P7 */
    bool held;       /* of a chunk: no further item was to start, for a time at least */
    int64_t seen_ns; /* with a time limit: when that was seen; 0: not yet. Of a chunk: when its item was */
    uint64_t seen_item;
    struct soon__sentence {
        int code;      /* what its task fails with if the process is ended for it; 0: there is no sentence */
        uint64_t item; /* of a chunk, with ETIMELIMIT: whose time was over */
    } sentence;        /* P13 */
};

/* Descriptors that came, for a reply that is to follow: of this request, this item, these parts. */
struct soon__sent {
    uint32_t slot;
    uint32_t parts; /* enum soon__part; 0: none came */
    uint64_t sequence, item;
    bool lost; /* there was no room for them here */
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
 *     DEAD: its last replies are read, its tasks are given back, its handles are closed, it is gone. READY, too, may die.
 *
 * How far it has come in its start only grows (soon__process_advance()):
 *
 *     SPAWNED --HELLO--> GREETED --> INITIALIZING --> SERVED: it was READY once
 *                           |                           ^
 *                           +---there is no initializer-+
 *
 * Why it is to end, or has ended, is told once (soon__process_blame_locked()); a reason of the pool's may follow one of its start:
 *
 *     ITSELF --> LATE, SHORT --> UNWANTED, POOL_BREAKS, POOL_STOPS
 *        +-----> CORRUPT             ^
 *        +---------------------------+
 *
 * Because of a single task it ends with ITSELF: that task has a sentence in its slot, and may end before.
 */
enum soon__stage { SOON__STARTING, SOON__READY, SOON__RETIRING, SOON__CONDEMNED, SOON__DEAD };
enum soon__begun { SOON__SPAWNED, SOON__GREETED, SOON__INITIALIZING, SOON__SERVED };
enum soon__why {
    SOON__WHY_ITSELF,
    SOON__WHY_LATE,     /* it was not ready in time */
    SOON__WHY_SHORT,    /* it could not become ready for want of something (`shortage`) */
    SOON__WHY_CORRUPT,  /* it has written what no worker writes */
    SOON__WHY_UNWANTED, /* it was not ready yet, and nobody needs it any more */
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
        uint64_t full; /* which of them are not EMPTY */
        uint32_t refs; /* the loop's, and one per thread that is filling or spins */
        size_t assigned;
        size_t given; /* calls since its start */
        /* The next one in the queue does not fit until then, or until a slot is released; 0: it may fit. */
        int64_t no_room_until;
        uint64_t sequence;
        struct soon__ring_allocator ring;
        struct soon__directory directory;
        int64_t idle_since, moved_on_ns; /* nothing to do since; a task ended, or the first slot was filled */
        bool spun_on;                    /* a thread spins */
        bool spins;                      /* it may look for work before it sleeps */
        bool to_wake;                    /* something was published to it; while the mutex is held */
        bool bell_is_off;                /* P10 */
        bool stalled;                    /* it did not claim what it was given, until its next answer */
        bool outgrown;                   /* it is above the memory limit, and gets nothing more */
    } locked;

    /* Taking in replies, and messages: of the thread that has set `busy`, or has the mutex while it is not set (P7). */
    struct {
        bool busy;              /* under the mutex */
        bool over;              /* under the mutex: the process is dead, and its last replies were read */
        _Atomic uint64_t head;  /* replies consumed; else a hint */
        struct soon__sent sent; /* a worker sends the next when the reply to these was consumed */
        _Atomic bool corrupt;   /* it has written nonsense: nothing more of it is read. Set by anybody */
    } reading;

    struct { /* loop thread only */
        int watch, control;
        struct soon__remains *remains; /* NULL: not needed any more */
        struct soon__error *initializer_error;
        int64_t ready_by;
        enum soon__begun begun;
        bool late;    /* it was not ready by `ready_by`, and is looked at once more */
        int shortage; /* it could not become ready for want of this; 0: that is not why */
        int signal_sent;
        int denied;   /* it cannot be signalled, for this: it is asked by its socket */
        unsigned due; /* a set of enum soon__due, found under the mutex and done outside of it */
        struct soon__watch on_death, on_bell, on_control;
        uv_timer_t timer, again;
        int handles;
    } loop;
};

struct soon__process_pool {
    struct soon__backlog backlog; /* first; has the mutex, and ends with the injector: P9 */
    char apart[64];
    struct soon__condition read; /* the loop waits for it: the thread that has set `reading.busy` is through */
    struct {
        size_t max;
        int64_t idle_timeout_ns; /* 0: none */
        int64_t start_timeout_ns, grace_ns;
        size_t tasks_per_worker; /* 0: no limit */
        bool may_retire;         /* a process that has nothing to do, for one of the limits, before the end */
        uint64_t memory_limit;
        int max_restarts; /* negative: never give up */
        bool break_on_death;
        size_t cpus;
        uint32_t
            spin_ns; /* how long a worker looks for work, and a thread for a reply, before it sleeps; 0: not at all */
    } options;       /* and what follows from them: never changed */
    struct soon__launch launch;
    struct soon__surroundings surroundings; /* of who made the pool: its processes are started by the loop */

    struct soon__spin spin, loops_spin; /* of threads that wait, and of the loop: see spin.c and listen.c */
    /* Under the backlog's mutex. */
    struct {
        struct soon__process *processes;
        struct soon__process *spinner; /* got something last, and has the permit; NULL: it is gone */
        size_t assigned;               /* calls in slots of all processes */
        size_t busy;                   /* processes that have something in a slot */
        int64_t held_up_at;            /* until then nobody is: see dispatch.c */
        size_t spinning;               /* threads */
        size_t alive;                  /* STARTING and READY */
        size_t wanted;                 /* of these, not started yet */
        size_t present;                /* all that are not gone (P12) */
        size_t ready;
        size_t at_least; /* boot: so many are to be alive */
        unsigned numbers;
        bool dropping; /* what is pending is cancelled */
        bool look_posted, close_posted;
        int stop; /* 0, SIGTERM or SIGKILL: what all processes get */
        struct {  /* of worker processes, in a row without one that became ready */
            int failed;
            int killed;  /* by somebody else; not counted in these */
            int shorted; /* for want of something; not counted in these */
            int64_t failing_since_ns;
            int64_t short_since_ns; /* while no worker was ready; 0: none was short, or one is ready */
            int64_t last_short_ns;
            int64_t again_at; /* a back-off */
        } starts;
        int64_t alarm;      /* when the loop is to look next; SOON__NEVER: not at all */
        int64_t inspect_at; /* P8; SOON__NEVER: nothing was posted lately */
        bool posted_lately;
        soon_call *refused; /* for the loop to end with their `refusal` */
        uint64_t deaths;
    } locked;

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

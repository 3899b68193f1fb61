/*
 * state_internal.h - the process pool: a queue, worker processes, and one mutex that decides who has which call.
 *
 * A worker process, one incarnation:
 *
 *     STARTING --HELLO, initializer done--> READY --retire--> RETIRING
 *        |                                    | ^                |
 *        |                        kill, limit v | answered       |
 *        |                                 DOOMED                |
 *        |                                    |                  |
 *        +--dies, or not in time----------+   | signals    exits |
 *                                         v   v                  v
 *                                        DEAD: replies drained, tasks given back, handles closed --> gone
 *
 * P1  A call that the pool has is in the queue, or in one slot of one process, or with the thread that took it out of
 *     there under `mutex` to end it. Who finds it in a slot and wants it back asks the channel (D1).
 * P2  Originals stay here. What is in a slot can be given back to the queue at any time, until it was claimed.
 * P3  A slot that is being FILLED belongs to the thread that copies, outside the mutex: that holds the call's bytes
 *     (soon__call_hold()) and the process (a reference). Who takes the call out meanwhile leaves the slot to it.
 * P4  Processes are started, signalled and reaped on the library's loop alone. A process is marked under the mutex
 *     before it is signalled: it gets no more work then, what it has not claimed was taken back, and its last replies
 *     count.
 * P5  The pool is down when it is closed, nothing is queued, no process is left, and nobody lingers; resolving `down` is the last
 *     touch.
 * P6  No future's LOCK is taken, and no user code called, under `mutex`: what is finished there takes one step
 *     (soon__call_finish_bare()). LOCK may be held when that is taken.
 * P7  One thread at a time takes in what a process has answered: the loop, or a thread that waits for a call there
 *     (linger.c). What is plain it takes in under the mutex; before it leaves that for the rest it sets `is_read`, and calls no
 *     user code until it has cleared it. `book_closed` ends that, once the process is dead and its last replies were read. What
 *     else is loop thread only is done by who reads only if the process is not READY yet, and then nobody lingers.
 * P8  While there are tasks in slots the loop looks at each process ten times a second, rung for or not, and whether what
 *     it sees can be: else one that has written over the channel would keep its tasks for ever (soon__process_inspect()).
 * P9  In a flood in which no process can take more, submits leave what they have in `inject`, without the mutex: there is an
 *     answer to come, or a death, and then who takes that in hands out what has come until then.
 * P10 A process that has nothing in its slots has nothing to answer: then a thread that has lingered leaves its bell off, and who
 *     publishes the next one turns it on first. So tasks one after the other cost nothing for it. The next inspection turns
 *     it on, too: what a mad worker answers to nobody is heard.
 * P11 A pool that is stopped or broken starts nothing, nor does a closed one in which nothing is pending: who wants one
 *     more, and who takes that back, ask the same function (soon__process_pool_may_start_locked()). Else the one would
 *     want again what the other has taken back, for ever. What a boot wants ends with the pool's being open.
 * P12 There are never more processes than `max`, those counted that are on their way out, until they are gone: one that is
 *     DOOMED may be let live, and what a worker holds (a lock, a port) its successor needs. So none is replaced before it is
 *     reaped.
 * P13 A process is DOOMED because of a task in one of its slots, or of several, each with a sentence of its own; or as a
 *     whole (`condemned`): the pool is stopped, or it is mad. The one may come after the other. Of each kind the first
 *     counts: so each task that dies of it has one cause. It is let live if no task with a sentence is left, and it is
 *     not condemned.
 * P14 One start a turn of the loop, and none in a back-off: what was wanted still when one failed is wanted anew after it.
 *     Only a program that ran and died, or was not ready in time, can break a pool. Want of something never does: those
 *     who are there go on, and what is pending fails if no worker was ready for as long as `max_restarts` of them may take.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_STATE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_STATE_INTERNAL_H

#include "../../core/executor_internal.h"
#include "../../core/spin_internal.h"
#include "../../loops/library_loop_internal.h"
#include "../../pools/inject_internal.h"
#include "../../pools/mutex_internal.h"
#include "../../pools/queue_internal.h"
#include "../../system/surroundings_internal.h"
#include "../both/ring_allocator_internal.h"
#include "../both/channel_internal.h"
#include "../both/wire_internal.h"
#include "crash_internal.h"
#include "directory_internal.h"
#include "launch_internal.h"

#define SOON__INSPECT_NS INT64_C(100000000)
enum { SOON__FLOOD = 8 }; /* so many calls in slots */

struct soon__process_pool;

/* What the parent knows of a slot; under the pool's mutex. */
struct soon__assignment {
    enum { SOON__SLOT_EMPTY, SOON__SLOT_FILLING, SOON__SLOT_IN_USE } stage;
    soon_call *call; /* NULL: the initializer; or, while FILLING, taken out */
    uint64_t sequence, order;
    bool is_initializer;
    bool in_area;
    uint32_t region;
    int64_t posted_ns;
    size_t items;    /* of a chunk: how many were asked for; 0: a single task */
    size_t ended;    /* of these: so many are known to have ended; P7 */
    bool running;    /* seen to be claimed */
    bool held;       /* of a chunk: no further item was to start, for a time at least */
    int64_t seen_ns; /* with a time limit: when that was seen; 0: not yet. Of a chunk: when its item was */
    uint64_t seen_item;
    int sentence;       /* P13: what its task fails with when that dies of us; 0: none */
    uint64_t last_item; /* of a chunk, with ETIMELIMIT: whose time was over */
};

/* Descriptors that came, for a reply that is to follow: of this request, this item, these parts. */
struct soon__sent {
    uint32_t slot;
    uint32_t parts; /* enum soon__part; 0: none came */
    uint64_t sequence, item;
    bool lost; /* there was no room for them here */
    int descriptors[SOON__SOCKET_DESCRIPTORS_MAX];
};

struct soon__process {
    struct soon__process_pool *pool;
    struct soon__process *next, *previous; /* of the pool, under its mutex */
    unsigned number;
    pid_t pid;
    struct soon__channel channel;

    /* Under the pool's mutex. */
    enum { SOON__STARTING, SOON__READY, SOON__RETIRING, SOON__DOOMED, SOON__DEAD } stage;
    struct soon__assignment slots[SOON__SLOTS];
    uint64_t full; /* which of them are not EMPTY */
    uint32_t refs; /* the loop's, and one per thread that is filling or lingers */
    size_t assigned;
    size_t given;     /* calls since its start */
    bool no_room;     /* the next one in the queue does not fit now: until a slot is released, or */
    int64_t retry_at; /* then, if the socket was full; else SOON__NEVER */
    uint64_t sequence;
    struct soon__ring_allocator ring;
    struct soon__directory directory;
    int64_t idle_since, moved_on_ns; /* nothing to do since; a task ended, or the first slot was filled */
    bool condemned;                  /* P13: DOOMED, whatever becomes of its tasks */
    int condemned_for;               /* then: what those without a sentence fail with; 0: of itself */
    bool lingered;                   /* a thread lingers */
    bool spins;                      /* it may look for work before it sleeps */
    bool to_wake;                    /* something was published to it; while the mutex is held */
    bool bell_is_off;                /* P10 */
    bool stalled;                    /* it did not claim what it was given, until its next answer */
    bool outgrown;                   /* it is above the memory limit, and gets nothing more */

    /* P7. Taking in replies, and messages: of who has set `is_read`, or has the mutex while it is not set. */
    bool is_read;           /* under the mutex */
    _Atomic uint64_t head;  /* replies consumed; else a hint */
    uint64_t told;          /* of these, so many the worker knows of */
    struct soon__sent sent; /* a worker sends the next when the reply to these was consumed */
    _Atomic bool corrupt;   /* it has written nonsense: nothing more of it is read. Set by anybody */
    bool book_closed;

    /* Loop thread only. */
    int watch, control;
    struct soon__remains *remains; /* NULL: not needed any more */
    struct soon__error *initializer_error;
    int64_t ready_by;
    bool greeted, initialised, served, unwanted, dying;
    bool late, timed_out; /* it is not ready by now: it is looked at once more, and given up */
    int shortage;         /* it could not become ready for want of this; 0: that is not why */
    int signal_sent;
    int denied; /* it cannot be signalled, for this: it is asked by its socket */
    enum { SOON__LET_BE, SOON__EXECUTE, SOON__KILL_IT } todo; /* found under the mutex, done outside of it */
    bool inspect;                                             /* as that */
    struct soon__watch on_death, on_bell, on_control;
    uv_timer_t timer, again;
    int handles;
};

struct soon__process_pool {
    soon_executor *executor;
    soon_promise *down;
    size_t max;
    size_t queue_max;        /* 0: unbounded */
    int64_t idle_timeout_ns; /* 0: none */
    int64_t start_timeout_ns, grace_ns;
    size_t tasks_per_worker; /* 0: no limit */
    bool may_retire;         /* a process that has nothing to do, for one of the limits, before the end */
    uint64_t memory_limit;
    int max_restarts; /* negative: never give up */
    bool break_on_death;
    size_t cpus;
    uint32_t spin_ns; /* how long a worker looks for work, and who waits for a reply, before it sleeps; 0: not at all */
    char name[16];
    struct soon__initializer initializer;
    struct soon__launch launch;
    struct soon__surroundings surroundings; /* of who made the pool: its processes are started by the loop */

    struct soon__spin spin, loops_spin; /* of threads that wait, and of the loop: see linger.c */
    char apart[64];                     /* what submitters write is on a cache line of its own */
    struct soon__inject inject;         /* P9 */
    char apart_too[64];
    struct soon__mutex mutex;
    struct soon__condition place; /* submitters: the queue has room, or the pool is closed or broken */
    struct soon__condition ready; /* boot: a process is ready, or never will be */
    struct soon__condition read;  /* the loop: who has set `is_read` is through */
    struct {
        struct soon__queue queue;
        struct soon__process *processes;
        struct soon__process *spinner; /* got something last, and has the permit; NULL: it is gone */
        size_t assigned;               /* calls in slots of all processes */
        size_t busy;                   /* processes that have something in a slot */
        int64_t held_up_at;            /* until then nobody is: see post.c */
        size_t lingering;              /* threads */
        size_t alive;                  /* STARTING and READY */
        size_t wanted;                 /* of these, not started yet */
        size_t present;                /* all that are not gone (P12) */
        size_t ready;
        size_t at_least; /* boot: so many are to be alive */
        unsigned numbers;
        bool closed, dropping; /* what is pending is cancelled */
        bool look_posted, close_posted;
        int stop; /* 0, SIGTERM or SIGKILL: what all processes get */
        int start_error;
        int failed_starts; /* in a row */
        int killed_starts; /* among them, by somebody else; not counted in these */
        int short_starts;  /* for want of something; not counted in these */
        int64_t failing_since_ns;
        int64_t short_since_ns,
            short_ns;           /* no start in a row has succeeded for want, while no worker was ready; the last one */
        int64_t start_again_at; /* a back-off */
        int64_t alarm;          /* when the loop is to look next; SOON__NEVER: not at all */
        int64_t inspect_at;     /* P8; SOON__NEVER: nothing was posted lately */
        bool posted_lately;
        soon_call *refused; /* for the loop to end with their `refusal` */
        struct soon__error *broken;
        uint64_t submitted, succeeded, failed, cancelled, deaths;
    } locked;

    /* Loop thread only, but for posting. */
    struct soon__job open, look, close;
    uv_timer_t timer;
};

/*
 * post.c: from the queue to the slots and back.
 */

/* Hands out what is queued to those that are ready; may leave the mutex while it copies. Then what the loop is needed
 * for is posted. */
void soon__process_pool_dispatch_locked(struct soon__process_pool *pool, int64_t now);
/* Else there is nothing to hand out, and nobody has more than another. */
static inline bool soon__process_pool_may_hand_out_locked(const struct soon__process_pool *pool)
{
    return pool->locked.queue.count || pool->locked.assigned || soon__inject_is_open(soon__inject_look(&pool->inject));
}
/* A plain call (marshal_internal.h): posts it, if nothing comes before it and there is a place. False: it is to be
 * queued. */
bool soon__process_pool_post_plain_locked(struct soon__process_pool *pool, soon_call *call);
/* The loop is to look at the pool: now, or `when` comes at the latest. */
void soon__process_pool_alarm_locked(struct soon__process_pool *pool, int64_t when);
void soon__process_pool_look_soon_locked(struct soon__process_pool *pool);
/* A call that is nobody's ends with `code`, on the loop: callbacks do not belong where it was found. */
void soon__process_pool_refuse_locked(struct soon__process_pool *pool, soon_call *call, int code);
/* Takes a call out of its slot if nobody has claimed it. */
bool soon__process_take_back_locked(soon_call *call);
/* All that it has not claimed go back to the queue. */
void soon__process_return_unclaimed_locked(struct soon__process *process);
/* All that it has not claimed, as a list by `next`, not queued. */
soon_call *soon__process_take_unclaimed_locked(struct soon__process *process);
/* The slot is free again: what was in it has ended, or was taken out. */
void soon__process_release_locked(struct soon__process *process, uint32_t slot, int64_t now);
/* Has it been claimed? Notes it. */
bool soon__process_is_running_locked(struct soon__process *process, uint32_t slot);
/* 0, or why it could not. */
int soon__process_post_initializer_locked(struct soon__process *process);
/* There is much to do. */
static inline bool soon__process_pool_is_saturated_locked(const struct soon__process_pool *pool)
{
    return pool->locked.assigned >= SOON__FLOOD;
}
/* What came in without the mutex goes to the queue. */
void soon__process_pool_take_in_locked(struct soon__process_pool *pool);
/* P9. Lets submits come in so, by SOON__BUSY, or not, by SOON__SHUT. True: some had come until then. */
bool soon__process_pool_inject_locked(struct soon__process_pool *pool, uintptr_t mode);
size_t soon__process_pool_pending_locked(struct soon__process_pool *pool);
/* P11 */
bool soon__process_pool_may_start_locked(struct soon__process_pool *pool);
/* Those that are wanted and not started yet are not counted any more. */
void soon__process_pool_want_none_locked(struct soon__process_pool *pool);
/* True: it was the last reference, and soon__process_free() is to follow, without the mutex. */
static inline bool soon__process_unref_locked(struct soon__process *process)
{
    return --process->refs == 0;
}

/*
 * drain.c: from replies to outcomes. The loop's thread, or one in a guest (see library_loop_internal.h).
 */

/* Takes in what the process has answered, and asks for its bell: 0; 1: there is more already; -EPROTO: it has written
 * nonsense, and is to be killed. `last`: it is dead. */
int soon__process_drain(struct soon__process *process, bool last);
/* The same for who lingers, on any thread. True: it goes on, since `awaited` is still there; else it has ended, with the bell on or
 * not needed (P10), and process and pool may be gone. `awaited` NULL: it is to end. */
bool soon__process_take_in_lingering(struct soon__process *process, const soon_call *awaited);
/* The same, and the bell stays as it is, as may what the worker knows of it: how many there were. A drain is to follow. */
uint64_t soon__process_take_in(struct soon__process *process);
/* A task whose worker is gone fails, or is tried again if it may be; a chunk goes on behind the item that was under way.
 * `lost` was taken out of `slot`. */
void soon__process_lost_call(struct soon__process *process, const struct soon__assignment *lost, uint32_t slot,
                             const struct soon__exit *exit);
/* A call that had begun and is nobody's goes back to the queue, or is ended if nothing more of it is to run. */
void soon__process_pool_take_again(struct soon__process_pool *pool, soon_call *call);

/*
 * linger.c: who looks at replies for a short time, without bells.
 */

/* A thread that waits for a call. As soon__executor_extra.linger. */
void soon__process_pool_linger(void *self, soon_call *call, int64_t deadline);
static inline void soon__process_begin_lingering_locked(struct soon__process *process)
{
    process->lingered = true;
    process->pool->locked.lingering++;
    process->refs++;
}
/* As soon__process_unref_locked(). */
static inline bool soon__process_end_lingering_locked(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    process->lingered = false;
    pool->locked.lingering--;
    if (pool->locked.closed)
        soon__process_pool_look_soon_locked(pool); /* which waits for us to leave it */
    return soon__process_unref_locked(process);
}
/* The loop, which has just taken in some. */
void soon__process_pool_stay(struct soon__process_pool *pool);

/*
 * receive.c: messages. P7.
 */

/* Takes in all messages that there are: 1; 0: the worker has closed its end; -EPROTO: nonsense. */
int soon__process_receive(struct soon__process *process);
/* What the reply says to have a descriptor has one here, and nothing else of it has. False: no worker in its right mind
 * has sent this. */
bool soon__process_has_descriptors(struct soon__process *process, const struct soon__reply *reply);
/* After that: the descriptor of one part, the caller's; or -EMFILE: there was no room for it. */
int soon__process_take_descriptor(struct soon__process *process, enum soon__part part);
/* Those that came and were not taken are closed. */
void soon__process_drop_descriptors(struct soon__process *process);

/*
 * life.c: one process. Loop thread only, but for doom.
 */

/* Starts one, which was counted already. */
void soon__process_begin(struct soon__process_pool *pool);
/* It has said HELLO, or its initializer has ended. */
void soon__process_is_ready(struct soon__process *process);
/* It cannot become ready for want of something: ended, and not held against the program (P14). */
void soon__process_start_is_short(struct soon__process *process, int code);
/* It gets no more work, what it has not claimed goes back, and then it is to go: because of the task in `slot`, which
 * fails with `code`, or with all that it has: SOON__SLOTS. Any number of times (P13). Any thread. */
void soon__process_condemn_locked(struct soon__process *process, int code, uint32_t slot);
/* Takes in what there is, with the bell wanted after that, and drops it if it is mad. */
void soon__process_serve(struct soon__process *process);
/* P8 */
void soon__process_inspect(struct soon__process *process);
/* Carries that out, unless the task has ended meanwhile. */
void soon__process_execute(struct soon__process *process);
void soon__process_kill(struct soon__process *process, int signal);
/* It has nothing to do: asked to end by itself. */
void soon__process_retire_locked(struct soon__process *process);

/*
 * supervisor.c and pool.c: the pool as a whole.
 */

void soon__process_pool_watch(struct soon__process_pool *pool);
void soon__process_pool_break(struct soon__process_pool *pool, struct soon__error *why); /* takes the reference */
/* What is pending now fails; what comes later does not. */
void soon__process_pool_fail_pending(struct soon__process_pool *pool, struct soon__error *why); /* as that */
void soon__process_pool_free(struct soon__process_pool *pool);

/*
 * parent/remains.c: those that have died and could not be reaped. Loop thread only.
 */

/* NULL: no memory. free() is enough for what is not kept. */
struct soon__remains *soon__remains_new(void);
/* Tries until it is reaped. Takes both, `watch` may be -1. */
void soon__remains_keep(struct soon__remains *remains, int watch, pid_t pid);

/* start.c: one process and what it shares with us. 0 or a negative errno. Loop thread only. */
int soon__process_new(struct soon__process **ret, struct soon__process_pool *pool);
/* When its handles are closed: gives back everything but the memory, which goes with the last reference. */
void soon__process_close(struct soon__process *process);
/* Has no references left. Any thread. */
void soon__process_free(struct soon__process *process);

#endif

/*
 * state_internal.h - a cluster executor: calls that wait here, in the backlog; calls that are with a server, each in a
 * flight; and the connections to that server.
 *
 * F1  A flight belongs to the library's loop, but for `locked`, which is under the backlog's mutex. A call in flight
 *     (SOON__CALL_IN_FLIGHT) is taken out of it by the loop alone. Other threads ask: they put the flight into the list
 *     `locked.asked`, having set the future's bits for a cancel or kill before.
 * F2  A flight is in one list, that of its state, in the order in which it came there; and, as long as it has a call,
 *     in the list of all in the order of their first sending. After a loss they are sent again in that order.
 * F3  The list of those that are SENT is the list of those for which a JOB_CREATED, or an ERROR in its place, is to
 *     come, in that order. So whatever becomes of the call meanwhile, its flight stays there until then.
 * F4  In each list the flights have got there, or were heard of, one after the other; so the first is the next whose
 *     time is over: of its lease, of the grace period.
 * F5  A handle is a key of this epoch alone. When the connection is lost, all are forgotten.
 * F6  A unique that has been sent is sent again only for a call that had begun: a server that has lost its client keeps
 *     the unique of a job that waits, never runs it, and would attach us to that.
 * F7  The loop is posted a look at most once until it looks, and none any more once it closes: a look on its way would
 *     find the cluster freed. It calls no user code: what it completes has its callbacks elsewhere.
 * F8  A call that comes when nothing else is here is sent by the thread that submits it, if the loop sleeps: that
 *     thread looks in the loop's place, and what that look has written leaves with it.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_STATE_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_STATE_INTERNAL_H

#include "../../core/executor_internal.h"
#include "../../core/run_internal.h"
#include "../../loops/library_loop_internal.h"
#include "../../pools/backlog_internal.h"
#include "../both/connection_internal.h"
#include "../both/unique_internal.h"

struct soon__cluster;

/*
 * Where a call in flight is. soon__flight_enter() alone changes it.
 *
 *                written             JOB_CREATED            START
 *     UNSENT -------------> SENT --------------> CREATED <---------> RUNNING
 *       ^                    |                     |                   |
 *       |     the connection |                     | `cancel job`      | an order
 *       |     is lost        |                     v                   v
 *       +-- from all --------+                 WITHDRAWN --START--> STOPPING
 *       +-- for a further try, with a new unique   |                   |
 *                                                  +---------+---------+
 *     When its call has ended, wherever it was:              |
 *                                                            v
 *     From RUNNING back to CREATED: its daemon has died, and the server has told us, asked, that it waits again.
 *     SENT: it stays there, without a call, until JOB_CREATED comes; then, and from all other states, it is a
 *     GHOST: it keeps its handle for a while, and when START comes late, the worker is told to stop. Then it is GONE.
 */
enum soon__flight_state {
    SOON__FLIGHT_UNSENT,    /* to be sent as soon as the connection is up, and not crowded */
    SOON__FLIGHT_SENT,      /* it has no handle yet */
    SOON__FLIGHT_CREATED,   /* it waits for a worker, as far as is known */
    SOON__FLIGHT_RUNNING,   /* a worker has begun it */
    SOON__FLIGHT_WITHDRAWN, /* it had not begun, and the server is asked to forget it: WORK_FAIL is to come */
    SOON__FLIGHT_STOPPING,  /* it had begun, and is to be ended by force: its end is to come */
    SOON__FLIGHT_GHOST,
    SOON__FLIGHT_GONE, /* in no list; it is freed when no thread's wish is left */
    SOON__FLIGHT_STATES,
};

/* Why it is to end. A stronger reason, further down, replaces a weaker one. */
enum soon__stop {
    SOON__STOP_NONE,
    SOON__STOP_FROZEN,  /* nothing is heard of the worker that has it; another try may follow */
    SOON__STOP_EXPIRED, /* its queue limit is over */
    SOON__STOP_CANCELLED,
    SOON__STOP_KILLED,
};

struct soon__flight {
    struct soon__cluster *cluster;
    soon_call *call;                      /* NULL: it has ended */
    struct soon__flight *next, *previous; /* F2: in the list of its state */
    struct soon__flight *later, *earlier; /* F2: of all that have a call */
    struct soon__flight *next_of_handle;  /* in the table of handles */
    struct soon__flight_locked {
        struct soon__flight *next_asked;
        bool is_asked;
        bool has_begun; /* it counts as running */
    } locked;
    int64_t since_ns; /* it is in this state, or was heard of */
    struct soon__uuid uuid;
    uint32_t number;     /* of its unique, from 1 on */
    uint8_t state, stop; /* enum soon__flight_state, enum soon__stop */
    bool is_foreign;
    bool is_order;       /* it never had a call: a worker is told something */
    bool is_attached;    /* sent again with the same unique: F6 */
    bool is_doubted;     /* nothing was heard of its worker for a lease: the server is asked who has it */
    bool is_held;        /* the server has said once that a worker has it */
    bool has_limit;      /* it is in `limits` */
    bool is_limit_over;  /* its worker may be one that says nothing while it works: the server is asked */
    bool is_cancel_told; /* to the worker that runs it */
    int64_t began_ns;    /* this try, as we have heard; 0: it has not */
    uint16_t handle_size;
    uint32_t handle_hash;
    char *handle;
    char *host, *worker; /* from START; NULL: not known. In one block */
    char *gathered;      /* of a foreign worker: the data that has come so far */
    size_t gathered_size, gathered_capacity;
};

struct soon__flights {
    struct soon__flight *first, *last;
    size_t count;
};

/* A thread that waits for the server's status; under the mutex. It lies on the thread's stack. */
struct soon__question {
    struct soon__question *next;
    struct soon_cluster_status *answer;
    int rc; /* 1: none yet */
};

struct soon__cluster {
    struct soon__backlog backlog; /* first */
    char apart[64];
    struct { /* never changed */
        size_t in_flight_max;
        int64_t lease_ns, grace_ns, lost_after_ns; /* `lost_after_ns` SOON__NEVER: never */
        size_t slots;
    } options;
    struct soon__servers *servers;
    struct { /* under the backlog's mutex */
        size_t in_flight, running;
        bool look_posted;
        bool is_closing;            /* no question is answered any more, no look is posted: F7 */
        bool is_up;                 /* for boot: a server is there */
        char start_text[256];       /* and why none is */
        soon_call *refused;         /* a list of calls that the loop is to end with their `refusal` */
        struct soon__flight *asked; /* F1 */
        struct soon__question *questions;
        int stop; /* the strongest soon_shutdown that was asked for; -1: none */
        uint64_t retries, bytes_to, bytes_from;
    } locked;
    struct soon__condition answered; /* of questions */
    struct {                         /* loop thread only, but for posting */
        struct soon__job open_job, look;
        struct soon__connection *work;
        bool asks_for_exceptions;                   /* OPTION_REQ was sent, and is not answered */
        struct soon__flights in[SOON__FLIGHT_GONE]; /* F2, by state */
        struct soon__flight *earliest, *latest;     /* F2, all */
        struct soon__heap limits;                   /* of calls in flight that have not begun */
        struct {
            struct soon__flight **buckets;
            size_t size, count; /* a power of two, or 0 */
        } handles;
        struct soon__admin *admin; /* the textual connection to the same server; NULL: there is none */
        int64_t without_since_ns;  /* there is no server since then; 0: there is one */
        int stopped;               /* the `stop` that was carried out */
        int64_t force_at;          /* a shutdown by force gives up then what has not ended; SOON__NEVER: none */
        bool is_closing;
        unsigned open; /* connections and handles that are not closed yet */
        uv_timer_t timer;
        void (*on_timer)(uv_timer_t *timer); /* looks */
        int64_t alarm;                       /* when it is due; SOON__NEVER: it is not */
    } loop;
};

static inline struct soon__cluster *soon__cluster_of(soon_executor *executor)
{
    return executor->self;
}

/* Whether the caller is to post a look of the loop, or to run it. F7 */
static inline bool soon__cluster_begin_look_locked(struct soon__cluster *cluster)
{
    if (cluster->locked.look_posted || cluster->locked.is_closing)
        return false;
    cluster->locked.look_posted = true;
    return true;
}

static inline void soon__cluster_look_soon_locked(struct soon__cluster *cluster)
{
    if (soon__cluster_begin_look_locked(cluster))
        soon__library_loop_post(&cluster->loop.look);
}

#endif

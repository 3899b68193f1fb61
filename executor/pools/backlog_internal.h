/*
 * backlog_internal.h - what both pools are built on: the calls that wait for a worker, the bound on their number, and
 * the one mutex of a pool.
 *
 *     OPEN --shutdown--> CLOSED
 *       |                  |
 *     break              break
 *       |                  v
 *       +--------------> BROKEN
 *
 * B1  The state moves along these arrows alone, under `mutex`: soon__backlog_move_locked().
 * B2  While it is OPEN the pool takes calls. When it is CLOSED it refuses them with SOON_ESHUTDOWN, and runs those that
 *     it has, unless the shutdown has cancelled them. When it is BROKEN it refuses them with SOON_EBROKEN, and those
 *     that it has fail.
 * B3  The first shutdown sets `down`, in whatever state: from then on the pool is to end, when nothing of it is left.
 * B4  No future's LOCK is taken, and no user code called, under `mutex`.
 */
#ifndef SOON_EXECUTOR_POOLS_BACKLOG_INTERNAL_H
#define SOON_EXECUTOR_POOLS_BACKLOG_INTERNAL_H

#include "../core/run_internal.h"
#include "inject_internal.h"
#include "mutex_internal.h"
#include "queue_internal.h"

enum { SOON__NAME_SIZE = 16 /* what the system takes as the name of a thread, with the NUL */ };

struct soon__backlog {
    /* Never changed after the pool was made. */
    soon_executor *executor;
    size_t bound; /* on what is pending; 0: none */
    /* How many calls count against the bound; NULL: those in the queue. Under `mutex`. */
    size_t (*pending_locked)(struct soon__backlog *backlog);
    struct soon__initializer initializer;
    char name[SOON__NAME_SIZE];

    char apart[64]; /* what submitters write is on cache lines of its own: this mutex, and `inject` */
    struct soon__mutex mutex;
    struct soon__condition place; /* submitters wait for it: there is room, or the state has changed */
    struct soon__condition ready; /* boot waits for it: a worker is ready, or never will be, or the state has changed */
    struct {
        enum soon__backlog_state { SOON__OPEN, SOON__CLOSED, SOON__BROKEN } state;
        soon_promise *down;      /* NULL: no shutdown yet */
        struct soon__error *why; /* it is BROKEN; else NULL */
        int start_error;         /* of the last worker that could not be started, for boot; 0: none */
        struct soon__queue queue;
        uint64_t submitted, ended[SOON__ENDINGS];         /* calls */
        uint64_t starts, recycled[SOON__RECYCLED_CAUSES]; /* workers */
    } locked;
    char apart_too[64];
    struct soon__inject inject; /* what the pool has behind it keeps this line apart, too */
};

/* What a backlog is made of: options that both kinds of pools have. */
struct soon__backlog_options {
    const char *name;
    size_t bound;
    struct soon__initializer initializer; /* lent */
};
/* The backlog is zeroes. 0, -EINVAL or -ENOMEM; fini is allowed in each case. */
int soon__backlog_init(struct soon__backlog *backlog, const struct soon__backlog_options *options);
void soon__backlog_fini(struct soon__backlog *backlog);

/* B1. Wakes all that wait for a place, or for workers. Does nothing where there is no such arrow. */
void soon__backlog_move_locked(struct soon__backlog *backlog, enum soon__backlog_state to);
/* Shuts it down: B3. A stronger shutdown may follow. */
void soon__backlog_close_locked(struct soon__backlog *backlog, soon_promise *down);
/* Breaks it for `why` (lent), if it is not BROKEN yet. */
void soon__backlog_break_locked(struct soon__backlog *backlog, struct soon__error *why);

/* B3 */
static inline bool soon__backlog_is_ending_locked(const struct soon__backlog *backlog)
{
    return backlog->locked.down;
}

static inline bool soon__backlog_is_full_locked(struct soon__backlog *backlog)
{
    size_t pending = backlog->pending_locked ? backlog->pending_locked(backlog) : backlog->locked.queue.count;

    return pending >= backlog->bound && backlog->locked.state == SOON__OPEN;
}

/* B2. 0, or why a call is not taken: SOON_ESHUTDOWN, SOON_EBROKEN, or SOON_EFULL if it is `bounded`. */
static inline int soon__backlog_admit_locked(struct soon__backlog *backlog, bool bounded)
{
    if (backlog->locked.state != SOON__OPEN)
        return backlog->locked.state == SOON__CLOSED ? SOON_ESHUTDOWN : SOON_EBROKEN;
    return bounded && soon__backlog_is_full_locked(backlog) ? SOON_EFULL : 0;
}

/* Waits for a place, up to the call's queue limit: 0, SOON_EEXPIRED or SOON_EDEADLK. The pool is pinned. */
int soon__backlog_wait_for_place(struct soon__backlog *backlog, const soon_call *call);
/* Waits until no worker `is_starting`, and gives the mutex up meanwhile: 0, SOON_EBROKEN, SOON_ESHUTDOWN or a start's
 * error; 1: one still is at `deadline`. */
int soon__backlog_wait_for_workers_locked(struct soon__backlog *backlog,
                                          bool (*is_starting_locked)(struct soon__backlog *), int64_t deadline);
/* Takes all that is queued, as a list by `next`, and adds how many to `*counter`. */
soon_call *soon__backlog_take_all_locked(struct soon__backlog *backlog, uint64_t *counter);
/* For soon_executor_class.stats. */
void soon__backlog_stats_locked(const struct soon__backlog *backlog, soon_stats *ret);

/* Adds counts of how calls have ended. */
void soon__stats_add_endings(soon_stats *stats, const uint64_t ended[SOON__ENDINGS]);

/* Tells a trace what happens to a worker; `number` is that of its name. With the mutex or without. */
void soon__backlog_tell(const struct soon__backlog *backlog, enum soon__worker_moment moment, unsigned number, int id,
                        int detail);
/* The same of one that is retired, which is counted, too. */
void soon__backlog_recycled_locked(struct soon__backlog *backlog, enum soon__recycled why, unsigned number, int id);
/* What stands for a worker in samples. */
static inline unsigned soon__worker_mark(unsigned number)
{
    return number + 1;
}

/* As `reason` and `counted_here` of struct soon__executor_class, where the backlog is the first in `self`. */
struct soon__error *soon__backlog_reason(void *self);
void soon__backlog_counted_here(void *self, const struct soon__outcome *outcome);

/* What both kinds of options have: 0 or -EINVAL. */
int soon__pool_options_check(int workers, int64_t idle_timeout_ms, soon_full when_full,
                             const soon_function *initializer);
/* The name of a worker. The number tells workers apart, so the pool's name gives way to it. */
void soon__worker_name(char *to, size_t size, const char *pool, unsigned number);
/* `ms` in nanoseconds; of 0: `standard_ms`. Cut so that a deadline can be made of it. */
int64_t soon__span_ns(int64_t ms, int64_t standard_ms);

/* Calls that are nobody's, a list by `next`. */
void soon__calls_cancel(soon_call *calls);
void soon__calls_fail(soon_call *calls, struct soon__error *why); /* lent */

#endif

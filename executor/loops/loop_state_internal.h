/*
 * loop_state_internal.h - a program's loop, as the files that make it see it. The invariants are in loop.c.
 */
#ifndef SOON_EXECUTOR_LOOPS_LOOP_STATE_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LOOP_STATE_INTERNAL_H

#include "../../futures/future_internal.h"
#include "loop_entry_internal.h"

#include <pthread.h>
#include <stddef.h>

struct soon__loop_post;
struct uv_loop_s;
struct uv_handle_s;

struct soon__loop_list {
    struct soon__loop_entry *head, *tail;
};

/*
 * What differs between loops. How one is woken does not: by the bell. All but `free` is called on the loop's thread,
 * and what ends in `_locked` under the mutex.
 */
struct soon__loop_kind {
    void (*hold_locked)(soon_loop *loop, bool needed); /* L3; NULL: it does not ask what there is to wait for */
    void (*close_locked)(soon_loop *loop);             /* CLOSED: has soon__loop_closed() called, later */
    void (*close_inherited)(soon_loop *loop, soon_loop_fn on_closed, void *data); /* in a forked child */
    void (*free)(soon_loop *loop);                                                /* its memory */
    bool changes_hands; /* between its turns any other thread may become the loop's (L7) */
};

/*
 * What stands at the head of loop.c. Only the loop's thread changes it, under the mutex, by soon__loop_move_locked();
 * so it may read it without, in a turn.
 */
enum soon__loop_state {
    SOON__LOOP_OPEN,
    SOON__LOOP_CLOSING,      /* detached for the last time; something is outstanding */
    SOON__LOOP_CLOSED,       /* nothing is, and `on_closed` is due */
    SOON__LOOP_LOST,         /* somebody else has closed the handle */
    SOON__LOOP_LOST_CLOSING, /* both: it is freed when nothing is outstanding */
};

struct soon_loop {
    const struct soon__loop_kind *kind;
    const struct uv_loop_s *uv; /* its address; NULL: it is none of libuv */
    struct uv_handle_s *handle; /* by which it polls, and which others may close (L6); NULL: it is none of libuv */
    int bell;                   /* as long as the loop is there; -1: closed in a forked child */
    uint32_t generation;
    _Atomic uint64_t thread_number;            /* of the loop's thread, written under the mutex; 0: no turn yet (L4) */
    _Atomic uint64_t inside;                   /* the same; nobody between turns, if it changes hands (L7) */
    _Atomic(struct soon__loop_entry *) posted; /* the latest first (L5) */

    /* Under the table's mutex. */
    struct {
        soon_loop *next, **link; /* `link` points to this one */
        size_t attached;
        struct soon__loop_post *spares; /* one for each attach but the first, so that a detach needs no memory */
    } tabled;

    /* The loop's thread's. */
    struct {
        struct soon__loop_list ready; /* taken from `posted`, comes before it */
        size_t vain;                  /* entries of this turn that had nothing to call */
        _Atomic int64_t here;         /* L2; read by others */
        soon_loop_fn on_closed;
        void *on_closed_data;
    } own;

    pthread_mutex_t mutex;
    struct {
        enum soon__loop_state state;
        int64_t outstanding;            /* L2 */
        bool held;                      /* written by the loop's thread, which reads it without the mutex */
        struct soon__loop_list dropped; /* L6 */
        bool rung, in_turn;             /* L5 */
        pid_t thread_id;
    } locked;
};

static inline bool soon__loop_is_lost_state(enum soon__loop_state state)
{
    return state == SOON__LOOP_LOST || state == SOON__LOOP_LOST_CLOSING;
}

/* Its mutex may be held by a thread that is not here. */
static inline bool soon__loop_is_pre_fork(const soon_loop *loop)
{
    return loop->generation != soon__generation();
}

static inline bool soon__loop_is_thread_here(soon_loop *loop)
{
    /* Relaxed: only the thread whose number it is has written it. */
    return soon__thread_self()->number &&
           atomic_load_explicit(&loop->thread_number, memory_order_relaxed) == soon__thread_self()->number;
}

/* loop.c */
/* One that is open and has its bell; the caller has attached it once. */
void soon__loop_init(soon_loop *loop, const struct soon__loop_kind *kind);
void soon__loop_ring_locked(soon_loop *loop);
/* On the loop's thread. */
void soon__loop_move_locked(soon_loop *loop, enum soon__loop_state to);
/* On the loop's thread: whether somebody else has closed it (L6). */
bool soon__loop_is_lost_locked(soon_loop *loop);
/* On the loop's thread: brings it in line with the count (L3). */
void soon__loop_update_locked(soon_loop *loop);
/* Gives the mutex back, and of a lost one drops what is there. The loop may be gone then. */
void soon__loop_leave(soon_loop *loop);
int soon__loop_count_in_locked(soon_loop *loop);
void soon__loop_push_locked(soon_loop *loop, struct soon__loop_entry *entry);
/* Makes this thread the loop's, if none has run the loop yet, or that one has ended. Returns whether it is. */
bool soon__loop_claim_thread(soon_loop *loop);
/* A turn, which makes this thread the loop's: runs what was posted before, until `most` have called user code. Returns
 * how many have. -EBUSY: there is a turn already; SOON_EEND: it was CLOSED, and is gone; SOON_EFORKED: a callback has
 * forked, and this is the child. */
int soon__loop_turn(soon_loop *loop, size_t most);
/* The end of one that is CLOSED: tells so, and frees it. */
void soon__loop_closed(soon_loop *loop);

#endif

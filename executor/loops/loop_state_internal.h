/*
 * loop_state_internal.h - a program's loop, as the files that make it see it. The invariants are in loop.c.
 */
#ifndef SOON_EXECUTOR_LOOPS_LOOP_STATE_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LOOP_STATE_INTERNAL_H

#include "../../futures/future_internal.h"
#include "loop_entry_internal.h"

#include <pthread.h>
#include <uv.h>

struct soon__loop_post;

struct soon__loop_list {
    struct soon__loop_entry *head, *tail;
};

/* What the uv loop has of us. */
struct soon__loop_handle {
    uv_poll_t poll;                 /* first */
    struct soon__loop_handle *next; /* of those that are kept (L6) */
};

/*
 * What stands at the head of loop.c. Only the loop's thread changes it, under the mutex, by soon__loop_move_locked();
 * so it may read it without.
 */
enum soon__loop_state {
    SOON__LOOP_OPEN,
    SOON__LOOP_CLOSING,      /* detached for the last time; something is outstanding */
    SOON__LOOP_CLOSED,       /* nothing is, and libuv is closing the handle */
    SOON__LOOP_LOST,         /* somebody else has closed the handle */
    SOON__LOOP_LOST_CLOSING, /* both: it is freed when nothing is outstanding */
};

struct soon_loop {
    const uv_loop_t *uv; /* its address */
    int bell;            /* as long as the loop is there */
    uint32_t generation;
    _Atomic uint64_t thread_number; /* of the thread that runs the loop, written under the mutex; 0: no turn yet (L4) */
    _Atomic(struct soon__loop_entry *) posted; /* the latest first (L5) */

    /* Under the table's mutex. */
    struct {
        soon_loop *next;
        size_t attached;
        struct soon__loop_post *spares; /* one for each attach but the first, so that a detach needs no memory */
    } tabled;

    /* The loop's thread's. */
    struct {
        struct soon__loop_handle *handle;
        struct soon__loop_list ready; /* taken from `posted`, comes before it */
        _Atomic int64_t here;         /* L2; read by others */
        soon_loop_fn on_closed;
        void *on_closed_data;
    } own;

    pthread_mutex_t mutex;
    struct {
        enum soon__loop_state state;
        int64_t outstanding;            /* L2 */
        bool referenced;                /* written by the loop's thread, which reads it without the mutex */
        struct soon__loop_list dropped; /* L6 */
        bool rung;
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

static inline uv_handle_t *soon__loop_uv_handle(const soon_loop *loop)
{
    return (uv_handle_t *)&loop->own.handle->poll;
}

/* loop.c */
void soon__loop_ring_locked(soon_loop *loop);
/* On the loop's thread. */
void soon__loop_move_locked(soon_loop *loop, enum soon__loop_state to);
/* On the loop's thread: whether somebody else has closed the handle (L6). */
bool soon__loop_is_lost_locked(soon_loop *loop);
/* On the loop's thread: brings the handle in line with the count (L3). */
void soon__loop_update_locked(soon_loop *loop);
/* Gives the mutex back, and of a lost one drops what is there. The loop may be gone then. */
void soon__loop_leave(soon_loop *loop);
int soon__loop_count_in_locked(soon_loop *loop);
void soon__loop_push_locked(soon_loop *loop, struct soon__loop_entry *entry);
/* This thread is the loop's. */
void soon__loop_set_thread_locked(soon_loop *loop);
/* The callbacks of the handle. */
void soon__loop_on_bell(uv_poll_t *poll, int status, int events);
void soon__loop_on_close(uv_handle_t *handle);

#endif

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

struct soon_loop {
    const uv_loop_t *uv;              /* its address */
    struct soon__loop_handle *handle; /* loop's thread only */
    int bell;                         /* as long as the loop is there */
    uint32_t generation;

    /* Under the table's mutex. */
    soon_loop *next;
    size_t attached;
    struct soon__loop_post *spares; /* one for each attach but the first, so that a detach needs no memory */

    _Atomic uint64_t thread_number; /* of the thread that runs the loop, written under the mutex; 0: no turn yet (L4) */
    _Atomic(struct soon__loop_entry *) posted; /* the latest first (L5) */

    /* Loop's thread only. */
    struct soon__loop_list ready; /* taken from `posted`, comes before it */
    _Atomic int64_t here;         /* L2; read by others */
    soon_loop_fn on_closed;
    void *on_closed_data;

    pthread_mutex_t mutex;
    struct {
        int64_t outstanding; /* L2 */
        bool closing; /* this and `referenced`: written by the loop's thread, which reads them without the mutex */
        bool referenced;
        bool lost;
        struct soon__loop_list dropped; /* L6 */
        bool rung;
        pid_t thread_id;
    } locked;
};

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
    return (uv_handle_t *)&loop->handle->poll;
}

/* loop.c */
void soon__loop_ring_locked(soon_loop *loop);
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

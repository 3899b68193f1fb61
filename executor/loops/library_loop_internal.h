/*
 * library_loop_internal.h - the library's own libuv loop, on its thread, and the callback thread beside it.
 *
 * Both start with the first executor and stay, parked, until the process ends. In a forked child they are made anew at
 * the first need. uv handles are touched on the loop's thread alone, or in its place while it sleeps; no user code runs
 * there: soon__thread.sink is set, so that callbacks, releases and the unhandled-error hook of what it completes go to
 * the callback thread.
 */
#ifndef SOON_EXECUTOR_LOOPS_LIBRARY_LOOP_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LIBRARY_LOOP_INTERNAL_H

#include "../../futures/future_internal.h"
#include "job_internal.h"
#include "watch_internal.h"

#include <uv.h>

/* 0, or a negative errno: no threads, no descriptors. Any thread; idempotent. */
int soon__library_start(void);

/* Any thread, after start. In order; never blocks, never fails. The job must not be posted again before it runs. */
void soon__library_loop_post(struct soon__job *job);
/* As the first. But if the loop sleeps, and nothing waits for it, the job has run on this thread when this returns: as
 * a guest's work (below), and with the handles of soon__library_uv(). It changes no watches, and closes no handle. The
 * caller holds no mutex. */
void soon__library_loop_run_or_post(struct soon__job *job);
void soon__library_callbacks_post(struct soon__job *job);
/* As the first, in a signal handler: always the same job, any number of times. It runs once at least after each.
 * Before a start, and in a forked child: nothing. */
void soon__library_loop_interrupt(struct soon__job *job);

uv_loop_t *soon__library_uv(void); /* for timers, and what needs the next. On the loop, or as its guest */
/* From now on it also runs when one of its descriptors is ready: for connections. Loop thread only, any number of
 * times. 0, or -ENOMEM, -ENOSPC. */
int soon__library_poll_uv(void);
/* As soon__watches_add() and soon__watches_remove(), in the loop's own set. Loop thread only. */
int soon__library_watch(struct soon__watch *watch, int fd, bool once_each);
void soon__library_unwatch(struct soon__watch *watch);
bool soon__library_on_loop(void);
bool soon__library_is_guest(void);     /* in the loop's place, by soon__library_loop_run_or_post() */
bool soon__library_on_callbacks(void); /* on the callback thread */

/* In between, a thread of the program does the loop's work: no user code runs on it; that goes to the callback
 * thread; and it cannot be cancelled. After start. */
struct soon__loop_guest {
    struct soon__thread_saved saved;
    void (*sink)(soon_future *future);
    int cancel_state;
};
void soon__library_guest_begin(struct soon__loop_guest *guest);
void soon__library_guest_end(const struct soon__loop_guest *guest);
/* Whether this thread runs no user code now: it is the loop's, or in a guest. */
bool soon__library_is_quiet(void);

#endif

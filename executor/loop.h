/**
 * @file loop.h
 * Callbacks on an event loop of the program's: a libuv loop that is attached, or any other, whose poll watches one
 * descriptor. This header does not include uv.h.
 *
 *     soon_loop_attach(&loop, uv_default_loop());                     of libuv
 *     soon_future_add_done_callback_on(future, loop, show_sum, NULL);
 *     uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 *
 *     soon_loop_new(&loop);                                           any other: here poll()
 *     soon_future_add_done_callback_on(future, loop, show_sum, NULL);
 *     struct pollfd due = {.fd = soon_loop_fd(loop), .events = POLLIN};
 *     while (poll(&due, 1, -1) == 1)
 *         soon_loop_dispatch(loop, 0);
 *
 * Both are a `soon_loop`, and everything that takes one takes either. A loop gets callbacks, and has no other part in
 * running tasks: one that is blocked, not yet run, or gone holds nothing up. A callback always comes later, on the
 * loop's thread, never nested in the call that has asked for it, and never inside another callback.
 *
 * Below, "the loop's thread" is the one that runs it: that calls uv_run(), or soon_loop_dispatch(). A loop may be made
 * before that thread runs it. From its first turn on the loop belongs to that thread; when that thread has ended, to
 * the next one that attaches or detaches the loop. A loop of soon_loop_new() besides goes over to each thread that
 * dispatches it.
 *
 * @addtogroup soon_loops
 * @{
 */
#ifndef SOON_EXECUTOR_LOOP_H
#define SOON_EXECUTOR_LOOP_H

#include "../futures/future.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* uv_loop_t */

/** A loop that gets callbacks. It is valid until its last detach has run `on_closed`. */
typedef struct soon_loop soon_loop;

/** Runs on a loop's thread. It may attach, detach and post; and block, if it must. */
typedef void (*soon_loop_fn)(void *data);

/**
 * Attaches a loop, with one handle, whatever the load. To attach it again gives the same object, counted: each attach
 * wants its detach. While no callback is outstanding, uv_run() can end.
 *
 * Ownership: the caller owes a soon_loop_detach(). `uv` must live until that has run `on_closed`.
 * Threads: the loop's thread only. Never blocks.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns
 * - -EINVAL: NULL, or (asserted) another thread's loop;
 * - -ENOMEM;
 * - -EMFILE ...: what eventfd() or uv_poll_init() returned.
 */
SOON_API SOON_MUST_USE int soon_loop_attach(soon_loop **ret, struct uv_loop_s *uv);

/**
 * Makes a loop that is the caller's own poll: select, poll, epoll, io_uring, or the loop of any library that can watch
 * a descriptor. It has one descriptor, whatever the load: watch soon_loop_fd() for reading, and call
 * soon_loop_dispatch() when it can be read. That is all; it needs no thread and no timer.
 *
 * The loop does not ask the program to go on while callbacks are outstanding, as an attached one does with uv_run(): a
 * program that has left its own loop gets no callbacks until it dispatches again.
 *
 * Ownership: the caller owes a soon_loop_detach(), and a soon_loop_dispatch() after it.
 * Threads: any thread. Never blocks.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns -EINVAL: NULL; -ENOMEM; -EMFILE, -ENFILE ...:
 * what eventfd() returned.
 *
 * For a libuv loop take soon_loop_attach(), which polls by itself. Two of these are two loops: nothing is counted.
 */
SOON_API SOON_MUST_USE int soon_loop_new(soon_loop **ret);

/**
 * The descriptor of a loop that soon_loop_new() has made. It can be read (POLLIN, EPOLLIN) from when something is due
 * until the next dispatch. When a dispatch returns, it can be read if something is still due, or has come meanwhile,
 * and else it cannot. While a dispatch is under way it cannot. A burst of completions makes it readable once: that is
 * one wake-up. A callback that is taken back after its future is done leaves the descriptor as it is; then a dispatch
 * finds nothing to run.
 *
 * Edges (EPOLLET) do as well as levels, and so does EPOLLONESHOT: each dispatch that leaves something makes a new edge.
 * So one call of soon_loop_dispatch() for each event is enough, with any `max`.
 *
 * Ownership: it stays the loop's. Only watch it: do not read, write or close it. It is closed when the last dispatch
 * has run `on_closed`: see soon_loop_detach().
 * Threads: any thread. Never blocks. It is the same as long as the loop lives.
 * Returns: the descriptor; -EINVAL: NULL, or a loop that is attached; SOON_EFORKED: the loop is that of the parent of
 * this process.
 */
SOON_API int soon_loop_fd(const soon_loop *loop);

/**
 * Runs the callbacks that are due, in their order, on this thread, which becomes the loop's. Those that become due
 * meanwhile, by what a callback does or by other threads, wait for the next dispatch. So this ends, and other events of
 * the program come to theirs.
 *
 * `max` is how many it runs at most; those that are left come first in the next dispatch. 0: all that were due at the
 * call. It may be called at any time, also when the descriptor has not become readable: then it runs nothing.
 *
 * When the loop is detached and nothing is outstanding any more, one more dispatch is due. It calls `on_closed`, closes
 * the descriptor, frees the loop, and returns SOON_EEND. A program that ends can so wait for it:
 *
 *     soon_loop_detach(loop, NULL, NULL);
 *     while (soon_loop_dispatch(loop, 0) != SOON_EEND)
 *         poll(&(struct pollfd){.fd = soon_loop_fd(loop), .events = POLLIN}, 1, -1);
 *
 * There is one dispatch at a time. One inside a callback of the same loop, or while another thread is in one, runs
 * nothing and returns -EBUSY; a main loop inside a callback does not turn in vain, since the descriptor cannot be read
 * meanwhile. Threads may dispatch in turns. soon_future_remove_done_callback() is then exact on the thread that did it
 * last, as long as no other one does; to detach the loop, post a function that does.
 *
 * A callback may wait for futures, as any callback may; the other callbacks of the loop wait meanwhile.
 *
 * Threads: any thread, one at a time. It does not block, but for what the callbacks do.
 * Returns: how many callbacks and posts have run, 0 or more; else
 * - SOON_EEND: the loop was closed by this call, and is gone;
 * - -EBUSY: it is being dispatched;
 * - -EINVAL: NULL, a negative `max`, or a loop that is attached, which uv_run() dispatches;
 * - SOON_EFORKED: the loop is that of the parent of this process; also in the child that a callback has forked, when
 *   that callback has returned there.
 *
 * As one turn of loop.run_forever() in Python's asyncio.
 */
SOON_API int soon_loop_dispatch(soon_loop *loop, int max);

/**
 * Detaches a loop, and waits for nobody. The last detach refuses new registrations and posts with SOON_ESHUTDOWN from
 * now on. What is outstanding is still delivered as the futures complete; not to wait for that, remove the callbacks or
 * cancel the futures. Then the loop closes. Then `on_closed` runs on the loop's thread, later, never in this call;
 * after that nobody may use `loop`. All of this needs a loop that runs. It is safe in callbacks, and in any order with
 * soon_executor_free().
 *
 * A loop of soon_loop_new() has one detach. It runs when somebody dispatches it: the descriptor becomes readable for
 * what is outstanding, and, when nothing is, for the end. The dispatch for the end calls `on_closed`. There the
 * descriptor is still open, so `on_closed` is the place to take it out of the program's poll (epoll_ctl(), event_del(),
 * g_source_remove()) and to end the program's loop. Then it is closed, and that dispatch returns SOON_EEND. If nobody
 * dispatches any more, what is outstanding, and the loop, stay until the program ends.
 *
 * Of an attached loop a detach that is not the last posts its `on_closed`, as soon_loop_post() does; with the last one
 * the handle closes. If somebody else has closed the handle, as a program does that ends with uv_walk() and uv_close(),
 * the loop counts as detached: outstanding callbacks are dropped and never run, registrations and posts are refused
 * with SOON_ESHUTDOWN, and nothing of the uv loop is touched any more. The library learns of that when it is called on
 * the loop's thread. This call is still owed, before or after uv_loop_close(), also when the memory of `uv` is gone;
 * then `on_closed` runs before it returns. If the loop was detached first, and then closed by somebody else while
 * callbacks were outstanding, `on_closed` is not called.
 *
 * In a forked child it drops what was outstanding in the parent, whose loop it is. It closes the child's copy of the
 * descriptor and calls `on_closed` before it returns; or the child's copy of the handle, for a loop that uv_loop_fork()
 * has revived. Give it NULL there if your `on_closed` takes the descriptor out of an epoll set: that one is the
 * parent's, too.
 *
 * Ownership: `data` is lent until `on_closed` was called. `on_closed` NULL: nobody is told. `loop` NULL is ignored.
 * Threads: the loop's thread only. That is asserted; without asserts, a call on another thread is ignored. So is one
 * detach too many while the loop is closing. Never blocks, never fails.
 */
SOON_API void soon_loop_detach(soon_loop *loop, soon_loop_fn on_closed, void *data);

/**
 * As soon_future_add_done_callback(), but `fn` runs on the loop's thread. It runs later, also if the future is done.
 * Callbacks come in the order in which their futures complete; one for a future that is done comes in the order of this
 * call. The submit option `on_done_loop` does the same, and cannot fail.
 *
 * On an attached loop uv_run() goes on until `fn` has run or was removed. If this is called on another thread, that
 * holds from when the loop hears of it; a loop that must not end before that needs a handle of its own.
 *
 * Ownership: `data` is lent until `fn` was called or removed. soon_future_remove_done_callback() is exact on the loop's
 * thread.
 * Threads: any thread. Never blocks.
 * Returns: 0. Else `fn` will never run: -EINVAL: NULL; -ENOMEM; SOON_ESHUTDOWN: the loop is detached; SOON_EFORKED: the
 * loop, or the unfinished future, is that of the parent of this process.
 */
SOON_API SOON_MUST_USE int soon_future_add_done_callback_on(soon_future *future, soon_loop *loop, soon_done_fn fn,
                                                            void *data);

/**
 * As soon_future_add_done_callback_on(), or with `loop` NULL as soon_future_add_done_callback(). Besides it tells when
 * `data` is not needed any more, whatever becomes of the callback: `release` gets it once. It is for bindings to other
 * languages, where what the callback refers to must be kept alive for exactly so long. The submit option
 * `on_done_release` does the same. `release` is called
 *
 * - after `fn` has run, on its thread, as part of the callback;
 * - in soon_future_remove_done_callback(), if that has taken it back;
 * - on the library's callback thread, if somebody else has closed the loop: see soon_loop_detach();
 * - in this call, if that fails.
 *
 * In a forked child none of this happens for what its parent has registered.
 *
 * Ownership: takes `data`, always, and gives it to `release`. `release` NULL: nobody is told.
 * Threads: any thread. Never blocks.
 * Returns: as those two; with a loop also -EMFILE, -EAGAIN ...: the library's own threads could not start.
 */
SOON_API SOON_MUST_USE int soon_future_add_done_callback_owned(soon_future *future, soon_loop *loop, soon_done_fn fn,
                                                               void *data, soon_free_fn release);

/** Hears how far a future is. `future` is lent for the time of the call. */
typedef void (*soon_progress_fn)(soon_future *future, soon_progress progress, void *data);

/**
 * Has `fn` called with the future's progress when that has changed: on the loop's thread, or with `loop` NULL on the
 * library's callback thread; at most once in `every_ms` milliseconds (0: 100), with the newest progress. What was set
 * last before the end is told in any case; after the end nothing more is. For a future that is done `fn` is never
 * called. Whoever sets a progress waits for nobody. The submit option `on_progress` does the same, and cannot come too
 * late.
 *
 * It works for a task, a promise, a soon_map_async() (which counts its items) and a soon_apply_async(). The progress of
 * worker processes and of maps is looked at once in `every_ms`.
 *
 * The last call comes before the callbacks of the same future on the same loop. Without a loop it comes before all
 * callbacks of the future; those that have no loop then run on the callback thread, too. A registration keeps uv_run()
 * going, as that of soon_future_add_done_callback_on().
 *
 * Ownership: takes `data`, always, and gives it to `release` (NULL: nobody is told) once:
 * - when the last call has returned, on its thread;
 * - when it was taken back, in that call, or on the thread where `fn` is just running;
 * - in this call, if it fails or the future is done;
 * - on the callback thread, if somebody else has closed the loop.
 *
 * Threads: any thread. Never blocks.
 * Returns: 0; else
 * - -EINVAL: NULL, or `every_ms` is negative;
 * - -ENOMEM; -EMFILE, -EAGAIN ...: the library's own threads could not start;
 * - SOON_ESHUTDOWN: the loop is detached;
 * - SOON_EFORKED: the loop, or the unfinished future, is that of the parent of this process.
 */
SOON_API SOON_MUST_USE int soon_future_add_progress_callback(soon_future *future, soon_loop *loop, int64_t every_ms,
                                                             soon_progress_fn fn, void *data, soon_free_fn release);

/**
 * Takes back the first registration of `fn` with `data`. It is exact on the loop's thread, or without a loop on the
 * callback thread: no call comes after it. On another thread a call may be under way.
 *
 * Threads: any thread, `fn` included. Never blocks.
 * Returns: true: no further call begins. False: there was no registration, or the last call has been made.
 */
SOON_API bool soon_future_remove_progress_callback(soon_future *future, soon_progress_fn fn, void *data);

/**
 * Has `fn` called once on the loop's thread, later, in the order of posting, which is also that of the callbacks of
 * futures. On an attached loop uv_run() goes on until it has run, as with soon_future_add_done_callback_on().
 *
 * Ownership: `data` is lent until `fn` was called.
 * Threads: any thread, the loop's own included. Never blocks.
 * Returns: 0; -EINVAL: NULL; -ENOMEM; SOON_ESHUTDOWN: the loop is detached; SOON_EFORKED: it is that of the parent of
 * this process.
 *
 * As loop.call_soon_threadsafe() in Python's asyncio.
 */
SOON_API int soon_loop_post(soon_loop *loop, soon_loop_fn fn, void *data);

/**
 * As soon_loop_post(). Besides it tells when `data` is not needed any more: `release` gets it once, after `fn` has run,
 * in the same function of the loop; else where soon_future_add_done_callback_owned() says.
 *
 * Ownership: takes `data`, always, and gives it to `release`. `release` NULL: nobody is told.
 * Threads: any thread. Never blocks.
 * Returns: as soon_loop_post(); also -EMFILE, -EAGAIN ...: the library's own threads could not start.
 */
SOON_API int soon_loop_post_owned(soon_loop *loop, soon_loop_fn fn, void *data, soon_free_fn release);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

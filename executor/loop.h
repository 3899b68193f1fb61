/**
 * @file loop.h
 * Callbacks on a libuv loop of the program's. This header does not include uv.h.
 *
 *     soon_loop *on;
 *
 *     soon_loop_attach(&on, uv_default_loop());
 *     soon_future_add_done_callback_on(future, on, show_sum, NULL);
 *     uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 *
 * A loop is attached to get callbacks, and has no other part in running tasks: one that is blocked, not yet run, or
 * gone holds nothing up. A callback always comes later, on the loop's thread, never nested in the call that has asked
 * for it.
 *
 * Below, "the loop's thread" is the one that calls uv_run(). A loop may be attached before that thread runs it. From
 * its first iteration on the loop belongs to that thread; when that thread has ended, to the next one that attaches or
 * detaches the loop.
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
 * Detaches a loop. The last detach refuses new registrations and posts with SOON_ESHUTDOWN from now on. What is
 * outstanding is still delivered as the futures complete; not to wait for that, remove the callbacks or cancel the
 * futures. Then the handle closes. Then `on_closed` runs on the loop's thread; after that nobody may use `loop`. All of
 * this needs a loop that runs. A detach that is not the last posts its `on_closed`, as soon_loop_post() does.
 *
 * If somebody else has closed the handle, as a program does that ends with uv_walk() and uv_close(), the loop counts as
 * detached: outstanding callbacks are dropped and never run, registrations and posts are refused with SOON_ESHUTDOWN,
 * and nothing of the uv loop is touched any more. The library learns of that when it is called on the loop's thread.
 * This call is still owed, before or after uv_loop_close(), also when the memory of `uv` is gone; then `on_closed` runs
 * before it returns. If the loop was detached first, and then closed by somebody else while callbacks were outstanding,
 * `on_closed` is not called.
 *
 * It is safe in callbacks, and in any order with soon_executor_free(). In a forked child it closes the child's copy of
 * the handle, for a loop that uv_loop_fork() has revived, and drops what was outstanding.
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
 * uv_run() goes on until `fn` has run or was removed. If this is called on another thread, that holds from when the
 * loop hears of it; a loop that must not end before that needs a handle of its own.
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
 * futures. uv_run() goes on until it has run, as with soon_future_add_done_callback_on().
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

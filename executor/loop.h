/**
 * @file loop.h
 * Callbacks on a libuv loop of the caller's. Does not include uv.h.
 *
 * A loop is attached to receive callbacks, and has no other part in running tasks: one that is blocked, not yet run, or
 * gone holds nothing up. Callbacks come later, on the loop's thread, never nested in the call that asked for them.
 *
 * Below, "the loop's thread" is the one that calls uv_run(). A loop may be attached before its thread starts to run it;
 * from the first turn on it belongs to that thread, and when that thread has ended, to the next that attaches or
 * detaches it.
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

/** A loop that callbacks can be delivered to. Valid until its last detach has run `on_closed`. */
typedef struct soon_loop soon_loop;

/** Runs on a loop's thread. It may attach, detach, post, and block if it must. */
typedef void (*soon_loop_fn)(void *data);

/**
 * Attaches a loop, with one handle, whatever the load. Attaching it again gives the same object, counted: each attach
 * wants its detach. From its first turn on the loop can end while no callback is outstanding.
 *
 * Ownership: the caller owes a soon_loop_detach(), and `uv` lives until that has run `on_closed`.
 * Threads: loop thread only. Never blocks.
 * Returns: 0 and sets `*ret`; -EINVAL: NULL, or (asserted) another thread's loop; -ENOMEM; -EMFILE ... as from
 * eventfd() and uv_poll_init(); and sets it to NULL.
 */
SOON_API SOON_MUST_USE int soon_loop_attach(soon_loop **ret, struct uv_loop_s *uv);

/**
 * Detaches it. The last detach refuses new registrations and posts with SOON_ESHUTDOWN. Outstanding ones are still
 * delivered as their futures complete: remove them, or cancel the futures, so as not to wait. Then the handle closes,
 * then `on_closed` runs, on the loop's thread; after it nobody may use `loop`. A detach that is not the last posts its
 * `on_closed`, as soon_loop_post() does.
 *
 * If somebody else has closed the handle, as a program that ends with uv_walk() and uv_close() does, the loop counts as
 * detached: outstanding callbacks are dropped, which means that they never run, registrations and posts are refused with
 * SOON_ESHUTDOWN, and nothing of the uv loop is touched any more. The library learns of that when it is called on the
 * loop's thread. The soon_loop_detach() is still owed, before or after uv_loop_close(), also when the memory of `uv` is
 * gone: then `on_closed` runs before it returns. What is detached already, and closed by somebody else while callbacks are
 * outstanding, does not call `on_closed`.
 *
 * Else the loop must run for that. Safe in callbacks, and in any order with freeing executors. In a forked child it closes
 * the child's copy of the handle, for a loop that uv_loop_fork() has revived, and drops what was outstanding.
 *
 * Ownership: `data` is lent until `on_closed` was called. `on_closed` NULL: nobody is told. `loop` NULL is allowed:
 * nothing happens.
 * Threads: loop thread only; asserted, and ignored on another thread without asserts. So is one detach too many while
 * the loop is closing. Never blocks, never fails.
 */
SOON_API void soon_loop_detach(soon_loop *loop, soon_loop_fn on_closed, void *data);

/**
 * As soon_future_add_done_callback(), but `fn` runs on the loop's thread, always later, also for a future that is done;
 * in the order in which the futures complete, and are given here done. uv_run() goes on until it ran or was removed;
 * if it was asked for on another thread, then from when the loop hears of it: a loop that must not end before needs a
 * handle of its own. The submit option `on_done_loop` does the same and cannot fail.
 *
 * Ownership: `data` is lent until `fn` was called, or removed. soon_future_remove_done_callback() is exact on the
 * loop's thread.
 * Threads: any thread. Never blocks.
 * Returns: 0; -EINVAL; -ENOMEM; SOON_ESHUTDOWN: it is detached; SOON_EFORKED: loop or unfinished future are the
 * parent's; then it will never run.
 */
SOON_API SOON_MUST_USE int soon_future_add_done_callback_on(soon_future *future, soon_loop *loop, soon_done_fn fn,
                                                            void *data);

/**
 * As soon_future_add_done_callback_on(), with `loop` NULL as soon_future_add_done_callback(); and says when `data` is not
 * needed any more, whatever becomes of the callback: `release` (NULL: nobody is told) gets it once. For who binds from
 * another language, where what the callback refers to must be kept alive exactly so long. The submit option
 * `on_done_release` does the same.
 *
 * - `fn` has run: after it, on its thread, as part of the callback.
 * - It was taken back: in soon_future_remove_done_callback().
 * - Its loop was closed by somebody else (see soon_loop_detach()): on the library's callback thread.
 * - It could not be registered: in this call.
 *
 * In a forked child none of this happens for what its parent has registered.
 *
 * Ownership: takes `data`, always, and gives it to `release`.
 * Threads: any thread. Never blocks.
 * Returns: as those two; -EMFILE, -EAGAIN ... with a loop, if the library's own threads could not start.
 */
SOON_API SOON_MUST_USE int soon_future_add_done_callback_owned(soon_future *future, soon_loop *loop, soon_done_fn fn,
                                                               void *data, soon_free_fn release);

/** Hears how far a future is. `future` is lent for the time of the call. */
typedef void (*soon_progress_fn)(soon_future *future, soon_progress progress, void *data);

/**
 * Has `fn` called with the future's progress when that has changed: on the loop's thread, or with `loop` NULL on the
 * library's callback thread; at most once in `every_ms` (0: 100 ms), with what is newest then. What was last set before the
 * end is told in any case, and after the end nothing more. Who sets a progress waits for nobody.
 *
 * For the progress of a task, a promise, or the items of a soon_map_async(); and of a soon_apply_async(). That of worker
 * processes and of maps is looked at once in `every_ms`.
 *
 * The last call comes before callbacks of the same future that were asked for on the same loop. Without a loop it comes before
 * all of them: those that have no loop run on the callback thread then, too. The submit option `on_progress` does the same,
 * and cannot come too late. Of a future that is done `fn` hears nothing.
 *
 * A registration keeps uv_run() going, as that of soon_future_add_done_callback_on() does.
 *
 * Ownership: takes `data`, always, and gives it to `release` (NULL: nobody is told) once: when the last call has returned, where it
 * ran; when it was taken back, there, or where it is just running; in this call, if it fails or the future is done; on the
 * callback thread, if somebody else has closed the loop.
 * Threads: any thread. Never blocks.
 * Returns: 0; -EINVAL; -ENOMEM; SOON_ESHUTDOWN: the loop is detached; SOON_EFORKED; -EMFILE, -EAGAIN ... if the library's own
 * threads could not start.
 */
SOON_API SOON_MUST_USE int soon_future_add_progress_callback(soon_future *future, soon_loop *loop, int64_t every_ms,
                                                             soon_progress_fn fn, void *data, soon_free_fn release);

/**
 * Takes back the first registration of `fn` with `data`. On the loop's thread (without a loop: on the callback thread) it is
 * exact: no call comes after it. On another one a call may be under way.
 *
 * Threads: any thread, `fn` included. Never blocks.
 * Returns: true: no further call begins; false: there was none, or the last call has been.
 */
SOON_API bool soon_future_remove_progress_callback(soon_future *future, soon_progress_fn fn, void *data);

/**
 * Has `fn` called once on the loop's thread, always later, in the order of posting, callbacks of futures included.
 * uv_run() goes on until it ran, as for soon_future_add_done_callback_on().
 *
 * Ownership: `data` is lent until `fn` was called.
 * Threads: any thread, the loop's own included. Never blocks.
 * Returns: 0; -EINVAL; -ENOMEM; SOON_ESHUTDOWN: it is detached; SOON_EFORKED: it is the parent's.
 */
SOON_API int soon_loop_post(soon_loop *loop, soon_loop_fn fn, void *data);

/**
 * As soon_loop_post(), and says when `data` is not needed any more: `release` gets it once, where
 * soon_future_add_done_callback_owned() says; after `fn` in a function of the loop, as that is.
 *
 * Ownership: takes `data`, always, and gives it to `release` (NULL: nobody is told).
 * Threads: any thread. Never blocks.
 * Returns: as soon_loop_post(); -EMFILE, -EAGAIN ... if the library's own threads could not start.
 */
SOON_API int soon_loop_post_owned(soon_loop *loop, soon_loop_fn fn, void *data, soon_free_fn release);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

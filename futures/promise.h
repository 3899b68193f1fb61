/**
 * @file promise.h
 * The promise: the maker's half of an outcome, for programs with an executor of their own, or with other sources of
 * results.
 *
 * The maker resolves it once: by a result, an error, or as cancelled. If a reader cancels the future first, the promise
 * is resolved by that, and what the maker sets comes too late (SOON_EINVALIDSTATE). Any thread may call each setter.
 *
 * @addtogroup soon_promises
 * @{
 */
#ifndef SOON_FUTURES_PROMISE_H
#define SOON_FUTURES_PROMISE_H

#include "future.h"

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The maker's handle for an outcome. One owner. */
typedef struct soon_promise soon_promise;

/**
 * Functions that tell the maker what readers do. Each may be NULL. They run on the reader's thread, outside all locks,
 * and may be called when the promise has just been resolved.
 */
typedef struct soon_promise_hooks {
    /**
     * A reader has called cancel. If the future was pending it is CANCELLED now; if it runs, the maker is asked to end
     * it, by each cancel.
     */
    void (*on_cancel)(soon_promise *promise, void *data) SOON__ZERO;
    /**
     * A reader has called kill. Returns 0, and then the maker resolves the promise with SOON_EKILLED; or a negative
     * code, which the reader gets. NULL: -ENOTSUP.
     */
    int (*on_kill)(soon_promise *promise, void *data) SOON__ZERO;
    void *data SOON__ZERO; /**< for both; lent as long as the promise lives */
} soon_promise_hooks;

/**
 * Makes a promise, with a pending future.
 *
 * Ownership: the caller owns the promise until soon_promise_free(). `hooks` (NULL: none) is copied.
 * Threads: any thread. Returns: 0 and sets `*ret`; -EINVAL; -ENOMEM; and sets it to NULL.
 *
 * As Future() in Python's concurrent.futures, which is both halves in one.
 */
SOON_API SOON_MUST_USE int soon_promise_new(soon_promise **ret, const soon_promise_hooks *hooks);

/** Its future: a new reference, which the caller owns and which may outlive the promise. Never NULL. Any thread. */
SOON_API soon_future *soon_promise_future(soon_promise *promise);

/**
 * Frees the promise; NULL is allowed. If it is unresolved, its readers get SOON_EABANDONED. Waits for hooks that are
 * running on another thread.
 *
 * Threads: one thread, after every other use of the promise; its own hooks may do it. Not for the promise of a call:
 * soon_call_free().
 */
SOON_API void soon_promise_free(soon_promise *promise);

/**
 * Says that the work begins: from now on a cancel is only a request. It may be left out: a pending promise can be
 * resolved, too.
 *
 * Threads: any thread. Never blocks.
 * Returns: 0; -ECANCELED: a reader was first, do not begin; SOON_EINVALIDSTATE: it runs or has finished; -EINVAL;
 * SOON_EFORKED.
 *
 * As Future.set_running_or_notify_cancel() in Python's concurrent.futures.
 */
SOON_API int soon_promise_set_running(soon_promise *promise);

/**
 * Finishes the future with a copy of these bytes; NULL with size 0: no bytes.
 *
 * Threads: any thread; waiters are woken and callbacks run here. Returns: 0; SOON_EINVALIDSTATE: it is done already;
 * -ENOMEM: it is not done; -EINVAL; SOON_EFORKED.
 *
 * As Future.set_result(result) in Python's concurrent.futures.
 */
SOON_API int soon_promise_set_result(soon_promise *promise, const void *data, size_t size);

/**
 * Sets the buffer that goes with the result: soon_future_payload(). To be called before soon_promise_set_result(); a
 * later buffer replaces it.
 *
 * Ownership: takes the buffer, always.
 * Threads: one at a time, before it is resolved. Returns: 0; SOON_EINVALIDSTATE: it is done already; -ENOMEM; -EINVAL;
 * SOON_EFORKED.
 */
SOON_API int soon_promise_set_payload(soon_promise *promise, soon_buffer *buffer);

/** Adds a buffer behind those that it has: soon_future_payload_at(). Otherwise as soon_promise_set_payload(). */
SOON_API int soon_promise_add_payload(soon_promise *promise, soon_buffer *buffer);

/**
 * Fails the future, with the formatted text, in one line, as its message (NULL: the text of `code`). A code of the
 * library's own, such as SOON_EKILLED, is the error's code. Any other number is what the work has raised: the error is
 * SOON_ERAISED with `code` as `raised`, as from soon_raise(). Without memory for the message the error is -ENOMEM.
 *
 * Threads: any thread; waiters are woken and callbacks run here.
 * Returns: 0; SOON_EINVALIDSTATE: it is done already; -EINVAL, also for code 0; SOON_EFORKED.
 *
 * As Future.set_exception(exception) in Python's concurrent.futures.
 */
SOON_API int soon_promise_set_exception(soon_promise *promise, int code, const char *format, ...) SOON_PRINTF(3, 4);

/**
 * Fails the future with a copy of `error`, its code as it is, and its bytes. To pass on the error of another future;
 * and for other languages, which have no formats.
 *
 * Threads: any thread; waiters are woken and callbacks run here.
 * Returns: 0; SOON_EINVALIDSTATE: it is done already; -EINVAL: NULL, or a code that is not negative;
 * SOON_EFORKED.
 */
SOON_API int soon_promise_set_error(soon_promise *promise, const soon_error *error);

/**
 * Ends the future as CANCELLED: the running work has ended because of a request.
 *
 * Threads: any thread; waiters are woken and callbacks run here.
 * Returns: 0; SOON_EINVALIDSTATE: it is done already; -EINVAL; SOON_EFORKED.
 */
SOON_API int soon_promise_set_cancelled(soon_promise *promise);

/**
 * Sets what soon_future_progress() shows from now on. Does nothing once the future is done, or without memory for the
 * first. Any thread.
 */
SOON_API void soon_promise_set_progress(soon_promise *promise, uint64_t done, uint64_t total);

/** Whether a reader has cancelled it. If it runs, clean up and call soon_promise_set_cancelled(). Any thread. */
SOON_API bool soon_promise_cancel_requested(const soon_promise *promise);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

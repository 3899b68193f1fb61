/**
 * @file custom.h
 * Executors of your own: submit, then, the map family and shutdown work on them as on the library's pools.
 *
 * An executor takes calls and ends each one, whenever and wherever it likes: soon_call_run() does all of it; or it
 * resolves the call's promise itself and frees the call. A call has one holder: the executor from a `submit` that
 * returned 0 until soon_call_run(), soon_call_free(), or a `take_back` that returned true.
 *
 * @addtogroup soon_custom
 * @{
 */
#ifndef SOON_EXECUTOR_CUSTOM_H
#define SOON_EXECUTOR_CUSTOM_H

#include "../futures/promise.h"
#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One submission: function, argument and promise. */
typedef struct soon_call soon_call;

/**
 * What an executor does. The library calls each of these without a lock of its own, from any thread, many at once.
 * `self` is what soon_executor_new() was given.
 */
typedef struct soon_executor_class {
    size_t size SOON__ZERO;      /**< sizeof(soon_executor_class): its version */
    const char *name SOON__ZERO; /**< lent as long as the executor lives; "" or NULL: none */
    /**
     * Takes the call, or refuses it: a negative code, which the submitter gets, and the call stays the library's. It
     * may wait for a place only if `may_block`; else it says SOON_EFULL. Required.
     */
    int (*submit)(void *self, soon_call *call, bool may_block) SOON__ZERO;
    /**
     * A reader cancels a pending call: true gives the call, which will not start, back to the library; false: it has
     * begun or is about to. NULL: a cancel is only a request, which soon_call_run() and soon_promise_set_running()
     * answer by ending it as CANCELLED. Never blocks.
     */
    bool (*take_back)(void *self, soon_call *call) SOON__ZERO;
    /**
     * A reader wants a running call ended by force: 0, or a negative code. One that is pending is cancelled instead,
     * if it can be. NULL: -ENOTSUP for all.
     */
    int (*kill)(void *self, soon_call *call) SOON__ZERO;
    /**
     * A task of this executor is about to wait for this call, without a time limit: true: something ran here, it
     * looks again; false or NULL: its thread parks.
     */
    bool (*help)(void *self, soon_call *call) SOON__ZERO;
    /**
     * Begins to shut down, or goes on with a stronger mode. A `submit` that is under way on another thread may still
     * come: refuse it with SOON_ESHUTDOWN. Resolves `down`, which is lent until then, once: when every call has ended
     * and every worker is gone. That comes last: `free` may follow at once. 0, or a negative code. Never blocks.
     * Required.
     */
    int (*shutdown)(void *self, soon_shutdown mode, soon_promise *down) SOON__ZERO;
    /** Fills what it knows; the rest is zero. NULL: all is. */
    void (*stats)(void *self, soon_stats *ret) SOON__ZERO;
    /** Frees `self`: `down` is resolved and no call is left. NULL: there is nothing to free. */
    void (*free)(void *self) SOON__ZERO;
} soon_executor_class;

/**
 * Makes an executor of the user's own.
 *
 * Ownership: the caller owns the executor until soon_executor_free(), which calls `klass->free` on `self`. `klass` is
 * copied. On failure `self` stays the caller's.
 * Threads: any thread. Returns: 0 and sets `*ret`; -EINVAL: NULL, a size that is too small, no submit or shutdown;
 * -ENOMEM; and sets it to NULL.
 */
SOON_API SOON_MUST_USE int soon_executor_new(soon_executor **ret, const soon_executor_class *klass, void *self);

/** What it calls. Lent as long as the program keeps it. Holder only. */
SOON_API const soon_function *soon_call_function(const soon_call *call);

/** The argument's bytes. Lent until the call has ended, or its promise is resolved. Holder only. */
SOON_API soon_bytes soon_call_arg(const soon_call *call);

/** The submit option `extra`. Lent until the call has ended. Holder only. */
SOON_API soon_bytes soon_call_extra_bytes(const soon_call *call);

/** The payload, or NULL. Lent until the call has ended. Holder only. */
SOON_API soon_buffer *soon_call_payload(const soon_call *call);

/** One of several payloads, 0 the first; NULL: there are not so many. Lent until the call has ended. Holder only. */
SOON_API soon_buffer *soon_call_payload_at(const soon_call *call, size_t index);

/** How many there are. Holder only. */
SOON_API size_t soon_call_payload_count(const soon_call *call);

/** The result of one of those that it was submitted `after`: soon_task_input(). Lent until the call has ended. Holder only. */
SOON_API soon_bytes soon_call_input(const soon_call *call, size_t index);

/** The payload that came with it, or NULL. Lent as that is. Holder only. */
SOON_API soon_buffer *soon_call_input_payload(const soon_call *call, size_t index);

/** How many there are. Holder only. */
SOON_API size_t soon_call_input_count(const soon_call *call);

/**
 * Priority, limits, label. `payload` is the first of all, `payloads` are the others; `after` is not there any more. Never
 * NULL. Lent until the call has ended. Holder only.
 */
SOON_API const soon_submit_options *soon_call_options(const soon_call *call);

/**
 * The call's promise, for executors that run it elsewhere: set_running, then resolve it, then soon_call_free().
 *
 * Ownership: lent until the call has ended; never soon_promise_free() it. Holder only.
 */
SOON_API soon_promise *soon_call_promise(soon_call *call);

/**
 * Runs the call on this thread: set_running, the body, its outcome; then frees the call. One that was cancelled, or
 * whose queue limit is over, ends without starting. Ends the holding. Any thread.
 */
SOON_API void soon_call_run(soon_call *call);

/**
 * Frees a call whose promise is resolved; unresolved, its readers get SOON_EABANDONED. Ends the holding. Any thread.
 */
SOON_API void soon_call_free(soon_call *call);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

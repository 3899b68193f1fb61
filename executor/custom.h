/**
 * @file custom.h
 * Executors of a program's own: submit, then, the maps and shutdown work on them as on the library's pools.
 *
 * An executor takes calls and ends each one, whenever and wherever it likes. Either soon_call_run() does all of that;
 * or the executor resolves the call's promise itself, and frees the call with soon_call_free().
 *
 * A call has one holder. That is the executor, from a `submit` that has returned 0 until soon_call_run(),
 * soon_call_free(), or a `take_back` that has returned true. Below, "holder only" means the executor as long as it is
 * that, on any thread, one at a time. What is lent is lent until the call has ended. No function blocks but
 * soon_call_run(), which runs the task.
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

/** One submission: a function, its argument and its promise. */
typedef struct soon_call soon_call;

/**
 * What an executor does. The library calls these functions on any thread, many at once, and holds no lock. `self` is
 * what soon_executor_new() was given.
 */
typedef struct soon_executor_class {
    size_t size SOON__ZERO;      /**< sizeof(soon_executor_class): the version of this structure */
    const char *name SOON__ZERO; /**< lent as long as the executor lives; "" or NULL: none */
    /**
     * Takes the call and returns 0. Or it refuses it and returns a negative code, which the submitter gets; then the
     * call stays the library's. It may wait for a place only if `may_block`; else it returns SOON_EFULL. Required.
     */
    int (*submit)(void *self, soon_call *call, bool may_block) SOON__ZERO;
    /**
     * A reader cancels a pending call. True: the call will not start, and is the library's again. False: it has begun,
     * or is about to. NULL: a cancel is only a request, which soon_call_run() and soon_promise_set_running() answer:
     * they end the call CANCELLED. It must not block.
     */
    bool (*take_back)(void *self, soon_call *call) SOON__ZERO;
    /**
     * A reader wants a running call to be ended by force. Returns 0 or a negative code. A call that is pending is
     * cancelled instead, if that can be. NULL: soon_future_kill() returns -ENOTSUP for every call.
     */
    int (*kill)(void *self, soon_call *call) SOON__ZERO;
    /**
     * A task of this executor is about to wait for this call without a time limit. True: something ran here, and the
     * task looks again. False, or NULL: its thread sleeps.
     */
    bool (*help)(void *self, soon_call *call) SOON__ZERO;
    /**
     * Begins to shut down, or goes on with a stronger mode. Returns 0 or a negative code. A `submit` that is under way
     * on another thread may still come: refuse it with SOON_ESHUTDOWN. Resolve `down`, which is lent until then, once,
     * when every call has ended and every worker is gone. That comes last, since `free` may follow at once. It must not
     * block. Required.
     */
    int (*shutdown)(void *self, soon_shutdown mode, soon_promise *down) SOON__ZERO;
    /** Fills in what it knows; the rest is zero. NULL: all of it is. */
    void (*stats)(void *self, soon_stats *ret) SOON__ZERO;
    /** Frees `self`: `down` is resolved and no call is left. NULL: there is nothing to free. */
    void (*free)(void *self) SOON__ZERO;
} soon_executor_class;

/**
 * Makes an executor of the program's own.
 *
 * Ownership: the caller owns the executor until soon_executor_free(), which calls `klass->free` on `self`. `klass` is
 * copied. On failure `self` stays the caller's.
 * Threads: any thread.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns -EINVAL: NULL, a `size` that is too small, no
 * `submit` or no `shutdown`; or -ENOMEM.
 *
 * As a subclass of Executor in Python's concurrent.futures.
 */
SOON_API SOON_MUST_USE int soon_executor_new(soon_executor **ret, const soon_executor_class *klass, void *self);

/** Returns the function to be called. Lent as long as the program keeps it. Holder only. */
SOON_API const soon_function *soon_call_function(const soon_call *call);

/** Returns the bytes of the argument. Lent, at most until the promise is resolved. Holder only. */
SOON_API soon_bytes soon_call_arg(const soon_call *call);

/** Returns the submit option `extra`. Lent. Holder only. */
SOON_API soon_bytes soon_call_extra_bytes(const soon_call *call);

/** Returns the payload, the first if there are several; NULL: none. Lent. Holder only. */
SOON_API soon_buffer *soon_call_payload(const soon_call *call);

/** Returns one of several payloads, from 0 on; NULL: there are not so many. Lent. Holder only. */
SOON_API soon_buffer *soon_call_payload_at(const soon_call *call, size_t index);

/** Returns how many payloads there are. Holder only. */
SOON_API size_t soon_call_payload_count(const soon_call *call);

/**
 * Returns the result of one of the futures that the call was submitted `after`: see soon_task_input(). Lent. Holder
 * only.
 */
SOON_API soon_bytes soon_call_input(const soon_call *call, size_t index);

/** Returns the first payload that came with that result; NULL: none. Lent. Holder only. */
SOON_API soon_buffer *soon_call_input_payload(const soon_call *call, size_t index);

/** Returns how many futures the call was submitted `after`. Holder only. */
SOON_API size_t soon_call_input_count(const soon_call *call);

/**
 * Returns priority, limits, label and the like, never NULL. `payload` is the first of all payloads, and `payloads` are
 * the others. `after` is not there any more. Lent. Holder only.
 */
SOON_API const soon_submit_options *soon_call_options(const soon_call *call);

/**
 * Returns the promise of the call, for an executor that runs it elsewhere: call soon_promise_set_running(), resolve it,
 * then call soon_call_free(). Lent: never soon_promise_free() it. Holder only.
 */
SOON_API soon_promise *soon_call_promise(soon_call *call);

/**
 * Runs the call on this thread, as a whole: the future is RUNNING, the body runs, the future has its outcome, the call
 * is freed. A call that was cancelled, or whose queue limit is over, ends without being started. The caller is the
 * holder no more. Any thread.
 */
SOON_API void soon_call_run(soon_call *call);

/**
 * Frees a call whose promise is resolved. If it is not, the readers of the future get SOON_EABANDONED. The caller is
 * the holder no more. Any thread.
 */
SOON_API void soon_call_free(soon_call *call);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

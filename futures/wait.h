/**
 * @file wait.h
 * Many futures at once: wait, gather, any, and with as_completed.h one after the other. They work on futures of any kind and executor, mixed.
 *
 * @addtogroup soon_waiting
 * @{
 */
#ifndef SOON_FUTURES_WAIT_H
#define SOON_FUTURES_WAIT_H

#include "as_completed.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What soon_wait() waits for. */
typedef enum soon_when {
    SOON_ALL_COMPLETED,   /**< all are done */
    SOON_FIRST_COMPLETED, /**< one is done */
    SOON_FIRST_EXCEPTION  /**< one has failed, or all are done; a cancelled one has not failed */
} soon_when;

/**
 * Waits for some or all of them. For one: soon_future_wait(); to treat each as it ends: soon_as_completed_new().
 *
 * Ownership: all are lent for the time of the call. `ret_done` (may be NULL) has `count` places: `ret_done[i]` says
 * whether futures[i] was done when the wait was over.
 * Threads: any thread. Blocks up to `timeout_ms` (0 polls, SOON_FOREVER never gives up). An empty set returns at
 * once.
 * Returns: how many are done, a duplicate counting once; a timeout is no failure. SOON_EDEADLK, unless it polls: what
 * it waits for could never come (all: an unfinished one is further down on this thread's stack; first: all unfinished
 * ones are); -EINVAL, also for a NULL among them; -ENOMEM; SOON_EFORKED; and `ret_done` is left alone.
 *
 * As wait(fs, timeout, return_when) in Python's concurrent.futures.
 */
SOON_API int64_t soon_wait(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms,
                           bool *ret_done);

/**
 * A future for all of them: finishes when all are done. It succeeds, without bytes of its own, if all did; else it
 * has the first error in their order, where a cancelled one counts as -ECANCELED. Of none: it has succeeded. To stop
 * at the first failure, soon_wait() with SOON_FIRST_EXCEPTION.
 *
 * Ownership: the caller owns one reference; it holds the members as long as it lives, and they keep nothing of it once it is
 * done. One that is given up by all before that, with no callback left to run, goes at once. Cancelling it cancels all
 * members, killing it kills them.
 * Threads: any thread. Never blocks.
 * Returns: never NULL; a future that is done with -EINVAL (a NULL among them), -ENOMEM (which may be one and the same
 * object for several calls), SOON_EFORKED.
 */
SOON_API SOON_MUST_USE soon_future *soon_gather(soon_future *const *futures, size_t count);

/**
 * A future for the first of them that succeeds, with its result and payload; it lends what the winner has. Fails when
 * all have failed, with the first error in their order. Of none: -EINVAL. The losers go on: cancel them if they are
 * not wanted.
 *
 * Ownership: as soon_gather(). Cancelling it cancels all members, killing it kills them.
 * Threads: any thread. Never blocks. Returns: as soon_gather().
 */
SOON_API SOON_MUST_USE soon_future *soon_any(soon_future *const *futures, size_t count);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

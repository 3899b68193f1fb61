/**
 * @file wait.h
 * Many futures at once: wait, gather, any; and as_completed.h, one after the other. They work on futures of any kind
 * and executor, mixed.
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
 * Waits for some or all of them. For one future choose soon_future_wait(); to handle each as it ends
 * soon_as_completed_new().
 *
 * Ownership: all are lent for the time of the call. `ret_done` (may be NULL) has `count` places: `ret_done[i]` says
 * whether futures[i] was done when the wait was over.
 * Threads: any thread. Blocks up to `timeout_ms` (0 polls, SOON_FOREVER never gives up). An empty set returns at
 * once.
 * Returns: how many are done, where a duplicate counts once; a timeout is no failure. SOON_EDEADLK, unless it polls:
 * the wait could never end, since an unfinished future (for SOON_ALL_COMPLETED), or every unfinished one, is further
 * down on this thread's stack; -EINVAL, also for a NULL among them; -ENOMEM; SOON_EFORKED; and does not write
 * `ret_done`.
 *
 * As wait(fs, timeout, return_when) in Python's concurrent.futures.
 */
SOON_API int64_t soon_wait(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms,
                           bool *ret_done);

/**
 * Makes a future for all of them, which finishes when all are done. If all succeed it succeeds, without bytes of its
 * own; else it has the first error in their order, where a cancelled one counts as -ECANCELED. Of no futures it has
 * succeeded. To stop at the first failure choose soon_wait() with SOON_FIRST_EXCEPTION.
 *
 * Ownership: the caller owns one reference. The future keeps references of the members as long as it lives; they keep
 * nothing of it once it is done. If all references are given up before that, and no callback is left to run, it is
 * freed at once. Cancelling it cancels all members, killing it kills them.
 * Threads: any thread. Never blocks.
 * Returns: never NULL; a future that is done with -EINVAL (a NULL among them), -ENOMEM (which may be one and the same
 * object for several calls), SOON_EFORKED.
 */
SOON_API SOON_MUST_USE soon_future *soon_gather(soon_future *const *futures, size_t count);

/**
 * Makes a future for the first of them that succeeds: it shows result and payloads of that one. It fails when all have
 * failed, with the first error in their order. Of no futures it has failed with -EINVAL. The others go on: cancel them
 * if they are not wanted.
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

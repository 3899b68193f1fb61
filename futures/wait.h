/**
 * @file wait.h
 * Many futures at once: wait, as_completed, gather, any. They work on futures of any kind and executor, mixed.
 *
 * @addtogroup soon_waiting
 * @{
 */
#ifndef SOON_FUTURES_WAIT_H
#define SOON_FUTURES_WAIT_H

#include "future.h"

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

/** A set of futures that gives each one out as it is done. One thread iterates; any thread adds meanwhile. */
typedef struct soon_as_completed soon_as_completed;

/**
 * Makes a set of `count` futures (0: none yet). Duplicates are given once. Those that are done already come first.
 *
 * Ownership: the caller owns the set until soon_as_completed_free(). It takes references of its own and gives each up
 * when it gives the future out.
 * Threads: any thread. The time of `timeout_ms` begins here and is for the whole iteration (SOON_FOREVER: no limit).
 * Returns: 0 and sets `*ret`; -EINVAL, also for a NULL among them; -ENOMEM; SOON_EFORKED; and sets it to NULL.
 *
 * As as_completed(fs, timeout) in Python's concurrent.futures, which can not grow.
 */
SOON_API SOON_MUST_USE int soon_as_completed_new(soon_as_completed **ret, soon_future *const *futures, size_t count,
                                                 int64_t timeout_ms);

/**
 * One more. A duplicate of one that has not been given out yet counts once; one that has is given again.
 *
 * Ownership: takes a reference of its own. For a future that only the set shall hold: soon_as_completed_give().
 * Threads: any thread. Never blocks. Returns: 0; -ENOMEM; SOON_EFORKED; -EINVAL.
 */
SOON_API int soon_as_completed_add(soon_as_completed *set, soon_future *future);

/**
 * soon_as_completed_add() that takes the caller's reference, always: `soon_as_completed_give(set, soon_submit(...))`.
 */
SOON_API int soon_as_completed_give(soon_as_completed *set, soon_future *future);

/**
 * The next one that is done, in the order of completion.
 *
 * Ownership: the caller owns the reference.
 * Threads: one thread at a time. Blocks up to the set's time limit.
 * Returns: 0 and sets `*ret`; SOON_EEND: all were given out (later ones may be added, and next goes on); -ETIMEDOUT:
 * none of the rest was done in time; SOON_EDEADLK: all of the rest are further down on this thread's stack;
 * SOON_EFORKED; -EINVAL; and leaves it alone.
 */
SOON_API int soon_as_completed_next(soon_as_completed *set, soon_future **ret);

/** How many were not given out yet; `*ret_total` (may be NULL): of how many. "2 (of 4) unfinished". Any thread. */
SOON_API size_t soon_as_completed_left(const soon_as_completed *set, size_t *ret_total);

/** Frees the set, with its references; NULL is allowed. Cancels nothing. One thread, after every other use. */
SOON_API void soon_as_completed_free(soon_as_completed *set);

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

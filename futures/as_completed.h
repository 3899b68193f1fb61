/**
 * @file as_completed.h
 * Many futures, each as it is done, of any kind and executor, mixed.
 *
 * @addtogroup soon_waiting
 * @{
 */
#ifndef SOON_FUTURES_AS_COMPLETED_H
#define SOON_FUTURES_AS_COMPLETED_H

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

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
 * Adds a future. A duplicate of one that has not been given out yet counts once; one that has been is given again.
 *
 * Ownership: takes a reference of its own. For a future that only the set needs choose soon_as_completed_give().
 * Threads: any thread. Never blocks. Returns: 0; -ENOMEM; SOON_EFORKED; -EINVAL.
 */
SOON_API int soon_as_completed_add(soon_as_completed *set, soon_future *future);

/**
 * soon_as_completed_add() that takes the caller's reference, always: `soon_as_completed_give(set, soon_submit(...))`.
 */
SOON_API int soon_as_completed_give(soon_as_completed *set, soon_future *future);

/**
 * Gives out the next future that is done, in the order of completion.
 *
 * Ownership: the caller owns the reference.
 * Threads: one thread at a time. Blocks up to the set's time limit.
 * Returns: 0 and sets `*ret`; SOON_EEND: all were given out (more may be added, and then next goes on); -ETIMEDOUT:
 * none of the rest was done in time; SOON_EDEADLK: all of the rest are further down on this thread's stack;
 * SOON_EFORKED; -EINVAL; and does not write it.
 */
SOON_API int soon_as_completed_next(soon_as_completed *set, soon_future **ret);

/** How many were not given out yet, and in `*ret_total` (may be NULL) of how many: "2 (of 4) unfinished". Any
 * thread. */
SOON_API size_t soon_as_completed_left(const soon_as_completed *set, size_t *ret_total);

/** Frees the set, with its references; NULL is allowed. Cancels nothing. One thread, after every other use. */
SOON_API void soon_as_completed_free(soon_as_completed *set);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

/*
 * complete_internal.h - storing an outcome, and waking and telling those that wait for it.
 */
#ifndef SOON_FUTURES_COMPLETE_INTERNAL_H
#define SOON_FUTURES_COMPLETE_INTERNAL_H

#include "future_internal.h"

/* Stores the final state, SOON__FINISHED or SOON__CANCELLED, wakes waiters and runs callbacks. The caller has a
 * reference. Allocates nothing. */
void soon__future_publish(soon_future *future, uint32_t state);
/* As that, and gives up the caller's reference, which is one of the library. */
void soon__future_publish_and_unref(soon_future *future, uint32_t state);
/* As that, if only threads that sleep on the word are to be told: in one step, without LOCK. May be called under a
 * pool's mutex, for a future that is destroyed without user code. Returns false, and does nothing, if there are waiters
 * or callbacks. */
bool soon__future_publish_bare(soon_future *future, uint32_t state);
/* As soon__future_publish(), but runs no callbacks. Returns true if the caller is to run them by
 * soon__future_run_callbacks(). */
bool soon__future_publish_quietly(soon_future *future, uint32_t state);
/* Publishes FINISHED with this result. `owned` is 0, SOON__RESULT_ON_HEAP or SOON__RESULT_MAPPED. */
void soon__future_publish_bytes(soon_future *future, const void *data, size_t size, uint32_t owned);
/* Publishes the outcome of `source`, which is done and its lender: its bytes and payloads are lent on. */
void soon__future_publish_as(soon_future *future, soon_future *source);

/* Claims the future, sets the error and publishes. Takes the reference of the error. Returns false if it was done
 * already. */
bool soon__future_end(soon_future *future, uint32_t state, struct soon__error *error);

/* Between collect and flush, threads that sleep for what this thread completes are not woken; flush wakes them all at
 * once. Does not nest. No user code may run in between. */
void soon__wakes_collect(struct soon__wakes *wakes);
void soon__wakes_flush(struct soon__wakes *wakes);

#endif

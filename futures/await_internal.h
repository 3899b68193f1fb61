/*
 * await_internal.h - waiting for one future.
 */
#ifndef SOON_FUTURES_AWAIT_INTERNAL_H
#define SOON_FUTURES_AWAIT_INTERNAL_H

#include "future_internal.h"

/* Blocks until it is done, or `deadline`. A worker runs other tasks meanwhile, where it can. Returns 0; -ETIMEDOUT,
 * -EINTR, SOON_EDEADLK, SOON_EFORKED. */
int soon__future_await(soon_future *future, int64_t deadline);
/* Waits while another thread is between claim and publish, and returns the word: for a thread that has lost the claim,
 * so that what it returns can be seen. That is short, since no user code runs in between. */
uint32_t soon__future_stable_word(soon_future *future);

#endif

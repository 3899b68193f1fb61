/*
 * closing_internal.h - how a thread pool is shut down, and how it breaks. See closing.c.
 */
#ifndef SOON_EXECUTOR_THREADS_CLOSING_INTERNAL_H
#define SOON_EXECUTOR_THREADS_CLOSING_INTERNAL_H

#include "state_internal.h"

void soon__pool_shut_down(struct soon__pool *pool, soon_shutdown mode, soon_promise *down);
/* An initializer has failed, for `why`: takes the reference. */
void soon__pool_break(struct soon__pool *pool, struct soon__error *why);
/* What is pending fails, if the pool is BROKEN. */
void soon__pool_fail_pending(struct soon__pool *pool);

#endif

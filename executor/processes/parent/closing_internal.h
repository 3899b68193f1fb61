/*
 * closing_internal.h - how a process pool stops taking work.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_CLOSING_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_CLOSING_INTERNAL_H

#include "state_internal.h"

/* As soon_executor_class.shutdown. */
int soon__process_pool_shutdown(void *self, soon_shutdown mode, soon_promise *down);
/* Breaks the pool: what is pending fails with `why`, and what comes later is refused. Takes the reference. */
void soon__process_pool_break(struct soon__process_pool *pool, struct soon__error *why);
/* What is pending now fails with `why`; what comes later does not. Takes the reference. */
void soon__process_pool_fail_pending(struct soon__process_pool *pool, struct soon__error *why);

#endif

/*
 * backlog_internal.h - what both pools do alike: for calls that wait for a worker, for threads that wait for a place or for
 * workers, and for initializers.
 */
#ifndef SOON_EXECUTOR_POOLS_BACKLOG_INTERNAL_H
#define SOON_EXECUTOR_POOLS_BACKLOG_INTERNAL_H

#include "../core/executor_internal.h"

/* What both kinds of options have: 0 or -EINVAL. */
int soon__pool_options_check(int workers, int64_t idle_timeout_ms, soon_full when_full,
                             const soon_function *initializer);
/* Of copies of what is given; an argument that is NULL, where its function has one: zeroes. 0, -EINVAL or -ENOMEM. */
int soon__initializer_init(struct soon__initializer *ret, const struct soon__initializer *given);
void soon__initializer_fini(struct soon__initializer *initializer);
/* The name of a worker. The number is what tells them apart: the pool's name gives way. */
void soon__worker_name(char *to, size_t size, const char *pool, unsigned number);
/* `ms`, 0: `standard_ms`; so long at most that a deadline can be made of it. */
int64_t soon__span_ns(int64_t ms, int64_t standard_ms);

/* Calls that are nobody's, a list by `next`. */
void soon__calls_cancel(soon_call *calls);
void soon__calls_fail(soon_call *calls, struct soon__error *why); /* lent */

#endif

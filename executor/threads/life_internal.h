/*
 * life_internal.h - a worker thread from its start to its end. See life.c. Loop thread only.
 */
#ifndef SOON_EXECUTOR_THREADS_LIFE_INTERNAL_H
#define SOON_EXECUTOR_THREADS_LIFE_INTERNAL_H

#include "state_internal.h"

/* One that is counted as STARTING already; not any more if it cannot be started. */
void soon__worker_start(struct soon__pool *pool);
/* Joins those that have ended and could not be joined before. Returns when to try again; SOON__NEVER: none is left. */
int64_t soon__workers_join(struct soon__pool *pool, int64_t now);

#endif

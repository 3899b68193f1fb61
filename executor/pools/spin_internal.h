/*
 * spin_internal.h - a thread that waits for a task looks for its end for a short time before it sleeps, as long as that pays.
 */
#ifndef SOON_EXECUTOR_POOLS_SPIN_INTERNAL_H
#define SOON_EXECUTOR_POOLS_SPIN_INTERNAL_H

#include "../../futures/future_internal.h"

enum { SOON__SPIN_NS = 20000 }; /* as long as it takes to go to sleep and be woken again */

/* So many threads may look at a time: those of a pool and those that wait for its tasks share the CPUs. Any thread. */
void soon__spin_allow(uint32_t threads);
/* Returns when it is done, or not any more worth it; at `deadline` at the latest. Touches nothing but the future. */
void soon__spin_for(const soon_future *future, int64_t deadline);

#endif

/*
 * watch_internal.h - what the library's loop does for a thread pool. See watch.c.
 */
#ifndef SOON_EXECUTOR_THREADS_WATCH_INTERNAL_H
#define SOON_EXECUTOR_THREADS_WATCH_INTERNAL_H

#include "state_internal.h"

/* As `run` of soon__pool.loop.watch. */
void soon__pool_watch(struct soon__job *job);

#endif

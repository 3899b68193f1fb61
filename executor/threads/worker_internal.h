/*
 * worker_internal.h - a worker thread between its initializer and its end. See worker.c.
 */
#ifndef SOON_EXECUTOR_THREADS_WORKER_INTERNAL_H
#define SOON_EXECUTOR_THREADS_WORKER_INTERNAL_H

#include "state_internal.h"

/* By its own thread, which is RUNNING or SEARCHING: looks for work and runs it until it is to end. */
void soon__worker_work(struct soon__worker *worker);

#endif

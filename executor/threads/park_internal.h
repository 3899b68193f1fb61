/*
 * park_internal.h - what a worker thread does where it would wait. See park.c.
 */
#ifndef SOON_EXECUTOR_THREADS_PARK_INTERNAL_H
#define SOON_EXECUTOR_THREADS_PARK_INTERNAL_H

#include "state_internal.h"

/* `worker` of these functions is a struct soon__worker. */
extern const struct soon__parking soon__worker_parking;

/* By its own thread: finds out how much of its stack may be used. */
void soon__worker_measure_stack(struct soon__worker *worker);

#endif

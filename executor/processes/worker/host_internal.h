/*
 * host_internal.h - what a task asks of the library in a worker process.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_HOST_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_HOST_INTERNAL_H

#include "../../core/task_internal.h"

/* Of a task that is the first member of a struct soon__serving. */
extern const struct soon__task_host soon__worker_host;

#endif

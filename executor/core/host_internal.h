/*
 * host_internal.h - what a task that runs on a thread asks of the library.
 */
#ifndef SOON_EXECUTOR_CORE_HOST_INTERNAL_H
#define SOON_EXECUTOR_CORE_HOST_INTERNAL_H

#include "task_host_internal.h"

/* An initializer while it runs; the task comes first. */
struct soon__initializing {
    soon_task task;
    soon_bytes extra;
};

extern const struct soon__task_host soon__host_on_thread, soon__host_initializing;

#endif

/*
 * task_internal.h - a task while it runs: what the body's `soon_task *` points to. Lives on the worker's stack.
 */
#ifndef SOON_EXECUTOR_TASK_INTERNAL_H
#define SOON_EXECUTOR_TASK_INTERNAL_H

#include "call_internal.h"

struct soon_task {
    soon_executor *executor;
    const soon_function *function;
    soon_call *call; /* NULL: an initializer */
    const void *arg;
    size_t arg_size;
    void *space;               /* for a result of fixed size */
    struct soon__local *local; /* NULL: none here */
    int64_t deadline;
    struct soon__outcome outcome; /* so far */
};

/* Runs the body and settles the outcome. */
void soon__task_run(soon_task *task);
bool soon__task_cancel_requested_by_reader(const soon_task *task);
void soon__outcome_drop(struct soon__outcome *outcome);

#endif

/*
 * task_internal.h - a task while it runs: what the body's `soon_task *` points to. Lives on the worker's stack, in a
 * thread or in a worker process.
 */
#ifndef SOON_EXECUTOR_TASK_INTERNAL_H
#define SOON_EXECUTOR_TASK_INTERNAL_H

#include "call_internal.h"

/* Who runs it: how its reader's wishes reach it, and its news the reader. */
struct soon__task_host {
    bool (*cancel_requested)(const soon_task *task); /* by a reader; not: by its time limit */
    void (*set_progress)(soon_task *task, uint64_t done, uint64_t total);
    size_t heap_max; /* a result of variable size that is larger goes to a mappable buffer */
};

struct soon_task {
    soon_executor *executor; /* NULL: it runs in a worker process */
    const soon_function *function;
    const struct soon__task_host *host; /* NULL: nobody watches it, an initializer of threads */
    soon_future *future;                /* NULL: in another process, or none */
    const char *label;                  /* NULL: none */
    soon_buffer *payload;               /* NULL: none */
    bool is_initializer;
    const void *arg;
    size_t arg_size;
    void *space;               /* for a result of fixed size */
    struct soon__local *local; /* NULL: none here */
    void *shared;              /* NULL: none */
    int64_t deadline;
    struct soon__outcome outcome; /* so far */
};

/* Runs the body and settles the outcome. */
void soon__task_run(soon_task *task);
void soon__task_settle(soon_task *task, int rc); /* for who runs the body itself, which has returned `rc` */
bool soon__task_cancel_requested_by_reader(const soon_task *task);
void soon__outcome_drop(struct soon__outcome *outcome);

#endif

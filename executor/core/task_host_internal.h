/*
 * task_host_internal.h - a task while it runs: what the body's `soon_task *` points to, and by what that reaches the
 * thread or process where its reader is. It lies on the worker's stack, in a thread or in a worker process.
 */
#ifndef SOON_EXECUTOR_CORE_TASK_HOST_INTERNAL_H
#define SOON_EXECUTOR_CORE_TASK_HOST_INTERNAL_H

#include "../task.h"
#include "outcome_internal.h"

/* A worker's local value, as soon_task_local() sees it. */
struct soon__local {
    void *value;
    soon_free_fn release;
};

/* What runs it: how the wishes of its reader reach it, and its news reach the reader. */
struct soon__task_host {
    /* Whether it was asked to end, other than by its time limit: 0: it was not; -ECANCELED: by a reader;
     * SOON_EKILLED: its worker is about to be ended. */
    int (*cancel_requested)(const soon_task *task);
    void (*set_progress)(soon_task *task, uint64_t done, uint64_t total);
    const char *(*label)(const soon_task *task); /* NULL: none */
    soon_bytes (*extra)(const soon_task *task);
    soon_buffer *(*payload)(const soon_task *task, size_t index); /* NULL: not so many */
    size_t (*payload_count)(const soon_task *task);
    size_t (*input_count)(const soon_task *task);
    soon_bytes (*input)(const soon_task *task, size_t index,
                        soon_buffer **ret_payload); /* no bytes and NULL: not so many */
    void *(*shared)(const soon_task *task);         /* NULL: none */
    bool (*is_initializer)(const soon_task *task);
    size_t heap_max; /* a result of variable size that is larger goes to a mappable buffer */
    /* The task has a notice from here on, until listen_no_more(): the host tells it by the number `*ret_request`.
     * Returns 0 or a negative code. NULL: the notice is told by the task's future. */
    int (*listen)(soon_task *task, uint64_t *ret_request);
    void (*listen_no_more)(soon_task *task);
    struct soon__notice *notice; /* the task's. NULL: it has none */
    /* Called when the body has returned, before the outcome is settled. May change the host. NULL: there is nothing
     * to do. */
    void (*returned)(soon_task *task);
};

struct soon_task {
    const soon_function *function;
    soon_executor *executor;                      /* NULL: it runs in a worker process */
    _Atomic(const struct soon__task_host *) host; /* changed by its worker alone, when it gets a notice, and loses it */
    soon_future *future;                          /* NULL: in another process, or none */
    const void *arg;
    size_t arg_size;
    void *space;               /* for a result of fixed size */
    struct soon__local *local; /* NULL: none here */
    int64_t deadline;
    struct soon__outcome outcome; /* so far */
};

static inline const struct soon__task_host *soon__task_host(const soon_task *task)
{
    /* Acquire: what a notice has of it; pairs with the release in task_cancel.c. */
    return atomic_load_explicit(&((soon_task *)task)->host, memory_order_acquire);
}

#endif

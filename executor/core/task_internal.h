/*
 * task_internal.h - a task while it runs: what the body's `soon_task *` points to. Lives on the worker's stack, in a
 * thread or in a worker process.
 */
#ifndef SOON_EXECUTOR_CORE_TASK_INTERNAL_H
#define SOON_EXECUTOR_CORE_TASK_INTERNAL_H

#include "call_internal.h"

/* Who runs it: how its reader's wishes reach it, and its news the reader. */
struct soon__task_host {
    /* Not: by its time limit. 0: nobody has; -ECANCELED: a reader; SOON_EKILLED: its worker is about to be ended. */
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
    /* Around a notice, of a host that does not tell it by the future: from here on it tells `*ret_request`. 0, or a negative
     * code. NULL: it does. */
    int (*listen)(soon_task *task, uint64_t *ret_request);
    void (*listen_no_more)(soon_task *task);
    struct soon__notice *notice; /* the task's: see core/notice.c. NULL: it has none */
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
    /* Acquire: what a notice has of it; pairs with the release in core/notice.c. */
    return atomic_load_explicit(&((soon_task *)task)->host, memory_order_acquire);
}

void soon__task_settle(soon_task *task, int rc); /* what it means that the body has returned `rc` */

/* Runs the body, no more; what it has returned. */
static inline int soon__task_run_body(soon_task *task, const void *executor)
{
    struct soon__frame frame;
    struct soon__thread_saved saved;
    uint32_t generation = soon__generation();
    int rc;

    frame.future = task->future;
    frame.executor = executor;
    frame.pinned = NULL;
    soon__thread_enter(&frame, &saved);
    rc = task->function->body(task, task->arg, task->space);
    if (soon__generation() != generation)
        soon__leave_child(); /* it has forked, and this is the child */
    soon__thread_leave(&frame, &saved);
    return rc;
}

/* And settles the outcome. */
static inline void soon__task_run(soon_task *task)
{
    const soon_function *function = task->function;
    /* In a worker process there is no executor: any address will do, so that this is no callback. */
    int rc = soon__task_run_body(task, task->executor ? (const void *)task->executor : task);

    if (rc || task->outcome.error) {
        soon__task_settle(task, rc);
    } else if (function->result_size) {
        task->outcome.result = task->space;
        task->outcome.result_size = function->result_size;
    }
}

/* Not 0: the body has left something beside a result in its space. */
static inline uintptr_t soon__outcome_is_apart(const struct soon__outcome *outcome)
{
    return (uintptr_t)outcome->error | (uintptr_t)outcome->result | (uintptr_t)outcome->payload;
}

/*
 * The bodies of items, whose arguments and spaces lie one behind the other, from `*index` up to `end`: up to the first that fails
 * or leaves something beside its result, or behind which `go_on` says no; `plain` false: one. `*index` moves behind those that went
 * well, of each of which `go_on` was told. True: that one has run too, its outcome is settled.
 */
static inline bool soon__task_run_items(soon_task *task, size_t *index, size_t end, bool plain,
                                        bool (*go_on)(soon_task *task, void *data, size_t next), void *data)
{
    const soon_function *function = task->function;
    struct soon__frame frame = {.future = task->future,
                                .executor = task->executor ? (const void *)task->executor : task};
    struct soon__thread_saved saved;
    uint32_t generation = soon__generation();
    const char *arg = task->arg;
    char *space = task->space;
    size_t i = *index;
    uintptr_t apart;
    int rc;

    soon__thread_enter(&frame, &saved);
    do {
        task->arg = arg;
        task->space = space;
        rc = function->body(task, arg, space);
        if (soon__generation() != generation)
            soon__leave_child(); /* it has forked, and this is the child */
        apart = (unsigned)rc | soon__outcome_is_apart(&task->outcome) | !plain;
        if (apart)
            break;
        arg += function->arg_size;
        space += function->result_size;
    } while (go_on(task, data, ++i) && i < end);
    soon__thread_leave(&frame, &saved);
    *index = i;
    if (apart)
        soon__task_settle(task, rc);
    return apart;
}

void soon__outcome_drop(struct soon__outcome *outcome);
/* Moves it into the future that is to be finished with the outcome; without memory for it that is an error. */
void soon__outcome_give_payload(struct soon__outcome *outcome, soon_future *future);

#endif

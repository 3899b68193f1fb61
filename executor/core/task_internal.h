/*
 * task_internal.h - running the body of a task, and what it means that it has returned.
 */
#ifndef SOON_EXECUTOR_CORE_TASK_INTERNAL_H
#define SOON_EXECUTOR_CORE_TASK_INTERNAL_H

#include "task_host_internal.h"

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
 * The bodies of items, whose arguments and spaces lie one behind the other, from `*index` up to `end`: up to the first
 * that fails or leaves something beside its result, or behind which `go_on` says no; `plain` false: one. `*index` moves
 * behind those that went well, of each of which `go_on` was told. True: that one has run too, its outcome is settled.
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

#endif

/*
 * run_internal.h - one task on a worker thread, and what the worker knows about what follows it.
 */
#ifndef SOON_EXECUTOR_THREADS_RUN_INTERNAL_H
#define SOON_EXECUTOR_THREADS_RUN_INTERNAL_H

#include "scheduler_internal.h"

/* As soon__run_hooks.counted; `data` is the worker. */
void soon__worker_counted(void *data, const struct soon__outcome *outcome);
/* Whether no user code runs when the call ends, since it has nothing of the program's to release. */
bool soon__worker_is_quick(const soon_call *call);
/* Runs the call on top of a task that waits for it. That task goes on then, so this worker will not look for work. */
void soon__worker_run_on_top(struct soon__worker *worker, soon_call *call);

static inline void soon__worker_run(struct soon__worker *worker, soon_call *call)
{
    soon__count(&worker->counts.running, 1);
    if (call->flags & SOON__CALL_PLAIN)
        soon__call_run_plain(call, &worker->own.local, &worker->own.hooks);
    else
        soon__call_run(call, &worker->own.local, &worker->own.hooks);
    if (soon__thread_self()->worker != worker)
        soon__leave_child(); /* a callback has forked, and this is the child, which has no workers */
}

/* `more`: the worker has other calls already, so it will not look for work after this one. */
static inline void soon__worker_run_next(struct soon__worker *worker, soon_call *call, bool more)
{
    worker->own.is_quick = !more && soon__worker_is_quick(call);
    soon__worker_run(worker, call);
}

#endif

/*
 * worker_shared.h - a task that begins and ends when it is told to, through memory that it shares with the test.
 */
#ifndef SOON_TESTS_WORKER_SHARED_H
#define SOON_TESTS_WORKER_SHARED_H

#include "worker_fixture.h"

static const soon_none nothing;

static inline int ask(struct worker *worker, const soon_function *function)
{
    return ask_int(worker, function, &nothing, sizeof nothing);
}

struct shared {
    _Atomic int begun, may_end, released;
};

static inline struct worker sharing_worker(struct shared **ret)
{
    struct worker worker = greeted_worker((struct how){.shared_size = sizeof(struct shared)});

    *ret = worker.shared;
    return worker;
}

/* Ends when it may, or gives in. */
SOON_TASK(obey, soon_none, int)
{
    struct shared *shared = soon_task_shared(task);

    soon_task_set_progress(task, 3, 7);
    atomic_store(&shared->begun, 1);
    while (!atomic_load(&shared->may_end)) {
        if (soon_task_cancel_requested(task))
            return -ECANCELED;
        sched_yield();
    }
    *result = 42;
    return 0;
}

#endif

/*
 * job_internal.h - something to do on one of the library's two threads.
 */
#ifndef SOON_EXECUTOR_LOOPS_JOB_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_JOB_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

/* Embedded in what it is about, and free again when `run` is called. */
struct soon__job {
    struct soon__job *next;
    void (*run)(struct soon__job *job);
};

struct soon__jobs {
    struct soon__job *head, *tail;
};

/* Returns whether there was none. */
static inline bool soon__jobs_push(struct soon__jobs *jobs, struct soon__job *job)
{
    bool was_empty = !jobs->head;

    job->next = NULL;
    if (was_empty)
        jobs->head = job;
    else
        jobs->tail->next = job;
    jobs->tail = job;
    return was_empty;
}

#endif

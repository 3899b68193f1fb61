/*
 * process_internal.h - memory, descriptors and program of one worker process; its references.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_PROCESS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_PROCESS_INTERNAL_H

#include "agenda_internal.h"
#include "state_internal.h"

/* Makes a process, and starts its program. 0 or a negative errno. Loop thread only. */
int soon__process_new(struct soon__process **ret, struct soon__process_pool *pool);
/* Gives back all but the memory, and the loop's reference, when its handles are closed. Loop thread only. */
void soon__process_close(struct soon__process *process);
/* Frees a process without references. Any thread. */
void soon__process_free(struct soon__process *process);

/* True: it was the last reference. The caller calls soon__process_free(), without the mutex. */
static inline bool soon__process_unref_locked(struct soon__process *process)
{
    return --process->locked.refs == 0;
}

/* A thread that waits for a call spins for the replies of this process from here on. It has a reference until it ends
 * that. */
static inline void soon__process_begin_spin_locked(struct soon__process *process)
{
    process->locked.spun_on = true;
    process->pool->locked.spinning++;
    process->locked.refs++;
}
/* As soon__process_unref_locked(). */
static inline bool soon__process_end_spin_locked(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    process->locked.spun_on = false;
    pool->locked.spinning--;
    if (soon__backlog_is_ending_locked(&pool->backlog))
        soon__process_pool_look_soon_locked(pool); /* it waits until no thread spins */
    return soon__process_unref_locked(process);
}

#define SOON__PROCESS_OF(watch, member)                                                                                \
    ((struct soon__process *)((char *)(watch)-offsetof(struct soon__process, member)))

#endif

/*
 * process_internal.h - one worker process and what it shares with us; its references.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_PROCESS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_PROCESS_INTERNAL_H

#include "agenda_internal.h"
#include "state_internal.h"

/* 0 or a negative errno. Loop thread only. */
int soon__process_new(struct soon__process **ret, struct soon__process_pool *pool);
/* When its handles are closed: gives back everything but the memory, which goes with the last reference. Loop thread only. */
void soon__process_close(struct soon__process *process);
/* Has no references left. Any thread. */
void soon__process_free(struct soon__process *process);

/* True: it was the last reference, and soon__process_free() is to follow, without the mutex. */
static inline bool soon__process_unref_locked(struct soon__process *process)
{
    return --process->locked.refs == 0;
}

/* A thread that waits for a call there takes in replies from here on, until it ends that, with a reference. */
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
        soon__process_pool_look_soon_locked(pool); /* which waits for us to leave it */
    return soon__process_unref_locked(process);
}

#define SOON__PROCESS_OF(watch, member)                                                                                \
    ((struct soon__process *)((char *)(watch)-offsetof(struct soon__process, member)))

#endif

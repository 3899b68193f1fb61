/*
 * notice_internal.h - how a running task that blocks hears that it is to end: by a descriptor, by callbacks.
 *
 * A task that asks for either has a notice until its body has returned; the others have none, and pay nothing. Who asks a
 * task to end tells the notices that there are. The public functions are in ../task.h.
 */
#ifndef SOON_EXECUTOR_CORE_NOTICE_INTERNAL_H
#define SOON_EXECUTOR_CORE_NOTICE_INTERNAL_H

#include "task_internal.h"

/* The body of a task with a notice has returned, on its thread: after this no callback runs, and nobody tells it. */
void soon__notice_end(soon_task *task);

/* Somebody has asked, by what its task's host looks at, before this: the call of this future; every task of this executor;
 * the task of a worker process that has this request. Runs callbacks on this thread, never under a lock. */
void soon__notices_tell(const soon_future *future);
void soon__notices_tell_executor(const soon_executor *executor);
void soon__notices_tell_request(uint64_t request);

/* Closes the descriptors that no task has: they are kept for the next ones. */
void soon__notices_trim(void);

/*
 * notice_clock.c: time limits of tasks in this process, by the library's loop.
 */

/* Before a task with a limit has a notice. 0 or a negative errno. */
int soon__notice_clock_start(void);
/* One has. Any thread, under no lock. */
void soon__notice_clock_set(void);
/* For that: rings those whose limit is over at `now`; `*ret_callbacks`: some have callbacks left. When the next is over. */
int64_t soon__notices_expire(int64_t now, bool *ret_callbacks);
/* Runs the callbacks of those that were rung for it. */
void soon__notices_tell_expired(void);

#endif

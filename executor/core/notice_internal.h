/*
 * notice_internal.h - how a running task that blocks hears that it is to end: by a descriptor, by callbacks.
 *
 * A task that asks for either (task_cancel.c) has a notice until its body has returned; the others have none, and pay
 * nothing. A thread that asks a task to end tells the notices that there are.
 */
#ifndef SOON_EXECUTOR_CORE_NOTICE_INTERNAL_H
#define SOON_EXECUTOR_CORE_NOTICE_INTERNAL_H

#include "task_host_internal.h"

#include <pthread.h>
#include <sys/types.h>

/* A callback of a task. */
struct soon__hook {
    struct soon__hook *next;
    soon_cancel_fn fn;
    void *data;
    bool runs;
    pthread_t thread; /* where it runs */
};

enum soon__notice_state { SOON__NOTICE_SPARE, SOON__NOTICE_LISTED, SOON__NOTICE_TOLD };

struct soon__notice {
    struct soon__task_host host; /* first: the task's, as long as it has this notice */
    /* Set before it is listed. */
    const struct soon__task_host *before;
    const soon_future *future;     /* NULL: of an initializer, or in a worker process */
    const soon_executor *executor; /* NULL: in a worker process */
    uint64_t request;              /* 0: in no worker process */
    int64_t deadline;              /* of a task in this process; SOON__NEVER: its host tells */
    uint32_t generation;
    /* Under the mutex of all notices. */
    struct {
        struct soon__notice *next;
        enum soon__notice_state state;
        int bell;                 /* -1: none was asked for yet */
        ino_t inode;              /* of the bell: a task may have closed it, and opened something else in its place */
        struct soon__hook *hooks; /* in the order of their registration */
    } locked;
};

/* A spare one, or a new one; NULL: no memory. What stands above `locked` is the caller's to set. */
struct soon__notice *soon__notice_take(void);
/* One that is not listed. */
void soon__notice_give(struct soon__notice *notice);
/* From here on it may be told. */
void soon__notice_list(struct soon__notice *notice);
/* After it nobody tells it, and none of its callbacks runs: waits for those that do. */
void soon__notice_unlist(struct soon__notice *notice);

/* Of a listed one: its descriptor, which is made if there is none, or a negative code. */
int soon__notice_descriptor(struct soon__notice *notice);
/* One more callback, or, where it was told, calls that here. 0 or -ENOMEM. */
int soon__notice_add(struct soon__notice *notice, soon_cancel_fn fn, void *data);
/* True: it had not run, and will not. False: there is none, or it has run: it has returned, unless this is in it. */
bool soon__notice_remove(struct soon__notice *notice, soon_cancel_fn fn, const void *data);

/*
 * Somebody has asked, by what the task's host looks at, before this: the call of this future; every task of this
 * executor; the task of a worker process that has this request; the task of this notice. These run callbacks on this
 * thread, never under a lock.
 */
void soon__notices_tell(const soon_future *future);
void soon__notices_tell_executor(const soon_executor *executor);
void soon__notices_tell_request(uint64_t request);
void soon__notice_tell(const struct soon__notice *notice);

/* For notice_clock.c: rings those whose limit is over at `now`; `*ret_callbacks`: some have callbacks left. When the
 * next is over. */
int64_t soon__notices_expire(int64_t now, bool *ret_callbacks);
/* Runs the callbacks of those that were rung for it. */
void soon__notices_tell_expired(void);

/* Closes the descriptors that no task has: they are kept for the next ones. */
void soon__notices_trim(void);

#endif

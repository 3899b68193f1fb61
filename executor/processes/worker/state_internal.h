/*
 * state_internal.h - a worker process: a main thread that serves the requests; a control thread that receives
 * descriptors and sees the parent go; and, once a task has asked for it, a thread that hears of cancels.
 *
 * There is one worker per process, so each part of it is static in its own file. What main.c has, and others read, is
 * here. A task may call soon_task_...() from threads of its own: they see the channel and what is `fixed`, and nothing
 * else.
 *
 * The worker trusts its parent: it checks the version alone, and that the descriptors are there.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_STATE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_STATE_INTERNAL_H

#include "../../core/task_internal.h"
#include "../both/channel_internal.h"

struct soon__worker {
    struct soon__channel channel; /* the main thread's, but for what its functions say */
    /* Any thread: nothing of it changes after HELLO. */
    struct {
        uint32_t generation; /* soon__generation() is another in a child that a task has forked */
        int32_t parent;
        const soon_function **functions; /* the table that was sent */
        uint32_t function_count;
        void *shared; /* NULL: the pool has none */
    } fixed;
    /* The main thread's. */
    struct {
        struct soon__local local; /* what the initializer has left */
        int64_t memory_checked_ns;
    } serving;
};

#endif

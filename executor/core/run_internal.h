/*
 * run_internal.h - running a call on the calling thread, and what ends it: its outcome goes into its future.
 */
#ifndef SOON_EXECUTOR_CORE_RUN_INTERNAL_H
#define SOON_EXECUTOR_CORE_RUN_INTERNAL_H

#include "call_internal.h"
#include "task_host_internal.h"

/* `counted` is called with the outcome before any reader can see it, so that a thread that has seen a result finds
 * it in the stats. */
struct soon__run_hooks {
    void (*counted)(void *data, const struct soon__outcome *outcome);
    void *data;
    unsigned worker; /* its number for samples, from 1 on; 0: it is none */
};
/* Runs the call on this thread and ends it. `local` and `hooks` may be NULL. */
void soon__call_run(soon_call *call, struct soon__local *local, const struct soon__run_hooks *hooks);
/* The same of a plain one, with hooks. */
void soon__call_run_plain(soon_call *call, struct soon__local *local, const struct soon__run_hooks *hooks);
/* What runs once per worker, with what it is given. */
struct soon__initializer {
    const soon_function *function; /* NULL: there is none */
    soon_bytes arg, extra;
};
/* Runs it on this thread; there is no future. Returns NULL, or why it failed (a reference). */
struct soon__error *soon__initializer_run(soon_executor *executor, const struct soon__initializer *initializer,
                                          struct soon__local *local);

/* Moves the outcome into the future and ends the call. */
void soon__call_finish(soon_call *call, struct soon__outcome *outcome, const struct soon__run_hooks *hooks);
/* The same of one that a pool alone may finish, with the result that lies in its block, or none. */
void soon__call_finish_plain(soon_call *call);
/* The same in one step, so that it may be done under the pool's mutex: only where the call has nothing to release,
 * and where no more is to do than to wake the threads that sleep for it. False: nothing was done. */
bool soon__call_finish_bare(soon_call *call);

/* The label of an item of a chunk, or, with NULL, of all of it. */
const char *soon__item_label(const soon_call *call, const size_t *item);
/* Where the result of an item lies, if all have one size and their owner has given room for them; else NULL. */
void *soon__item_space(const soon_call *call, size_t index);
/* An item that has run elsewhere has this outcome, which is taken. */
void soon__item_end(soon_call *call, size_t index, struct soon__outcome *outcome);

/* Moves it into the future that is to be finished with the outcome; without memory for it that is an error. */
void soon__outcome_give_payload(struct soon__outcome *outcome, soon_future *future);

#endif

/*
 * call_new_internal.h - making calls.
 */
#ifndef SOON_EXECUTOR_CORE_CALL_NEW_INTERNAL_H
#define SOON_EXECUTOR_CORE_CALL_NEW_INTERNAL_H

#include "call_internal.h"

/* How a call is made. */
struct soon__call_params {
    soon_executor *executor;
    const soon_function *function;
    const void *data; /* copied; NULL with size 0: zeroes */
    size_t size;
    const soon_submit_options *options; /* checked already; NULL: defaults. Its payload is not taken before success */
    soon_future *first;                 /* what it is to wait for, or NULL. There is an `extra` then */
    bool takes_first;                   /* its result is to be the argument */
    struct soon__items *items;          /* instead of data */
    bool is_initializer;                /* of a worker: it is no task, and never sampled */
};
/* References: one of the reader, one of the library. 0, -ENOMEM, SOON_ESHUTDOWN (on_done_loop); nothing taken then. */
int soon__call_new(soon_call **ret, const struct soon__call_params *params);
/* The same of an argument and a result that fit into the block; `told`: the options, where only on_done is set.
 * NULL: they do not fit, the thread has no memory at hand, or the loop takes none. */
soon_call *soon__call_new_plain(soon_executor *executor, const soon_function *function, const void *arg, size_t size);
soon_call *soon__call_new_told(soon_executor *executor, const soon_function *function, const void *arg, size_t size,
                               const soon_submit_options *told);
/* It stands for so many calls. It is its maker's. */
void soon__call_begin_sample(soon_call *call, uint32_t weight);
/* For one that was never taken by anybody: frees all, releases nothing of what was given, runs nothing. */
void soon__call_discard(soon_call *call);

#endif

/**
 * @file function.h
 * A function: a body with a name, by which worker processes find it.
 *
 * Programs make them with SOON_TASK and its siblings, in task.h.
 *
 * @addtogroup soon_functions
 * @{
 */
#ifndef SOON_EXECUTOR_FUNCTION_H
#define SOON_EXECUTOR_FUNCTION_H

#include "../futures/future.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A task while it runs: what its body is given. See task.h. */
typedef struct soon_task soon_task;

/** What runs tasks: a pool of pool.h, or an executor of the program's own, of custom.h. */
typedef struct soon_executor soon_executor;

/** The type of "no argument" and of "no result". */
typedef struct soon_none {
    char none; /**< without meaning: it gives the type the same size in C and C++ */
} soon_none;

/** The flags of a soon_function. */
enum {
    SOON_FUNCTION_LOCAL = 1, /**< it shares memory with its caller: only executors in this process take it */
    /**
     * Workers that are not of this library have it: it is called by its name, with bytes, and its result is bytes. Only
     * a cluster takes it (cluster.h); others refuse it with SOON_ENOFUNCTION. It has no body, and is not registered.
     */
    SOON_FUNCTION_FOREIGN = 2
};

/** What a task calls. Made by SOON_TASK and its siblings, or by hand. It must outlive all futures of its tasks. */
typedef struct soon_function {
    const char *name; /**< by which it is found: no other function of the program has it */
    int (*body)(soon_task *task, const void *arg, void *result); /**< returns 0, or fails: see soon_raise() */
    size_t arg_size;                   /**< in bytes; 0: as many as the caller gives, read by soon_task_arg() */
    size_t result_size;                /**< in bytes; 0: as many as soon_task_return_*() gives */
    const char *arg_type;              /**< such as "struct add"; "": not known */
    const char *result_type;           /**< such as "int"; "": not known */
    unsigned flags;                    /**< 0, SOON_FUNCTION_LOCAL or SOON_FUNCTION_FOREIGN */
    void (*free_arg)(void *arg);       /**< LOCAL only: the task ran, was cancelled or refused; once. May be NULL */
    void (*free_result)(void *result); /**< LOCAL only: the future ends, and nobody took its result. May be NULL */
    const char *result_kind;           /**< the kind of its result: see soon_future_read_typed(); NULL: not known */
    const uint64_t *version;           /**< what its types mean: see SOON_TASK_VERSION(); NULL: 0 */
    const void *reserved[2];           /**< NULL */
} soon_function;

/**
 * `SOON_TASK_VERSION(slow_add, 2);` behind the SOON_TASK(slow_add, ...) of whatever kind, in the same file, says that
 * argument or result mean something else than before, though their types have the same names and sizes. Without it the
 * version is 0. Where a task runs on another machine, both sides compare it with the rest of the function's layout, and
 * a call that does not fit fails, instead of being misread. Nothing else looks at it.
 */
#define SOON_TASK_VERSION(name, number) const uint64_t name##_task_version = (number)

/**
 * Lets a function be found by its name. SOON_TASK and its siblings do that when the program or library is loaded. If
 * two different functions have one name, both are registered and neither is found.
 *
 * Ownership: the function is lent until soon_function_unregister().
 * Threads: any thread. Never blocks.
 * Returns: 0; -EINVAL: NULL, a function without name or body, or one that is registered already; -ENOMEM;
 * SOON_ENOFUNCTION: it is foreign.
 */
SOON_API int soon_function_register(const soon_function *function);

/**
 * Takes that back. NULL, and a function that is not registered, are ignored.
 *
 * Threads: any thread. Never blocks.
 */
SOON_API void soon_function_unregister(const soon_function *function);

/**
 * As soon_future_read(), for the result of a certain function. It is what `name_get` of SOON_TASK calls.
 *
 * Ownership: as soon_future_read().
 * Threads: any thread, many at once. Blocks up to `timeout_ms` milliseconds.
 * Returns: as soon_future_read(); SOON_ETYPE also if the future is of another function.
 */
SOON_API int soon_future_read_as(soon_future *future, const soon_function *function, int64_t timeout_ms, void *ret,
                                 size_t size);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

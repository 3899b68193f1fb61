/**
 * @file function.h
 * A function: a body with a name, by which other processes find it.
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

/** What runs tasks. See pool.h, and custom.h for executors of your own. */
typedef struct soon_executor soon_executor;

/** "No argument", "no result". */
typedef struct soon_none {
    char none; /**< nothing: so that it has a size, the same in C and C++ */
} soon_none;

/** Flags of a soon_function. */
enum {
    SOON_FUNCTION_LOCAL = 1 /**< shares memory with its caller: executors in this process only */
};

/** What a task calls. Made by SOON_TASK and its siblings, or by hand; must outlive all its futures. */
typedef struct soon_function {
    const char *name; /**< by which it is found: one of a kind in the program */
    int (*body)(soon_task *task, const void *arg, void *result); /**< 0, or it fails: see soon_raise() */
    size_t arg_size;                   /**< 0: as many bytes as the caller gives, read by soon_task_arg() */
    size_t result_size;                /**< 0: as many as soon_task_return_*() gives */
    const char *arg_type;              /**< "struct add"; "" where it is not known */
    const char *result_type;           /**< "int" */
    unsigned flags;                    /**< 0 or SOON_FUNCTION_LOCAL */
    void (*free_arg)(void *arg);       /**< LOCAL only: the task ran, was cancelled or refused; once. May be NULL */
    void (*free_result)(void *result); /**< LOCAL only: with the future, unless somebody took it. May be NULL */
    const char *result_kind; /**< of which kind the result is: see soon_future_read_typed(); NULL: not known */
    const void *reserved[3]; /**< NULL */
} soon_function;

/**
 * Makes a function findable by its name. SOON_TASK does it when the program or library is loaded.
 *
 * Ownership: the function is lent until soon_function_unregister(). Threads: any thread.
 * Returns: 0; -EINVAL for a NULL, a function without name or body, or one that is registered already; -ENOMEM. Two
 * different functions of one name: both are registered, neither is found by name.
 */
SOON_API int soon_function_register(const soon_function *function);

/** Takes it back. Any thread. A function that is not registered, or NULL, is ignored. */
SOON_API void soon_function_unregister(const soon_function *function);

/**
 * As soon_future_read(), for the result of a certain function: what `name_get` calls.
 *
 * Threads: any thread, many at once. Blocks up to `timeout_ms`.
 * Returns: as soon_future_read(); SOON_ETYPE if the future is of another function.
 */
SOON_API int soon_future_read_as(soon_future *future, const soon_function *function, int64_t timeout_ms, void *ret,
                                 size_t size);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

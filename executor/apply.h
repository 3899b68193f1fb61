/**
 * @file apply.h
 * One call with two callbacks, one for its result and one for its error: soon_apply_async().
 *
 * It is here to port programs from Python's Pool.apply_async(). A new program submits with soon_submit() and adds a
 * callback with soon_future_add_done_callback() or the submit option `on_done`.
 *
 * @addtogroup soon_maps
 * @{
 */
#ifndef SOON_EXECUTOR_APPLY_H
#define SOON_EXECUTOR_APPLY_H

#include "submit.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Gets the result of a soon_apply_async(). `result` is lent for the time of the call. */
typedef void (*soon_value_fn)(soon_bytes result, void *data);
/** Gets the error of a soon_apply_async(). `error` is lent for the time of the call. */
typedef void (*soon_error_fn)(const soon_error *error, void *data);

/**
 * Submits one call of `function` on `size` bytes at `arg`, with two callbacks, each of which may be NULL. Exactly one
 * of them runs, once, before the future is done: `callback` with the result, or `error_callback` with the error. A task
 * that was cancelled and a submission that is refused count as errors. soon_apply_async() is the typed form.
 *
 * The callback runs on the thread that completes the task, as that of the submit option `on_done` does. It runs in this
 * call only if the submission is refused, or if a full queue lets the task run here. If a callback cancels another such
 * task, or makes a submission that is refused, the callback of that runs after the first one has returned.
 *
 * Do not wait for the future in its own callback: that returns SOON_EDEADLK. For a process pool, a wait for it in any
 * callback on the library's callback thread returns that too, since its own callback would have to run there.
 *
 * Ownership: the caller owns one reference of the future. The argument is copied. What a LOCAL argument points to is
 * taken, also if the submission is refused. `data` is lent until the callback has returned.
 * Threads: any thread. Blocks only where soon_submit_bytes_sized() does.
 * Returns: a future, never NULL. If the submission is refused, the future is done, with the errors of
 * soon_submit_bytes_sized().
 *
 * As Pool.apply_async(callback, error_callback) in Python's multiprocessing. Pool.apply() is
 * soon_take(soon_submit(...), &x).
 */
SOON_API SOON_MUST_USE soon_future *soon_apply_async_bytes(soon_executor *executor, const soon_function *function,
                                                           const void *arg, size_t size, soon_value_fn callback,
                                                           soon_error_fn error_callback, void *data);

#ifdef __cplusplus
}

/* Behind soon_apply_async() in C++: a temporary bound to a reference has an address. */
template <class A>
static inline SOON_MUST_USE soon_future *soon__apply(soon_executor *e, const soon_function *f, const A &a,
                                                     soon_value_fn callback, soon_error_fn error_callback, void *data)
{
    return soon_apply_async_bytes(e, f, &a, sizeof a, callback, error_callback, data);
}
#define SOON__APPLY_1(executor, cb, ecb, d, fn, ...)                                                                   \
    soon__apply(executor, &fn##_task, fn##_arg{__VA_ARGS__}, cb, ecb, d)
#else
#define SOON__APPLY_1(executor, cb, ecb, d, fn, ...)                                                                   \
    soon_apply_async_bytes(executor, &fn##_task, &(fn##_arg){__VA_ARGS__}, sizeof(fn##_arg), cb, ecb, d)
#endif
#define SOON__APPLY_0(executor, cb, ecb, d, fn)                                                                        \
    soon_apply_async_bytes(executor, SOON__WITHOUT_ARG(fn), NULL, 0, cb, ecb, d)

/**
 * soon_apply_async(pool, callback, error_callback, data, fn, .x = 1): soon_apply_async_bytes() with the argument's
 * fields in the call, as soon_submit() has them.
 */
#define soon_apply_async(executor, callback, error_callback, data, ...)                                                \
    SOON__CAT(SOON__APPLY_, SOON__MORE(__VA_ARGS__))(executor, callback, error_callback, data, __VA_ARGS__)

/** @} */
#endif

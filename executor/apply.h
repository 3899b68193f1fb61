/**
 * @file apply.h
 * One call with two callbacks: soon_apply_async().
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
 * Submits one call with two callbacks, either of which may be NULL: exactly one runs, before the future is done. A
 * cancelled task, and a submission that cannot be taken, are an error (-ECANCELED, SOON_ESHUTDOWN ...; see
 * soon_submit_bytes_sized()). soon_apply_async() is the typed form. Choose it to port from Pool; else soon_submit() and
 * soon_future_add_done_callback(), which runs after waiters were woken.
 *
 * Ownership: the caller owns one reference. The argument is copied; what a LOCAL argument points to is taken whatever
 * happens.
 * Threads: any thread. Blocks as soon_submit_bytes_sized(). The callback runs on the completing thread, as
 * soon_submit_options.on_done does: on this one only if the submission cannot be taken or the task is run here. A wait
 * for the future in it returns SOON_EDEADLK; so does, for a process pool, one in any callback on the library's callback
 * thread, where its own would have to run. What a cancel or a refusal inside another callback completes hears of it
 * when that has returned.
 * Returns: never NULL; as soon_submit_bytes_sized().
 *
 * As Pool.apply_async(callback, error_callback) in Python. Pool.apply() is soon_take(soon_submit(...), &x).
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

/** soon_apply_async(pool, callback, error_callback, data, fn, .x = 1): soon_apply_async_bytes(), typed as
 * soon_submit(). */
#define soon_apply_async(executor, callback, error_callback, data, ...)                                                \
    SOON__CAT(SOON__APPLY_, SOON__MORE(__VA_ARGS__))(executor, callback, error_callback, data, __VA_ARGS__)

/** @} */
#endif

/**
 * @file map.h
 * One function over many arguments: soon_map() (wait for all), soon_map_async() (a future for all), imap (one after the
 * other, from a source that may never end), soon_apply_async() (one, with callbacks).
 *
 * An argument is one value, usually a struct: so there is no starmap, soon_map() is it. The items of a map travel in
 * chunks: `chunk` neighbours are one call, which saves time where an item takes less than some microseconds. The
 * library's pools take chunks; an executor of the user's own gets one call per item, whatever `chunk` says.
 *
 * The function has an argument of fixed size, else -EINVAL: maps over strings and over bytes of any size are in items.h. For
 * soon_map() its result has a fixed size, too; those of a soon_map_async() are lent one by one where they have none.
 *
 * @addtogroup soon_maps
 * @{
 */
#ifndef SOON_EXECUTOR_MAP_H
#define SOON_EXECUTOR_MAP_H

#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every field: 0 is the default. Negative where it makes no sense: -EINVAL. */
typedef struct soon_map_options {
    /** Items per call. 0: as Pool.map chooses, 4 calls per worker; for imap 1, and -EINVAL if no memory holds so many. */
    size_t chunk SOON__ZERO;
    /** imap: items taken from the source and not yet handed out. 0: 4 times `chunk` per worker. */
    size_t in_flight_max SOON__ZERO;
    int64_t timeout_ms SOON__ZERO; /**< of the whole; 0: none (not "poll") */
    bool stop_at_error SOON__ZERO; /**< the first failure cancels what is left: it ends with -ECANCELED */
    bool unordered SOON__ZERO;     /**< imap: as they finish */
    /**
     * Label, priority, limits of every item, and extra bytes, which are the same for each; payload, data and on_done must
     * be unset (-EINVAL). A time limit is each item's own, a queue limit that of the call it travels in.
     */
    const soon_submit_options *each SOON__ZERO;
    /**
     * Of a soon_map_async(); else -EINVAL: hears how many items are done, as soon_future_add_progress_callback() says, and
     * always of the last count, before callbacks of the map.
     */
    soon_progress_fn on_progress SOON__ZERO;
    void *on_progress_data SOON__ZERO;      /**< for on_progress */
    soon_loop *on_progress_loop SOON__ZERO; /**< NULL: the library's callback thread */
    int64_t progress_every_ms SOON__ZERO;   /**< not more often than that; 0: 100 ms */
} soon_map_options;

/**
 * Calls `function` on each of `count` arguments and waits for all of them. soon_map() and soon_map_with() are the typed
 * forms. A failed item leaves the others alone, unless `stop_at_error` says otherwise; then items that were stopped
 * count for the code returned only if no other failed.
 *
 * With `timeout_ms` it returns as soon as that is over: what has not started is cancelled, what runs is asked to stop
 * and not waited for. Results that were there in time are there, the others are zeroed; nothing is written later.
 *
 * Ownership: `args` (NULL: zeroes) and `results` (NULL: not wanted) are lent until it returns. What LOCAL arguments
 * point to is taken, except with -EINVAL. What the results of a LOCAL function point to is the caller's.
 * Threads: any thread, tasks of the same executor included. Blocks; longer than `timeout_ms` only where the submit of
 * an executor of the user's own does.
 * Returns: 0: all succeeded; else the code of the first item in input order that failed (SOON_ERAISED,
 * SOON_ESHUTDOWN, SOON_EBROKEN, SOON_EEXPIRED, -ENOMEM ...); -ETIMEDOUT; SOON_EDEADLK: in a task, where the wait
 * could never end; SOON_EFORKED. Then `results[i]` is zeroed for every item that failed, and `errors[i]`, if not
 * NULL, is 0 or its code. -EINVAL (also where there can be no array of `count`), SOON_EFORKED and an -ENOMEM
 * before anything ran: both arrays are left alone.
 *
 * As map() and starmap() in Python's multiprocessing.Pool; but that is silent about other failures than the first.
 */
SOON_API int soon_map_bytes(soon_executor *executor, const soon_function *function, const void *args, size_t count,
                            void *results, int *errors, const soon_map_options *options, size_t options_size);

/**
 * The same without waiting: the future's result is the array of results (of no bytes, if they have no fixed size), its error
 * the first in input order as with soon_map_bytes(). Until then soon_future_progress() counts items, and soon_map_item() gives those that are done.
 * soon_map_async() is the typed form. Choose it to do something else meanwhile, or to see each item's message.
 *
 * A cancel ends a map of which nothing has started; else what has not started is cancelled, what runs is asked to stop,
 * and the map ends CANCELLED when that has ended. soon_future_kill() kills each worker that runs an item of it and cancels
 * the rest: the map ends with SOON_EKILLED, or CANCELLED if none ran just then. With `timeout_ms` no item starts after that time: those left fail
 * with -ETIMEDOUT, and those that run are waited for.
 *
 * Ownership: arguments are copied; what LOCAL arguments point to is taken, except with -EINVAL. The caller owns one
 * reference. What LOCAL results point to is the future's, until soon_future_take() has given away all of it.
 * Threads: any thread. Blocks only as soon_submit_bytes_sized() does.
 * Returns: never NULL. A future that is done: -EINVAL, SOON_EFORKED, -ENOMEM (perhaps one and the same for several
 * calls).
 *
 * As map_async() and starmap_async() in Python's multiprocessing.Pool.
 */
SOON_API SOON_MUST_USE soon_future *soon_map_async_bytes(soon_executor *executor, const soon_function *function,
                                                         const void *args, size_t count,
                                                         const soon_map_options *options, size_t options_size);

/**
 * How many items a map_async has, and how many are done and have failed by now (each may be NULL). Looks at every call
 * of the map: not for a tight loop.
 *
 * Threads: any thread. Never blocks. Returns: the count; 0, and zeroes, for another kind of future.
 */
SOON_API size_t soon_map_count(const soon_future *map, size_t *ret_done, size_t *ret_failed);

/**
 * Waits for one item of a map_async, not for the whole, and copies its result. soon_map_item_result() lends it.
 *
 * Ownership: what a LOCAL result points to stays the map's.
 * Threads: any thread. Blocks up to `timeout_ms`, as soon_future_wait().
 * Returns: 0; the code of the item's error; -ETIMEDOUT, SOON_EDEADLK, SOON_EFORKED while it is not done; SOON_ETYPE:
 * the result has another size; -EINVAL: no such item, or no map; and leaves `*ret` alone.
 */
SOON_API int soon_map_item(soon_future *map, size_t index, int64_t timeout_ms, void *ret, size_t size);

/**
 * One item's error, without waiting. Never NULL; `code` is 0 if it has none, or is not done, -EINVAL if there is no
 * such item. Lent until the map's last unref. Any thread.
 */
SOON_API const soon_error *soon_map_item_error(const soon_future *map, size_t index);

/**
 * Where an imap takes its arguments from (those of any size from a soon_item_source_fn): 1 and an argument in `*arg`, which is
 * zeroed and has the function's argument size; 0 at the end; negative: an error, which is given at its place, and the end. It
 * is not called again after that.
 *
 * Runs on the thread that calls soon_imap_next(), never two at once. What a LOCAL argument points to is taken with a 1.
 */
typedef int (*soon_source_fn)(void *arg, void *data);

/** Calls under way on arguments from a source. */
typedef struct soon_imap soon_imap;

/**
 * Calls `function` on what the source gives, a bounded number at a time, and hands out the finished futures in the
 * order of the input, or with `unordered` as they finish. Nothing is taken from the source before the first
 * soon_imap_next(). For inputs that do not fit into memory, never end, or must not run far ahead; else soon_map().
 *
 * `timeout_ms` counts from here. When it is over, nothing more is taken from the source; what is done is still handed
 * out, then comes -ETIMEDOUT, once, and what is in flight is cancelled. With `stop_at_error` the first failure that is
 * handed out does the same to source and flight, but all that is in flight is handed out.
 *
 * When the executor is shut down or breaks, the source is left alone from then on: what is in flight is handed out, then
 * comes SOON_ESHUTDOWN or SOON_EBROKEN, once. Arguments that were taken just then, or that waited for a place in the
 * queue, are released and not handed out. To have all of an input done, drain the executor after SOON_EEND.
 *
 * Ownership: the caller owns the imap until soon_imap_free(). Options are copied. Executor, function and `data` are
 * lent until then.
 * Threads: any thread.
 * Returns: 0 and sets `*ret`; -EINVAL; SOON_EFORKED; -ENOMEM; and sets it to NULL.
 *
 * As imap() and imap_unordered() in Python's multiprocessing.Pool, and Executor.map(buffersize).
 */
SOON_API SOON_MUST_USE int soon_imap_new_sized(soon_imap **ret, soon_executor *executor, const soon_function *function,
                                               const soon_map_options *options, size_t options_size,
                                               soon_source_fn next, void *data);

/** soon_imap_new_sized() with the options' size that this program was compiled with. `options` NULL: defaults. */
static inline SOON_MUST_USE int soon_imap_new(soon_imap **ret, soon_executor *executor, const soon_function *function,
                                              const soon_map_options *options, soon_source_fn next, void *data)
{
    return soon_imap_new_sized(ret, executor, function, options, sizeof *options, next, data);
}

/**
 * Takes from the source up to `in_flight_max` (with `chunk`: whenever there is room for a whole one), then waits for
 * the next item and hands out its finished future, failed or not. `*ret_index` (may be NULL) is its place in the
 * input.
 *
 * Ownership: the caller owns the reference. With `chunk` above 1 the futures of a chunk share one block of memory.
 * Threads: any thread; of several at once each gets its turn. Blocks up to `timeout_ms` (0 polls, SOON_FOREVER never
 * gives up), and as long as the source takes, or a task that a full queue lets run here.
 * Returns: 0 and sets `*ret`; SOON_EEND: all were handed out, also ever after; -ETIMEDOUT: of this call, which may be
 * repeated, or of the whole, after which comes SOON_EEND; the source's error, once, then SOON_EEND; SOON_ESHUTDOWN or
 * SOON_EBROKEN of the executor, once, then SOON_EEND: soon_imap_error() says more; -ENOMEM: nothing was lost, may be
 * repeated; SOON_EDEADLK: inside the source, or in a task where the wait could never end; SOON_EFORKED; -EINVAL; and leaves it
 * alone.
 */
SOON_API int soon_imap_next(soon_imap *imap, int64_t timeout_ms, soon_future **ret, uint64_t *ret_index);

/**
 * Why the executor takes no more of it, once soon_imap_next() has returned SOON_ESHUTDOWN or SOON_EBROKEN: with what
 * broke the pool. Never NULL; `code` is 0 for an imap that ends otherwise. Lent until soon_imap_free().
 *
 * Threads: any thread that knows of that return.
 */
SOON_API const soon_error *soon_imap_error(const soon_imap *imap);

/**
 * Cancels what is in flight and frees the imap, without waiting for what runs. NULL is ignored.
 *
 * Threads: one thread, after every other use; not inside the source. Never blocks.
 */
SOON_API void soon_imap_free(soon_imap *imap);

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

/* Behind soon_map_with() and its siblings in C++: a temporary bound to a reference has an address. */
static inline int soon__map(soon_executor *e, const soon_function *f, const void *args, size_t n, void *results,
                            int *errors, const soon_map_options &o)
{
    return soon_map_bytes(e, f, args, n, results, errors, &o, sizeof o);
}
static inline SOON_MUST_USE soon_future *soon__map_async(soon_executor *e, const soon_function *f, const void *args,
                                                         size_t n, const soon_map_options &o)
{
    return soon_map_async_bytes(e, f, args, n, &o, sizeof o);
}
template <class A>
static inline SOON_MUST_USE soon_future *soon__apply(soon_executor *e, const soon_function *f, const A &a,
                                                     soon_value_fn callback, soon_error_fn error_callback, void *data)
{
    return soon_apply_async_bytes(e, f, &a, sizeof a, callback, error_callback, data);
}
#define SOON__ARRAY(type, array) static_cast<type *>(array)
#define SOON__MAP(executor, options, fn, args, count, results, errors)                                                 \
    soon__map(executor, &fn##_task, args, count, results, errors, soon_map_options SOON__BRACES options)
#define SOON__MAP_ASYNC(executor, options, fn, args, count)                                                            \
    soon__map_async(executor, &fn##_task, args, count, soon_map_options SOON__BRACES options)
#define SOON__APPLY_1(executor, cb, ecb, d, fn, ...)                                                                   \
    soon__apply(executor, &fn##_task, fn##_arg{__VA_ARGS__}, cb, ecb, d)
#else
#define SOON__ARRAY(type, array) ((type *){array})
#define SOON__MAP(executor, options, fn, args, count, results, errors)                                                 \
    soon_map_bytes(executor, &fn##_task, args, count, results, errors, &(soon_map_options)SOON__BRACES options,        \
                   sizeof(soon_map_options))
#define SOON__MAP_ASYNC(executor, options, fn, args, count)                                                            \
    soon_map_async_bytes(executor, &fn##_task, args, count, &(soon_map_options)SOON__BRACES options,                   \
                         sizeof(soon_map_options))
#define SOON__APPLY_1(executor, cb, ecb, d, fn, ...)                                                                   \
    soon_apply_async_bytes(executor, &fn##_task, &(fn##_arg){__VA_ARGS__}, sizeof(fn##_arg), cb, ecb, d)
#endif
#define SOON__APPLY_0(executor, cb, ecb, d, fn)                                                                        \
    soon_apply_async_bytes(executor, SOON__WITHOUT_ARG(fn), NULL, 0, cb, ecb, d)

/** soon_map(pool, fn, args, count, results): soon_map_bytes(), typed by the compiler, with the default options. */
#define soon_map(executor, fn, args, count, results)                                                                   \
    soon_map_bytes(executor, &fn##_task, SOON__ARRAY(const fn##_arg, args), count, SOON__ARRAY(fn##_result, results),  \
                   NULL, NULL, 0)

/** soon_map_with(pool, (.chunk = 8, .timeout_ms = 500), fn, args, count, results, errors): `errors` may be NULL. */
#define soon_map_with(executor, options, ...) SOON__WITH(SOON__MAP_WITH_, options, executor, __VA_ARGS__)
#define SOON__MAP_WITH_0(...) SOON__WRONG(int, SOON__WANTS_PARENTHESES)
#define SOON__MAP_WITH_1(options, executor, fn, args, count, results, errors)                                          \
    SOON__MAP(executor, options, fn, SOON__ARRAY(const fn##_arg, args), count, SOON__ARRAY(fn##_result, results),      \
              errors)

/** soon_map_async(pool, fn, args, count): soon_map_async_bytes(), typed, with the default options. */
#define soon_map_async(executor, fn, args, count)                                                                      \
    soon_map_async_bytes(executor, &fn##_task, SOON__ARRAY(const fn##_arg, args), count, NULL, 0)

/** soon_map_async_with(pool, (.chunk = 8), fn, args, count). */
#define soon_map_async_with(executor, options, ...) SOON__WITH(SOON__MAP_ASYNC_WITH_, options, executor, __VA_ARGS__)
#define SOON__MAP_ASYNC_WITH_0(...) SOON__WRONG(soon_future *, SOON__WANTS_PARENTHESES)
#define SOON__MAP_ASYNC_WITH_1(options, executor, fn, args, count)                                                     \
    SOON__MAP_ASYNC(executor, options, fn, SOON__ARRAY(const fn##_arg, args), count)

/** soon_apply_async(pool, callback, error_callback, data, fn, .x = 1): soon_apply_async_bytes(), typed as
 * soon_submit(). */
#define soon_apply_async(executor, callback, error_callback, data, ...)                                                \
    SOON__CAT(SOON__APPLY_, SOON__MORE(__VA_ARGS__))(executor, callback, error_callback, data, __VA_ARGS__)

/** @} */
#endif

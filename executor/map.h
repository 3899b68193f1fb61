/**
 * @file map.h
 * One function over an array of arguments: soon_map() waits for all of them, soon_map_async() gives a future for all.
 *
 *     struct add pairs[1000];
 *     int sums[1000];
 *
 *     soon_map(pool, slow_add, pairs, 1000, sums);
 *
 * Each argument is one value, usually a struct. So there is no starmap: soon_map() is it. The function has an argument
 * of fixed size, else -EINVAL; maps over strings and over bytes of any size are in items.h. For soon_map() its result
 * has a fixed size, too. For soon_map_async() it need not: soon_map_item_result() lends each.
 *
 * The items of a map travel in chunks: `chunk` neighbours are one call. The library's pools take chunks. An executor of
 * the program's own gets one call per item, whatever `chunk` says.
 *
 * For arguments from a source that may never end there is imap.h; both have the options of map_options.h.
 *
 * @addtogroup soon_maps
 * @{
 */
#ifndef SOON_EXECUTOR_MAP_H
#define SOON_EXECUTOR_MAP_H

#include "apply.h"
#include "imap.h"
#include "map_options.h"
#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Calls `function` on each of `count` arguments and waits for all of them. A failed item leaves the others alone. With
 * `stop_at_error` the first failure cancels all that is left; what was cancelled for that counts for the returned code
 * only if nothing else has failed. soon_map() and soon_map_with() are the typed forms.
 *
 * With `timeout_ms` it returns as soon as that time is over. What has not started is cancelled then, what runs is asked
 * to stop and is not waited for. Results that were there in time are there, the others are zeroed, and nothing is
 * written later.
 *
 * Ownership: `args` (NULL: zeroes) and `results` (NULL: not wanted) are lent until it returns. What LOCAL arguments
 * point to is taken, except with -EINVAL. What the results of a LOCAL function point to is the caller's.
 * Threads: any thread, tasks of the same executor included. Blocks; longer than `timeout_ms` only in the `submit` of an
 * executor of the program's own.
 * Returns: 0: all items have succeeded. Else the code of the first item in input order that has failed, such as
 * SOON_ERAISED, -ECANCELED, SOON_ESHUTDOWN, SOON_EBROKEN, SOON_EEXPIRED or -ENOMEM; or
 * - -ETIMEDOUT: the time is over;
 * - -EINTR: see soon_thread_set_interrupt();
 * - SOON_EDEADLK: in a task, where the wait could never end;
 * - -EINVAL: NULL, a function whose sizes are not fixed, an option that makes no sense, or a `count` for which there is
 *   no array;
 * - SOON_EFORKED: the executor is that of the parent of this process.
 *
 * `results[i]` is then zeroed for each item that has failed or was not done, and `errors[i]`, if `errors` is not NULL,
 * is 0 or the item's code. With -EINVAL, SOON_EFORKED, and an -ENOMEM before anything ran, both arrays are left alone.
 *
 * As map() and starmap() in Python's multiprocessing.Pool, which say nothing of failures after the first.
 */
SOON_API int soon_map_bytes(soon_executor *executor, const soon_function *function, const void *args, size_t count,
                            void *results, int *errors, const soon_map_options *options, size_t options_size);

/**
 * The same without waiting. The future's result is the array of results, which has no bytes if the results have no
 * fixed size. Its error is that of the first item in input order that has failed, as with soon_map_bytes(). Choose it
 * to do something else meanwhile, or to see each item's message. soon_map_async() is the typed form.
 *
 * Until the future is done, soon_future_progress() counts its items, and soon_map_item() gives those that are done.
 *
 * - soon_future_cancel() ends at once a map of which nothing has started. Else what has not started is cancelled, what
 *   runs is asked to stop, and the map ends CANCELLED when that has ended.
 * - soon_future_kill() kills each worker that runs an item, and cancels the rest. The map ends with SOON_EKILLED, or
 *   CANCELLED if no item ran just then.
 * - With `timeout_ms` no item starts after that time. Those that are left fail with -ETIMEDOUT; those that run are
 *   waited for.
 *
 * Ownership: the caller owns one reference. Arguments are copied. What LOCAL arguments point to is taken, except with
 * -EINVAL. What LOCAL results point to is the future's, until soon_future_take() has given away all of it.
 * Threads: any thread. Blocks only where soon_submit_bytes_sized() does.
 * Returns: a future, never NULL. If there is no map, the future is done, with -EINVAL or SOON_EFORKED as
 * soon_map_bytes(), or with -ENOMEM. The one for -ENOMEM may be the same for several calls.
 *
 * As map_async() and starmap_async() in Python's multiprocessing.Pool.
 */
SOON_API SOON_MUST_USE soon_future *soon_map_async_bytes(soon_executor *executor, const soon_function *function,
                                                         const void *args, size_t count,
                                                         const soon_map_options *options, size_t options_size);

/**
 * Tells how many items a map_async has, and how many of them are done and have failed by now. It looks at every call of
 * the map, so it is not for a tight loop. `ret_done` and `ret_failed` may be NULL.
 *
 * Threads: any thread. Never blocks.
 * Returns: the number of items. For a future of another kind, and NULL, it is 0, and so are `*ret_done` and
 * `*ret_failed`.
 */
SOON_API size_t soon_map_count(const soon_future *map, size_t *ret_done, size_t *ret_failed);

/**
 * Waits for one item of a map_async, not for the whole, and copies its result of exactly `size` bytes to `ret`.
 * soon_map_item_result() lends it instead, whatever its size.
 *
 * Ownership: what a LOCAL result points to stays the map's.
 * Threads: any thread. Blocks up to `timeout_ms` milliseconds, as soon_future_wait().
 * Returns: 0. Else it leaves `*ret` alone and returns
 * - the code of the item's error;
 * - -ETIMEDOUT, -EINTR, SOON_EDEADLK, SOON_EFORKED: the item is not done, as with soon_future_wait();
 * - SOON_ETYPE: the result has another size;
 * - -EINVAL: there is no such item, the future is of no map, or `ret` is NULL.
 */
SOON_API int soon_map_item(soon_future *map, size_t index, int64_t timeout_ms, void *ret, size_t size);

/**
 * Returns one item's error, without waiting. Never NULL: its `code` is 0 if the item has none or is not done, and
 * -EINVAL if there is no such item.
 *
 * Ownership: lent until the map's last unref.
 * Threads: any thread. Never blocks.
 */
SOON_API const soon_error *soon_map_item_error(const soon_future *map, size_t index);

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
#define SOON__ARRAY(type, array) static_cast<type *>(array)
#define SOON__MAP(executor, options, fn, args, count, results, errors)                                                 \
    soon__map(executor, &fn##_task, args, count, results, errors, soon_map_options SOON__BRACES options)
#define SOON__MAP_ASYNC(executor, options, fn, args, count)                                                            \
    soon__map_async(executor, &fn##_task, args, count, soon_map_options SOON__BRACES options)
#else
#define SOON__ARRAY(type, array) ((type *){array})
#define SOON__MAP(executor, options, fn, args, count, results, errors)                                                 \
    soon_map_bytes(executor, &fn##_task, args, count, results, errors, &(soon_map_options)SOON__BRACES options,        \
                   sizeof(soon_map_options))
#define SOON__MAP_ASYNC(executor, options, fn, args, count)                                                            \
    soon_map_async_bytes(executor, &fn##_task, args, count, &(soon_map_options)SOON__BRACES options,                   \
                         sizeof(soon_map_options))
#endif

/** soon_map(pool, fn, args, count, results): soon_map_bytes(), typed by the compiler, with the default options. */
#define soon_map(executor, fn, args, count, results)                                                                   \
    soon_map_bytes(executor, &fn##_task, SOON__ARRAY(const fn##_arg, args), count, SOON__ARRAY(fn##_result, results),  \
                   NULL, NULL, 0)

/**
 * soon_map_with(pool, (.chunk = 8, .timeout_ms = 500), fn, args, count, results, errors): soon_map_bytes(), typed, with
 * options. `errors` may be NULL.
 */
#define soon_map_with(executor, options, ...) SOON__WITH(SOON__MAP_WITH_, options, executor, __VA_ARGS__)
#define SOON__MAP_WITH_0(...) SOON__WRONG(int, SOON__WANTS_PARENTHESES)
#define SOON__MAP_WITH_1(options, executor, fn, args, count, results, errors)                                          \
    SOON__MAP(executor, options, fn, SOON__ARRAY(const fn##_arg, args), count, SOON__ARRAY(fn##_result, results),      \
              errors)

/** soon_map_async(pool, fn, args, count): soon_map_async_bytes(), typed by the compiler, with the default options. */
#define soon_map_async(executor, fn, args, count)                                                                      \
    soon_map_async_bytes(executor, &fn##_task, SOON__ARRAY(const fn##_arg, args), count, NULL, 0)

/** soon_map_async_with(pool, (.chunk = 8), fn, args, count): soon_map_async_bytes(), typed, with options. */
#define soon_map_async_with(executor, options, ...) SOON__WITH(SOON__MAP_ASYNC_WITH_, options, executor, __VA_ARGS__)
#define SOON__MAP_ASYNC_WITH_0(...) SOON__WRONG(soon_future *, SOON__WANTS_PARENTHESES)
#define SOON__MAP_ASYNC_WITH_1(options, executor, fn, args, count)                                                     \
    SOON__MAP_ASYNC(executor, options, fn, SOON__ARRAY(const fn##_arg, args), count)

/** @} */
#endif

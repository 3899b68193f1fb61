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

#include "apply.h"
#include "imap.h"
#include "map_options.h"
#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

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

/** @} */
#endif

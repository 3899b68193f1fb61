/**
 * @file items.h
 * Maps and imaps over strings, and over bytes of any size: soon_map_strings(), soon_map_items(),
 * soon_imap_strings_new(), soon_imap_items_new().
 *
 *     soon_map_strings(pool, hash_file, paths, n, digests);
 *
 * They are the maps of map.h and the imaps of imap.h, with the same options, but each item has a size of its own, and
 * may have a label and a payload. The function is one of SOON_TASK_STRING or SOON_TASK_BYTES; or one with an argument
 * of fixed size, which each item then has. An item's label becomes that of its task and of its error. A string is its
 * own label, unless the option `each` has one.
 *
 * @addtogroup soon_maps
 * @{
 */
#ifndef SOON_EXECUTOR_ITEMS_H
#define SOON_EXECUTOR_ITEMS_H

#include "map.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One argument of a map or an imap. */
typedef struct soon_item {
    const void *data SOON__ZERO;     /**< NULL with a size of 0: no bytes; zeroes for a function of fixed size */
    size_t size SOON__ZERO;          /**< in bytes; of a string with its NUL */
    soon_buffer *payload SOON__ZERO; /**< soon_task_payload(); taken with the item. NULL: none */
    const char *label SOON__ZERO;    /**< NULL: that of the option `each` */
} soon_item;

#ifdef __cplusplus
#define SOON__NO_ITEM soon_item()
#else
#define SOON__NO_ITEM                                                                                                  \
    {                                                                                                                  \
        NULL, 0, NULL, NULL                                                                                            \
    }
#endif
/**
 * Returns a string as an item, with its NUL. NULL: an item of no bytes.
 *
 * Ownership: the item lends what `string` points to.
 * Threads: any thread.
 */
static inline soon_item soon_item_of_string(const char *string)
{
    soon_item item = SOON__NO_ITEM;

    item.data = string;
    item.size = string ? __builtin_strlen(string) + 1 : 0;
    return item;
}

/**
 * As soon_map_bytes(), on `count` items. A function whose result has no fixed size may be called for what it does, with
 * `results` NULL; its results are to be had from soon_map_items_async(). soon_map_items() and soon_map_items_with() are
 * the typed forms.
 *
 * Ownership: items, their bytes and labels are lent until it returns. They are not copied, unless it may return before
 * the last item has ended. Payloads, and what LOCAL arguments point to, are taken, except with -EINVAL.
 * Threads: as soon_map_bytes().
 * Returns: as soon_map_bytes(); -EINVAL also for an item that has not the size of the function's argument.
 */
SOON_API int soon_map_items_bytes(soon_executor *executor, const soon_function *function, const soon_item *items,
                                  size_t count, void *results, int *errors, const soon_map_options *options,
                                  size_t options_size);

/**
 * The same on `count` strings, none of which is NULL. Each item has its NUL, and itself as its label.
 * soon_map_strings() and soon_map_strings_with() are the typed forms.
 *
 * Ownership, Threads, Returns: as soon_map_items_bytes().
 */
SOON_API int soon_map_strings_bytes(soon_executor *executor, const soon_function *function, const char *const *strings,
                                    size_t count, void *results, int *errors, const soon_map_options *options,
                                    size_t options_size);

/**
 * As soon_map_async_bytes(), on `count` items. If the function's result has no fixed size, that of the future has no
 * bytes, and soon_map_item_result() lends each. soon_map_items_async() is the typed form.
 *
 * Ownership: the caller owns one reference. Items, their bytes and labels are copied. Payloads, and what LOCAL
 * arguments point to, are taken, except with -EINVAL.
 * Threads, Returns: as soon_map_async_bytes().
 */
SOON_API SOON_MUST_USE soon_future *soon_map_items_async_bytes(soon_executor *executor, const soon_function *function,
                                                               const soon_item *items, size_t count,
                                                               const soon_map_options *options, size_t options_size);

/**
 * The same on strings, as soon_map_strings_bytes() has them. soon_map_strings_async() is the typed form.
 *
 * Ownership, Threads, Returns: as soon_map_items_async_bytes().
 */
SOON_API SOON_MUST_USE soon_future *soon_map_strings_async_bytes(soon_executor *executor, const soon_function *function,
                                                                 const char *const *strings, size_t count,
                                                                 const soon_map_options *options, size_t options_size);

/**
 * Waits for one item of any map_async and lends its result, whatever its size. soon_map_item() copies one of a known
 * size.
 *
 * Ownership: the bytes belong to the map and live until its last unref, or until soon_future_take().
 * Threads: any thread. Blocks up to `timeout_ms` milliseconds, as soon_future_wait().
 * Returns: 0, and sets `*ret`. Else it leaves `*ret` alone and returns what soon_map_item() does.
 */
SOON_API int soon_map_item_result(soon_future *map, size_t index, int64_t timeout_ms, soon_bytes *ret);

/**
 * Returns the first buffer that came with an item's result (soon_task_return_payload()), without waiting. NULL: there
 * is none, the item is not done, or there is no such item.
 *
 * Ownership: lent until the map's last unref.
 * Threads: any thread. Never blocks.
 */
SOON_API soon_buffer *soon_map_item_payload(const soon_future *map, size_t index);

/**
 * Returns an item's label, or "".
 *
 * Ownership: lent until the map's last unref.
 * Threads: any thread. Never blocks.
 */
SOON_API const char *soon_map_item_label(const soon_future *map, size_t index);

/**
 * Where an imap takes items from: as soon_source_fn, but it sets `*item`, which is zeroed.
 *
 * It returns 1 with an item; 0 when there is no more; or a negative code, which soon_imap_next() then returns in the
 * place of the item. After 0 or a code it is not called again.
 *
 * Ownership: what the item points to is lent until the source is called again, or the imap is freed. With a 1, its
 * payload and what a LOCAL argument points to are taken.
 * Threads: as soon_source_fn.
 */
typedef int (*soon_item_source_fn)(soon_item *item, void *data);

/**
 * As soon_imap_new_sized(), on items; the argument of the function may be of any size. The label of an item is that of
 * its future. An item that is no argument of the function becomes a future that has failed with -EINVAL.
 * soon_imap_items_new() is the form to use in programs.
 *
 * Ownership, Threads, Returns: as soon_imap_new_sized().
 */
SOON_API SOON_MUST_USE int soon_imap_items_new_sized(soon_imap **ret, soon_executor *executor,
                                                     const soon_function *function, const soon_map_options *options,
                                                     size_t options_size, soon_item_source_fn next, void *data);

/** soon_imap_items_new_sized() with the options' size that this program was compiled with. `options` NULL: defaults. */
static inline SOON_MUST_USE int soon_imap_items_new(soon_imap **ret, soon_executor *executor,
                                                    const soon_function *function, const soon_map_options *options,
                                                    soon_item_source_fn next, void *data)
{
    return soon_imap_items_new_sized(ret, executor, function, options, sizeof *options, next, data);
}

/**
 * The same on an array of `count` strings, none of which is NULL. Each item has its NUL, and itself as its label.
 * soon_imap_strings_new() is the form to use in programs; it takes any array of strings.
 *
 * Ownership: the array and its strings are lent until soon_imap_free().
 * Threads, Returns: as soon_imap_items_new_sized().
 */
SOON_API SOON_MUST_USE int soon_imap_strings_new_sized(soon_imap **ret, soon_executor *executor,
                                                       const soon_function *function, const soon_map_options *options,
                                                       size_t options_size, const char *const *strings, size_t count);

#ifdef __cplusplus
}

/* Behind soon_map_items_with() and its siblings in C++: a temporary bound to a reference has an address. */
static inline int soon__map_items(soon_executor *e, const soon_function *f, const soon_item *items, size_t n,
                                  void *results, int *errors, const soon_map_options &o)
{
    return soon_map_items_bytes(e, f, items, n, results, errors, &o, sizeof o);
}
static inline int soon__map_strings(soon_executor *e, const soon_function *f, const char *const *strings, size_t n,
                                    void *results, int *errors, const soon_map_options &o)
{
    return soon_map_strings_bytes(e, f, strings, n, results, errors, &o, sizeof o);
}
static inline SOON_MUST_USE soon_future *soon__map_items_async(soon_executor *e, const soon_function *f,
                                                               const soon_item *items, size_t n,
                                                               const soon_map_options &o)
{
    return soon_map_items_async_bytes(e, f, items, n, &o, sizeof o);
}
static inline SOON_MUST_USE soon_future *soon__map_strings_async(soon_executor *e, const soon_function *f,
                                                                 const char *const *strings, size_t n,
                                                                 const soon_map_options &o)
{
    return soon_map_strings_async_bytes(e, f, strings, n, &o, sizeof o);
}
#define SOON__AS_STRINGS(strings) static_cast<const char *const *>(strings)
#define SOON__MAP_ITEMS(kind, executor, options, fn, items, count, results, errors)                                    \
    soon__map_##kind(executor, &fn##_task, items, count, results, errors, soon_map_options SOON__BRACES options)
#define SOON__MAP_ITEMS_ASYNC(kind, executor, options, fn, items, count)                                               \
    soon__map_##kind##_async(executor, &fn##_task, items, count, soon_map_options SOON__BRACES options)
#else
/* Takes an array of strings with any const in its type: in C, none of these types becomes another by itself. */
#define SOON__AS_STRINGS(strings)                                                                                      \
    ((const char *const *)_Generic((strings), char **: (strings), const char **: (strings), char *const *: (strings),  \
                                   const char *const *: (strings)))
#define SOON__MAP_ITEMS(kind, executor, options, fn, items, count, results, errors)                                    \
    soon_map_##kind##_bytes(executor, &fn##_task, items, count, results, errors,                                       \
                            &(soon_map_options)SOON__BRACES options, sizeof(soon_map_options))
#define SOON__MAP_ITEMS_ASYNC(kind, executor, options, fn, items, count)                                               \
    soon_map_##kind##_async_bytes(executor, &fn##_task, items, count, &(soon_map_options)SOON__BRACES options,         \
                                  sizeof(soon_map_options))
#endif

/**
 * soon_map_strings(pool, hash_file, paths, n, digests): soon_map_strings_bytes(), typed, with the default options.
 * `paths` is a `char **`, with any const in its type.
 */
#define soon_map_strings(executor, fn, array, count, results)                                                          \
    soon_map_strings_bytes(executor, &fn##_task, SOON__AS_STRINGS(array), count, SOON__ARRAY(fn##_result, results),    \
                           NULL, NULL, 0)

/**
 * soon_map_strings_with(pool, (.chunk = 8), hash_file, paths, n, digests, errors): the same with options. `errors` may
 * be NULL.
 */
#define soon_map_strings_with(executor, options, fn, array, count, results, errors)                                    \
    SOON__MAP_ITEMS(strings, executor, options, fn, SOON__AS_STRINGS(array), count, SOON__ARRAY(fn##_result, results), \
                    errors)

/**
 * soon_map_strings_async(pool, first_line, paths, n): soon_map_strings_async_bytes(), typed, with the default options.
 */
#define soon_map_strings_async(executor, fn, array, count)                                                             \
    soon_map_strings_async_bytes(executor, &fn##_task, SOON__AS_STRINGS(array), count, NULL, 0)

/** soon_map_strings_async_with(pool, (.chunk = 8), first_line, paths, n): the same with options. */
#define soon_map_strings_async_with(executor, options, fn, array, count)                                               \
    SOON__MAP_ITEMS_ASYNC(strings, executor, options, fn, SOON__AS_STRINGS(array), count)

/** soon_map_items(pool, compress, items, n, results): soon_map_items_bytes(), typed, with the default options. */
#define soon_map_items(executor, fn, array, count, results)                                                            \
    soon_map_items_bytes(executor, &fn##_task, array, count, SOON__ARRAY(fn##_result, results), NULL, NULL, 0)

/**
 * soon_map_items_with(pool, (.chunk = 8), compress, items, n, results, errors): the same with options. `errors` may be
 * NULL.
 */
#define soon_map_items_with(executor, options, fn, array, count, results, errors)                                      \
    SOON__MAP_ITEMS(items, executor, options, fn, array, count, SOON__ARRAY(fn##_result, results), errors)

/** soon_map_items_async(pool, compress, items, n): soon_map_items_async_bytes(), typed, with the default options. */
#define soon_map_items_async(executor, fn, array, count)                                                               \
    soon_map_items_async_bytes(executor, &fn##_task, array, count, NULL, 0)

/** soon_map_items_async_with(pool, (.chunk = 8), compress, items, n): the same with options. */
#define soon_map_items_async_with(executor, options, fn, array, count)                                                 \
    SOON__MAP_ITEMS_ASYNC(items, executor, options, fn, array, count)

/**
 * soon_imap_strings_new(&it, pool, &hash_file_task, NULL, paths, n): soon_imap_strings_new_sized(), with the options'
 * size that this program was compiled with. `options` NULL: defaults.
 */
#define soon_imap_strings_new(ret, executor, function, options, array, count)                                          \
    soon_imap_strings_new_sized(ret, executor, function, options, sizeof(soon_map_options), SOON__AS_STRINGS(array),   \
                                count)

/** @} */
#endif

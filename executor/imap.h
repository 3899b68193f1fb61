/**
 * @file imap.h
 * One function over arguments that come from a source: their futures are handed out one after the other.
 *
 *     soon_imap *it;
 *     soon_future *f;
 *
 *     soon_imap_new(&it, pool, &hash_block_task, NULL, next_block, file);
 *     while (soon_imap_next(it, SOON_FOREVER, &f, NULL) == 0) {
 *         ...
 *         soon_future_unref(f);
 *     }
 *     soon_imap_free(it);
 *
 * An imap takes a bounded number of arguments ahead of the reader. So it is for inputs that do not fit into memory,
 * that never end, or that must not run far ahead. For an array there is soon_map(). Arguments of any size, and strings:
 * see items.h.
 *
 * @addtogroup soon_maps
 * @{
 */
#ifndef SOON_EXECUTOR_IMAP_H
#define SOON_EXECUTOR_IMAP_H

#include "map_options.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Where an imap takes its arguments from. Those of any size come from a soon_item_source_fn.
 *
 * `arg` is zeroed and has the size of the function's argument. The source fills it in and returns 1; it returns 0 when
 * there is no more; or a negative code, which soon_imap_next() then returns in the place of the item. After 0 or a code
 * it is not called again.
 *
 * Ownership: with a 1, what a LOCAL argument points to is taken.
 * Threads: it runs on the thread that calls soon_imap_next(), never on two at once. It may block.
 */
typedef int (*soon_source_fn)(void *arg, void *data);

/** Calls under way on arguments from a source. Made by soon_imap_new() and its siblings, freed by soon_imap_free(). */
typedef struct soon_imap soon_imap;

/**
 * Makes an imap, which calls `function` on what the source `next` gives. soon_imap_next() hands out the finished
 * futures, in the order of the input, or with `unordered` as they finish. Nothing is taken from the source before the
 * first soon_imap_next(). `function` has an argument of fixed size. soon_imap_new() is the form to use in programs.
 *
 * `timeout_ms` counts from here. When it is over, nothing more is taken from the source. What is done is still handed
 * out; then comes -ETIMEDOUT, once, and what is in flight is cancelled. With `stop_at_error` the first failure that is
 * handed out closes the source and cancels what is in flight, and all of that is handed out.
 *
 * When the executor is shut down or breaks, the source is not asked any more. What is in flight is handed out, then
 * comes SOON_ESHUTDOWN or SOON_EBROKEN, once. An argument that was taken just then, or that waited for a place in the
 * queue, is released and not handed out. To have all of an input done, drain the executor after SOON_EEND.
 *
 * Ownership: the caller owns the imap until soon_imap_free(). Options are copied. Executor, function and `data` are
 * lent until then.
 * Threads: any thread. Never blocks.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns
 * - -EINVAL: NULL, a function without an argument of fixed size, or an option that makes no sense;
 * - SOON_EFORKED: the executor is that of the parent of this process;
 * - -ENOMEM.
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
 * Takes arguments from the source up to `in_flight_max`, then waits for the next item and hands out its finished
 * future, whether the task has succeeded or not. With a `chunk` above 1 it takes arguments whenever there is room for a
 * whole chunk. `*ret_index` is the item's place in the input, from 0; `ret_index` may be NULL.
 *
 * Ownership: the caller owns the reference in `*ret`. With a `chunk` above 1 the futures of a chunk share one block of
 * memory.
 * Threads: any thread; of several at once, one after the other gets an item. Blocks up to `timeout_ms` milliseconds (0
 * polls, SOON_FOREVER never gives up), and beyond that as long as the source takes, or a task that a full queue lets
 * run here.
 * Returns: 0, and sets `*ret`. Else it leaves `*ret` alone and returns
 * - SOON_EEND: all was handed out. That is what it returns from then on;
 * - -ETIMEDOUT: the time of this call is over, which may be repeated; or that of the whole, after which comes
 *   SOON_EEND;
 * - the code that the source has returned, once; then comes SOON_EEND;
 * - SOON_ESHUTDOWN, SOON_EBROKEN: the executor takes no more, see soon_imap_error(). Once; then comes SOON_EEND;
 * - -ENOMEM: nothing was lost, and the call may be repeated;
 * - -EINTR: see soon_thread_set_interrupt(). The call may be repeated;
 * - SOON_EDEADLK: inside the source, or in a task, where the wait could never end;
 * - SOON_EFORKED: the imap is that of the parent of this process;
 * - -EINVAL: `imap` or `ret` is NULL, or `timeout_ms` is negative and not SOON_FOREVER.
 *
 * As next() on what imap() gives in Python, and IMapIterator.next(timeout).
 */
SOON_API int soon_imap_next(soon_imap *imap, int64_t timeout_ms, soon_future **ret, uint64_t *ret_index);

/**
 * Says why the executor takes no more, once soon_imap_next() has returned SOON_ESHUTDOWN or SOON_EBROKEN: with what
 * broke the pool.
 *
 * Ownership: lent until soon_imap_free().
 * Threads: any thread that knows of that return. Never blocks.
 * Returns: an error, never NULL. Its `code` is 0 for an imap that ends otherwise, or has not ended; -EINVAL for NULL.
 */
SOON_API const soon_error *soon_imap_error(const soon_imap *imap);

/**
 * Cancels what is in flight and frees the imap. It does not wait for what runs. NULL is ignored.
 *
 * Threads: one thread, after every other use, and not inside the source. Never blocks.
 */
SOON_API void soon_imap_free(soon_imap *imap);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

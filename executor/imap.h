/**
 * @file imap.h
 * One function over arguments from a source, which may never end: their futures come one after the other.
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

#ifdef __cplusplus
}
#endif

/** @} */
#endif

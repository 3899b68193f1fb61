/**
 * @file map_options.h
 * The options that maps and imaps share.
 *
 * @addtogroup soon_maps
 * @{
 */
#ifndef SOON_EXECUTOR_MAP_OPTIONS_H
#define SOON_EXECUTOR_MAP_OPTIONS_H

#include "submit.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every field: 0 is the default. A negative value where it makes no sense is -EINVAL. */
typedef struct soon_map_options {
    /**
     * So many neighbouring items are one call. That saves time where an item takes less than some microseconds. 0: a
     * map makes four calls per worker, an imap one call per item. An imap refuses with -EINVAL what no memory holds.
     */
    size_t chunk SOON__ZERO;
    /** Imaps: so many items at most are taken from the source and not handed out. 0: four times `chunk` per worker. */
    size_t in_flight_max SOON__ZERO;
    int64_t timeout_ms SOON__ZERO; /**< for the whole, in milliseconds; 0: no limit */
    bool stop_at_error SOON__ZERO; /**< the first failure cancels all that is left, which ends with -ECANCELED */
    bool unordered SOON__ZERO;     /**< imaps: items are handed out as they finish; else in the order of the input */
    /**
     * What each item is submitted with: label, priority, limits, retries, and extra bytes, which are the same for all.
     * A time limit is each item's own; a queue limit is that of the call in which it travels. -EINVAL if it has a
     * payload, `data`, `after`, or one of the callbacks: those cannot be each item's own. NULL: defaults.
     */
    const soon_submit_options *each SOON__ZERO;
    /**
     * For soon_map_async() and its siblings; -EINVAL elsewhere. Hears how many items are done, as
     * soon_future_add_progress_callback() says. It always hears of the last count, and does so before the callbacks of
     * the map run.
     */
    soon_progress_fn on_progress SOON__ZERO;
    void *on_progress_data SOON__ZERO;      /**< given to on_progress */
    soon_loop *on_progress_loop SOON__ZERO; /**< on_progress runs on it; NULL: on the library's callback thread */
    int64_t progress_every_ms SOON__ZERO;   /**< on_progress runs no more often, in milliseconds; 0: 100 */
} soon_map_options;

#ifdef __cplusplus
}
#endif

/** @} */
#endif

/**
 * @file map_options.h
 * What maps and imaps may be told beside their arguments.
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

#ifdef __cplusplus
}
#endif

/** @} */
#endif

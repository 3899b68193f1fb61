/*
 * map_results_internal.h - what the items of a chunk gave: results of a fixed size, of any size, and a payload beside
 * each.
 *
 * Results of a fixed size lie in the array of the map. One of any size has an entry of its own, as has a payload. The
 * thread that runs the items stores all of it before `finished` passes the item, so that a thread that has seen that
 * may read it.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_RESULTS_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_RESULTS_INTERNAL_H

#include "map_state_internal.h"

/* Keeps what an item that has succeeded gave, beside a result in the array. Without memory for that, the outcome gets
 * an error. */
void soon__chunk_keep(struct soon__chunk *chunk, size_t index, struct soon__outcome *outcome);
/* Takes the result of a single item whose call an executor of the program's own resolved with bytes. False: it has
 * none. */
bool soon__chunk_adopt(struct soon__chunk *chunk, soon_future *call);
/* Zeroes the results of `count` items in the array. */
void soon__chunk_wipe(const struct soon__chunk *chunk, size_t from, size_t count);

/* What an item that is finished and has not failed gave. Lent. */
soon_bytes soon__chunk_result(const struct soon__chunk *chunk, size_t index);
soon_buffer *soon__chunk_payload(struct soon__chunk *chunk, size_t index, size_t which);

/* Releases what the results of a LOCAL function point to, but for those given to the caller. The chunk has ended.
 * Idempotent. */
void soon__chunk_free_results(struct soon__chunk *chunk);
/* Frees what lies beside the array. */
void soon__chunk_fini_results(struct soon__chunk *chunk);

#endif

/*
 * map_chunk_internal.h - one chunk of a map: it is submitted, runs its items, ends.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_CHUNK_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_CHUNK_INTERNAL_H

#include "map_state_internal.h"

/* `args`: the arguments of the whole map, if they lie one behind the other. */
void soon__chunk_init(struct soon__chunk *chunk, struct soon__map *map, size_t first, size_t count, const char *args);
/* Submits it, or ends it at once if nothing more is to start. */
void soon__chunk_submit(struct soon__chunk *chunk, soon_executor *executor, const soon_submit_options *each);
/* Releases the arguments that its end has left to soon_map(): see OWING. */
void soon__chunk_release(struct soon__chunk *chunk);
/* Releases what it holds, when nobody else has a reference. `results`: also what its results point to. */
void soon__chunk_fini(struct soon__chunk *chunk, bool results);

/* Returns the chunk that travels in a call; NULL: none does. */
struct soon__chunk *soon__chunk_of(const soon_future *call);

/* Returns whether an item has its outcome. Then `*ret_error` is its error, lent, or NULL. Any thread. */
bool soon__chunk_has_outcome(struct soon__chunk *chunk, size_t index, struct soon__error **ret_error);
/* Calls `fn` for each failed item among the first `count`, in order; these have their outcome. */
void soon__chunk_each_failure(struct soon__chunk *chunk, size_t count,
                              void (*fn)(size_t index, struct soon__error *error, void *data), void *data);

#endif

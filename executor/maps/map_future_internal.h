/*
 * map_future_internal.h - the future of a map.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_FUTURE_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_FUTURE_INTERNAL_H

#include "map_state_internal.h"

/* Returns a map that is zeroed but for its label and its future, which has two references: one of a reader, one of the
 * library. `has_look`: its executor's calls begin without a word to their items, so that somebody has to look. NULL: no
 * memory. */
struct soon__map *soon__map_alloc(const char *label, bool has_look);
/* Returns the map behind a future; NULL if it is of another class. */
struct soon__map *soon__map_of(const soon_future *future);

#endif

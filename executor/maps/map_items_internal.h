/*
 * map_items_internal.h - more of a single item than programs see.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_ITEMS_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_ITEMS_INTERNAL_H

#include "../items.h"

/* As soon_map_item_payload(), of all that came with the item's result; NULL: there are not so many. */
soon_buffer *soon__map_item_payload_at(const soon_future *map, size_t index, size_t which);

#endif

/*
 * item_internal.h - one argument of any size: its check, a copy of it, and the release of what was given with it.
 *
 * Copies lie in a store, which grows with each and frees all of them at once.
 */
#ifndef SOON_EXECUTOR_MAPS_ITEM_INTERNAL_H
#define SOON_EXECUTOR_MAPS_ITEM_INTERNAL_H

#include "../core/call_internal.h"

/* All zeroes: empty. */
struct soon__store {
    struct soon__store_block *blocks;
};

/*
 * Sets `*ret` to a copy of the item: its bytes, aligned for any type, and its label. The payload's reference moves to
 * the copy. `size`: how many bytes the copy is to have, zeroes if the item has no bytes; 0: as many as the item has.
 * Returns false without memory; then nothing was taken.
 */
bool soon__store_keep(struct soon__store *store, soon_item *ret, const soon_item *item, size_t size);
void soon__store_fini(struct soon__store *store);

/* Returns 0, or -EINVAL for an item that is no argument of the function. `index` is for the message. */
int soon__item_check(const soon_function *function, const soon_item *item, size_t index);

/* Releases what was given with an item that is in no batch. */
void soon__item_release(const soon_function *function, soon_item *item);
/* Releases the payload alone. */
void soon__item_release_payload(soon_item *item);

#endif

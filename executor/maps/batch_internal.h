/*
 * batch_internal.h - several items in one call, as maps and imaps have them: where their arguments lie, and who releases
 * what was given with them.
 *
 * Copies of items of any size lie in a store, which gives all of them back at once.
 *
 * What comes with an argument is released once, when its item has ended or will never start: what a LOCAL one points to, and
 * its payload. Either may be user code, which does not run on the library's loop: there a payload is left with its item, to
 * be released with the rest, elsewhere. LOCAL ones never end there but with the rest.
 */
#ifndef SOON_EXECUTOR_MAPS_BATCH_INTERNAL_H
#define SOON_EXECUTOR_MAPS_BATCH_INTERNAL_H

#include "../core/call_internal.h"

/* All zeroes: empty. */
struct soon__store {
    struct soon__store_block *blocks;
};

/* A copy of the item: its bytes, aligned for any type, and its label; the payload goes along, the caller keeps no reference.
 * `size`: how many bytes it is to have, zeroes where it gives none; 0: as many as it has. False: no memory, nothing was
 * taken. */
bool soon__store_keep(struct soon__store *store, soon_item *ret, const soon_item *item, size_t size);
void soon__store_fini(struct soon__store *store);

/* 0, or -EINVAL for one that is no argument of the function. */
int soon__item_check(const soon_function *function, const soon_item *item, size_t index);

/* What was given with one that no batch has. */
void soon__item_release(const soon_function *function, soon_item *item);
/* What was given with an item of a batch; but see above. */
void soon__batch_release(const soon_function *function, const struct soon__items *items, size_t index);
/* The same of those from `from` on, and of the payloads that were left. */
void soon__batch_release_rest(const soon_function *function, const struct soon__items *items, size_t from);
/* Would that release anything? */
bool soon__batch_has_rest(const soon_function *function, const struct soon__items *items, size_t from);

#endif

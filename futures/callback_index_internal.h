/*
 * callback_index_internal.h - a future's callbacks by what they call, for taking one back among many.
 */
#ifndef SOON_FUTURES_CALLBACK_INDEX_INTERNAL_H
#define SOON_FUTURES_CALLBACK_INDEX_INTERNAL_H

#include "future_internal.h"

/* The new root. `callback` comes after all that call the same. */
struct soon__callback *soon__callback_index_add(struct soon__callback *root, struct soon__callback *callback);
/* The new root; NULL: it was the last. */
struct soon__callback *soon__callback_index_remove(struct soon__callback *root, struct soon__callback *callback);
/* The first of those that call this; NULL: there is none. */
struct soon__callback *soon__callback_index_find(struct soon__callback *root, soon_done_fn fn, const void *data);

#endif

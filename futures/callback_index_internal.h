/*
 * callback_index_internal.h - a future's callbacks by what they call, for taking one back among many.
 */
#ifndef SOON_FUTURES_CALLBACK_INDEX_INTERNAL_H
#define SOON_FUTURES_CALLBACK_INDEX_INTERNAL_H

#include "future_internal.h"

/* Returns the new root. The callback comes after all others that call the same. */
struct soon__callback *soon__callback_index_add(struct soon__callback *root, struct soon__callback *callback);
/* Returns the new root; NULL if it was the last one. */
struct soon__callback *soon__callback_index_remove(struct soon__callback *root, struct soon__callback *callback);
/* Returns the first of those that call `fn` with `data`; NULL: there is none. */
struct soon__callback *soon__callback_index_find(struct soon__callback *root, soon_done_fn fn, const void *data);

#endif

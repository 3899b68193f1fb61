/*
 * map_failures_internal.h - which items of a chunk have failed, and of what: a list in order of index.
 *
 * One thread at a time adds to it, any thread reads it meanwhile. Room for a failure is reserved before the item
 * starts, so that noting one allocates nothing and cannot fail. The list is made of blocks that never move; each is
 * larger than the one before.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_FAILURES_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_FAILURES_INTERNAL_H

#include "../../futures/future_internal.h"

struct soon__failure {
    size_t index;
    struct soon__error *error; /* a reference */
};

struct soon__failure_block {
    _Atomic(struct soon__failure_block *) next;
    _Atomic size_t count;
    size_t room;
    struct soon__failure *list;
};

struct soon__failures {
    struct soon__failure_block first;
    struct soon__failure_block *last; /* of the thread that adds */
    struct soon__failure one;         /* the room of the first block */
};

void soon__failures_init(struct soon__failures *failures);
/* Makes room for one more. Returns false without memory. */
bool soon__failures_reserve(struct soon__failures *failures);
/* Adds one, in room that was reserved, with an index above all others. Takes the reference of the error. */
void soon__failures_add(struct soon__failures *failures, size_t index, struct soon__error *error);
/* Returns the error of an item that is finished, lent; NULL: it has not failed. */
struct soon__error *soon__failures_find(struct soon__failures *failures, size_t index);
/* Calls `fn` for each with an index below `end`, in order; those items are finished. */
void soon__failures_each(struct soon__failures *failures, size_t end,
                         void (*fn)(size_t index, struct soon__error *error, void *data), void *data);
void soon__failures_fini(struct soon__failures *failures);

#endif

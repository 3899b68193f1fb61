/*
 * set_internal.h - a set of futures by identity, with a pointer for each. Grows by itself; not thread-safe.
 */
#ifndef SOON_FUTURES_SET_INTERNAL_H
#define SOON_FUTURES_SET_INTERNAL_H

#include "future_internal.h"

struct soon__set_slot {
    const soon_future *future; /* NULL: free */
    void *value;
};
struct soon__set {
    struct soon__set_slot *slots;
    size_t size; /* a power of two, or 0 */
    size_t count;
};

int soon__set_reserve(struct soon__set *set, size_t count); /* room for so many in all: 0 or -ENOMEM */
/* 1: added; 0: it was there already; -ENOMEM. */
int soon__set_add(struct soon__set *set, const soon_future *future, void *value);
void soon__set_remove(struct soon__set *set, const soon_future *future);
void soon__set_fini(struct soon__set *set);

#endif

/*
 * set_internal.h - a set of futures by identity. Its members lie with its owner, who ends a membership by a store. Grows by
 * itself; but for that store it is not thread-safe.
 */
#ifndef SOON_FUTURES_SET_INTERNAL_H
#define SOON_FUTURES_SET_INTERNAL_H

#include "future_internal.h"

/* Stays where it is as long as the set lives; may be added anew once it is no member. */
struct soon__member {
    _Atomic(soon_future *) future; /* NULL: it is no member any more */
    struct soon__member *next;     /* in a list of the owner's */
};
struct soon__set {
    struct soon__member **slots; /* NULL: free */
    size_t size;                 /* a power of two, or 0 */
    size_t used;                 /* slots, those of former members too */
};

int soon__set_reserve(struct soon__set *set, size_t count); /* room for so many in all: 0 or -ENOMEM */
/* 1: `member` is that future's from now on; 0: another is; -ENOMEM. */
int soon__set_add(struct soon__set *set, struct soon__member *member, soon_future *future);
void soon__set_fini(struct soon__set *set);

/* Relaxed, both: a membership may end while another thread looks, and then it is no matter what that one sees. */
static inline soon_future *soon__member_future(struct soon__member *member)
{
    return atomic_load_explicit(&member->future, memory_order_relaxed);
}
static inline void soon__member_set(struct soon__member *member, soon_future *future)
{
    atomic_store_explicit(&member->future, future, memory_order_relaxed);
}

#endif

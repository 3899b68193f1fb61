/*
 * set_internal.h - a set of futures by identity. Its members are memory of its owner, which ends a membership by a
 * store. The set grows by itself. But for that store, one thread at a time uses it.
 */
#ifndef SOON_FUTURES_SET_INTERNAL_H
#define SOON_FUTURES_SET_INTERNAL_H

#include "future_internal.h"

/* Stays where it is as long as the set lives. It may be added again once it is no member. */
struct soon__member {
    _Atomic(soon_future *) future; /* NULL: it is no member any more */
    struct soon__member *next;     /* free for a list of the owner */
};
struct soon__set {
    struct soon__member **slots; /* a free slot is NULL */
    size_t size;                 /* a power of two, or 0 */
    size_t used;                 /* slots that are not free, also those of former members */
};

int soon__set_reserve(struct soon__set *set, size_t count); /* makes room for `count` in all; returns 0 or -ENOMEM */
/* Returns 1: `member` stands for the future from now on; 0: another member does; -ENOMEM. */
int soon__set_add(struct soon__set *set, struct soon__member *member, soon_future *future);
void soon__set_fini(struct soon__set *set);

/* Relaxed, both: a membership may end while another thread searches; that thread may then see it or not. */
static inline soon_future *soon__member_future(struct soon__member *member)
{
    return atomic_load_explicit(&member->future, memory_order_relaxed);
}
static inline void soon__member_set(struct soon__member *member, soon_future *future)
{
    atomic_store_explicit(&member->future, future, memory_order_relaxed);
}

#endif

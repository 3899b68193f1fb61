/*
 * shared_fixture.h - shared memory with two counters: one under a lock, one atomic.
 */
#ifndef SOON_TESTS_SHARED_FIXTURE_H
#define SOON_TESTS_SHARED_FIXTURE_H

#include "pools.h"

struct counted {
    soon_lock lock;
    uint64_t by_lock;
    _Atomic uint64_t by_atomic;
    _Atomic uint32_t inside; /* how many processes believe that they hold the lock */
};

static inline soon_shared *new_shared(size_t size)
{
    soon_shared *shared = NULL;

    cr_assert_eq(soon_shared_new(&shared, size), 0);
    return shared;
}

static inline soon_shared *new_counted(struct counted **ret)
{
    soon_shared *shared = new_shared(sizeof **ret);

    *ret = soon_shared_data(shared);
    cr_assert_eq(soon_lock_init(&(*ret)->lock), 0);
    return shared;
}

#endif

/*
 * slab_fixture.h - slab.c compiled into a test, under other names: whatever the library itself takes its blocks from in this
 * build, sanitizers see that code too, the test sees its insides, and nobody else uses it.
 */
#ifndef SOON_TESTS_SLAB_FIXTURE_H
#define SOON_TESTS_SLAB_FIXTURE_H

#include "harness/test.h"

#define SOON__SLAB 1
#define soon__block_new tested_block_new
#define soon__block_free tested_block_free
#include "../futures/slab.c"

#include <string.h>

/* All that there is of blocks of `size` has come back. */
static inline void assert_all_back(size_t size)
{
    pthread_mutex_lock(&central.mutex);
    cr_assert_eq(central.locked.classes[class_of(size)].count, 0, "size %zu", size);
    cr_assert_null(central.locked.classes[class_of(size)].roomy);
    pthread_mutex_unlock(&central.mutex);
}

static inline void *taken(size_t size)
{
    void *block = soon__block_new(size);

    cr_assert_not_null(block);
    cr_assert_eq((uintptr_t)block % 16, 0);
    return block;
}

#endif

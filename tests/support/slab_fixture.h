/*
 * slab_fixture.h - block.c and slab.c compiled into a test, under other names. So the test sees their insides, sanitizers
 * see the code wherever the library itself takes its blocks from, and nobody else uses these blocks.
 */
#ifndef SOON_TESTS_SLAB_FIXTURE_H
#define SOON_TESTS_SLAB_FIXTURE_H

#include "../harness/test.h"

#define SOON__SLAB 1
#define soon__block_new tested_block_new
#define soon__block_pop tested_block_pop
#define soon__block_free tested_block_free
#define soon__blocks_alive tested_blocks_alive
#define soon__thread_at_end tested_thread_at_end
#define soon__slab_take tested_slab_take
#define soon__slab_give tested_slab_give
#define soon__slab_wants_back tested_slab_wants_back
#define soon__slab_is_of_parent tested_slab_is_of_parent
#define soon__slabs_watchful tested_slabs_watchful
#define soon__slabs_out tested_slabs_out
#define soon__slabs_forget tested_slabs_forget
#include "../../futures/slab.c"

#include "../../futures/block.c"

#include <string.h>

/* There are slabs, unless the test says otherwise, also where a tool that watches memory would make the library do
 * without. */
#ifndef SLAB_WANTED
#define SLAB_WANTED "1"
#endif
__attribute__((constructor)) static void ask_for_slabs(void)
{
    setenv("SOON_SLAB", SLAB_WANTED, 1);
}

/* What thread.c does for the library's slabs, done for this copy of slab.c. */
static pthread_key_t thread_end;
static bool has_thread_end;

static void thread_ends(void *data)
{
    (void)data;
    give_all();
}

bool tested_thread_at_end(void (*give_back)(void))
{
    (void)give_back;
    return has_thread_end && pthread_setspecific(thread_end, &thread_end) == 0;
}

__attribute__((constructor)) static void make_key(void)
{
    has_thread_end = pthread_key_create(&thread_end, thread_ends) == 0;
}

/* All blocks of this size have come back. */
static inline void assert_all_back(size_t size)
{
    pthread_mutex_lock(&central.mutex);
    cr_assert_eq(central.locked.classes[soon__slab_class(size)].count, 0, "size %zu", size);
    cr_assert_null(central.locked.classes[soon__slab_class(size)].roomy);
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

/*
 * slab_malloc.c - blocks where SOON_SLAB=0 is in the environment: each comes from malloc, for tools that watch that.
 */
#define SLAB_WANTED "0"
#include "../support/slab_fixture.h"

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(slab_malloc);

enum { MANY = 300 };

static void assert_no_slab(void)
{
    for (size_t class = 0; class < SOON__SLAB_CLASSES; class ++)
        cr_assert_eq(central.locked.classes[class].count, 0);
    cr_assert_eq(self, &none);
}

Test(slab_malloc, gives_each_block_by_itself)
{
    void *blocks[MANY];

    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = taken(i + 1);
        cr_assert_geq(malloc_usable_size(blocks[i]), i + 1);
        memset(blocks[i], 'x', i + 1);
    }
    cr_assert_eq(soon__blocks_alive(), MANY);
    cr_assert_null(soon__block_pop(64));
    assert_no_slab();
    for (size_t i = 0; i < MANY; i++)
        soon__block_free(blocks[i], i + 1);
    cr_assert_eq(soon__blocks_alive(), 0);
    assert_no_slab();
}

static void *free_there(void *data)
{
    soon__block_free(data, 64);
    soon__block_free(taken(32), 32);
    return NULL;
}

Test(slab_malloc, is_for_all_threads)
{
    void *block = taken(64);
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, free_there, block), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(soon__blocks_alive(), 0);
    assert_no_slab();
}

/* It was decided before, and is not asked again. */
Test(slab_malloc, stays_decided_also_in_a_forked_child)
{
    void *block = taken(64);
    int status;
    pid_t child;

    setenv("SOON_SLAB", "1", 1);
    child = test_fork();
    if (child == 0) {
        soon__block_free(block, 64);
        block = soon__block_new(64);
        _exit(block && self == &none && soon__blocks_alive() == 1 ? 42 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(WEXITSTATUS(status), 42);
    soon__block_free(block, 64);
    cr_assert_eq(soon__blocks_alive(), 0);
    assert_no_slab();
}

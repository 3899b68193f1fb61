/*
 * slab.c - blocks: their sizes and places, what becomes of them when they are free, threads that end, forks.
 */
#include "../support/slab_fixture.h"

#include "../harness/fail.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(slab);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void on_thread(void *(*body)(void *), void *data)
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, body, data), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(slab, blocks_of_all_sizes_hold_what_is_written)
{
    enum { SIZES = SOON__SLAB_LIMIT + 100, EACH = 3 };
    static unsigned char *blocks[SIZES][EACH];

    for (size_t size = 1; size < SIZES; size++) {
        for (size_t i = 0; i < EACH; i++)
            memset(blocks[size][i] = taken(size), (int)(size * EACH + i), size);
    }

    for (size_t size = 1; size < SIZES; size++) {
        for (size_t i = 0; i < EACH; i++) {
            for (size_t byte = 0; byte < size; byte++)
                cr_assert_eq(blocks[size][i][byte], (unsigned char)(size * EACH + i), "size %zu", size);
            soon__block_free(blocks[size][i], size);
        }
    }
}

/* Sizes at the edges of a class, and so that a slab's last block ends with it, or does not. */
Test(slab, blocks_of_a_class_do_not_overlap)
{
    static const size_t sizes[] = {16, 112, 176, 1023, 1024};
    enum { MANY = SLAB_SIZE / 16 * 3 / 2 };
    static size_t *blocks[MANY];

    for (size_t s = 0; s < COUNT(sizes); s++) {
        size_t count = SLAB_SIZE / sizes[s] * 3 / 2, last = sizes[s] / sizeof(size_t) - 1;

        for (size_t i = 0; i < count; i++) {
            blocks[i] = taken(sizes[s]);
            blocks[i][0] = blocks[i][last] = i;
        }
        for (size_t i = 0; i < count; i++) {
            cr_assert(blocks[i][0] == i && blocks[i][last] == i, "block %zu of %zu", i, sizes[s]);
            cr_assert_eq(slab_of(blocks[i]), slab_of((char *)blocks[i] + sizes[s] - 1));
            soon__block_free(blocks[i], sizes[s]);
        }
    }
}

Test(slab, the_block_freed_last_is_taken_first)
{
    void *first = taken(100), *second = taken(100);

    soon__block_free(first, 100);
    soon__block_free(second, 100);

    cr_assert_eq(taken(97), second);
    cr_assert_eq(taken(112), first);
    soon__block_free(first, 112);
    soon__block_free(second, 97);
}

Test(slab, a_thread_that_comes_and_goes_needs_no_new_slab)
{
    enum { BLOCKS = 10 * BATCH };
    void *blocks[BLOCKS];

    for (int round = 0; round < 1000; round++) {
        for (size_t i = 0; i < BLOCKS; i++)
            blocks[i] = taken(200);
        for (size_t i = 0; i < BLOCKS; i++)
            soon__block_free(blocks[(i * 7) % BLOCKS], 200);
        cr_assert_eq(central.locked.classes[soon__slab_class(200)].count, 1);
    }
}

/*
 * Threads
 */

enum { PASSED = 1000 };
static void *passed[PASSED];

static void *take_them(void *size)
{
    for (size_t i = 0; i < PASSED; i++)
        passed[i] = taken(*(size_t *)size);
    return NULL;
}

static void *free_them(void *size)
{
    for (size_t i = 0; i < PASSED; i++)
        soon__block_free(passed[i], *(size_t *)size);
    return NULL;
}

static void *take_and_free(void *size)
{
    take_them(size);
    return free_them(size);
}

Test(slab, blocks_may_be_freed_by_another_thread)
{
    size_t size = 320;

    on_thread(take_them, &size);
    on_thread(free_them, &size);

    assert_all_back(size);
}

Test(slab, a_thread_that_ends_gives_back_what_it_has)
{
    for (size_t size = 1; size <= SOON__SLAB_LIMIT; size += 41) {
        on_thread(take_and_free, &size);
        assert_all_back(size);
    }
    cr_assert_eq(central.locked.kept_count, 1);
}

static pthread_key_t later;

static void free_later(void *block)
{
    soon__block_free(block, 64);
}

static void *leave_it_to_a_destructor(void *data)
{
    cr_assert_eq(pthread_setspecific(later, taken(64)), 0);
    return data;
}

/* Destructors run in the order of their keys: this one after that of the slabs. */
Test(slab, what_another_destructor_frees_goes_back_too)
{
    cr_assert_eq(pthread_key_create(&later, free_later), 0);

    on_thread(leave_it_to_a_destructor, NULL);

    assert_all_back(64);
}

static void *take_and_free_at_once(void *size)
{
    take_and_free(size);
    assert_all_back(*(size_t *)size);
    return NULL;
}

Test(slab, without_a_key_nothing_stays_with_a_thread)
{
    size_t size = 48;

    has_thread_end = false;
    on_thread(take_and_free_at_once, &size);
}

/*
 * Whole slabs
 */

enum { SLABS = KEPT_MAX + 3 * ROOMY_MAX, LARGE = 1024, PER_SLAB = (SLAB_SIZE - HEAD) / LARGE };

static char *slabs[SLABS];

static bool is_mapped(void *page)
{
    unsigned char is_there;

    return mincore(page, 1, &is_there) == 0;
}

static size_t mapped_slabs(void)
{
    size_t count = 0;

    for (size_t i = 0; i < SLABS; i++)
        count += is_mapped(slabs[i]);
    return count;
}

static void *fill_slabs(void *data)
{
    static void *blocks[SLABS * PER_SLAB];

    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = taken(LARGE);
        slabs[i / PER_SLAB] = (char *)slab_of(blocks[i]);
    }
    cr_assert_eq(central.locked.classes[soon__slab_class(LARGE)].count, SLABS);
    cr_assert_null(central.locked.classes[soon__slab_class(LARGE)].roomy);
    cr_assert_eq(mapped_slabs(), SLABS);
    for (size_t i = 0; i < COUNT(blocks); i++)
        soon__block_free(blocks[i * 7919 % COUNT(blocks)], LARGE); /* a prime */
    return data;
}

Test(slab, some_slabs_that_are_free_are_kept_and_more_go_back_to_the_system)
{
    on_thread(fill_slabs, NULL);

    assert_all_back(LARGE);
    cr_assert_eq(central.locked.kept_count, KEPT_MAX);
    cr_assert_eq(mapped_slabs(), KEPT_MAX);
}

/* In any order, and with lists of its own. */
Test(slab, a_thread_that_goes_on_holds_few)
{
    fill_slabs(NULL);

    cr_assert_leq(central.locked.classes[soon__slab_class(LARGE)].count, ROOMY_MAX);
    cr_assert_leq(mapped_slabs(), KEPT_MAX + ROOMY_MAX);
}

Test(slab, one_that_is_kept_serves_any_size)
{
    size_t size = 16;

    on_thread(fill_slabs, NULL);
    on_thread(take_them, &size);

    cr_assert_eq(central.locked.kept_count, KEPT_MAX - 1);
    on_thread(free_them, &size);
    cr_assert_eq(central.locked.kept_count, KEPT_MAX);
    assert_all_back(size);
}

Test(slab, no_new_one_is_made_while_there_is_room)
{
    void *blocks[2 * PER_SLAB];

    for (size_t i = 0; i < COUNT(blocks); i++)
        blocks[i] = taken(LARGE);
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < COUNT(blocks); i += 2)
            soon__block_free(blocks[i], LARGE);
        for (size_t i = 0; i < COUNT(blocks); i += 2)
            blocks[i] = taken(LARGE);
        cr_assert_eq(central.locked.classes[soon__slab_class(LARGE)].count, 2);
    }
    for (size_t i = 0; i < COUNT(blocks); i++)
        soon__block_free(blocks[i], LARGE);
}

Test(slab, without_memory_there_is_no_block_and_later_there_is)
{
    void *volatile block; /* else clang takes it that malloc() cannot fail */

    fail_from(1);
    block = soon__block_new(80);
    cr_assert_null(block);
    block = soon__block_new(SOON__SLAB_LIMIT + 1);
    cr_assert_null(block);
    fail_stop();

    soon__block_free(taken(80), 80);
}

/*
 * Fork
 */

static atomic_bool stop;

static void *churn(void *data)
{
    void *blocks[3 * BATCH];

    while (!stop) {
        for (size_t i = 0; i < COUNT(blocks); i++)
            blocks[i] = taken(160);
        for (size_t i = 0; i < COUNT(blocks); i++)
            soon__block_free(blocks[i], 160);
    }
    return data;
}

/* In the child no assertion of the runner works. */
static _Noreturn void use_in_child(void *const *of_parent, size_t count)
{
    alarm(60); /* a hang must not outlive the test */
    for (size_t i = 0; i < count; i++)
        soon__block_free(of_parent[i], 160);
    for (size_t i = 0; i < 10 * BATCH; i++) {
        void *block = soon__block_new(160);

        if (!block || slab_of(block)->generation != soon__generation())
            _exit(1);
        if (i % 2)
            soon__block_free(block, 160);
    }
    _exit(0);
}

Test(slab, a_child_begins_anew_whatever_threads_of_the_parent_were_doing)
{
    pthread_t threads[3];
    void *blocks[3 * BATCH];
    int status;

    for (size_t i = 0; i < COUNT(threads); i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (size_t i = 0; i < COUNT(blocks); i++)
        blocks[i] = taken(160);
    soon__block_free(taken(160), 160); /* one that this thread has, and the child's must not */
    for (int round = 0; round < 100; round++) {
        pid_t child = test_fork();

        if (child == 0)
            use_in_child(blocks, COUNT(blocks));
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0);
    }
    stop = true;
    for (size_t i = 0; i < COUNT(threads); i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < COUNT(blocks); i++)
        soon__block_free(blocks[i], 160);
}

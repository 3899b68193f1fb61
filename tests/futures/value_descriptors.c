/*
 * value_descriptors.c - buffers behind descriptors: how many they hold, and that whoever has a copy of a mapping keeps none
 * from being frozen.
 */
#include "../support/futures.h"

#include "../../futures/system_internal.h"
#include "../../futures/value_internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, MANY = 200, LIMIT = 120 };

TestSuite(value_descriptors);

static bool is_filled(const void *data, unsigned char byte, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (((const unsigned char *)data)[i] != byte)
            return false;
    }
    return true;
}

static soon_buffer *new_mappable(unsigned char byte, size_t size)
{
    soon_buffer *buffer;

    cr_assert_eq(soon__buffer_new_mappable(&buffer, size), 0);
    memset(soon_buffer_data(buffer), byte, size);
    return buffer;
}

static int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/*
 * Freezing
 */

/* A child of fork() that lives on until `end` is closed in here. */
static pid_t fork_and_stay(int *end)
{
    int ends[2];
    char byte;
    pid_t child;

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    child = test_fork();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    close(ends[0]);
    *end = ends[1];
    return child;
}

static void let_go(pid_t child, int end)
{
    int status;

    close(end);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

Test(value_descriptors, of_a_buffer_is_frozen_although_a_forked_child_has_it)
{
    soon_buffer *buffer = new_mappable(5, MIB);
    int end;
    pid_t child = fork_and_stay(&end);
    int fd = soon__buffer_freeze(buffer);

    cr_assert_geq(fd, 0, "%s", soon_strerror(fd));
    cr_assert_eq(soon__shm_check_frozen(fd, MIB), 0);
    cr_assert(is_filled(soon_buffer_data(buffer), 5, MIB));
    cr_assert_eq(soon__buffer_share(buffer), fd);

    let_go(child, end);
    soon_buffer_unref(buffer);
}

/* As all of its bytes were at that moment. */
Test(value_descriptors, of_a_buffer_is_frozen_although_somebody_else_can_write_it)
{
    soon_buffer *buffer;
    void *other;

    if (!test_has_processes())
        cr_skip_test("valgrind cannot map the same again");
    buffer = new_mappable(5, MIB);
    other = mremap(soon_buffer_data(buffer), 0, MIB, MREMAP_MAYMOVE); /* of nothing: makes a second one */
    cr_assert_neq(other, MAP_FAILED);
    cr_assert_eq(soon__shm_check_frozen(soon__buffer_freeze(buffer), MIB), 0);
    memset(other, 6, MIB);
    cr_assert(is_filled(soon_buffer_data(buffer), 5, MIB));
    cr_assert_eq(soon_buffer_resize(buffer, MIB + 1), 0);
    cr_assert(is_filled(soon_buffer_data(buffer), 5, MIB));

    munmap(other, MIB);
    soon_buffer_unref(buffer);
}

Test(value_descriptors, of_a_frozen_copy_shows_what_was_copied)
{
    static const size_t sizes[] = {1, 4095, MIB, 5 * MIB + 3};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *bytes = malloc(sizes[i]);
        soon_buffer *buffer, *zeroes;

        memset(bytes, 7, sizes[i]);
        cr_assert_eq(soon__buffer_new_frozen(&buffer, bytes, sizes[i]), 0);
        memset(bytes, 8, sizes[i]);
        free(bytes);
        cr_assert_eq(soon__buffer_new_frozen(&zeroes, NULL, sizes[i]), 0);
        cr_assert_eq(soon__shm_check_frozen(soon__buffer_share(buffer), sizes[i]), 0);
        cr_assert(is_filled(soon_buffer_data(buffer), 7, sizes[i]));
        cr_assert(is_filled(soon_buffer_data(zeroes), 0, sizes[i]));
        soon_buffer_unref(buffer);
        soon_buffer_unref(zeroes);
    }
    cr_assert_eq(soon__buffer_new_frozen(&(soon_buffer *){NULL}, "", 0), -EINVAL);
    cr_assert_eq(soon__buffer_new_frozen(&(soon_buffer *){NULL}, NULL, SIZE_MAX), -ENOMEM);
}

/*
 * How many
 */

/* As a result that came from a worker. */
static soon_buffer *received(unsigned char byte)
{
    soon_buffer *sent = new_mappable(byte, MIB), *buffer;
    int fd = fcntl(soon__buffer_freeze(sent), F_DUPFD_CLOEXEC, 0);

    cr_assert_eq(soon__buffer_of_descriptor(&buffer, fd, MIB), 0);
    soon_buffer_unref(sent);
    return buffer;
}

Test(value_descriptors, are_few_however_many_results_are_kept)
{
    soon_buffer *kept[MANY];
    int before = open_descriptors(), shared = 0;

    for (int i = 0; i < MANY; i++)
        kept[i] = received((unsigned char)i);
    cr_assert_lt(open_descriptors() - before, 20);
    for (int i = 0; i < MANY; i++) {
        cr_assert(is_filled(soon_buffer_data(kept[i]), (unsigned char)i, MIB));
        cr_assert_eq(soon__buffer_share(kept[i]) >= 0, soon__buffer_is_mappable(kept[i]));
        shared += soon__buffer_is_mappable(kept[i]);
        soon_buffer_unref(kept[i]);
    }
    cr_assert_gt(shared, 0, "none could be sent on as it is");
    cr_assert_eq(open_descriptors(), before);
    kept[0] = received(1);
    cr_assert(soon__buffer_is_mappable(kept[0]), "there is room again");
    soon_buffer_unref(kept[0]);
}

Test(value_descriptors, are_left_to_the_program_however_many_buffers_it_makes)
{
    struct rlimit limit;
    soon_buffer *kept[MANY];
    int fd;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){LIMIT, limit.rlim_max}), 0);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(soon_buffer_new(&kept[i], MIB), 0);
        cr_assert(is_filled(soon_buffer_data(kept[i]), 0, MIB));
    }
    fd = open("/", O_PATH | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_lt(open_descriptors(), LIMIT / 2);
    cr_assert(soon__buffer_is_mappable(kept[0]));
    for (int i = 0; i < MANY; i++)
        soon_buffer_unref(kept[i]);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A resize that has no descriptor of its own takes none away. */
Test(value_descriptors, of_a_buffer_that_has_none_are_not_closed)
{
    soon_buffer *kept[MANY];
    int before = open_descriptors();

    for (int i = 0; i < MANY; i++)
        kept[i] = received(9);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(soon_buffer_resize(kept[i], MIB / 2), 0);
        cr_assert(is_filled(soon_buffer_data(kept[i]), 9, MIB / 2));
        cr_assert_not(soon__buffer_is_mappable(kept[i]));
        cr_assert_eq(soon__buffer_freeze(kept[i]), -ENOTSUP);
    }
    cr_assert_eq(open_descriptors(), before);
    for (int i = 0; i < MANY; i++)
        soon_buffer_unref(kept[i]);
}

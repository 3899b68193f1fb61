/*
 * value.c - buffers: small and mappable, wrapped, shared, resized.
 */
#include "../support/futures.h"

#include "../../futures/system_internal.h"
#include "../../futures/value_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static int released;
static void *released_last;

static void note_release(void *pointer)
{
    released++;
    released_last = pointer;
}

static soon_buffer *new_buffer(size_t size)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_new(&buffer, size), 0);
    return buffer;
}

static soon_buffer *wrap(void *data, size_t size, soon_free_fn release_it)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_wrap(&buffer, data, size, release_it), 0);
    return buffer;
}

static int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static bool is_filled(const void *data, unsigned char byte, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (((const unsigned char *)data)[i] != byte)
            return false;
    }
    return true;
}

Test(buffer, is_zeroed_and_aligned)
{
    static const size_t sizes[] = {1, 63, 64, 65, 4096, MIB - 1, MIB, MIB + 1, 8 * MIB};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        soon_buffer *buffer = new_buffer(sizes[i]);

        cr_assert_eq(soon_buffer_size(buffer), sizes[i]);
        cr_assert_eq((uintptr_t)soon_buffer_data(buffer) % 64, 0);
        cr_assert(is_filled(soon_buffer_data(buffer), 0, 0, sizes[i]));
        memset(soon_buffer_data(buffer), 1, sizes[i]);
        soon_buffer_unref(buffer);
    }
}

Test(buffer, may_have_no_bytes)
{
    soon_buffer *buffer = new_buffer(0);

    cr_assert_eq(soon_buffer_size(buffer), 0);
    cr_assert_eq(soon_buffer_resize(buffer, 10), 0);
    cr_assert(is_filled(soon_buffer_data(buffer), 0, 0, 10));
    cr_assert_eq(soon_buffer_resize(buffer, 0), 0);
    cr_assert_eq(soon_buffer_size(buffer), 0);

    soon_buffer_unref(buffer);
}

Test(buffer, holds_a_descriptor_from_a_mebibyte_on)
{
    int before = open_descriptors();
    soon_buffer *small = new_buffer(MIB - 1), *large = new_buffer(MIB);

    cr_assert_eq(open_descriptors(), before + 1);
    soon_buffer_unref(small);
    soon_buffer_unref(large);
    cr_assert_eq(open_descriptors(), before);
}

Test(buffer, refuses_what_makes_no_sense)
{
    soon_buffer *buffer = (soon_buffer *)&released;
    char data;

    cr_assert_eq(soon_buffer_new(NULL, 1), -EINVAL);
    cr_assert_eq(soon_buffer_wrap(NULL, &data, 1, NULL), -EINVAL);
    cr_assert_eq(soon_buffer_wrap(&buffer, NULL, 1, note_release), -EINVAL);
    cr_assert_eq(soon_buffer_resize(NULL, 1), -EINVAL);
    cr_assert_null(buffer);
    cr_assert_eq(released, 0, "on failure it stays the caller's");
    soon_buffer_unref(NULL);
}

Test(buffer, says_so_when_there_is_no_such_memory)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, (size_t)PTRDIFF_MAX + 1};
    soon_buffer *buffer = (soon_buffer *)&released, *small = new_buffer(10);

    for (size_t i = 0; i < COUNT(sizes); i++) {
        cr_assert_eq(soon_buffer_new(&buffer, sizes[i]), -ENOMEM);
        cr_assert_eq(soon_buffer_resize(small, sizes[i]), -ENOMEM);
    }
    cr_assert_null(buffer);
    cr_assert_eq(soon_buffer_size(small), 10);

    soon_buffer_unref(small);
}

TestMisuse(buffer, ref_of_null)
{
    cr_assert_null(soon_buffer_ref(NULL));
}

TestMisuse(buffer, data_of_null)
{
    cr_assert_null(soon_buffer_data(NULL));
}

TestMisuse(buffer, size_of_null)
{
    cr_assert_eq(soon_buffer_size(NULL), 0);
}

/*
 * Wrapped memory
 */

Test(buffer, wrapped_releases_the_memory_with_the_last_reference)
{
    char data[10] = "abc";
    soon_buffer *buffer = wrap(data, sizeof data, note_release);

    cr_assert_eq(soon_buffer_data(buffer), data);
    cr_assert_eq(soon_buffer_size(buffer), sizeof data);
    cr_assert_eq(soon_buffer_ref(buffer), buffer);
    soon_buffer_unref(buffer);
    cr_assert_eq(released, 0);
    soon_buffer_unref(buffer);
    cr_assert_eq(released, 1);
    cr_assert_eq(released_last, data);
}

Test(buffer, wrapped_may_be_static_or_empty)
{
    static char data[3];

    soon_buffer_unref(wrap(data, sizeof data, NULL));
    soon_buffer_unref(wrap(NULL, 0, NULL));
    soon_buffer_unref(wrap(NULL, 0, note_release));
    cr_assert_eq(released, 1);
    cr_assert_null(released_last);
}

Test(buffer, wrapped_is_copied_by_a_resize)
{
    char data[4] = {7, 7, 7, 7};
    soon_buffer *buffer = wrap(data, sizeof data, note_release);

    cr_assert_eq(soon_buffer_resize(buffer, 8), 0);
    cr_assert_eq(released, 1);
    cr_assert_neq(soon_buffer_data(buffer), data);
    cr_assert(is_filled(soon_buffer_data(buffer), 7, 0, 4) && is_filled(soon_buffer_data(buffer), 0, 4, 8));
    soon_buffer_unref(buffer);
    cr_assert_eq(released, 1, "once");
}

/*
 * Resizing
 */

Test(buffer, resized_keeps_what_there_was_and_zeroes_the_rest)
{
    static const size_t sizes[] = {10, 100, 50, MIB - 1, 64, 63, 65};

    for (int mappable = 0; mappable < 2; mappable++) {
        size_t size = mappable ? 2 * MIB : 1000;
        soon_buffer *buffer = new_buffer(size);

        for (size_t i = 0; i < COUNT(sizes); i++) {
            size_t next = sizes[i] + (mappable ? (i % 2 ? 3 * MIB : 1) : 0), kept = next < size ? next : size;

            memset(soon_buffer_data(buffer), 5, size);
            cr_assert_eq(soon_buffer_resize(buffer, next), 0);
            cr_assert_eq(soon_buffer_size(buffer), next);
            cr_assert(is_filled(soon_buffer_data(buffer), 5, 0, kept), "to %zu", next);
            cr_assert(is_filled(soon_buffer_data(buffer), 0, kept, next), "from %zu to %zu", size, next);
            size = next;
        }
        soon_buffer_unref(buffer);
    }
}

Test(buffer, mappable_may_lose_all_its_bytes)
{
    int before = open_descriptors();
    soon_buffer *buffer = new_buffer(MIB);

    memset(soon_buffer_data(buffer), 5, MIB);
    cr_assert_eq(soon_buffer_resize(buffer, 0), 0);
    cr_assert_eq(soon_buffer_size(buffer), 0);
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(soon_buffer_resize(buffer, MIB), 0);
    cr_assert(is_filled(soon_buffer_data(buffer), 0, 0, MIB));

    soon_buffer_unref(buffer);
}

Test(buffer, is_resized_by_its_only_owner)
{
    soon_buffer *all[] = {new_buffer(10), new_buffer(MIB), wrap(malloc(10), 10, free)};

    for (size_t i = 0; i < COUNT(all); i++) {
        size_t size = soon_buffer_size(all[i]);
        void *data = soon_buffer_data(all[i]);

        soon_buffer_ref(all[i]);
        cr_assert_eq(soon_buffer_resize(all[i], 5), -EBUSY);
        cr_assert_eq(soon_buffer_size(all[i]), size);
        cr_assert_eq(soon_buffer_data(all[i]), data);
        soon_buffer_unref(all[i]);
        cr_assert_eq(soon_buffer_resize(all[i], 5), 0);
        soon_buffer_unref(all[i]);
    }
}

/*
 * For other processes
 */

static soon_buffer *new_mappable(size_t size)
{
    soon_buffer *buffer;

    cr_assert_eq(soon__buffer_new_mappable(&buffer, size), 0);
    cr_assert_eq(soon_buffer_size(buffer), size);
    memset(soon_buffer_data(buffer), 5, size);
    return buffer;
}

/* As the other process sees it. */
static bool shows(int fd, unsigned char byte, size_t size)
{
    void *data;
    bool is_right;

    cr_assert_eq(soon__shm_map(&data, fd, size, false), 0);
    is_right = is_filled(data, byte, 0, size);
    soon__shm_unmap(data, size);
    return is_right;
}

static soon_buffer *received(soon_buffer *sent)
{
    int fd = fcntl(soon__buffer_share(sent), F_DUPFD_CLOEXEC, 0);
    soon_buffer *buffer;

    cr_assert_eq(soon__buffer_of_descriptor(&buffer, fd, soon_buffer_size(sent)), 0);
    return buffer;
}

Test(buffer, may_be_mappable_although_it_is_small)
{
    soon_buffer *untouched = (soon_buffer *)&released, *buffer = untouched;

    cr_assert_eq(soon__buffer_new_mappable(&buffer, 0), -EINVAL);
    cr_assert_eq(soon__buffer_new_mappable(&buffer, SIZE_MAX), -ENOMEM);
    cr_assert_lt(soon__buffer_new_mappable(&buffer, PTRDIFF_MAX), 0);
    cr_assert_eq(buffer, untouched);
    soon_buffer_unref(new_mappable(1));
}

Test(buffer, shared_is_seen_and_is_written_by_its_owner_alone)
{
    static const size_t sizes[] = {1, 100, MIB};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        soon_buffer *buffer = new_mappable(sizes[i]);
        int fd = soon__buffer_share(buffer);
        void *data;

        cr_assert_geq(fd, 0);
        cr_assert_eq(soon__buffer_share(buffer), fd, "again");
        cr_assert(shows(fd, 5, sizes[i]));
        memset(soon_buffer_data(buffer), 6, sizes[i]);
        cr_assert(shows(fd, 6, sizes[i]));
        cr_assert_eq(soon__shm_map(&data, fd, sizes[i], true), -EPERM);
        soon_buffer_unref(buffer);
    }
}

Test(buffer, frozen_is_seen_and_is_written_by_nobody)
{
    soon_buffer *buffer = new_mappable(MIB), *shared = new_mappable(MIB);
    int fd = soon__buffer_freeze(buffer);

    cr_assert_eq(soon__shm_check_frozen(fd, MIB), 0);
    cr_assert_eq(soon__buffer_freeze(buffer), fd, "again");
    cr_assert_eq(soon__buffer_share(buffer), fd);
    cr_assert(shows(fd, 5, MIB));
    cr_assert(is_filled(soon_buffer_data(buffer), 5, 0, MIB));
    cr_assert_geq(soon__buffer_share(shared), 0);
    cr_assert_eq(soon__shm_check_frozen(soon__buffer_freeze(shared), MIB), 0);

    soon_buffer_unref(buffer);
    soon_buffer_unref(shared);
}

Test(buffer, of_bytes_that_are_not_there_makes_no_sense)
{
    soon_buffer *buffer = NULL;
    char *page;

    if (!test_has_processes())
        cr_skip_test("valgrind reports the bytes that are not there");
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq((void *)page, MAP_FAILED);
    cr_assert_eq(munmap(page + 4096, 4096), 0);
    cr_assert_eq(soon__buffer_new_frozen(&buffer, page, 8192), -EINVAL);
    cr_assert_null(buffer);
    munmap(page, 4096);
}

Test(buffer, in_other_memory_has_no_descriptor)
{
    soon_buffer *all[] = {new_buffer(10), wrap(malloc(10), 10, free)};

    for (size_t i = 0; i < COUNT(all); i++) {
        cr_assert_eq(soon__buffer_share(all[i]), -ENOTSUP);
        cr_assert_eq(soon__buffer_freeze(all[i]), -ENOTSUP);
        memset(soon_buffer_data(all[i]), 1, 10);
        soon_buffer_unref(all[i]);
    }
}

Test(buffer, of_somebody_elses_memory_is_read_where_it_lies)
{
    soon_buffer *sent = new_mappable(MIB), *buffer = received(sent), *again = received(buffer);

    cr_assert_eq(soon_buffer_size(buffer), MIB);
    memset(soon_buffer_data(sent), 6, MIB);
    cr_assert(is_filled(soon_buffer_data(buffer), 6, 0, MIB));
    soon_buffer_unref(sent);
    cr_assert(is_filled(soon_buffer_data(buffer), 6, 0, MIB));
    soon_buffer_unref(buffer);
    cr_assert(is_filled(soon_buffer_data(again), 6, 0, MIB));
    soon_buffer_unref(again);
}

Test(buffer, of_no_memory_leaves_the_descriptor_to_its_owner)
{
    soon_buffer *untouched = (soon_buffer *)&released, *buffer = untouched;
    int fd = open("/", O_PATH | O_CLOEXEC);

    cr_assert_lt(soon__buffer_of_descriptor(&buffer, fd, 1), 0);
    cr_assert_eq(soon__buffer_of_descriptor(&buffer, fd, 0), -EINVAL);
    cr_assert_eq(soon__buffer_of_descriptor(&buffer, fd, SIZE_MAX), -EINVAL);
    cr_assert_eq(buffer, untouched);
    cr_assert_eq(close(fd), 0);
}

/* V1 */
Test(buffer, that_others_may_read_is_resized_as_a_copy)
{
    static const size_t sizes[] = {2 * MIB, MIB, MIB / 2, 10, 0};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        soon_buffer *shared = new_mappable(MIB), *frozen = new_mappable(MIB), *reader = received(shared);
        soon_buffer *all[] = {shared, frozen, received(shared)};
        size_t kept = sizes[i] < MIB ? sizes[i] : MIB;

        cr_assert_geq(soon__buffer_freeze(frozen), 0);
        for (size_t j = 0; j < COUNT(all); j++) {
            cr_assert_eq(soon_buffer_resize(all[j], sizes[i]), 0);
            cr_assert_eq(soon_buffer_size(all[j]), sizes[i]);
            cr_assert(is_filled(soon_buffer_data(all[j]), 5, 0, kept));
            cr_assert(is_filled(soon_buffer_data(all[j]), 0, kept, sizes[i]));
            memset(soon_buffer_data(all[j]), 9, sizes[i]);
            if (sizes[i] >= MIB)
                cr_assert(shows(soon__buffer_share(all[j]), 9, sizes[i]), "it can be handed on without a copy");
            soon_buffer_unref(all[j]);
        }
        cr_assert(is_filled(soon_buffer_data(reader), 5, 0, MIB));
        soon_buffer_unref(reader);
    }
}

/*
 * As payloads
 */

SOON_TASK(sum_of_payload, int, int)
{
    soon_buffer *payload = soon_task_payload(task), *answer;
    const unsigned char *bytes = soon_buffer_data(payload);

    *result = 0;
    for (size_t i = 0; i < soon_buffer_size(payload); i++)
        *result += bytes[i];
    cr_assert_eq(soon_buffer_new(&answer, 3), 0);
    return soon_task_return_payload(task, answer);
}

Test(payload, goes_along_without_a_copy)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    unsigned char data[3] = {1, 2, 3};
    soon_future *future =
        soon_submit_with(executor, (.payload = wrap(data, sizeof data, note_release)), sum_of_payload, 0);

    cr_assert_eq(soon_buffer_data(soon_call_payload(drawer.calls[0])), data);
    cr_assert_null(soon_future_payload(future), "it has none of its own yet");
    cr_assert_eq(soon_executor_free(executor), 0);

    cr_assert_eq(int_of(future), 6);
    cr_assert_eq(released, 1, "with the end of the task, not of the future");
    cr_assert_eq(soon_buffer_size(soon_future_payload(future)), 3);
    soon_future_unref(future);
}

Test(payload, is_taken_whatever_happens)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_future *future = soon_submit_with(executor, (.payload = wrap(NULL, 0, note_release)), sum_of_payload, 0);

    cr_assert(soon_future_cancel(future));
    cr_assert_eq(released, 1, "cancelled");
    soon_future_unref(future);
    soon_future_unref(
        soon_submit_with(executor, (.payload = wrap(NULL, 0, note_release), .retries = -1), sum_of_payload, 0));
    cr_assert_eq(released, 2, "refused");
    soon_future_unref(soon_submit_with(NULL, (.payload = wrap(NULL, 0, note_release)), sum_of_payload, 0));
    cr_assert_eq(released, 3, "no executor");
    cr_assert_eq(soon_executor_free(executor), 0);
}

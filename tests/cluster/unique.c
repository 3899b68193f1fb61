/*
 * unique.c - by what a job is known.
 */
#include "../support/forked.h"
#include "../support/futures.h"

#include "../../executor/cluster/both/unique_internal.h"

#include <errno.h>
#include <sys/mman.h>

static soon_bytes bytes_of(const char *text)
{
    return (soon_bytes){text, strlen(text)};
}

Test(unique, is_written_and_read_back)
{
    static const uint32_t attempts[] = {1, 9, 10, 4294967295};

    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        struct soon__uuid uuid, read;
        char text[SOON__UNIQUE_MAX];
        uint32_t attempt;
        size_t size;

        cr_assert_eq(soon__uuid_new(&uuid), 0);
        size = soon__unique_write(text, &uuid, attempts[i]);
        cr_assert_leq(size, SOON__UNIQUE_MAX);
        cr_assert_null(memchr(text, '\0', size));
        cr_assert(soon__unique_is_ours((soon_bytes){text, size}));
        cr_assert_eq(soon__unique_parse((soon_bytes){text, size}, &read, &attempt), 0);
        cr_assert_eq(memcmp(&read, &uuid, sizeof uuid), 0);
        cr_assert_eq(attempt, attempts[i]);
    }
}

Test(unique, is_of_the_form_that_others_know)
{
    const struct soon__uuid uuid = {
        {0x6f, 0x96, 0x19, 0xff, 0x8b, 0x86, 0x4d, 0x11, 0xb4, 0x2d, 0, 0xcf, 0x4f, 0xc9, 0x64, 0xff}};
    static const char expected[] = "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff.12";
    char text[SOON__UNIQUE_MAX], written[SOON__UUID_TEXT];

    cr_assert_eq(soon__unique_write(text, &uuid, 12), sizeof expected - 1);
    cr_assert_eq(memcmp(text, expected, sizeof expected - 1), 0);
    soon__uuid_write(written, &uuid);
    cr_assert_str_eq(written, "6f9619ff-8b86-4d11-b42d-00cf4fc964ff");
    cr_assert_eq(soon__unique_parse(bytes_of(expected), NULL, NULL), 0);
}

Test(unique, of_others_is_told_from_ours)
{
    static const char *const others[] = {"", "-", "soon1", "soon2-6f9619ff", "Soon1-", "pi.1"};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_assert_not(soon__unique_is_ours(bytes_of(others[i])));
        cr_assert_eq(soon__unique_parse(bytes_of(others[i]), NULL, NULL), -EBADMSG);
    }
    cr_assert_not(soon__unique_is_ours((soon_bytes){NULL, 0}));
    cr_assert(soon__unique_is_ours(bytes_of("soon1-")));
}

Test(unique, that_we_would_not_write_is_refused)
{
    static const char *const wrong[] = {
        "soon1-",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff.",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff.0",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff.01",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff.4294967296",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff.99999999999",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff.1 ",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964ff-1",
        "soon1-6F9619FF-8b86-4d11-b42d-00cf4fc964ff.1",
        "soon1-6f9619ffa8b86-4d11-b42d-00cf4fc964ff.1",
        "soon1-6f9619ff-8b86-4d11-b42d-00cf4fc964fg.1",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint32_t attempt = 7;

        cr_assert_eq(soon__unique_parse(bytes_of(wrong[i]), NULL, &attempt), -EBADMSG, "%s", wrong[i]);
        cr_assert_eq(attempt, 7);
    }
}

enum { MANY = 100 };

static struct soon__uuid *all; /* shared: the second half is the child's */

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct soon__uuid));
}

static void make_second_half(void)
{
    for (size_t i = MANY; i < 2 * MANY; i++)
        CHECK(soon__uuid_new(&all[i]) == 0);
}

Test(unique, is_never_the_same_in_a_forked_child)
{
    all = mmap(NULL, sizeof *all * 2 * MANY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_eq(soon__uuid_new(&all[0]), 0); /* bytes for more are there, and the child inherits them */
    in_child(make_second_half);
    for (size_t i = 1; i < MANY; i++)
        cr_assert_eq(soon__uuid_new(&all[i]), 0);

    qsort(all, 2 * MANY, sizeof *all, compare);
    for (size_t i = 1; i < 2 * MANY; i++)
        cr_assert_neq(compare(&all[i - 1], &all[i]), 0);
    munmap(all, sizeof *all * 2 * MANY);
}

/*
 * digest.c - the digest of a function changes with all that both sides must agree on, and with nothing else.
 */
#include "../harness/test.h"

#include "../../executor/cluster/both/digest_internal.h"

#include <soon.h>
#include <string.h>

struct pair {
    int x, y;
};

SOON_TASK(digest_plain, struct pair, int)
{
    return 0;
}

SOON_TASK(digest_of_version, struct pair, int)
{
    return 0;
}
SOON_TASK_VERSION(digest_of_version, 3);

SOON_TASK_STRING(digest_of_text)
{
    return 0;
}
SOON_TASK_VERSION(digest_of_text, UINT64_C(1) << 40);

SOON_TASK_BYTES(digest_of_bytes, double)
{
    return 0;
}

TestSuite(digest);

static int body(soon_task *task, const void *arg, void *result)
{
    (void)task, (void)arg, (void)result;
    return 0;
}

static int other_body(soon_task *task, const void *arg, void *result)
{
    (void)task, (void)arg, (void)result;
    return 1;
}

static const uint64_t one = 1, zero = 0;
#define BASE .body = body, .name = "f", .arg_size = 8, .result_size = 4, .arg_type = "struct a", .result_type = "int"
static const soon_function base = {BASE, .result_kind = "iint"};

static soon_function layout(const char *name, size_t arg_size, size_t result_size, const char *arg_type,
                            const char *result_type)
{
    return (soon_function){.name = name,
                           .body = body,
                           .arg_size = arg_size,
                           .result_size = result_size,
                           .arg_type = arg_type,
                           .result_type = result_type,
                           .result_kind = "iint"};
}

Test(digest, it_changes_with_each_part_of_the_layout)
{
    const soon_function others[] = {
        {BASE, .result_kind = "iint", .version = &one},
        {BASE, .result_kind = "funsigned"},
        {BASE},
        layout("g", 8, 4, "struct a", "int"),
        layout("f", 9, 4, "struct a", "int"),
        layout("f", 4, 8, "struct a", "int"),
        layout("f", 8, 4, "struct b", "int"),
        layout("f", 8, 4, "struct a", "long"),
        layout("fstruct a", 8, 4, "", "int"), /* the same letters, parted elsewhere */
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_assert_neq(soon__function_digest(&others[i]), soon__function_digest(&base), "row %zu", i);
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(soon__function_digest(&others[i]), soon__function_digest(&others[j]));
    }
}

Test(digest, it_does_not_change_with_what_is_each_sides_own)
{
    const soon_function same[] = {
        {BASE, .result_kind = "iint"},
        {BASE, .result_kind = "iinteger"}, /* as a compiler of another language names it */
        {BASE, .result_kind = "iint", .version = &zero},
        {.body = other_body,
         .name = "f",
         .arg_size = 8,
         .result_size = 4,
         .arg_type = "struct a",
         .result_type = "int",
         .result_kind = "iint"},
    };
    const soon_function untyped = {.name = "f", .body = body},
                        known = {.name = "f", .body = body, .arg_type = "", .result_type = ""};

    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        cr_assert_eq(soon__function_digest(&same[i]), soon__function_digest(&base), "row %zu", i);
    cr_assert_eq(soon__function_digest(&untyped), soon__function_digest(&known));
}

/* Else two releases of the library could not talk to each other. The value is of a machine of 64 bits. */
Test(digest, it_is_the_same_in_each_release,
     .disabled = sizeof(void *) != 8 || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
{
    cr_assert_eq(soon__function_digest(&base), UINT64_C(0xf54869bd9d6ff07c), "%#llx",
                 (unsigned long long)soon__function_digest(&base));
}

Test(digest, a_task_has_the_version_that_stands_behind_it_or_none)
{
    cr_assert_null(digest_plain_task.version);
    cr_assert_null(digest_of_bytes_task.version);
    cr_assert_eq(*digest_of_version_task.version, 3);
    cr_assert_eq(*digest_of_text_task.version, UINT64_C(1) << 40);
    cr_assert_eq(sizeof(soon_function), 13 * sizeof(void *)); /* as in all releases */
}

Test(digest, a_layout_is_told_in_words)
{
    char text[SOON__LAYOUT_TEXT], cut[10];

    cr_assert_not_null(strstr(soon__layout_text(text, sizeof text, &digest_of_version_task),
                              "struct pair (8 bytes) -> int (4 bytes), version 3, "));
    cr_assert_not_null(
        strstr(soon__layout_text(text, sizeof text, &digest_of_text_task), "string -> bytes, version 1099511627776, "));
    cr_assert_not_null(
        strstr(soon__layout_text(text, sizeof text, &digest_of_bytes_task), "bytes -> double (8 bytes), version 0, "));
    cr_assert_str_eq(soon__layout_text(cut, sizeof cut, &digest_plain_task), "struct pa");
    cr_assert_eq(strncmp(soon__layout_mismatch(text, sizeof text, &digest_plain_task),
                         "digest_plain: the worker has struct pair", 40),
                 0);
}

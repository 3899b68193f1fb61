/*
 * contract_extra.c - the contract of executors: bytes beside the argument.
 */
#include "contract.h"

#include <string.h>

TestSuite(contract_extra);

struct text {
    size_t size;
    bool aligned;
    char start[32];
};

/* What it has beside its argument, which is how many bytes that should be. */
SOON_TASK(read_extra, size_t, struct text)
{
    soon_bytes extra = soon_task_extra(task);
    const unsigned char *bytes = extra.data;

    *result = (struct text){.size = extra.size, .aligned = (uintptr_t)bytes % test_alignment(extra.size) == 0};
    if (bytes)
        memcpy(result->start, bytes, extra.size < sizeof result->start ? extra.size : sizeof result->start);
    for (size_t i = 0; i < extra.size && extra.size > 100; i++) {
        if (bytes[i] != (unsigned char)(i * 7))
            return soon_raise(task, EIO, "byte %zu of %zu is %d", i, *arg, bytes[i]);
    }
    return extra.size == *arg ? 0 : soon_raise(task, EIO, "%zu bytes, not %zu", extra.size, *arg);
}

TestOnEach(contract_extra, is_seen_beside_the_argument)
{
    char path[] = "/some/where";
    soon_future *f = soon_submit_with(executor, (.extra = soon_string(path)), read_extra, sizeof path);
    struct text text;
    int rc;

    memset(path, 'x', sizeof path); /* it was copied */
    rc = soon_result(f, &text);
    cr_assert_eq(rc, 0, "on %s: %s", kind->name, soon_future_error(f)->message);
    cr_assert_str_eq(text.start, "/some/where");
    cr_assert(text.aligned);
    soon_future_unref(f);
}

TestOnEach(contract_extra, is_empty_where_there_is_none)
{
    struct text text;

    cr_assert_eq(soon_take(soon_submit(executor, read_extra, 0), &text), 0);
    cr_assert_eq(soon_take(soon_submit_with(executor, (.extra = soon_string(NULL)), read_extra, 0), &text), 0);
    cr_assert_eq(soon_take(soon_submit_with(executor, (.label = "with a label"), read_extra, 0), &text), 0);
    cr_assert_eq(text.size, 0);
}

/* In a request, in the area for them, and by a descriptor. */
TestOnEach(contract_extra, has_any_size)
{
    static const size_t sizes[] = {101, 4096, 1 << 20, (4 << 20) - 32, 4 << 20, 5000001};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *bytes = malloc(sizes[i]);
        soon_future *f;
        struct text text;
        int rc;

        for (size_t at = 0; at < sizes[i]; at++)
            bytes[at] = (unsigned char)(at * 7);
        f = soon_submit_with(executor, (.label = "long", .extra = {bytes, sizes[i]}), read_extra, sizes[i]);
        free(bytes);
        rc = soon_result(f, &text);
        cr_assert_eq(rc, 0, "on %s: %s", kind->name, soon_future_error(f)->message);
        cr_assert(text.aligned);
        soon_future_unref(f);
    }
}

/* Argument, payload, label and extra bytes, each with a descriptor or without. */
SOON_TASK_BYTES(compare_parts)
{
    soon_bytes extra = soon_task_extra(task);
    soon_buffer *payload = soon_task_payload(task);
    const char *label = soon_task_label(task);

    if (((const char *)arg.data)[arg.size - 1] != 'a' || ((const char *)extra.data)[extra.size - 1] != 'e' ||
        ((const char *)soon_buffer_data(payload))[soon_buffer_size(payload) - 1] != 'p' || strcmp(label, "l") != 0)
        return soon_raise(task, EIO, "the parts are mixed up");
    return soon_task_return_bytes(task, extra.data, extra.size);
}

static char *bytes_of(size_t size, char last)
{
    char *bytes = calloc(1, size);

    bytes[size - 1] = last;
    return bytes;
}

TestOnEach(contract_extra, goes_with_arguments_and_payloads_of_all_sizes)
{
    static const size_t sizes[] = {1, 200, 5 << 20};

    for (int i = 0; i < 27; i++) {
        size_t arg_size = sizes[i % 3], payload_size = sizes[i / 3 % 3], size = sizes[i / 9];
        char *arg = bytes_of(arg_size, 'a'), *extra = bytes_of(size, 'e');
        soon_submit_options options = {.label = "l", .extra = {extra, size}};
        soon_bytes bytes;
        soon_future *f;
        int rc;

        cr_assert_eq(soon_buffer_new(&options.payload, payload_size), 0);
        ((char *)soon_buffer_data(options.payload))[payload_size - 1] = 'p';
        f = compare_parts_submit(executor, arg, arg_size, &options);
        rc = soon_future_result(f, SOON_FOREVER, &bytes);
        cr_assert_eq(rc, 0, "on %s: %s", kind->name, soon_future_error(f)->message);
        cr_assert_eq(bytes.size, size);
        cr_assert_eq(memcmp(bytes.data, extra, size), 0);
        soon_future_unref(f);
        free(arg);
        free(extra);
    }
}

TestOnEach(contract_extra, is_the_same_for_each_item_of_a_map)
{
    static const size_t sizes[] = {10, 10, 10, 10, 10};
    char path[] = "/tmp/here";
    soon_submit_options each = {.extra = soon_string(path)};
    struct text texts[5];

    cr_assert_eq(soon_map_with(executor, (.each = &each, .chunk = 2), read_extra, sizes, 5, texts, NULL), 0);
    for (int i = 0; i < 5; i++)
        cr_assert_str_eq(texts[i].start, "/tmp/here");
}

static int five_sizes(void *arg, void *data)
{
    int *left = data;

    *(size_t *)arg = 10;
    return (*left)-- > 0;
}

TestOnEach(contract_extra, is_the_same_for_each_item_of_an_imap)
{
    char path[] = "/tmp/here";
    soon_submit_options each = {.label = "each", .extra = soon_string(path)};
    int left = 5;
    struct text text;
    soon_imap *imap;
    soon_future *f;

    cr_assert_eq(soon_imap_new(&imap, executor, &read_extra_task,
                               &(soon_map_options){.each = &each, .chunk = 2, .in_flight_max = 3}, five_sizes, &left),
                 0);
    memset(path, 'x', sizeof path);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &f, NULL), 0);
        cr_assert_str_eq(soon_future_label(f), "each");
        cr_assert_eq(soon_take(f, &text), 0);
        cr_assert_str_eq(text.start, "/tmp/here");
    }
    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &f, NULL), SOON_EEND);
    soon_imap_free(imap);
}

TestOnEach(contract_extra, that_is_not_there_is_refused)
{
    soon_future *f = soon_submit_with(executor, (.extra = {NULL, 4}), read_extra, 4);

    cr_assert_eq(soon_future_error(f)->code, -EINVAL);
    soon_future_unref(f);
    f = soon_submit_with(executor, (.extra = {"x", SIZE_MAX}), read_extra, 4);
    cr_assert_eq(soon_future_error(f)->code, -EINVAL);
    soon_future_unref(f);
    cr_assert_eq(soon_try_submit_with(&f, executor, (.extra = {NULL, 4}), read_extra, 4), -EINVAL);
}

/*
 * Initializers
 */

SOON_TASK_BYTES(join_the_words)
{
    soon_bytes extra = soon_task_extra(task);
    static char words[64];

    snprintf(words, sizeof words, "%.*s%s", (int)arg.size, (const char *)arg.data,
             extra.size ? (const char *)extra.data : "");
    soon_task_set_local(task, words, NULL);
    return 0;
}

typedef char words[64];

SOON_TASK(tell_the_words, soon_none, words)
{
    strcpy(*result, soon_task_local(task));
    return 0;
}

struct start {
    const soon_function *function;
    const void *arg;
    size_t arg_size;
    soon_bytes extra;
};

static int new_of(soon_executor **ret, bool processes, struct start start)
{
    soon_thread_pool_options of_threads = {.workers = 1,
                                           .initializer = start.function,
                                           .initializer_arg = start.arg,
                                           .initializer_arg_size = start.arg_size,
                                           .initializer_extra = start.extra};
    soon_process_pool_options of_processes = {.workers = 1,
                                              .initializer = start.function,
                                              .initializer_arg = start.arg,
                                              .initializer_arg_size = start.arg_size,
                                              .initializer_extra = start.extra};

    return processes ? soon_process_pool_new(ret, &of_processes) : soon_thread_pool_new(ret, &of_threads);
}

Test(contract_extra, and_an_argument_of_any_size_are_given_to_an_initializer)
{
    for (int processes = 0; processes <= test_has_processes(); processes++) {
        char arg[] = "one, ", extra[] = "two";
        soon_executor *pool;
        words said;

        cr_assert_eq(new_of(&pool, processes, (struct start){&join_the_words_task, arg, 5, soon_string(extra)}), 0);
        memset(arg, 'x', sizeof arg);
        memset(extra, 'x', sizeof extra);
        cr_assert_eq(soon_take(soon_submit(pool, tell_the_words), &said), 0);
        cr_assert_str_eq(said, "one, two");
        cr_assert_eq(soon_executor_free(pool), 0);
        cr_assert_eq(
            new_of(&pool, processes, (struct start){.function = &join_the_words_task, .arg = "one", .arg_size = 3}), 0);
        cr_assert_eq(soon_take(soon_submit(pool, tell_the_words), &said), 0);
        cr_assert_str_eq(said, "one");
        cr_assert_eq(soon_executor_free(pool), 0);
    }
}

Test(contract_extra, of_an_initializer_that_makes_no_sense_is_refused)
{
    const soon_function *any = &join_the_words_task, *fixed = &read_extra_task;
    const struct start senseless[] = {
        {NULL, "x", 1, {NULL, 0}},  {NULL, NULL, 1, {NULL, 0}},      {NULL, NULL, 0, {"x", 1}},
        {any, "x", 0, {NULL, 0}},   {any, NULL, 1, {NULL, 0}},       {any, NULL, 0, {NULL, 1}},
        {fixed, "x", 1, {NULL, 0}}, {any, "x", SIZE_MAX, {NULL, 0}}, {any, "x", 1, {"x", SIZE_MAX}},
    };

    for (int processes = 0; processes <= test_has_processes(); processes++) {
        for (size_t i = 0; i < sizeof senseless / sizeof *senseless; i++) {
            soon_executor *pool = NULL;

            cr_assert_eq(new_of(&pool, processes, senseless[i]), -EINVAL, "row %zu", i);
            cr_assert_null(pool);
        }
    }
}

/*
 * contract_payloads.c - the contract of executors: several payloads with a task, and with its result.
 */
#include "contract.h"

#include <string.h>

TestSuite(contract_payloads);

enum { MANY = 40 };

/* The byte at `at` of the payload with this number. */
static unsigned char painted(size_t number, size_t at)
{
    return (unsigned char)(number * 31 + at);
}

static soon_buffer *painted_buffer(size_t number, size_t size)
{
    soon_buffer *buffer;
    unsigned char *bytes;

    if (soon_buffer_new(&buffer, size) < 0)
        return NULL;
    bytes = soon_buffer_data(buffer);
    for (size_t i = 0; i < size; i++)
        bytes[i] = painted(number, i);
    return buffer;
}

static bool is_painted(soon_buffer *buffer, size_t number, size_t size)
{
    const unsigned char *bytes = buffer ? soon_buffer_data(buffer) : NULL;

    if (!buffer || soon_buffer_size(buffer) != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != painted(number, i))
            return false;
    }
    return true;
}

struct many {
    size_t count, sizes[MANY];
};

/* Looks at what came, and sends as much: the last first. */
SOON_TASK(send_back, struct many, int)
{
    size_t count = soon_task_payload_count(task);

    if (count != arg->count || soon_task_payload_at(task, count) || soon_task_payload_at(task, SIZE_MAX))
        return soon_raise(task, EIO, "%zu payloads", count);
    for (size_t i = 0; i < count; i++) {
        if (!is_painted(soon_task_payload_at(task, i), i, arg->sizes[i]))
            return soon_raise(task, EIO, "payload %zu is another", i);
    }
    for (size_t i = count; i-- > 0;) {
        soon_buffer *kept = i % 2 ? soon_buffer_ref(soon_task_payload_at(task, i)) : painted_buffer(i, arg->sizes[i]);

        if (soon_task_add_payload(task, kept) < 0)
            return -ENOMEM;
    }
    *result = (int)count;
    return 0;
}

static void assert_carried(soon_executor *executor, const struct executor_kind *kind, const struct many *many)
{
    soon_buffer *payloads[MANY];
    soon_future *f;
    int rc, count;

    for (size_t i = 0; i < many->count; i++)
        payloads[i] = painted_buffer(i, many->sizes[i]);
    f = send_back_submit(executor, many,
                         &(soon_submit_options){
                             .label = "many", .payloads = payloads, .payload_count = many->count, .extra = {"abc", 4}});
    rc = soon_result(f, &count);
    cr_assert_eq(rc, 0, "on %s: %s", kind->name, soon_future_error(f)->message);
    cr_assert_eq(soon_future_payload_count(f), many->count);
    for (size_t i = 0; i < many->count; i++)
        cr_assert(is_painted(soon_future_payload_at(f, i), many->count - 1 - i, many->sizes[many->count - 1 - i]),
                  "on %s: %zu", kind->name, i);
    cr_assert_eq(soon_future_payload(f), soon_future_payload_at(f, 0));
    cr_assert_null(soon_future_payload_at(f, many->count));
    cr_assert_null(soon_future_payload_at(f, SIZE_MAX));
    soon_future_unref(f);
}

TestOnEach(contract_payloads, are_carried_both_ways)
{
    static const struct many few[] = {{0, {0}}, {1, {7}}, {2, {0, 0}}, {3, {100, 0, 5000}}, {2, {3 << 20, 1}}};

    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        assert_carried(executor, kind, &few[i]);
}

/* More of them than one message has descriptors. */
TestOnEach(contract_payloads, in_mappable_memory_may_be_many)
{
    struct many many = {.count = 20};

    for (size_t i = 0; i < many.count; i++)
        many.sizes[i] = (1 << 20) + i;
    assert_carried(executor, kind, &many);
}

/* Each could be copied to where requests and replies lie; all of them could not. */
TestOnEach(contract_payloads, on_the_heap_may_be_more_than_there_is_room_for)
{
    struct many many = {.count = MANY};

    for (size_t i = 0; i < many.count; i++)
        many.sizes[i] = (1 << 20) - 1 - i;
    assert_carried(executor, kind, &many);
}

SOON_TASK_BYTES(count_payloads)
{
    size_t sizes[2] = {soon_task_payload_count(task), 0};

    for (size_t i = 0; i < sizes[0]; i++)
        sizes[1] += soon_buffer_size(soon_task_payload_at(task, i));
    return soon_task_return_bytes(task, sizes, sizeof sizes);
}

TestOnEach(contract_payloads, go_with_arguments_of_all_sizes_and_a_first_one)
{
    static const size_t sizes[] = {1, 200, 5 << 20};

    for (int i = 0; i < 27; i++) {
        soon_buffer *others[] = {painted_buffer(1, sizes[i % 3]), painted_buffer(2, 3)};
        size_t first = sizes[i / 3 % 3], arg_size = sizes[i / 9];
        soon_submit_options options = {.payload = painted_buffer(0, first), .payloads = others, .payload_count = 2};
        char *arg = calloc(1, arg_size);
        soon_future *f = count_payloads_submit(executor, arg, arg_size, &options);
        soon_bytes result;

        cr_assert_eq(soon_future_result(f, SOON_FOREVER, &result), 0, "on %s", kind->name);
        cr_assert_eq(((const size_t *)result.data)[0], 3);
        cr_assert_eq(((const size_t *)result.data)[1], first + sizes[i % 3] + 3);
        soon_future_unref(f);
        free(arg);
    }
}

SOON_TASK(change_the_first, int, soon_none)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < 4; i++)
        rc = soon_task_add_payload(task, painted_buffer(i, 10));
    if (rc == 0)
        rc = soon_task_return_payload(task, painted_buffer(9, 10));
    return *arg ? soon_raise(task, *arg, NULL) : rc;
}

TestOnEach(contract_payloads, are_behind_the_first_which_may_change)
{
    soon_future *f = soon_submit(executor, change_the_first, 0);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_payload_count(f), 4);
    cr_assert(is_painted(soon_future_payload(f), 9, 10));
    for (size_t i = 1; i < 4; i++)
        cr_assert(is_painted(soon_future_payload_at(f, i), i, 10));
    soon_future_unref(f);
}

TestOnEach(contract_payloads, do_not_come_from_a_task_that_fails)
{
    soon_future *f = soon_submit(executor, change_the_first, EIO);

    cr_assert_eq(soon_future_payload_count(f), 0);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->raised, EIO);
    cr_assert_eq(soon_future_payload_count(f), 0);
    cr_assert_null(soon_future_payload_at(f, 1));
    soon_future_unref(f);
}

static int three_zeroes(void *arg, void *data)
{
    int *left = data;

    (void)arg;
    return (*left)-- > 0;
}

TestOnEach(contract_payloads, come_with_the_items_of_an_imap)
{
    int left = 3;
    soon_imap *imap;
    soon_future *f;

    cr_assert_eq(soon_imap_new(&imap, executor, &change_the_first_task,
                               &(soon_map_options){.chunk = 2, .in_flight_max = 4}, three_zeroes, &left),
                 0);
    while (soon_imap_next(imap, SOON_FOREVER, &f, NULL) == 0) {
        cr_assert_eq(soon_future_payload_count(f), 4, "on %s: %s", kind->name, soon_future_error(f)->message);
        cr_assert(is_painted(soon_future_payload_at(f, 3), 3, 10));
        soon_future_unref(f);
    }
    soon_imap_free(imap);
}

SOON_TASK(number_a_large_one, int, int)
{
    *result = *arg;
    if (soon_task_add_payload(task, painted_buffer(0, 10)) < 0 ||
        soon_task_add_payload(task, painted_buffer((size_t)*arg, 1 << 20)) < 0)
        return -ENOMEM;
    return 0;
}

static int count_up(void *arg, void *data)
{
    return (*(int *)arg = (*(int *)data)++) < 12;
}

/* Their descriptors come one after the other. */
TestOnEach(contract_payloads, of_items_are_told_apart)
{
    int next = 0, number;
    soon_imap *imap;
    soon_future *f;

    cr_assert_eq(soon_imap_new(&imap, executor, &number_a_large_one_task,
                               &(soon_map_options){.chunk = 6, .in_flight_max = 12}, count_up, &next),
                 0);
    for (int i = 0; soon_imap_next(imap, SOON_FOREVER, &f, NULL) == 0; i++) {
        cr_assert_eq(soon_result(f, &number), 0, "on %s: %s", kind->name, soon_future_error(f)->message);
        cr_assert_eq(number, i);
        cr_assert(is_painted(soon_future_payload_at(f, 1), (size_t)i, 1 << 20));
        soon_future_unref(f);
    }
    soon_imap_free(imap);
}

TestOnEach(contract_payloads, of_the_winner_are_those_of_an_any)
{
    soon_future *f = soon_submit(executor, change_the_first, 0), *any = soon_any(&f, 1);

    cr_assert_eq(soon_future_wait(any, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_payload_count(any), 4);
    cr_assert_eq(soon_future_payload_at(any, 2), soon_future_payload_at(f, 2));
    soon_future_unref(f);
    soon_future_unref(any);
}

/*
 * Who has them
 */

static _Atomic int released;

static void release(void *pointer)
{
    released++;
    free(pointer);
}

static soon_buffer *counted(void)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_wrap(&buffer, malloc(10), 10, release), 0);
    return buffer;
}

/* Three, the second is missing where `hole` says so. */
static soon_submit_options three_counted(soon_buffer *payloads[3], bool hole)
{
    released = 0;
    for (int i = 0; i < 3; i++)
        payloads[i] = i == 1 && hole ? NULL : counted();
    return (soon_submit_options){.payloads = payloads, .payload_count = 3};
}

TestOnEach(contract_payloads, are_released_when_the_task_has_ended)
{
    soon_buffer *payloads[3];
    soon_submit_options options = three_counted(payloads, false);
    soon_future *f = soon_submit_bytes(executor, &mul_task, &(struct pair){2, 3}, sizeof(struct pair), &options);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    test_wait_until(released == 3);
    soon_future_unref(f);
}

TestOnEach(contract_payloads, are_released_when_the_task_is_cancelled)
{
    struct gate gate = gate_new();
    soon_buffer *payloads[3];
    soon_submit_options options = three_counted(payloads, false);
    soon_future *f;

    occupy(executor, kind, gate);
    f = soon_submit_bytes(executor, &mul_task, &(struct pair){2, 3}, sizeof(struct pair), &options);
    cr_assert_eq(soon_future_cancel(f), kind->takes_back);
    if (kind->takes_back)
        test_wait_until(released == 3);
    gate_open(gate, kind->workers);
    test_wait_until(released == 3);
    soon_future_unref(f);
    gate_free(gate);
}

TestOnEach(contract_payloads, are_taken_by_a_submit_that_is_refused)
{
    soon_buffer *payloads[3];
    soon_submit_options options = three_counted(payloads, true);
    soon_future *f = soon_submit_bytes(executor, &mul_task, &(struct pair){2, 3}, sizeof(struct pair), &options);

    cr_assert_eq(soon_future_error(f)->code, -EINVAL);
    cr_assert_eq(released, 2);
    soon_future_unref(f);
    options = three_counted(payloads, false);
    f = soon_submit_bytes(executor, &mul_task, "x", 1, &options);
    cr_assert_eq(soon_future_error(f)->code, -EINVAL);
    cr_assert_eq(released, 3);
    soon_future_unref(f);
    f = soon_submit_bytes(executor, &mul_task, NULL, 0, &(soon_submit_options){.payload_count = 1});
    cr_assert_eq(soon_future_error(f)->code, -EINVAL);
    soon_future_unref(f);
}

TestOnEach(contract_payloads, stay_the_callers_where_a_try_is_refused)
{
    soon_buffer *payloads[3];
    soon_submit_options options = three_counted(payloads, true);
    soon_future *f = NULL;

    cr_assert_eq(soon_try_submit_bytes(&f, executor, &mul_task, NULL, 0, &options), -EINVAL);
    cr_assert_eq(released, 0);
    cr_assert_null(f);
    payloads[1] = counted();
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_try_submit_bytes(&f, executor, &mul_task, NULL, 0, &options), SOON_ESHUTDOWN);
    cr_assert_eq(released, 0);
    for (int i = 0; i < 3; i++)
        soon_buffer_unref(payloads[i]);
}

TestOnEach(contract_payloads, are_of_no_map)
{
    soon_buffer *payload = counted();
    soon_submit_options each = {.payloads = &payload, .payload_count = 1};
    struct pair pair = {1, 2};
    int result;

    cr_assert_eq(soon_map_with(executor, (.each = &each), mul, &pair, 1, &result, NULL), -EINVAL);
    soon_buffer_unref(payload);
}

/*
 * message.c - what client and daemon say to each other: written, read, cut short, counted wrongly.
 */
#include "../harness/test.h"

#include "../../executor/cluster/both/message_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

TestSuite(message);

static const soon_bytes some = {"some \0bytes", 11}, more = {"more", 4}, none = {NULL, 0};

static bool same(soon_bytes a, soon_bytes b)
{
    return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

static void assert_same(soon_bytes a, soon_bytes b)
{
    cr_assert_eq(a.size, b.size);
    cr_assert(same(a, b));
}

/* Of one task, with all that one may have. */
static void write_task(struct soon__message_writer *writer)
{
    soon__write_call(writer, &(struct soon__call_message){.digest = UINT64_C(0x123456789abcdef0),
                                                          .attempt = 3,
                                                          .time_limit_ms = 1500,
                                                          .alive_every_ms = 5000,
                                                          .priority = -7,
                                                          .retries = 4,
                                                          .label = "a label",
                                                          .argument = some,
                                                          .extra = more,
                                                          .payloads = 2,
                                                          .inputs = 2});
    soon__put_bytes(writer, more);
    soon__put_bytes(writer, none);
    soon__put_input(writer, &(struct soon__input_message){.result = more, .has_payload = true, .payload = some});
    soon__put_input(writer, &(struct soon__input_message){.result = none});
}

static void write_varied_chunk(struct soon__message_writer *writer)
{
    soon__write_call(writer, &(struct soon__call_message){
                                 .digest = 1, .attempt = 1, .alive_every_ms = 1, .items = 3, .items_vary = true});
    soon__put_item(writer, &(struct soon__item_message){.argument = some, .label = "first"});
    soon__put_item(writer, &(struct soon__item_message){.argument = none, .has_payload = true, .payload = none});
    soon__put_item(writer, &(struct soon__item_message){.argument = more, .has_payload = true, .payload = more});
}

static void write_even_chunk(struct soon__message_writer *writer)
{
    soon__write_call(writer,
                     &(struct soon__call_message){
                         .digest = 1, .attempt = 1, .alive_every_ms = 1, .items = 4, .argument = {"aabbccdd", 8}});
}

static void write_start(struct soon__message_writer *writer)
{
    soon__write_start(writer, &(struct soon__start_message){"host", "worker"});
}

static const struct soon__error_message failure = {
    .code = -5001,
    .raised = 33,
    .started = true,
    .pid = 1234,
    .signal = 11,
    .status = -1,
    .attempt = 2,
    .host = "host",
    .worker = "worker",
    .message = "it went wrong",
    .data = {"data", 4},
};

static void write_error(struct soon__message_writer *writer)
{
    soon__write_error(writer, &failure);
}

static void write_task_result(struct soon__message_writer *writer)
{
    soon__write_result(writer, 0);
    soon__put_item_result(writer, &(struct soon__item_result_message){.result = some, .payloads = 2});
    soon__put_bytes(writer, more);
    soon__put_bytes(writer, none);
}

static void write_chunk_result(struct soon__message_writer *writer)
{
    soon__write_result(writer, 3);
    soon__put_item_result(writer, &(struct soon__item_result_message){.result = some});
    soon__put_item_result(writer, &(struct soon__item_result_message){.is_error = true, .error = failure});
    soon__put_item_result(writer, &(struct soon__item_result_message){.result = none, .payloads = 1});
    soon__put_bytes(writer, more);
}

static void write_order(struct soon__message_writer *writer)
{
    soon__write_order(writer, &(struct soon__order_message){SOON__ORDER_KILL, "soon1-0123.4"});
}

static const struct {
    const char *name;
    enum soon__message_kind kind;
    void (*write)(struct soon__message_writer *writer);
} messages[] = {
    {"task", SOON__MESSAGE_CALL, write_task},
    {"varied chunk", SOON__MESSAGE_CALL, write_varied_chunk},
    {"even chunk", SOON__MESSAGE_CALL, write_even_chunk},
    {"start", SOON__MESSAGE_START, write_start},
    {"alive", SOON__MESSAGE_ALIVE, soon__write_alive},
    {"task's result", SOON__MESSAGE_RESULT, write_task_result},
    {"chunk's result", SOON__MESSAGE_RESULT, write_chunk_result},
    {"error", SOON__MESSAGE_ERROR, write_error},
    {"order", SOON__MESSAGE_ORDER, write_order},
};
#define MESSAGES (sizeof messages / sizeof *messages)

/* The caller frees it. */
static soon_bytes written(void (*write)(struct soon__message_writer *writer))
{
    struct soon__message_writer writer;
    soon_bytes bytes;

    soon__writer_init(&writer);
    write(&writer);
    cr_assert_eq(soon__writer_end(&writer, &bytes), 0);
    return bytes;
}

static int read_as(enum soon__message_kind kind, soon_bytes message)
{
    struct soon__call_message call;
    struct soon__start_message start;
    struct soon__result_message result;
    struct soon__error_message error;
    struct soon__order_message order;

    switch (kind) {
    case SOON__MESSAGE_CALL:
        return soon__read_call(&call, message);
    case SOON__MESSAGE_START:
        return soon__read_start(&start, message);
    case SOON__MESSAGE_ALIVE:
        return soon__read_alive(message);
    case SOON__MESSAGE_RESULT:
        return soon__read_result(&result, message);
    case SOON__MESSAGE_ERROR:
        return soon__read_error(&error, message);
    case SOON__MESSAGE_ORDER:
        return soon__read_order(&order, message);
    }
    return 1;
}

/* In memory of its own of exactly that size, so that a sanitizer sees who reads behind it. */
static int read_copy(enum soon__message_kind kind, const void *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    int rc;

    memcpy(copy, data, size);
    rc = read_as(kind, (soon_bytes){copy, size});
    free(copy);
    return rc;
}

Test(message, a_task_is_read_as_it_was_written)
{
    soon_bytes message = written(write_task);
    struct soon__call_message call;
    struct soon__input_message input;

    cr_assert_eq(soon__message_kind_of(message), SOON__MESSAGE_CALL);
    cr_assert_eq(soon__read_call(&call, message), 0);
    cr_assert_eq(call.digest, UINT64_C(0x123456789abcdef0));
    cr_assert_eq(call.attempt, 3);
    cr_assert_eq(call.time_limit_ms, 1500);
    cr_assert_eq(call.alive_every_ms, 5000);
    cr_assert_eq(call.priority, -7);
    cr_assert_eq(call.retries, 4);
    cr_assert_str_eq(call.label, "a label");
    assert_same(call.argument, some);
    assert_same(call.extra, more);
    cr_assert_eq(call.items, 0);
    cr_assert_eq(call.payloads, 2);
    assert_same(soon__get_bytes(&call.rest), more);
    assert_same(soon__get_bytes(&call.rest), none);
    cr_assert_eq(call.inputs, 2);
    input = soon__get_input(&call.rest);
    assert_same(input.result, more);
    cr_assert(input.has_payload);
    assert_same(input.payload, some);
    input = soon__get_input(&call.rest);
    assert_same(input.result, none);
    cr_assert_not(input.has_payload);
    cr_assert_eq(soon__reader_end(&call.rest), 0);
    free((void *)message.data);
}

Test(message, items_of_any_size_are_read_as_they_were_written)
{
    soon_bytes message = written(write_varied_chunk);
    struct soon__call_message call;
    struct soon__item_message item;

    cr_assert_eq(soon__read_call(&call, message), 0);
    cr_assert_eq(call.items, 3);
    cr_assert(call.items_vary);
    item = soon__get_item(&call.rest);
    assert_same(item.argument, some);
    cr_assert_str_eq(item.label, "first");
    cr_assert_not(item.has_payload);
    item = soon__get_item(&call.rest);
    assert_same(item.argument, none);
    cr_assert_str_eq(item.label, "");
    cr_assert(item.has_payload);
    assert_same(item.payload, none);
    item = soon__get_item(&call.rest);
    assert_same(item.payload, more);
    cr_assert_eq(soon__reader_end(&call.rest), 0);
    free((void *)message.data);
}

static void assert_is_failure(const struct soon__error_message *error)
{
    cr_assert_eq(error->code, failure.code);
    cr_assert_eq(error->raised, failure.raised);
    cr_assert(error->started);
    cr_assert_eq(error->pid, failure.pid);
    cr_assert_eq(error->signal, failure.signal);
    cr_assert_eq(error->status, failure.status);
    cr_assert_eq(error->attempt, failure.attempt);
    cr_assert_str_eq(error->host, failure.host);
    cr_assert_str_eq(error->worker, failure.worker);
    cr_assert_str_eq(error->message, failure.message);
    assert_same(error->data, failure.data);
}

Test(message, results_of_items_are_read_as_they_were_written)
{
    soon_bytes message = written(write_chunk_result);
    struct soon__result_message result;
    struct soon__item_result_message item;

    cr_assert_eq(soon__read_result(&result, message), 0);
    cr_assert_eq(result.items, 3);
    item = soon__get_item_result(&result.rest);
    cr_assert_not(item.is_error);
    assert_same(item.result, some);
    cr_assert_eq(item.payloads, 0);
    item = soon__get_item_result(&result.rest);
    cr_assert(item.is_error);
    assert_is_failure(&item.error);
    item = soon__get_item_result(&result.rest);
    assert_same(item.result, none);
    cr_assert_eq(item.payloads, 1);
    assert_same(soon__get_bytes(&result.rest), more);
    cr_assert_eq(soon__reader_end(&result.rest), 0);
    free((void *)message.data);
}

Test(message, a_start_an_error_and_an_order_are_read_as_they_were_written)
{
    soon_bytes start_bytes = written(write_start), error_bytes = written(write_error),
               order_bytes = written(write_order);
    struct soon__start_message start;
    struct soon__error_message error;
    struct soon__order_message order;

    cr_assert_eq(soon__read_start(&start, start_bytes), 0);
    cr_assert_str_eq(start.host, "host");
    cr_assert_str_eq(start.worker, "worker");
    cr_assert_eq(soon__read_error(&error, error_bytes), 0);
    assert_is_failure(&error);
    cr_assert_eq(soon__read_order(&order, order_bytes), 0);
    cr_assert_eq(order.order, SOON__ORDER_KILL);
    cr_assert_str_eq(order.unique, "soon1-0123.4");
    free((void *)start_bytes.data);
    free((void *)error_bytes.data);
    free((void *)order_bytes.data);
}

Test(message, each_is_refused_when_it_is_cut_short_anywhere_or_has_a_byte_too_many)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        soon_bytes message = written(messages[i].write);
        char *longer = calloc(1, message.size + 1);

        memcpy(longer, message.data, message.size);
        cr_assert_eq(read_copy(messages[i].kind, message.data, message.size), 0, "%s", messages[i].name);
        for (size_t size = 0; size < message.size; size++)
            cr_assert_eq(read_copy(messages[i].kind, message.data, size), -EBADMSG, "%s, %zu bytes", messages[i].name,
                         size);
        cr_assert_eq(read_copy(messages[i].kind, longer, message.size + 1), -EBADMSG, "%s", messages[i].name);
        free(longer);
        free((void *)message.data);
    }
}

Test(message, each_is_refused_as_any_other_kind_or_version)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        soon_bytes message = written(messages[i].write);
        char *bytes = (char *)message.data;

        for (int kind = SOON__MESSAGE_CALL; kind <= SOON__MESSAGE_ORDER; kind++)
            cr_assert_eq(read_as((enum soon__message_kind)kind, message), kind == (int)messages[i].kind ? 0 : -EBADMSG);
        bytes[4]++;
        cr_assert_eq(read_as(messages[i].kind, message), -EBADMSG);
        cr_assert_eq(soon__message_kind_of(message), 0);
        bytes[4]--;
        bytes[0]++;
        cr_assert_eq(read_as(messages[i].kind, message), -EBADMSG);
        free(bytes);
    }
}

/* Whatever one changed byte makes of a message, no reader leaves it: for the sanitizers. What is let through has a rest
 * that can be read to its end. */
Test(message, a_changed_byte_makes_no_reader_leave_the_message)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        soon_bytes message = written(messages[i].write);
        char *bytes = (char *)message.data;

        for (size_t at = 0; at < message.size; at++) {
            for (int bit = 0; bit < 8; bit++) {
                int rc;

                bytes[at] = (char)(bytes[at] ^ 1 << bit);
                rc = read_copy(messages[i].kind, bytes, message.size);
                cr_assert(rc == 0 || rc == -EBADMSG);
                bytes[at] = (char)(bytes[at] ^ 1 << bit);
            }
        }
        free(bytes);
    }
}

Test(message, counts_and_numbers_that_cannot_be_are_refused)
{
    static const struct soon__call_message calls[] = {
        {.attempt = 0, .alive_every_ms = 1},
        {.attempt = 1, .alive_every_ms = 0},
        {.attempt = 1, .alive_every_ms = 1, .time_limit_ms = -1},
        {.attempt = 1, .alive_every_ms = 1, .payloads = UINT64_MAX},
        {.attempt = 1, .alive_every_ms = 1, .inputs = UINT64_MAX},
        {.attempt = 1, .alive_every_ms = 1, .items = UINT64_MAX},
        {.attempt = 1, .alive_every_ms = 1, .items = UINT64_MAX, .items_vary = true},
        {.attempt = 1, .alive_every_ms = 1, .items = 0, .items_vary = true},
        {.attempt = 1, .alive_every_ms = 1, .items = 3, .argument = {"aabb", 4}},
        {.attempt = 1, .alive_every_ms = 1, .items = 5, .argument = {"aabb", 4}},
    };
    struct soon__message_writer writer;
    struct soon__call_message call;
    struct soon__result_message result;
    soon_bytes bytes;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        soon__writer_init(&writer);
        soon__write_call(&writer, &calls[i]);
        cr_assert_eq(soon__writer_end(&writer, &bytes), 0);
        cr_assert_eq(soon__read_call(&call, bytes), -EBADMSG, "row %zu", i);
        soon__writer_fini(&writer);
    }
    soon__writer_init(&writer);
    soon__write_result(&writer, UINT64_MAX);
    cr_assert_eq(soon__writer_end(&writer, &bytes), 0);
    cr_assert_eq(soon__read_result(&result, bytes), -EBADMSG);
    soon__writer_fini(&writer);
}

Test(message, a_task_has_one_result_which_is_no_error)
{
    struct soon__message_writer writer;
    struct soon__result_message result;
    soon_bytes bytes;

    soon__writer_init(&writer);
    soon__write_result(&writer, 0);
    soon__put_item_result(&writer, &(struct soon__item_result_message){.is_error = true, .error = failure});
    cr_assert_eq(soon__writer_end(&writer, &bytes), 0);
    cr_assert_eq(soon__read_result(&result, bytes), -EBADMSG);
    soon__writer_fini(&writer);
}

Test(message, a_string_without_its_nul_or_with_another_inside_is_refused)
{
    static const soon_bytes strings[] = {{"ab", 2}, {"a\0b", 4}, {NULL, 0}};

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        struct soon__message_writer writer;
        struct soon__message_reader reader;
        soon_bytes bytes;

        soon__writer_init(&writer);
        soon__put_bytes(&writer, strings[i]);
        cr_assert_eq(soon__writer_end(&writer, &bytes), 0);
        soon__reader_init(&reader, bytes);
        cr_assert_str_eq(soon__get_string(&reader), "");
        cr_assert_eq(soon__reader_end(&reader), -EBADMSG);
        soon__writer_fini(&writer);
    }
}

Test(message, one_is_measured_and_then_written_where_it_is_sent_from)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        soon_bytes message = written(messages[i].write), bytes;
        struct soon__message_writer counting, fixed, short_of_one;
        char *memory;

        soon__writer_init_counting(&counting);
        messages[i].write(&counting);
        cr_assert_eq(counting.size, message.size);
        memory = malloc(counting.size);
        soon__writer_init_in(&fixed, memory, counting.size);
        messages[i].write(&fixed);
        cr_assert_eq(soon__writer_end(&fixed, &bytes), 0);
        assert_same(bytes, message);
        soon__writer_fini(&fixed);
        soon__writer_init_in(&short_of_one, memory, counting.size - 1);
        messages[i].write(&short_of_one);
        cr_assert_eq(soon__writer_end(&short_of_one, &bytes), -ENOMEM);
        free(memory);
        free((void *)message.data);
    }
}

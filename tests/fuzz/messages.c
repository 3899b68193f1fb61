/*
 * messages.c - a fuzz target: messages between client and daemon of a cluster. Whatever comes, a reader that lets it through
 * has all of it within its bytes, and what it reads is what a writer would write.
 */
#include "../../executor/cluster/both/message_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

/* So that the address sanitizer sees a read outside. */
static void touch(soon_bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        sink = ((const unsigned char *)bytes.data)[i];
}

static void touch_text(const char *text)
{
    touch((soon_bytes){text, strlen(text) + 1});
}

static void touch_error(const struct soon__error_message *error)
{
    if (error->code >= 0)
        abort();
    touch_text(error->host);
    touch_text(error->worker);
    touch_text(error->message);
    touch(error->data);
}

static void expect_end(const struct soon__message_reader *rest)
{
    if (soon__reader_end(rest) < 0)
        abort();
}

/* What was read, written again, is the message that it was read from. */
static void read_call(soon_bytes message)
{
    struct soon__message_writer writer;
    struct soon__call_message call;
    soon_bytes again;

    if (soon__read_call(&call, message) < 0)
        return;
    soon__writer_init(&writer);
    soon__write_call(&writer, &call);
    touch_text(call.label);
    touch(call.argument);
    touch(call.extra);
    for (uint64_t i = 0; call.items_vary && i < call.items; i++) {
        struct soon__item_message item = soon__get_item(&call.rest);

        touch(item.argument);
        touch(item.payload);
        soon__put_item(&writer, &item);
    }
    for (uint64_t i = 0; i < call.payloads; i++)
        soon__put_bytes(&writer, soon__get_bytes(&call.rest));
    for (uint64_t i = 0; i < call.inputs; i++) {
        struct soon__input_message input = soon__get_input(&call.rest);

        touch(input.result);
        touch(input.payload);
        soon__put_input(&writer, &input);
    }
    expect_end(&call.rest);
    if (soon__writer_end(&writer, &again) < 0 || again.size != message.size ||
        memcmp(again.data, message.data, again.size) != 0)
        abort();
    soon__writer_fini(&writer);
}

static void read_result(soon_bytes message)
{
    struct soon__result_message result;

    if (soon__read_result(&result, message) < 0)
        return;
    for (uint64_t i = 0; i < (result.items ? result.items : 1); i++) {
        struct soon__item_result_message item = soon__get_item_result(&result.rest);

        if (item.is_error)
            touch_error(&item.error);
        touch(item.result);
        for (uint64_t j = 0; j < item.payloads; j++)
            touch(soon__get_bytes(&result.rest));
    }
    expect_end(&result.rest);
}

static void read_others(soon_bytes message)
{
    struct soon__start_message start;
    struct soon__error_message error;
    struct soon__order_message order;

    if (soon__read_start(&start, message) == 0) {
        touch_text(start.host);
        touch_text(start.worker);
    }
    if (soon__read_error(&error, message) == 0)
        touch_error(&error);
    if (soon__read_order(&order, message) == 0)
        touch_text(order.unique);
    (void)soon__read_alive(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    soon_bytes message = {data, size};

    read_call(message);
    read_result(message);
    read_others(message);
    return 0;
}

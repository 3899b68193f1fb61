/*
 * message.c - each message has one function that writes it, and one that reads and checks it, in the same order.
 */
#include "message_internal.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static const char magic[4] = {'s', 'o', 'o', 'n'};

/* What each of these takes at least: so many of them fit into so many bytes. */
enum { LEAST_BYTES = 8, LEAST_ITEM = 8 + 9 + 1, LEAST_INPUT = 8 + 1, LEAST_ITEM_RESULT = 1 + 8 + 8 };

static void put_head(struct soon__message_writer *writer, enum soon__message_kind kind)
{
    for (size_t i = 0; i < sizeof magic; i++)
        soon__put_u8(writer, (uint8_t)magic[i]);
    soon__put_u32(writer, SOON__MESSAGE_VERSION | (uint32_t)kind << 16);
}

enum soon__message_kind soon__message_kind_of(soon_bytes message)
{
    uint32_t word;

    if (message.size < SOON__MESSAGE_HEAD || memcmp(message.data, magic, sizeof magic) != 0)
        return 0;
    memcpy(&word, (const char *)message.data + sizeof magic, sizeof word);
    word = le32toh(word);
    if ((word & 0xffff) != SOON__MESSAGE_VERSION || word >> 16 > SOON__MESSAGE_ORDER)
        return 0;
    return (enum soon__message_kind)(word >> 16);
}

/* Begins to read behind the head, if it is of this kind. */
static struct soon__message_reader reader_of(soon_bytes message, enum soon__message_kind kind)
{
    struct soon__message_reader reader;

    soon__reader_init(&reader, message);
    reader.failed = soon__message_kind_of(message) != kind;
    if (!reader.failed)
        reader.at += SOON__MESSAGE_HEAD;
    return reader;
}

/* A count that cannot be, since that many do not fit into what is left. */
static uint64_t get_count(struct soon__message_reader *reader, size_t least)
{
    uint64_t count = soon__get_u64(reader);

    reader->failed |= count > soon__reader_left(reader) / least;
    return reader->failed ? 0 : count;
}

static void put_optional(struct soon__message_writer *writer, bool is_there, soon_bytes bytes)
{
    soon__put_u8(writer, is_there);
    if (is_there)
        soon__put_bytes(writer, bytes);
}

static soon_bytes get_optional(struct soon__message_reader *reader, bool *ret_is_there)
{
    *ret_is_there = soon__get_bool(reader);
    return *ret_is_there ? soon__get_bytes(reader) : (soon_bytes){NULL, 0};
}

void soon__write_call(struct soon__message_writer *writer, const struct soon__call_message *call)
{
    put_head(writer, SOON__MESSAGE_CALL);
    soon__put_u64(writer, call->digest);
    soon__put_u32(writer, call->attempt);
    soon__put_u64(writer, (uint64_t)call->time_limit_ms);
    soon__put_u64(writer, (uint64_t)call->alive_every_ms);
    soon__put_u32(writer, (uint32_t)call->priority);
    soon__put_u32(writer, call->retries);
    soon__put_string(writer, call->label);
    soon__put_bytes(writer, call->argument);
    soon__put_bytes(writer, call->extra);
    soon__put_u64(writer, call->items);
    soon__put_u8(writer, call->items_vary);
    soon__put_u64(writer, call->payloads);
    soon__put_u64(writer, call->inputs);
}

void soon__put_item(struct soon__message_writer *writer, const struct soon__item_message *item)
{
    soon__put_bytes(writer, item->argument);
    soon__put_string(writer, item->label);
    put_optional(writer, item->has_payload, item->payload);
}

void soon__put_input(struct soon__message_writer *writer, const struct soon__input_message *input)
{
    soon__put_bytes(writer, input->result);
    put_optional(writer, input->has_payload, input->payload);
}

struct soon__item_message soon__get_item(struct soon__message_reader *rest)
{
    struct soon__item_message item;

    item.argument = soon__get_bytes(rest);
    item.label = soon__get_string(rest);
    item.payload = get_optional(rest, &item.has_payload);
    return item;
}

struct soon__input_message soon__get_input(struct soon__message_reader *rest)
{
    struct soon__input_message input;

    input.result = soon__get_bytes(rest);
    input.payload = get_optional(rest, &input.has_payload);
    return input;
}

/* Numbers that cannot be. */
static bool call_is_nonsense(const struct soon__call_message *call)
{
    if (!call->attempt || call->time_limit_ms < 0 || call->alive_every_ms <= 0)
        return true;
    if (call->items_vary)
        return !call->items || call->argument.size > 0;
    return call->items > 0 && (!call->argument.size || call->argument.size % call->items != 0);
}

/* M4: all that follows is there, and nothing else. */
static int check_rest(const struct soon__call_message *call)
{
    struct soon__message_reader rest = call->rest;

    for (uint64_t i = 0; call->items_vary && i < call->items && !rest.failed; i++)
        (void)soon__get_item(&rest);
    for (uint64_t i = 0; i < call->payloads && !rest.failed; i++)
        (void)soon__get_bytes(&rest);
    for (uint64_t i = 0; i < call->inputs && !rest.failed; i++)
        (void)soon__get_input(&rest);
    return soon__reader_end(&rest);
}

int soon__read_call(struct soon__call_message *ret, soon_bytes message)
{
    struct soon__message_reader reader = reader_of(message, SOON__MESSAGE_CALL);
    struct soon__call_message call;

    call.digest = soon__get_u64(&reader);
    call.attempt = soon__get_u32(&reader);
    call.time_limit_ms = (int64_t)soon__get_u64(&reader);
    call.alive_every_ms = (int64_t)soon__get_u64(&reader);
    call.priority = (int32_t)soon__get_u32(&reader);
    call.retries = soon__get_u32(&reader);
    call.label = soon__get_string(&reader);
    call.argument = soon__get_bytes(&reader);
    call.extra = soon__get_bytes(&reader);
    call.items = soon__get_u64(&reader);
    call.items_vary = soon__get_bool(&reader);
    call.payloads = get_count(&reader, LEAST_BYTES);
    call.inputs = get_count(&reader, LEAST_INPUT);
    call.rest = reader;
    reader.failed |= call.items_vary && call.items > soon__reader_left(&reader) / LEAST_ITEM;
    if (reader.failed || call_is_nonsense(&call) || check_rest(&call) < 0)
        return -EBADMSG;
    *ret = call;
    return 0;
}

void soon__write_start(struct soon__message_writer *writer, const struct soon__start_message *start)
{
    put_head(writer, SOON__MESSAGE_START);
    soon__put_string(writer, start->host);
    soon__put_string(writer, start->worker);
}

int soon__read_start(struct soon__start_message *ret, soon_bytes message)
{
    struct soon__message_reader reader = reader_of(message, SOON__MESSAGE_START);
    const char *host = soon__get_string(&reader), *worker = soon__get_string(&reader);

    if (soon__reader_end(&reader) < 0)
        return -EBADMSG;
    *ret = (struct soon__start_message){host, worker};
    return 0;
}

void soon__write_alive(struct soon__message_writer *writer)
{
    put_head(writer, SOON__MESSAGE_ALIVE);
}

int soon__read_alive(soon_bytes message)
{
    struct soon__message_reader reader = reader_of(message, SOON__MESSAGE_ALIVE);

    return soon__reader_end(&reader);
}

static void put_error(struct soon__message_writer *writer, const struct soon__error_message *error)
{
    soon__put_u32(writer, (uint32_t)error->code);
    soon__put_u32(writer, (uint32_t)error->raised);
    soon__put_u8(writer, error->started);
    soon__put_u32(writer, (uint32_t)error->pid);
    soon__put_u32(writer, (uint32_t)error->signal);
    soon__put_u32(writer, (uint32_t)error->status);
    soon__put_u32(writer, error->attempt);
    soon__put_string(writer, error->host);
    soon__put_string(writer, error->worker);
    soon__put_string(writer, error->message);
    soon__put_bytes(writer, error->data);
}

static struct soon__error_message get_error(struct soon__message_reader *reader)
{
    struct soon__error_message error;

    error.code = (int32_t)soon__get_u32(reader);
    error.raised = (int32_t)soon__get_u32(reader);
    error.started = soon__get_bool(reader);
    error.pid = (int32_t)soon__get_u32(reader);
    error.signal = (int32_t)soon__get_u32(reader);
    error.status = (int32_t)soon__get_u32(reader);
    error.attempt = soon__get_u32(reader);
    error.host = soon__get_string(reader);
    error.worker = soon__get_string(reader);
    error.message = soon__get_string(reader);
    error.data = soon__get_bytes(reader);
    reader->failed |= error.code >= 0;
    return error;
}

void soon__write_error(struct soon__message_writer *writer, const struct soon__error_message *error)
{
    put_head(writer, SOON__MESSAGE_ERROR);
    put_error(writer, error);
}

int soon__read_error(struct soon__error_message *ret, soon_bytes message)
{
    struct soon__message_reader reader = reader_of(message, SOON__MESSAGE_ERROR);
    struct soon__error_message error = get_error(&reader);

    if (soon__reader_end(&reader) < 0)
        return -EBADMSG;
    *ret = error;
    return 0;
}

void soon__write_result(struct soon__message_writer *writer, uint64_t items)
{
    put_head(writer, SOON__MESSAGE_RESULT);
    soon__put_u64(writer, items);
}

void soon__put_item_result(struct soon__message_writer *writer, const struct soon__item_result_message *item)
{
    soon__put_u8(writer, item->is_error);
    if (item->is_error) {
        put_error(writer, &item->error);
        return;
    }
    soon__put_bytes(writer, item->result);
    soon__put_u64(writer, item->payloads);
}

struct soon__item_result_message soon__get_item_result(struct soon__message_reader *rest)
{
    struct soon__item_result_message item = {.is_error = soon__get_bool(rest)};

    if (item.is_error) {
        item.error = get_error(rest);
        return item;
    }
    item.result = soon__get_bytes(rest);
    item.payloads = get_count(rest, LEAST_BYTES);
    return item;
}

/* M4. What one task ends with as a whole is no error: that is a message of its own. */
static int check_results(const struct soon__result_message *result)
{
    struct soon__message_reader rest = result->rest;
    uint64_t count = result->items ? result->items : 1;

    for (uint64_t i = 0; i < count && !rest.failed; i++) {
        struct soon__item_result_message item = soon__get_item_result(&rest);

        rest.failed |= item.is_error && !result->items;
        for (uint64_t j = 0; j < item.payloads && !rest.failed; j++)
            (void)soon__get_bytes(&rest);
    }
    return soon__reader_end(&rest);
}

int soon__read_result(struct soon__result_message *ret, soon_bytes message)
{
    struct soon__message_reader reader = reader_of(message, SOON__MESSAGE_RESULT);
    struct soon__result_message result = {.items = get_count(&reader, LEAST_ITEM_RESULT)};

    result.rest = reader;
    if (check_results(&result) < 0)
        return -EBADMSG;
    *ret = result;
    return 0;
}

void soon__write_order(struct soon__message_writer *writer, const struct soon__order_message *order)
{
    put_head(writer, SOON__MESSAGE_ORDER);
    soon__put_u32(writer, order->order);
    soon__put_string(writer, order->unique);
}

int soon__read_order(struct soon__order_message *ret, soon_bytes message)
{
    struct soon__message_reader reader = reader_of(message, SOON__MESSAGE_ORDER);
    uint32_t order = soon__get_u32(&reader);
    const char *unique = soon__get_string(&reader);

    if (soon__reader_end(&reader) < 0 || order < SOON__ORDER_CANCEL || order > SOON__ORDER_KILL)
        return -EBADMSG;
    *ret = (struct soon__order_message){(enum soon__order)order, unique};
    return 0;
}

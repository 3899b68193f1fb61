/*
 * message_bytes.c - the writer grows by doubling; the reader compares each length with what is left, never with a sum.
 */
#include "message_bytes_internal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

void soon__writer_init(struct soon__message_writer *writer)
{
    *writer = (struct soon__message_writer){.how = SOON__WRITER_GROWS};
}

void soon__writer_init_in(struct soon__message_writer *writer, void *memory, size_t size)
{
    *writer = (struct soon__message_writer){.data = memory, .capacity = size, .how = SOON__WRITER_FIXED};
}

void soon__writer_init_counting(struct soon__message_writer *writer)
{
    *writer = (struct soon__message_writer){.capacity = PTRDIFF_MAX, .how = SOON__WRITER_COUNTS};
}

void soon__writer_fini(struct soon__message_writer *writer)
{
    if (writer->how == SOON__WRITER_GROWS)
        free(writer->data);
    *writer = (struct soon__message_writer){.how = writer->how, .failed = true};
}

int soon__writer_end(const struct soon__message_writer *writer, soon_bytes *ret)
{
    if (writer->failed)
        return -ENOMEM;
    *ret = (soon_bytes){writer->data, writer->size};
    return 0;
}

static bool grow(struct soon__message_writer *writer, size_t size)
{
    size_t capacity = writer->capacity > FIRST_CAPACITY ? writer->capacity : FIRST_CAPACITY;
    char *data;

    if (writer->how != SOON__WRITER_GROWS || size > PTRDIFF_MAX - writer->size)
        return false;
    while (capacity < writer->size + size)
        capacity *= 2;
    data = realloc(writer->data, capacity);
    if (!data)
        return false;
    writer->data = data;
    writer->capacity = capacity;
    return true;
}

static void put(struct soon__message_writer *writer, const void *bytes, size_t size)
{
    if (!writer->failed && size > writer->capacity - writer->size)
        writer->failed = !grow(writer, size);
    if (writer->failed)
        return;
    if (size > 0 && writer->how != SOON__WRITER_COUNTS)
        memcpy(writer->data + writer->size, bytes, size);
    writer->size += size;
}

void soon__put_u8(struct soon__message_writer *writer, uint8_t value)
{
    put(writer, &value, sizeof value);
}

void soon__put_u32(struct soon__message_writer *writer, uint32_t value)
{
    value = htole32(value);
    put(writer, &value, sizeof value);
}

void soon__put_u64(struct soon__message_writer *writer, uint64_t value)
{
    value = htole64(value);
    put(writer, &value, sizeof value);
}

void soon__put_bytes(struct soon__message_writer *writer, soon_bytes bytes)
{
    soon__put_u64(writer, bytes.size);
    put(writer, bytes.data, bytes.size);
}

void soon__put_string(struct soon__message_writer *writer, const char *text)
{
    soon__put_bytes(writer, soon_string(text ? text : ""));
}

void soon__reader_init(struct soon__message_reader *reader, soon_bytes message)
{
    /* Without bytes there is no address to add to: any will do. */
    const char *at = message.size > 0 ? message.data : "";

    *reader = (struct soon__message_reader){.at = at, .end = at + message.size};
}

int soon__reader_end(const struct soon__message_reader *reader)
{
    return reader->failed || reader->at != reader->end ? -EBADMSG : 0;
}

size_t soon__reader_left(const struct soon__message_reader *reader)
{
    return reader->failed ? 0 : (size_t)(reader->end - reader->at);
}

/* NULL, and nothing more can be read, if there are not so many bytes. */
static const char *get(struct soon__message_reader *reader, uint64_t size)
{
    const char *at = reader->at;

    if (reader->failed || size > soon__reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    reader->at += size;
    return at;
}

static void get_number(struct soon__message_reader *reader, void *ret, size_t size)
{
    const char *at = get(reader, size);

    if (at)
        memcpy(ret, at, size);
}

uint8_t soon__get_u8(struct soon__message_reader *reader)
{
    uint8_t value = 0;

    get_number(reader, &value, sizeof value);
    return value;
}

bool soon__get_bool(struct soon__message_reader *reader)
{
    uint8_t value = soon__get_u8(reader);

    reader->failed |= value > 1;
    return value == 1;
}

uint32_t soon__get_u32(struct soon__message_reader *reader)
{
    uint32_t value = 0;

    get_number(reader, &value, sizeof value);
    return le32toh(value);
}

uint64_t soon__get_u64(struct soon__message_reader *reader)
{
    uint64_t value = 0;

    get_number(reader, &value, sizeof value);
    return le64toh(value);
}

soon_bytes soon__get_bytes(struct soon__message_reader *reader)
{
    uint64_t size = soon__get_u64(reader);
    const char *at = get(reader, size);

    return at && size > 0 ? (soon_bytes){at, size} : (soon_bytes){NULL, 0};
}

const char *soon__get_string(struct soon__message_reader *reader)
{
    soon_bytes bytes = soon__get_bytes(reader);

    if (bytes.size > 0 && memchr(bytes.data, 0, bytes.size) == (const char *)bytes.data + bytes.size - 1)
        return bytes.data;
    reader->failed = true;
    return "";
}

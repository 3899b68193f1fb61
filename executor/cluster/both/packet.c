/*
 * packet.c - Gearman's packets, to be written and to be read.
 *
 *     "\0REQ" or "\0RES"; type; size of the rest; argument NUL argument NUL ... last argument
 *
 * Both numbers are big-endian and have 32 bits.
 *
 * A WORK_FAIL that the server makes of an exception, for a client that has not asked for these, has a NUL behind its
 * handle. It is taken off.
 *
 * A reader's buffer is doubled when it is full, so that a size that a head claims costs nothing until the bytes are
 * there. When all of it has been read, what one large packet has needed is given back.
 */
#include "packet_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { MAGIC = 4, ROOM = 64 << 10, KEPT = 1 << 20 };

static const char *const names[] = {
#define NAME(number, name, arguments) [number] = #name,
    SOON__PACKET_TABLE(NAME)
#undef NAME
};
static const unsigned char counts[] = {
#define COUNT(number, name, arguments) [number] = arguments,
    SOON__PACKET_TABLE(COUNT)
#undef COUNT
};
enum { TYPES = sizeof names / sizeof *names };

/*
 * Writing
 */

const char *soon__packet_name(uint32_t type)
{
    return type < TYPES && names[type] ? names[type] : "?";
}

size_t soon__packet_size(const struct soon__packet *packet)
{
    size_t size = packet->count > 0 ? packet->count - 1 : 0;

    for (size_t i = 0; i < packet->count; i++) {
        if (__builtin_add_overflow(size, packet->arguments[i].size, &size) || size > UINT32_MAX)
            return 0;
    }
    return SOON__PACKET_HEAD + size;
}

static char *put(char *to, const void *data, size_t size)
{
    if (size > 0)
        memcpy(to, data, size);
    return to + size;
}

size_t soon__packet_write_head(void *to, const struct soon__packet *packet, bool is_request)
{
    uint32_t numbers[2] = {htonl(packet->type), htonl((uint32_t)(soon__packet_size(packet) - SOON__PACKET_HEAD))};
    char *at = to;

    assert((size_t)packet->type < TYPES && names[packet->type] && packet->count == counts[packet->type]);
    at = put(at, is_request ? "\0REQ" : "\0RES", MAGIC);
    at = put(at, numbers, sizeof numbers);
    for (size_t i = 0; i + 1 < packet->count; i++) {
        at = put(at, packet->arguments[i].data, packet->arguments[i].size);
        *at++ = '\0';
    }
    return (size_t)(at - (char *)to);
}

/*
 * Reading
 */

void soon__packet_reader_init(struct soon__packet_reader *reader, size_t limit, bool is_of_server)
{
    *reader = (struct soon__packet_reader){.limit = limit, .is_of_server = is_of_server};
}

void soon__packet_reader_fini(struct soon__packet_reader *reader)
{
    free(reader->data);
    reader->data = NULL;
    reader->at = reader->size = reader->capacity = 0;
}

/* What has been read goes; a packet that has begun moves to the beginning. */
static void tidy(struct soon__packet_reader *reader)
{
    if (reader->at == 0)
        return;
    reader->size -= reader->at;
    if (reader->size == 0 && reader->capacity > KEPT)
        soon__packet_reader_fini(reader);
    else
        memmove(reader->data, reader->data + reader->at, reader->size);
    reader->at = 0;
}

int soon__packet_reader_room(struct soon__packet_reader *reader, void **ret, size_t *ret_size)
{
    tidy(reader);
    if (reader->capacity - reader->size < ROOM / 2) {
        size_t capacity = reader->capacity ? 2 * reader->capacity : ROOM;
        char *data = realloc(reader->data, capacity);

        if (!data)
            return -ENOMEM;
        reader->data = data;
        reader->capacity = capacity;
    }
    *ret = reader->data + reader->size;
    *ret_size = reader->capacity - reader->size;
    return 0;
}

void soon__packet_reader_add(struct soon__packet_reader *reader, size_t size)
{
    assert(size <= reader->capacity - reader->size);
    reader->size += size;
}

static uint32_t number_at(const char *at)
{
    uint32_t number;

    memcpy(&number, at, sizeof number);
    return ntohl(number);
}

/* A wrong magic is told as soon as it shows. */
static bool begins_well(const struct soon__packet_reader *reader, const char *at, size_t size)
{
    return size == 0 || memcmp(at, reader->is_of_server ? "\0RES" : "\0REQ", size < MAGIC ? size : MAGIC) == 0;
}

static int split(struct soon__packet *ret, uint32_t type, const char *at, size_t size)
{
    const char *nul;

    *ret = (struct soon__packet){.type = type, .count = counts[type]};
    for (size_t i = 0; i + 1 < ret->count; i++) {
        nul = size > 0 ? memchr(at, '\0', size) : NULL;
        if (!nul)
            return -EPROTO;
        ret->arguments[i] = (soon_bytes){at, (size_t)(nul - at)};
        size -= (size_t)(nul + 1 - at);
        at = nul + 1;
    }
    if (type == SOON__WORK_FAIL && size > 0 && at[size - 1] == '\0')
        size--;
    if (ret->count > 0)
        ret->arguments[ret->count - 1] = (soon_bytes){at, size};
    return 1;
}

int soon__packet_reader_next(struct soon__packet_reader *reader, struct soon__packet *ret)
{
    for (;;) {
        const char *at = reader->size > reader->at ? reader->data + reader->at : "";
        size_t there = reader->size - reader->at, size;
        uint32_t type;

        if (!begins_well(reader, at, there))
            return -EPROTO;
        if (there < SOON__PACKET_HEAD)
            return 0;
        type = number_at(at + MAGIC);
        size = number_at(at + MAGIC + sizeof type);
        if (size + SOON__PACKET_HEAD > reader->limit)
            return -EMSGSIZE;
        if (there < size + SOON__PACKET_HEAD)
            return 0;
        reader->at += size + SOON__PACKET_HEAD;
        if (type < TYPES && names[type])
            return split(ret, type, at + SOON__PACKET_HEAD, size);
    }
}

int soon__packet_reader_line(struct soon__packet_reader *reader, soon_bytes *ret)
{
    size_t there = reader->size - reader->at, size;
    const char *at = there > 0 ? reader->data + reader->at : NULL;
    const char *end = there > 0 ? memchr(at, '\n', there) : NULL;

    if (!end)
        return there > reader->limit ? -EMSGSIZE : 0;
    size = (size_t)(end - at);
    if (size > reader->limit)
        return -EMSGSIZE;
    reader->at += size + 1;
    *ret = (soon_bytes){at, size > 0 && at[size - 1] == '\r' ? size - 1 : size};
    return 1;
}

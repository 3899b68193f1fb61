/*
 * packets.c - a fuzz target: what a Gearman server may say, in pieces of any size. Whatever that is, each packet that is
 * read lies within what has come, and is the same again when it is written; and memory grows with what has come alone.
 * The same bytes are read as lines, as a unique, and as a list of servers. tests/fuzz/run builds and runs it.
 *
 *     [how large the pieces are, 1 byte][bytes]
 */
#include "../../executor/cluster/both/dialect_internal.h"
#include "../../executor/cluster/both/servers_internal.h"
#include "../../executor/cluster/both/unique_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 1 << 16, KEPT = 1 << 18 };

static volatile unsigned char sink;

static void read_all(const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sink = ((const unsigned char *)bytes)[i];
}

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* It ends where the reader is, but for a NUL that was taken off. */
static void compare(const struct soon__packet_reader *reader, const struct soon__packet *packet)
{
    size_t size = soon__packet_size(packet), head;
    const char *end = reader->data + reader->at;
    char *again = malloc(size);

    must(size >= SOON__PACKET_HEAD && size <= LIMIT);
    head = soon__packet_write_head(again, packet, false);
    if (packet->count == 0) { /* what is behind its head means nothing */
        free(again);
        return;
    }
    memcpy(again + head, packet->arguments[packet->count - 1].data, size - head);
    must(packet->type == SOON__WORK_FAIL || memcmp(again, end - size, size) == 0);
    free(again);
}

static int read_next(struct soon__dialect *dialect, struct soon__packet_reader *reader)
{
    struct soon__heard heard;
    int rc = soon__dialect_next(dialect, reader, &heard);

    must(rc >= -4095 && rc <= 1);
    if (rc <= 0)
        return rc;
    if (dialect->is_text) {
        read_all(heard.line.data, heard.line.size);
        return 1;
    }
    for (size_t i = 0; i < heard.packet.count; i++)
        read_all(heard.packet.arguments[i].data, heard.packet.arguments[i].size);
    compare(reader, &heard.packet);
    return 1;
}

static void read_stream(const uint8_t *data, size_t size, size_t piece, bool is_text)
{
    struct soon__dialect dialect = {.is_text = is_text, .asked = 3};
    struct soon__packet_reader reader;
    size_t room;
    void *to;
    int rc = 0;

    soon__packet_reader_init(&reader, LIMIT, true);
    while (size > 0 && rc >= 0) {
        must(soon__packet_reader_room(&reader, &to, &room) == 0);
        room = room < piece ? room : piece;
        room = room < size ? room : size;
        memcpy(to, data, room);
        soon__packet_reader_add(&reader, room);
        data += room;
        size -= room;
        while ((rc = read_next(&dialect, &reader)) > 0)
            ;
        must(reader.capacity <= KEPT);
    }
    soon__packet_reader_fini(&reader);
}

static void read_texts(const uint8_t *data, size_t size)
{
    struct soon__servers *servers;
    struct soon__uuid uuid;
    uint32_t attempt;
    char *text = calloc(1, size + 1), again[SOON__UNIQUE_MAX];

    memcpy(text, data, size);
    if (soon__servers_parse(&servers, text) == 0) {
        for (size_t i = 0; i < servers->count; i++)
            read_all(servers->each[i].text, strlen(servers->each[i].text) + 1);
        soon__servers_free(servers);
    }
    if (soon__unique_parse((soon_bytes){data, size}, &uuid, &attempt) == 0)
        must(soon__unique_write(again, &uuid, attempt) == size && memcmp(again, data, size) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    read_stream(data + 1, size - 1, 1 + (size_t)data[0] * data[0], false);
    read_stream(data + 1, size - 1, 1 + (size_t)data[0] * data[0], true);
    read_texts(data + 1, size - 1);
    return 0;
}

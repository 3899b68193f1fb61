/*
 * packet.c - Gearman's packets, written and read.
 */
#include "../support/futures.h"

#include "../../executor/cluster/both/packet_internal.h"

#include <arpa/inet.h>
#include <errno.h>

enum { LIMIT = 1 << 20 };

static struct soon__packet_reader reader;

static void open_reader(void)
{
    soon__packet_reader_init(&reader, LIMIT, true);
}

static void close_reader(void)
{
    soon__packet_reader_fini(&reader);
}

TestSuite(packet, .init = open_reader, .fini = close_reader);

static soon_bytes bytes_of(const char *text)
{
    return (soon_bytes){text, strlen(text)};
}

static bool is_text(soon_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && (bytes.size == 0 || memcmp(bytes.data, text, bytes.size) == 0);
}

static void give(const void *data, size_t size)
{
    while (size > 0) {
        size_t room;
        void *to;

        cr_assert_eq(soon__packet_reader_room(&reader, &to, &room), 0);
        cr_assert_gt(room, 0);
        room = room < size ? room : size;
        memcpy(to, data, room);
        soon__packet_reader_add(&reader, room);
        data = (const char *)data + room;
        size -= room;
    }
}

static void give_head(const char *magic, uint32_t type, uint32_t size)
{
    uint32_t numbers[] = {htonl(type), htonl(size)};

    give(magic, 4);
    give(numbers, sizeof numbers);
}

static size_t write_whole(char *to, const struct soon__packet *packet, bool is_request)
{
    size_t size = soon__packet_write_head(to, packet, is_request);
    soon_bytes last = packet->count > 0 ? packet->arguments[packet->count - 1] : (soon_bytes){NULL, 0};

    if (last.size > 0)
        memcpy(to + size, last.data, last.size);
    return size + last.size;
}

Test(packet, is_written_as_the_protocol_says)
{
    static const char expected[] = "\0REQ\0\0\0\x07\0\0\0\x0b"
                                   "echo\0u1\0a\0b";
    const struct soon__packet packet = {SOON__SUBMIT_JOB, 3, {bytes_of("echo"), bytes_of("u1"), {"a\0b", 3}}};
    char written[64];

    cr_assert_eq(soon__packet_size(&packet), sizeof expected - 1);
    cr_assert_eq(soon__packet_write_head(written, &packet, true), sizeof expected - 1 - 3);
    cr_assert_eq(write_whole(written, &packet, true), sizeof expected - 1);
    cr_assert_eq(memcmp(written, expected, sizeof expected - 1), 0);
}

Test(packet, without_arguments_is_a_head)
{
    const struct soon__packet packet = {.type = SOON__PRE_SLEEP};
    char written[SOON__PACKET_HEAD];

    cr_assert_eq(soon__packet_size(&packet), SOON__PACKET_HEAD);
    cr_assert_eq(soon__packet_write_head(written, &packet, true), SOON__PACKET_HEAD);
    cr_assert_eq(memcmp(written, "\0REQ\0\0\0\x04\0\0\0\0", sizeof written), 0);
}

Test(packet, has_no_size_if_it_is_larger_than_its_head_can_say)
{
    struct soon__packet packet = {SOON__ECHO_REQ, 1, {{NULL, UINT32_MAX}}};

    cr_assert_eq(soon__packet_size(&packet), SOON__PACKET_HEAD + (size_t)UINT32_MAX);
    packet.arguments[0].size++;
    cr_assert_eq(soon__packet_size(&packet), 0);
    packet = (struct soon__packet){SOON__WORK_DATA, 2, {{NULL, SIZE_MAX}, {NULL, SIZE_MAX}}};
    cr_assert_eq(soon__packet_size(&packet), 0);
}

Test(packet, of_each_type_is_read_as_it_was_written)
{
#define ROW(number, name, arguments) {number, arguments, #name},
    static const struct {
        uint32_t type, count;
        const char *name;
    } rows[] = {SOON__PACKET_TABLE(ROW)};
#undef ROW
    static const char *const texts[SOON__PACKET_ARGUMENTS] = {"first", "", "third", "4", "and\nmore"};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct soon__packet packet = {.type = rows[i].type, .count = rows[i].count}, read;
        char written[128];

        for (size_t j = 0; j < packet.count; j++)
            packet.arguments[j] = bytes_of(texts[j]);
        give(written, write_whole(written, &packet, false));

        cr_assert_str_eq(soon__packet_name(rows[i].type), rows[i].name);
        cr_assert_eq(soon__packet_reader_next(&reader, &read), 1);
        cr_assert_eq(read.type, packet.type);
        cr_assert_eq(read.count, packet.count);
        for (size_t j = 0; j < packet.count; j++)
            cr_assert(is_text(read.arguments[j], texts[j]));
        cr_assert_eq(soon__packet_reader_next(&reader, &read), 0);
    }
    cr_assert_str_eq(soon__packet_name(0), "?");
    cr_assert_str_eq(soon__packet_name(UINT32_MAX), "?");
}

Test(packet, is_whole_only_with_its_last_byte)
{
    const struct soon__packet packet = {SOON__WORK_COMPLETE, 2, {bytes_of("H:a:1"), bytes_of("result")}};
    struct soon__packet read;
    char written[64];
    size_t size = write_whole(written, &packet, false);

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < size; i++) {
            cr_assert_eq(soon__packet_reader_next(&reader, &read), 0);
            give(written + i, 1);
        }
        cr_assert_eq(soon__packet_reader_next(&reader, &read), 1);
        cr_assert(is_text(read.arguments[0], "H:a:1"));
        cr_assert(is_text(read.arguments[1], "result"));
    }
}

/* Only the handle of a WORK_FAIL may have one behind it, which is taken off. */
Test(packet, last_argument_is_what_is_left_with_its_nuls)
{
    static const char fail[] = "H:a:1", data[] = "H:a:1\0x\0y\0";
    struct soon__packet read;

    give_head("\0RES", SOON__WORK_FAIL, sizeof fail - 1);
    give(fail, sizeof fail - 1);
    give_head("\0RES", SOON__WORK_FAIL, sizeof fail);
    give(fail, sizeof fail);
    give_head("\0RES", SOON__WORK_DATA, sizeof data - 1);
    give(data, sizeof data - 1);

    for (int i = 0; i < 3; i++) {
        cr_assert_eq(soon__packet_reader_next(&reader, &read), 1);
        cr_assert(is_text(read.arguments[0], "H:a:1"));
    }
    cr_assert_eq(read.arguments[1].size, 4);
    cr_assert_eq(memcmp(read.arguments[1].data, "x\0y\0", 4), 0);
}

Test(packet, of_an_unknown_type_is_passed_over)
{
    struct soon__packet read;

    give_head("\0RES", 5, 3);
    give("abc", 3);
    give_head("\0RES", 4000000000, 0);
    give_head("\0RES", SOON__NOOP, 0);
    cr_assert_eq(soon__packet_reader_next(&reader, &read), 1);
    cr_assert_eq(read.type, SOON__NOOP);
    cr_assert_eq(soon__packet_reader_next(&reader, &read), 0);
}

static int read_of(const char *magic, uint32_t type, uint32_t size)
{
    struct soon__packet read;

    close_reader();
    open_reader();
    give_head(magic, type, size);
    return soon__packet_reader_next(&reader, &read);
}

Test(packet, that_makes_no_sense_is_refused)
{
    cr_assert_eq(read_of("\0REQ", SOON__NOOP, 0), -EPROTO);
    cr_assert_eq(read_of("HTTP", SOON__NOOP, 0), -EPROTO);
    cr_assert_eq(read_of("\0RES", SOON__WORK_DATA, 0), -EPROTO);
    cr_assert_eq(read_of("\0RES", SOON__NOOP, UINT32_MAX), -EMSGSIZE);
    cr_assert_eq(read_of("\0RES", SOON__NOOP, LIMIT - SOON__PACKET_HEAD + 1), -EMSGSIZE);
    cr_assert_eq(read_of("\0RES", SOON__NOOP, LIMIT - SOON__PACKET_HEAD), 0);
}

Test(packet, with_too_few_arguments_is_refused)
{
    struct soon__packet read;

    give_head("\0RES", SOON__JOB_ASSIGN_UNIQ, 11);
    give("H:a:1\0f\0u\0x", 11);
    cr_assert_eq(soon__packet_reader_next(&reader, &read), 1);
    give_head("\0RES", SOON__JOB_ASSIGN_UNIQ, 9);
    give("H:a:1\0f\0u", 9);
    cr_assert_eq(soon__packet_reader_next(&reader, &read), -EPROTO);
}

Test(packet, that_begins_wrong_is_refused_before_its_head_is_whole)
{
    struct soon__packet read;

    give("\0", 1);
    cr_assert_eq(soon__packet_reader_next(&reader, &read), 0);
    give("X", 1);
    cr_assert_eq(soon__packet_reader_next(&reader, &read), -EPROTO);
}

Test(packet, costs_memory_only_for_what_has_come)
{
    struct soon__packet read;
    size_t room;
    void *to;

    soon__packet_reader_init(&reader, SIZE_MAX, true);
    give_head("\0RES", SOON__WORK_DATA, UINT32_MAX);
    give("few", 3);
    cr_assert_eq(soon__packet_reader_next(&reader, &read), 0);
    cr_assert_eq(soon__packet_reader_room(&reader, &to, &room), 0);
    cr_assert_leq(reader.capacity, 1 << 17);
}

Test(packet, of_many_megabytes_is_read_and_its_memory_given_back)
{
    enum { SIZE = 40 << 20 };
    char *data = calloc(1, SIZE);
    struct soon__packet read;
    size_t room;
    void *to;

    soon__packet_reader_init(&reader, SIZE + 100, true);
    give_head("\0RES", SOON__WORK_COMPLETE, SIZE + 2);
    data[SIZE - 1] = 'z';
    give("H\0", 2);
    give(data, SIZE);
    cr_assert_eq(soon__packet_reader_next(&reader, &read), 1);
    cr_assert_eq(read.arguments[1].size, SIZE);
    cr_assert_eq(memcmp(read.arguments[1].data, data, SIZE), 0);
    cr_assert_eq(soon__packet_reader_room(&reader, &to, &room), 0);
    cr_assert_leq(reader.capacity, 1 << 17);
    free(data);
}

Test(packet, many_come_in_one_piece)
{
    enum { MANY = 10000 };
    struct soon__packet read;

    for (uint32_t i = 0; i < MANY; i++) {
        give_head("\0RES", SOON__JOB_CREATED, sizeof i);
        give(&i, sizeof i);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        cr_assert_eq(soon__packet_reader_next(&reader, &read), 1);
        cr_assert_eq(memcmp(read.arguments[0].data, &i, sizeof i), 0);
    }
    cr_assert_eq(soon__packet_reader_next(&reader, &read), 0);
}

Test(packet, lines_come_without_their_ends)
{
    static const char *const lines[] = {"OK 1.1.20", "", "echo\t0\t0\t1", "."};
    soon_bytes line;

    give("OK 1.1.20\n\r\necho\t0\t0\t1\r\n.\nhal", 29);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        cr_assert_eq(soon__packet_reader_line(&reader, &line), 1);
        cr_assert(is_text(line, lines[i]));
    }
    cr_assert_eq(soon__packet_reader_line(&reader, &line), 0);
    give("f\n", 2);
    cr_assert_eq(soon__packet_reader_line(&reader, &line), 1);
    cr_assert(is_text(line, "half"));
}

Test(packet, line_above_the_limit_is_refused)
{
    char *text = malloc(LIMIT + 2);
    soon_bytes line;

    memset(text, 'x', LIMIT + 1);
    give(text, LIMIT);
    cr_assert_eq(soon__packet_reader_line(&reader, &line), 0);
    give(text, 1);
    cr_assert_eq(soon__packet_reader_line(&reader, &line), -EMSGSIZE);
    give("\n", 1);
    cr_assert_eq(soon__packet_reader_line(&reader, &line), -EMSGSIZE);
    free(text);
}

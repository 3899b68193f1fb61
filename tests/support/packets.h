/*
 * packets.h - whole packets of the Gearman protocol, over a socket that a test has in its own hands.
 */
#ifndef SOON_TESTS_SUPPORT_PACKETS_H
#define SOON_TESTS_SUPPORT_PACKETS_H

#include "../harness/test.h"

#include "../../executor/cluster/both/packet_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* False: the other side takes nothing any more. */
static inline bool packet_send(int fd, bool is_request, enum soon__packet_type type, const soon_bytes *arguments,
                               size_t count)
{
    struct soon__packet packet = {.type = type, .count = count};
    size_t head, size, sent = 0;
    ssize_t part = 1;
    char *bytes;

    for (size_t i = 0; i < count; i++)
        packet.arguments[i] = arguments[i];
    size = soon__packet_size(&packet);
    cr_assert_gt(size, 0);
    bytes = malloc(size);
    head = soon__packet_write_head(bytes, &packet, is_request);
    if (count && arguments[count - 1].size)
        memcpy(bytes + head, arguments[count - 1].data, arguments[count - 1].size);
    for (; sent < size && part > 0; sent += part > 0 ? (size_t)part : 0)
        part = send(fd, bytes + sent, size - sent, MSG_NOSIGNAL);
    free(bytes);
    return sent == size;
}

/* The next packet, whose arguments are lent until the next call. False: the other side has gone. */
static inline bool packet_receive(int fd, struct soon__packet_reader *reader, struct soon__packet *ret)
{
    void *room;
    size_t size;
    ssize_t got;
    int rc;

    while ((rc = soon__packet_reader_next(reader, ret)) != 1) {
        cr_assert_eq(rc, 0, "what came makes no sense");
        cr_assert_eq(soon__packet_reader_room(reader, &room, &size), 0);
        got = recv(fd, room, size, 0);
        if (got <= 0)
            return false;
        soon__packet_reader_add(reader, (size_t)got);
    }
    return true;
}

#endif

/*
 * packet_internal.h - Gearman's packets: 12 bytes of head, then arguments that are divided by NULs.
 *
 * The last argument takes the rest of the packet, NULs included, so nothing of it is a terminator. A reader of packets
 * grows with what comes, up to a limit, and believes nothing: a wrong magic, a size above the limit or too few
 * arguments end the connection that they came by. It knows no loop and no connection.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_PACKET_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_PACKET_INTERNAL_H

#include "../../../futures/value.h"

#include <stdbool.h>
#include <stdint.h>

/* Those that we send or expect: number, name, how many arguments it has. */
#define SOON__PACKET_TABLE(X)                                                                                          \
    X(1, CAN_DO, 1)                                                                                                    \
    X(2, CANT_DO, 1)                                                                                                   \
    X(3, RESET_ABILITIES, 0)                                                                                           \
    X(4, PRE_SLEEP, 0)                                                                                                 \
    X(6, NOOP, 0)                                                                                                      \
    X(7, SUBMIT_JOB, 3)                                                                                                \
    X(8, JOB_CREATED, 1)                                                                                               \
    X(10, NO_JOB, 0)                                                                                                   \
    X(12, WORK_STATUS, 3)                                                                                              \
    X(13, WORK_COMPLETE, 2)                                                                                            \
    X(14, WORK_FAIL, 1)                                                                                                \
    X(15, GET_STATUS, 1)                                                                                               \
    X(16, ECHO_REQ, 1)                                                                                                 \
    X(17, ECHO_RES, 1)                                                                                                 \
    X(19, ERROR, 2)                                                                                                    \
    X(20, STATUS_RES, 5)                                                                                               \
    X(21, SUBMIT_JOB_HIGH, 3)                                                                                          \
    X(22, SET_CLIENT_ID, 1)                                                                                            \
    X(25, WORK_EXCEPTION, 2)                                                                                           \
    X(26, OPTION_REQ, 1)                                                                                               \
    X(27, OPTION_RES, 1)                                                                                               \
    X(28, WORK_DATA, 2)                                                                                                \
    X(29, WORK_WARNING, 2)                                                                                             \
    X(30, GRAB_JOB_UNIQ, 0)                                                                                            \
    X(31, JOB_ASSIGN_UNIQ, 4)                                                                                          \
    X(32, SUBMIT_JOB_HIGH_BG, 3)                                                                                       \
    X(33, SUBMIT_JOB_LOW, 3)

enum soon__packet_type {
#define SOON__PACKET_ENUM(number, name, arguments) SOON__##name = number,
    SOON__PACKET_TABLE(SOON__PACKET_ENUM)
#undef SOON__PACKET_ENUM
};

enum { SOON__PACKET_HEAD = 12, SOON__PACKET_ARGUMENTS = 5 };

struct soon__packet {
    enum soon__packet_type type;
    size_t count;
    soon_bytes arguments[SOON__PACKET_ARGUMENTS]; /* lent until its reader is given more */
};

/* "WORK_COMPLETE"; "?" */
const char *soon__packet_name(uint32_t type);
/* How many bytes it takes with these arguments; 0: more than a packet can say. */
size_t soon__packet_size(const struct soon__packet *packet);
/* Writes all of it but the bytes of the last argument, and returns how many those were. `is_request`: a client or a
 * worker says it, else a server. */
size_t soon__packet_write_head(void *to, const struct soon__packet *packet, bool is_request);

/* Packets, or lines of text, out of a stream of bytes. */
struct soon__packet_reader {
    char *data;
    size_t at, size, capacity; /* what is before `at` has been read */
    size_t limit;              /* of one packet or line */
    bool is_of_server;         /* it comes from a server: "\0RES"; else "\0REQ", which tests and a fuzzer read */
};
void soon__packet_reader_init(struct soon__packet_reader *reader, size_t limit, bool is_of_server);
void soon__packet_reader_fini(struct soon__packet_reader *reader);
/* Where the next bytes are to be written. It grows with what has come, never with what is said to come. 0 or
 * -ENOMEM. */
int soon__packet_reader_room(struct soon__packet_reader *reader, void **ret, size_t *ret_size);
/* So many bytes have been written there. */
void soon__packet_reader_add(struct soon__packet_reader *reader, size_t size);
/* 1: the next packet; 0: none is whole; -EPROTO, -EMSGSIZE: what came is none. A packet of another type than those of
 * the table is passed over. */
int soon__packet_reader_next(struct soon__packet_reader *reader, struct soon__packet *ret);
/* The same for a line, which is lent without its end ("\n", "\r\n"). */
int soon__packet_reader_line(struct soon__packet_reader *reader, soon_bytes *ret);

#endif

/*
 * message_bytes_internal.h - numbers, bytes and strings, written one behind the other, and read back from where one
 * trusts nobody.
 *
 *     number    1, 4 or 8 bytes, little-endian
 *     bytes     length (8 bytes), so many bytes
 *     string    as bytes; the last of them, and no other, is NUL
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_MESSAGE_BYTES_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_MESSAGE_BYTES_INTERNAL_H

#include "../../../futures/value.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Writes into memory of its own that grows, or into the caller's, or nowhere: then it only counts. So a message can be
 * measured, and then be written where it is sent from. The first put that fails is remembered, and nothing more is
 * written.
 */
struct soon__message_writer {
    char *data;
    size_t size, capacity;
    enum { SOON__WRITER_GROWS, SOON__WRITER_FIXED, SOON__WRITER_COUNTS } how;
    bool failed; /* no memory, no room, or a sum above SIZE_MAX */
};
/* Reads; the first that is not there is remembered, and all that is read from then on is zero, or "". */
struct soon__message_reader {
    const char *at, *end;
    bool failed;
};

void soon__writer_init(struct soon__message_writer *writer);
void soon__writer_init_in(struct soon__message_writer *writer, void *memory, size_t size); /* lent until the fini */
void soon__writer_init_counting(struct soon__message_writer *writer);
void soon__writer_fini(struct soon__message_writer *writer);
/* 0 or -ENOMEM, and what was written so far: lent until the next put, or the fini. */
int soon__writer_end(const struct soon__message_writer *writer, soon_bytes *ret);
void soon__put_u8(struct soon__message_writer *writer, uint8_t value);
void soon__put_u32(struct soon__message_writer *writer, uint32_t value);
void soon__put_u64(struct soon__message_writer *writer, uint64_t value);
void soon__put_bytes(struct soon__message_writer *writer, soon_bytes bytes);
void soon__put_string(struct soon__message_writer *writer, const char *text); /* NULL: "" */

void soon__reader_init(struct soon__message_reader *reader, soon_bytes message);
/* 0; -EBADMSG: something was not there, or there is something left. */
int soon__reader_end(const struct soon__message_reader *reader);
/* How many bytes are left; 0 if it has failed. */
size_t soon__reader_left(const struct soon__message_reader *reader);
uint8_t soon__get_u8(struct soon__message_reader *reader);
bool soon__get_bool(struct soon__message_reader *reader); /* 0 or 1; else it has failed */
uint32_t soon__get_u32(struct soon__message_reader *reader);
uint64_t soon__get_u64(struct soon__message_reader *reader);
soon_bytes soon__get_bytes(struct soon__message_reader *reader);
const char *soon__get_string(struct soon__message_reader *reader); /* never NULL */

#endif

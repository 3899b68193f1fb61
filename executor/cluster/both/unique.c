/*
 * unique.c - uniques, made and read.
 *
 * A thread takes its random bytes from the system 16 UUIDs at a time, since each request to it costs as much as all
 * else that a submit does here. A forked child has the bytes of its parent, and throws them away.
 */
#include "unique_internal.h"

#include "../../../futures/system_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#define PREFIX "soon1-"
enum { PREFIX_SIZE = sizeof PREFIX - 1, STORE = 256, DIGITS_MAX = 10 }; /* getrandom() gives 256 bytes, or none */

static _Thread_local struct {
    uint32_t left, generation;
    unsigned char bytes[STORE];
} store;

static int fill(void)
{
    ssize_t rc;

    while ((rc = getrandom(store.bytes, sizeof store.bytes, 0)) < 0 && errno == EINTR)
        ;
    if (rc != sizeof store.bytes)
        return rc < 0 ? -errno : -EIO;
    store.left = sizeof store.bytes;
    store.generation = soon__generation();
    return 0;
}

int soon__uuid_new(struct soon__uuid *ret)
{
    int rc = store.left == 0 || store.generation != soon__generation() ? fill() : 0;

    if (rc < 0)
        return rc;
    store.left -= sizeof ret->bytes;
    memcpy(ret->bytes, store.bytes + store.left, sizeof ret->bytes);
    ret->bytes[6] = (unsigned char)((ret->bytes[6] & 0x0f) | 0x40); /* it is a random one, */
    ret->bytes[8] = (unsigned char)((ret->bytes[8] & 0x3f) | 0x80); /* by RFC 4122 */
    return 0;
}

/* Before which bytes a dash stands. */
static bool has_dash(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void soon__uuid_write(char to[SOON__UUID_TEXT], const struct soon__uuid *uuid)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof uuid->bytes; i++) {
        if (has_dash(i))
            *to++ = '-';
        *to++ = digits[uuid->bytes[i] >> 4];
        *to++ = digits[uuid->bytes[i] & 15];
    }
    *to = '\0';
}

size_t soon__unique_write(char to[SOON__UNIQUE_MAX], const struct soon__uuid *uuid, uint32_t attempt)
{
    char *at = to + PREFIX_SIZE, reversed[DIGITS_MAX];
    size_t digits = 0;

    memcpy(to, PREFIX, PREFIX_SIZE);
    soon__uuid_write(at, uuid);
    at += SOON__UUID_TEXT - 1;
    *at++ = '.';
    do
        reversed[digits++] = (char)('0' + attempt % 10);
    while (attempt /= 10);
    while (digits > 0)
        *at++ = reversed[--digits];
    return (size_t)(at - to);
}

bool soon__unique_is_ours(soon_bytes unique)
{
    return unique.size >= PREFIX_SIZE && memcmp(unique.data, PREFIX, PREFIX_SIZE) == 0;
}

/* -1: it is none. */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_uuid(const char *at, struct soon__uuid *ret)
{
    for (size_t i = 0; i < sizeof ret->bytes; i++, at += 2) {
        if (has_dash(i) && *at++ != '-')
            return false;
        if (digit(at[0]) < 0 || digit(at[1]) < 0)
            return false;
        ret->bytes[i] = (unsigned char)(digit(at[0]) << 4 | digit(at[1]));
    }
    return true;
}

/* As it is written: from 1 on, with no zero before it. */
static bool read_attempt(const char *at, size_t size, uint32_t *ret)
{
    uint64_t attempt = 0;

    if (size == 0 || size > DIGITS_MAX || *at == '0')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        attempt = 10 * attempt + (uint64_t)(at[i] - '0');
    }
    *ret = (uint32_t)attempt;
    return attempt <= UINT32_MAX;
}

int soon__unique_parse(soon_bytes unique, struct soon__uuid *ret_uuid, uint32_t *ret_attempt)
{
    enum { UUID_END = PREFIX_SIZE + SOON__UUID_TEXT - 1 };
    const char *text = unique.data;
    struct soon__uuid uuid;
    uint32_t attempt;

    if (!soon__unique_is_ours(unique) || unique.size <= UUID_END || text[UUID_END] != '.' ||
        !read_uuid(text + PREFIX_SIZE, &uuid) ||
        !read_attempt(text + UUID_END + 1, unique.size - UUID_END - 1, &attempt))
        return -EBADMSG;
    if (ret_uuid)
        *ret_uuid = uuid;
    if (ret_attempt)
        *ret_attempt = attempt;
    return 0;
}

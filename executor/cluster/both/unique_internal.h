/*
 * unique_internal.h - by what a job is known: "soon1-UUID.ATTEMPT", 64 bytes at most.
 *
 * The UUID is made once for each call, of random bits. The attempt counts from 1 on, so that a try that is given up
 * never stands in the way of the next: a server keeps the unique of a running job that was cancelled.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_UNIQUE_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_UNIQUE_INTERNAL_H

#include "../../../futures/value.h"

#include <stdint.h>

enum { SOON__UUID_TEXT = 37, SOON__UNIQUE_MAX = 64 };

struct soon__uuid {
    unsigned char bytes[16];
};

/* Any thread; never the same twice, in no process. 0, or a negative errno of getrandom(). */
int soon__uuid_new(struct soon__uuid *ret);
/* With its NUL: "6f9619ff-8b86-4d11-b42d-00cf4fc964ff". */
void soon__uuid_write(char to[SOON__UUID_TEXT], const struct soon__uuid *uuid);

/* Writes the unique, without a NUL, and returns its length. */
size_t soon__unique_write(char to[SOON__UNIQUE_MAX], const struct soon__uuid *uuid, uint32_t attempt);
/* Does it begin as ours do? Else a foreign client has made it, which understands none of our messages. */
bool soon__unique_is_ours(soon_bytes unique);
/* 0; -EBADMSG: it is none of ours, or not as we write them. Both results may be NULL. */
int soon__unique_parse(soon_bytes unique, struct soon__uuid *ret_uuid, uint32_t *ret_attempt);

#endif

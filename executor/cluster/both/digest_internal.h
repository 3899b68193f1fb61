/*
 * digest_internal.h - whether two programs mean the same by a function.
 *
 * Arguments and results travel as the bytes of their structs. So both sides must agree on what those are, which the
 * digest says in 64 bits: of the function's name, the sizes and names of its types, the kind of its result, the version
 * that SOON_TASK_VERSION gives it, the byte order and the size of a pointer. It is no proof: two structs of one name
 * and size, whose fields lie differently, have one digest, unless their versions differ. It is no secret either.
 *
 * It does not change from one release of the library to the next, unless the version of messages does.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_DIGEST_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_DIGEST_INTERNAL_H

#include "../../function.h"

#include <stdint.h>

enum { SOON__LAYOUT_TEXT = 512 };

/* Never 0. It is computed anew each time. Any thread. */
uint64_t soon__function_digest(const soon_function *function);

/*
 * The same in words, cut to the size of `ret`: "struct add (8 bytes) -> int (4 bytes), version 2, 64 bits,
 * little-endian". Returns `ret`. What a digest does not fit is told so: SOON_ETYPE that never started, whose message is
 * what soon__layout_mismatch() has made on the daemon; the client puts "; here: " and its own words behind it.
 */
const char *soon__layout_text(char *ret, size_t size, const soon_function *function);
/* "add: the worker has struct add (8 bytes) -> ..." Returns `ret`. */
const char *soon__layout_mismatch(char *ret, size_t size, const soon_function *function);

#endif

/**
 * @file value.h
 * Bytes (lent) and buffers (owned, counted, handed over without a copy).
 *
 * @addtogroup soon_values
 * @{
 */
#ifndef SOON_FUTURES_VALUE_H
#define SOON_FUTURES_VALUE_H

#include "error.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of somebody else's: lent and read only. Who lends them says for how long. */
typedef struct soon_bytes {
    const void *data; /**< the first byte; may be NULL with size 0 */
    size_t size;      /**< how many there are */
} soon_bytes;

/** A string's bytes with its NUL, so that whoever sees them has a string again; NULL: no bytes. Lent. Any thread. */
static inline soon_bytes soon_string(const char *text)
{
    soon_bytes bytes = {text, text ? strlen(text) + 1 : 0};

    return bytes;
}

/**
 * A block of memory that travels: what goes beside a task's typed argument or result as its payload. Counted.
 *
 * From soon_buffer_new() it can be handed to any executor without a copy: 1 MiB and more is in memory that another
 * process can map. From soon_buffer_wrap() it is the caller's memory, which threads take as it is. Who submits a
 * buffer gives it away: from then on its bytes are read only, also for whoever else holds a reference.
 */
typedef struct soon_buffer soon_buffer;

/** Releases what `pointer` points to. */
typedef void (*soon_free_fn)(void *pointer);

/**
 * Makes a buffer of `size` bytes, zeroed and 64-byte aligned. From 1 MiB on it lies in mappable memory and holds a
 * file descriptor; smaller, or when buffers hold a quarter of the descriptors that this process may have, or the system has
 * none left, on the heap.
 *
 * Ownership: the caller owns one reference.
 * Threads: any thread. Returns: 0 and sets `*ret`; -EINVAL; -ENOMEM; and sets it to NULL.
 */
SOON_API SOON_MUST_USE int soon_buffer_new(soon_buffer **ret, size_t size);

/**
 * Makes a buffer of memory that exists. For data that somebody else has allocated; else soon_buffer_new().
 *
 * Ownership: the buffer owns `data` and calls `release` on it with the last reference (NULL: it is static, or
 * outlives the buffer). On failure it stays the caller's.
 * Threads: any thread; `release` runs on the thread of the last unref.
 * Returns: 0 and sets `*ret`; -EINVAL, also for NULL with a size above 0 and for more than PTRDIFF_MAX bytes; -ENOMEM;
 * and sets it to NULL.
 */
SOON_API SOON_MUST_USE int soon_buffer_wrap(soon_buffer **ret, void *data, size_t size, soon_free_fn release);

/** One reference more. Returns `buffer`. Any thread. */
SOON_API soon_buffer *soon_buffer_ref(soon_buffer *buffer);

/** Gives up a reference; the last one frees the buffer. NULL is allowed. Any thread. */
SOON_API void soon_buffer_unref(soon_buffer *buffer);

/** Its bytes, never NULL for a size above 0. Lent until the last unref or a resize. Any thread. */
SOON_API void *soon_buffer_data(soon_buffer *buffer);

/** How many bytes it has. Any thread. */
SOON_API size_t soon_buffer_size(const soon_buffer *buffer);

/**
 * Makes it `size` bytes long: keeps what there was, new bytes are zero. The data may move. Wrapped memory is copied
 * to memory of the library's own, and released.
 *
 * Threads: the buffer's only owner.
 * Returns: 0; -EBUSY if there is another reference; -EINVAL for NULL, or for a mappable one that is to have no bytes;
 * -ENOMEM; and the buffer is unchanged then.
 */
SOON_API int soon_buffer_resize(soon_buffer *buffer, size_t size);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

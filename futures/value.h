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

/** Bytes that are lent, to be read only. The function that lends them says for how long. */
typedef struct soon_bytes {
    const void *data; /**< the first byte; may be NULL with size 0 */
    size_t size;      /**< how many there are */
} soon_bytes;

/** The bytes of a string with its NUL, so that the reader has a string again; NULL: no bytes. Lent. Any thread. */
static inline soon_bytes soon_string(const char *text)
{
    soon_bytes bytes = {text, text ? strlen(text) + 1 : 0};

    return bytes;
}

/**
 * A block of memory that travels beside a task's typed argument or result, as its payload. Counted.
 *
 * A buffer of soon_buffer_new() goes to any executor without a copy: from 1 MiB on it is in memory that another process
 * can map. A buffer of soon_buffer_wrap() is the caller's memory, which threads take as it is. A submit takes the
 * buffer: from then on its bytes may only be read, also through other references.
 */
typedef struct soon_buffer soon_buffer;

/** Releases what `pointer` points to. */
typedef void (*soon_free_fn)(void *pointer);

/**
 * Makes a buffer of `size` bytes, zeroed and 64-byte aligned. From 1 MiB on it is in mappable memory and has a file
 * descriptor. It is on the heap if it is smaller, if buffers have a quarter of the descriptors that this process may
 * have, or if the system has none left.
 *
 * Ownership: the caller owns one reference.
 * Threads: any thread. Returns: 0 and sets `*ret`; -EINVAL; -ENOMEM; and sets it to NULL.
 */
SOON_API SOON_MUST_USE int soon_buffer_new(soon_buffer **ret, size_t size);

/**
 * Makes a buffer of memory that exists, for data that was allocated by other means; else choose soon_buffer_new().
 *
 * Ownership: the buffer owns `data`, and calls `release` with it when the last reference is given up (NULL: it is
 * static, or outlives the buffer). On failure `data` stays the caller's.
 * Threads: any thread; `release` runs on the thread of the last unref.
 * Returns: 0 and sets `*ret`; -EINVAL, also for NULL with a size above 0 and for more than PTRDIFF_MAX bytes; -ENOMEM;
 * and sets it to NULL.
 */
SOON_API SOON_MUST_USE int soon_buffer_wrap(soon_buffer **ret, void *data, size_t size, soon_free_fn release);

/** One reference more. Returns `buffer`. Any thread. */
SOON_API soon_buffer *soon_buffer_ref(soon_buffer *buffer);

/** Gives up a reference; the last one frees the buffer. NULL is allowed. Any thread. */
SOON_API void soon_buffer_unref(soon_buffer *buffer);

/** The bytes of the buffer, never NULL for a size above 0. Lent until the last unref or a resize. Any thread. */
SOON_API void *soon_buffer_data(soon_buffer *buffer);

/** How many bytes it has. Any thread. */
SOON_API size_t soon_buffer_size(const soon_buffer *buffer);

/**
 * Makes the buffer `size` bytes long. It keeps the bytes that it had; new bytes are zero. The data may move. Wrapped
 * memory is copied to memory of the library, and released.
 *
 * Threads: the buffer's only owner.
 * Returns: 0; -EBUSY if there is another reference; -EINVAL for NULL; -ENOMEM; and the buffer is unchanged then.
 */
SOON_API int soon_buffer_resize(soon_buffer *buffer, size_t size);

#ifdef __cplusplus
}
#endif

/** @} */
#endif

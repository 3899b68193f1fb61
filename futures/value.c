/*
 * value.c - buffers: counted blocks of bytes, from three sources.
 *
 *     HEAP      soon_buffer_new, small: aligned heap memory
 *     MAPPABLE  soon_buffer_new, from a MiB on: pages behind a descriptor, which another process can map. Small ones
 *     would
 *               use up the descriptors. Where the system gives no more of them, HEAP serves.
 *     WRAPPED   soon_buffer_wrap: the caller's memory and the caller's release function
 */
#include "value.h"

#include "error_internal.h"
#include "system_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, MAPPABLE_MIN = 1 << 20 };

struct soon_buffer {
    _Atomic size_t refs;
    enum { HEAP, MAPPABLE, WRAPPED } source;
    int fd; /* MAPPABLE */
    void *data;
    size_t size;
    soon_free_fn release; /* WRAPPED */
};

static void *heap_new(size_t size)
{
    size_t rounded;
    void *data;

    if (__builtin_add_overflow(size ? size : 1, (size_t)ALIGNMENT - 1, &rounded))
        return NULL;
    data = aligned_alloc(ALIGNMENT, rounded & ~(size_t)(ALIGNMENT - 1));
    if (data)
        memset(data, 0, size);
    return data;
}

int soon_buffer_new(soon_buffer **ret, size_t size)
{
    soon_buffer *buffer;

    if (!ret)
        return -EINVAL;
    if (size > PTRDIFF_MAX)
        return -ENOMEM;
    buffer = malloc(sizeof *buffer);
    if (!buffer)
        return -ENOMEM;
    *buffer = (soon_buffer){.source = HEAP, .fd = -1, .size = size};
    atomic_init(&buffer->refs, 1);
    if (size >= MAPPABLE_MIN && soon__mappable_new(&buffer->fd, &buffer->data, size) == 0)
        buffer->source = MAPPABLE;
    else
        buffer->data = heap_new(size);
    if (!buffer->data) {
        free(buffer);
        return -ENOMEM;
    }
    *ret = buffer;
    return 0;
}

int soon_buffer_wrap(soon_buffer **ret, void *data, size_t size, soon_free_fn release)
{
    soon_buffer *buffer;

    if (!ret || (!data && size))
        return -EINVAL;
    buffer = malloc(sizeof *buffer);
    if (!buffer)
        return -ENOMEM;
    *buffer = (soon_buffer){.source = WRAPPED, .fd = -1, .data = data, .size = size, .release = release};
    atomic_init(&buffer->refs, 1);
    *ret = buffer;
    return 0;
}

soon_buffer *soon_buffer_ref(soon_buffer *buffer)
{
    if (soon__check(buffer, "soon_buffer_ref: NULL"))
        atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

static void release_data(soon_buffer *buffer)
{
    switch (buffer->source) {
    case HEAP:
        free(buffer->data);
        break;
    case MAPPABLE:
        soon__mappable_free(buffer->fd, buffer->data, buffer->size);
        break;
    case WRAPPED:
        if (buffer->release)
            buffer->release(buffer->data);
        break;
    }
}

void soon_buffer_unref(soon_buffer *buffer)
{
    if (!buffer)
        return;
    /* Release what we did with the bytes, acquire what the others did, before the last one frees. */
    if (atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) != 1)
        return;
    release_data(buffer);
    free(buffer);
}

void *soon_buffer_data(soon_buffer *buffer)
{
    return soon__check(buffer, "soon_buffer_data: NULL") ? buffer->data : NULL;
}

size_t soon_buffer_size(const soon_buffer *buffer)
{
    return soon__check(buffer, "soon_buffer_size: NULL") ? buffer->size : 0;
}

/* HEAP; WRAPPED memory, which has to become ours to change its size; and MAPPABLE that is to hold nothing. */
static int resize_by_copy(soon_buffer *buffer, size_t size)
{
    void *data = heap_new(size);

    if (!data)
        return -ENOMEM;
    if (buffer->size && size)
        memcpy(data, buffer->data, size < buffer->size ? size : buffer->size);
    release_data(buffer);
    buffer->source = HEAP;
    buffer->release = NULL;
    buffer->data = data;
    return 0;
}

int soon_buffer_resize(soon_buffer *buffer, size_t size)
{
    int rc;

    if (!buffer)
        return -EINVAL;
    /* Acquire: pairs with the release of the unref that made us the only owner. */
    if (atomic_load_explicit(&buffer->refs, memory_order_acquire) != 1)
        return -EBUSY;
    if (size > PTRDIFF_MAX)
        return -ENOMEM;
    if (buffer->source == MAPPABLE && size)
        rc = soon__mappable_resize(buffer->fd, &buffer->data, buffer->size, size);
    else
        rc = resize_by_copy(buffer, size);
    if (rc < 0)
        return -ENOMEM;
    buffer->size = size;
    return 0;
}

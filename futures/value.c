/*
 * value.c - buffers: counted blocks of bytes, from three sources.
 *
 *     PLAIN     memory, and the function that releases it: of the caller (soon_buffer_wrap()), or of the heap, for
 *               small buffers of soon_buffer_new()
 *     MAPPABLE  pages behind a descriptor, which another process can map: soon_buffer_new(), from a MiB on. If the
 *               system gives no more descriptors, it is the heap.
 *     READABLE  pages behind a descriptor, mapped to be read: of another process, or ours after a freeze
 *
 * V1  Memory that another process may have mapped is never resized in place: `shared` and READABLE buffers are copied
 *     instead.
 * V2  Buffers that are kept must not use up the program's descriptors. While buffers have a quarter of all that the
 *     process may have, new ones are made on the heap. Memory that came from another process stays mapped without its
 *     descriptor while RECEIVED_MAX descriptors are in use: about as many as are on their way from one process to the
 *     next at a time. A buffer without a descriptor is copied when it is sent.
 * V3  A freeze fails while anybody can write, for instance a child that was forked meanwhile and has a copy of our
 *     mapping. Then the bytes are copied to memory that was never mapped to be written.
 */
#include "value_internal.h"

#include "refuse_internal.h"
#include "system_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALIGNMENT = 64, MAPPABLE_MIN = 1 << 20, RECEIVED_MAX = 16 };

/* How many descriptors buffers have. All accesses are relaxed: it is a number that is to stay small. */
static _Atomic size_t descriptors;

struct soon_buffer {
    _Atomic size_t refs;
    enum { PLAIN, MAPPABLE, READABLE } source;
    _Atomic bool shared; /* MAPPABLE: its descriptor was given to others */
    int fd;              /* MAPPABLE, READABLE; -1: it was closed (V2) */
    void *data;
    size_t size;
    soon_free_fn release; /* PLAIN */
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

/* Returns a buffer without its memory. NULL: there is no memory for it, or `size` is more than there can be. */
static soon_buffer *shell_new(int source, size_t size)
{
    soon_buffer *buffer = size > PTRDIFF_MAX ? NULL : malloc(sizeof *buffer);

    if (!buffer)
        return NULL;
    *buffer = (soon_buffer){.source = source, .fd = -1, .size = size};
    atomic_init(&buffer->refs, 1);
    atomic_init(&buffer->shared, false);
    return buffer;
}

/* `rc` says whether the buffer has got its memory; this returns it. */
static int hand_out(soon_buffer **ret, soon_buffer *buffer, int rc)
{
    if (rc < 0)
        free(buffer);
    else
        *ret = buffer;
    return rc;
}

static void own_descriptor(soon_buffer *buffer, int fd)
{
    buffer->fd = fd;
    atomic_fetch_add_explicit(&descriptors, 1, memory_order_relaxed);
}

static void close_descriptor(soon_buffer *buffer)
{
    if (buffer->fd < 0)
        return;
    close(buffer->fd);
    buffer->fd = -1;
    atomic_fetch_sub_explicit(&descriptors, 1, memory_order_relaxed);
}

/* V2 */
static size_t descriptors_max(void)
{
    return soon__descriptors_max() / 4;
}

static void spare_descriptor(soon_buffer *buffer, size_t max)
{
    if (buffer->source == READABLE && atomic_load_explicit(&descriptors, memory_order_relaxed) > max)
        close_descriptor(buffer);
}

void soon__buffer_spare_descriptor(soon_buffer *buffer)
{
    spare_descriptor(buffer, descriptors_max());
}

static int mappable_memory_new(soon_buffer *buffer, size_t size)
{
    int fd = soon__mappable_new(&buffer->data, size);

    if (fd < 0)
        return fd;
    buffer->source = MAPPABLE;
    own_descriptor(buffer, fd);
    return 0;
}

/* Sets source and data, and fd or release. */
static int memory_new(soon_buffer *buffer, size_t size)
{
    if (size >= MAPPABLE_MIN && atomic_load_explicit(&descriptors, memory_order_relaxed) < descriptors_max() &&
        mappable_memory_new(buffer, size) == 0)
        return 0;
    buffer->source = PLAIN;
    buffer->release = free;
    buffer->data = heap_new(size);
    return buffer->data ? 0 : -ENOMEM;
}

int soon_buffer_new(soon_buffer **ret, size_t size)
{
    soon_buffer *buffer;

    if (!ret)
        return soon__failed(soon__is_null("ret"), "soon_buffer_new");
    *ret = NULL;
    buffer = shell_new(PLAIN, size);
    return soon__failed(hand_out(ret, buffer, buffer ? memory_new(buffer, size) : -ENOMEM), "soon_buffer_new");
}

int soon__buffer_new_mappable(soon_buffer **ret, size_t size)
{
    soon_buffer *buffer;

    if (size == 0)
        return -EINVAL;
    buffer = shell_new(MAPPABLE, size);
    return hand_out(ret, buffer, buffer ? mappable_memory_new(buffer, size) : -ENOMEM);
}

int soon__buffer_new_frozen(soon_buffer **ret, const void *data, size_t size)
{
    soon_buffer *buffer;
    int fd;

    if (size == 0)
        return -EINVAL;
    buffer = shell_new(READABLE, size);
    fd = buffer ? soon__frozen_new(&buffer->data, data, size) : -ENOMEM;
    if (fd >= 0)
        own_descriptor(buffer, fd);
    return hand_out(ret, buffer, fd < 0 ? fd : 0);
}

int soon__buffer_of_descriptor(soon_buffer **ret, int fd, size_t size)
{
    soon_buffer *buffer;
    int rc;

    if (size == 0 || size > PTRDIFF_MAX)
        return -EINVAL;
    buffer = shell_new(READABLE, size);
    rc = buffer ? soon__shm_map(&buffer->data, fd, size, false) : -ENOMEM;
    if (rc == 0) {
        own_descriptor(buffer, fd);
        spare_descriptor(buffer, RECEIVED_MAX);
    }
    return hand_out(ret, buffer, rc);
}

bool soon__buffer_is_mappable(const soon_buffer *buffer)
{
    return buffer->fd >= 0;
}

int soon__buffer_share(soon_buffer *buffer)
{
    int rc;

    if (buffer->fd < 0)
        return -ENOTSUP;
    if (buffer->source == READABLE)
        return buffer->fd;
    rc = soon__shm_close_to_writers(buffer->fd);
    if (rc < 0)
        return rc;
    /* Relaxed: only a sole owner reads it, and it became that by the unrefs of the others. */
    atomic_store_explicit(&buffer->shared, true, memory_order_relaxed);
    return buffer->fd;
}

/* V3 */
static int freeze_copy(soon_buffer *buffer)
{
    void *data;
    int fd = soon__frozen_new(&data, buffer->data, buffer->size);

    if (fd < 0)
        return fd;
    soon__shm_unmap(buffer->data, buffer->size);
    close(buffer->fd);
    buffer->fd = fd;
    buffer->data = data;
    return 0;
}

int soon__buffer_freeze(soon_buffer *buffer)
{
    void *data;
    int rc;

    if (buffer->fd < 0)
        return -ENOTSUP;
    if (buffer->source == READABLE)
        return buffer->fd;
    /* Acquire: pairs with the release of the unref that made us the only owner. */
    if (atomic_load_explicit(&buffer->refs, memory_order_acquire) != 1)
        return soon__refuse(-EBUSY, "somebody else holds the buffer too");
    rc = soon__shm_map_private(&data, buffer->fd, buffer->size);
    if (rc < 0)
        return rc;
    soon__shm_unmap(buffer->data, buffer->size);
    buffer->data = data;
    buffer->source = READABLE;
    rc = soon__shm_freeze(buffer->fd);
    if (rc == -EBUSY)
        rc = freeze_copy(buffer);
    return rc < 0 ? rc : buffer->fd;
}

static int wrap(soon_buffer **ret, void *data, size_t size, soon_free_fn release)
{
    soon_buffer *buffer;

    if (!data && size)
        return soon__refuse(-EINVAL, "data is NULL, size = %zu", size);
    if (size > PTRDIFF_MAX)
        return soon__refuse(-EINVAL, "size = %zu: no memory is so large", size);
    buffer = shell_new(PLAIN, size);
    if (!buffer)
        return -ENOMEM;
    buffer->data = data;
    buffer->release = release;
    *ret = buffer;
    return 0;
}

int soon_buffer_wrap(soon_buffer **ret, void *data, size_t size, soon_free_fn release)
{
    if (ret)
        *ret = NULL;
    return soon__failed(ret ? wrap(ret, data, size, release) : soon__is_null("ret"), "soon_buffer_wrap");
}

soon_buffer *soon_buffer_ref(soon_buffer *buffer)
{
    if (soon__check(buffer, "soon_buffer_ref: NULL"))
        atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

static void release_data(soon_buffer *buffer)
{
    if (buffer->source != PLAIN) {
        soon__shm_unmap(buffer->data, buffer->size);
        close_descriptor(buffer);
    } else if (buffer->release) {
        buffer->release(buffer->data);
    }
}

void soon_buffer_unref(soon_buffer *buffer)
{
    if (!buffer)
        return;
    /* Release: what we did with the bytes. Acquire: what the others did, before the last one frees. */
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

/* For a buffer that is PLAIN, READABLE or shared (V1), or is to have no bytes. */
static int resize_by_copy(soon_buffer *buffer, size_t size)
{
    soon_buffer fresh = {.fd = -1};
    int rc = memory_new(&fresh, size);

    if (rc < 0)
        return rc;
    if (buffer->size && size)
        memcpy(fresh.data, buffer->data, size < buffer->size ? size : buffer->size);
    release_data(buffer);
    buffer->source = fresh.source;
    buffer->fd = fresh.fd;
    buffer->data = fresh.data;
    buffer->release = fresh.release;
    /* Relaxed: we are the only owner. */
    atomic_store_explicit(&buffer->shared, false, memory_order_relaxed);
    return 0;
}

/* Relaxed: the only owner calls this, and has seen the unrefs of the others. */
static bool may_change_in_place(const soon_buffer *buffer)
{
    return buffer->source == MAPPABLE && !atomic_load_explicit(&buffer->shared, memory_order_relaxed);
}

static int resize(soon_buffer *buffer, size_t size)
{
    int rc;

    if (!buffer)
        return soon__is_null("the buffer");
    /* Acquire: pairs with the release of the unref that made us the only owner. */
    if (atomic_load_explicit(&buffer->refs, memory_order_acquire) != 1)
        return -EBUSY;
    if (size > PTRDIFF_MAX)
        return -ENOMEM;
    if (size && may_change_in_place(buffer))
        rc = soon__mappable_resize(buffer->fd, &buffer->data, buffer->size, size);
    else
        rc = resize_by_copy(buffer, size);
    if (rc < 0)
        return -ENOMEM;
    buffer->size = size;
    return 0;
}

int soon_buffer_resize(soon_buffer *buffer, size_t size)
{
    return soon__failed(resize(buffer, size), "soon_buffer_resize");
}

/*
 * Lists of buffers
 */

enum { LIST_ROOM = 4 };

int soon__buffers_add(struct soon__buffers **list, soon_buffer *buffer)
{
    size_t count = *list ? (*list)->count : 0, room = count ? 2 * count : LIST_ROOM;
    struct soon__buffers *grown = *list;

    if (count == (*list ? (*list)->room : 0)) {
        grown = realloc(*list, sizeof *grown + room * sizeof *grown->at);
        if (!grown) {
            soon_buffer_unref(buffer);
            return -ENOMEM;
        }
        grown->room = room;
    }
    grown->at[count] = buffer;
    grown->count = count + 1;
    *list = grown;
    return 0;
}

void soon__buffers_free(struct soon__buffers *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        soon_buffer_unref(list->at[i]);
    free(list);
}

/*
 * value_internal.h - buffers, as the files see them that take them to other processes.
 */
#ifndef SOON_FUTURES_VALUE_INTERNAL_H
#define SOON_FUTURES_VALUE_INTERNAL_H

#include "value.h"

/* As soon_buffer_new(), always in mappable memory. Returns 0 or a negative errno; -EINVAL for no bytes. */
int soon__buffer_new_mappable(soon_buffer **ret, size_t size);
/* Makes a copy of `data` (NULL: zeroes) in mappable memory that nobody can write any more. Returns 0 or a negative
 * errno. */
int soon__buffer_new_frozen(soon_buffer **ret, const void *data, size_t size);
/* For a buffer that will be kept for some time: closes its descriptor if buffers have many. Not after the descriptor
 * was lent. */
void soon__buffer_spare_descriptor(soon_buffer *buffer);
/* Lends the descriptor of a buffer in mappable memory. From now on nobody else can map it to write, or resize it.
 * Returns the descriptor; -ENOTSUP: the memory is not mappable, or the descriptor was closed (V2). */
int soon__buffer_share(soon_buffer *buffer);
bool soon__buffer_is_mappable(const soon_buffer *buffer);
/* As that, but from now on nobody can write it, not even its owner; and its data may move. For its only owner: else
 * -EBUSY. After another failure than -ENOTSUP its owner may only read it, too. */
int soon__buffer_freeze(soon_buffer *buffer);
/* Makes a buffer of `size` bytes of memory that another process has made, and maps it to be read. Returns 0, and then
 * takes the descriptor; or a negative errno. */
int soon__buffer_of_descriptor(soon_buffer **ret, int fd, size_t size);

/* A list of buffers, behind a first one that is kept elsewhere. It is malloc'ed; NULL: there are none. */
struct soon__buffers {
    size_t count, room;
    soon_buffer *at[];
};
/* Adds one. Takes the buffer, always. Returns 0 or -ENOMEM. */
int soon__buffers_add(struct soon__buffers **list, soon_buffer *buffer);
void soon__buffers_free(struct soon__buffers *list);
/* Returns the buffer at `index`, where `first` is at 0 (NULL: there are none at all) and the list behind it; NULL:
 * there are fewer. */
static inline soon_buffer *soon__buffers_at(soon_buffer *first, const struct soon__buffers *list, size_t index)
{
    if (index == 0)
        return first;
    return list && index - 1 < list->count ? list->at[index - 1] : NULL;
}
static inline size_t soon__buffers_count(const soon_buffer *first, const struct soon__buffers *list)
{
    return (first != NULL) + (list ? list->count : 0);
}

#endif

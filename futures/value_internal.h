/*
 * value_internal.h - buffers as those see them who take them to other processes.
 */
#ifndef SOON_FUTURES_VALUE_INTERNAL_H
#define SOON_FUTURES_VALUE_INTERNAL_H

#include "value.h"

/* As soon_buffer_new(), always in mappable memory. 0 or a negative errno; -EINVAL: of no bytes. */
int soon__buffer_new_mappable(soon_buffer **ret, size_t size);
/* A copy of `data` (NULL: zeroes) in mappable memory that nobody can write any more. 0 or a negative errno. */
int soon__buffer_new_frozen(soon_buffer **ret, const void *data, size_t size);
/* It is going to wait for its turn: closes its descriptor if buffers hold many. Not once that was lent. */
void soon__buffer_spare_descriptor(soon_buffer *buffer);
/* The descriptor of a buffer in mappable memory, lent; from now on nobody else can map it to write, or resize it.
 * -ENOTSUP: it lies elsewhere, or its descriptor was closed (V2). */
int soon__buffer_share(soon_buffer *buffer);
bool soon__buffer_is_mappable(const soon_buffer *buffer);
/* The same, but nobody at all can write it any more, its owner neither: its data may move. For its only owner: else -EBUSY.
 * On other failures too, unless that is -ENOTSUP, its owner may only read it from now on. */
int soon__buffer_freeze(soon_buffer *buffer);
/* A buffer of `size` bytes of somebody else's memory, which is mapped to be read. Takes the descriptor when it returns
 * 0; else a negative errno. */
int soon__buffer_of_descriptor(soon_buffer **ret, int fd, size_t size);

/* Several, behind a first one that is kept elsewhere. malloc'ed; NULL: none. */
struct soon__buffers {
    size_t count, room;
    soon_buffer *at[];
};
/* One more. Takes the buffer, always. 0 or -ENOMEM. */
int soon__buffers_add(struct soon__buffers **list, soon_buffer *buffer);
void soon__buffers_free(struct soon__buffers *list);
/* What is at `index` of a first one (NULL: then there are none) and those behind it; NULL: so many there are not. */
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

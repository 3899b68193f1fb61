/*
 * block_internal.h - memory for the blocks that come and go with every task.
 *
 * Any thread takes and gives back; a block may be freed by another thread than the one that took it.
 */
#ifndef SOON_FUTURES_BLOCK_INTERNAL_H
#define SOON_FUTURES_BLOCK_INTERNAL_H

#include <stddef.h>

/* Returns a block of `size` bytes, at least 1, at a multiple of 16, not zeroed; NULL: no memory. Never blocks for
 * long. */
void *soon__block_new(size_t size);
/* As that, but returns NULL also where a block would take more than a few steps. */
void *soon__block_pop(size_t size);
/* `size` is that of soon__block_new(). In a forked child a block of the parent's is lost, and not used again. */
void soon__block_free(void *block, size_t size);
/* How many were given out and not given back; in a forked child, by that. */
size_t soon__blocks_alive(void);

#endif

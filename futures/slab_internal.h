/*
 * slab_internal.h - memory for the blocks that come and go with every task.
 *
 * Any thread takes and gives back, and not those of a thread alone: a block may be freed by another thread than took it.
 */
#ifndef SOON_FUTURES_SLAB_INTERNAL_H
#define SOON_FUTURES_SLAB_INTERNAL_H

#include <stddef.h>

/* `size` of at least 1; at a multiple of 16, not zeroed. NULL: no memory. Never blocks for long. */
void *soon__block_new(size_t size);
/* The same, but NULL also where that would take longer than a few steps. */
void *soon__block_pop(size_t size);
/* `size` as it was asked for. In a forked child a block of the parent's is lost and not used again. */
void soon__block_free(void *block, size_t size);
size_t soon__blocks_alive(void); /* given out and not given back; in a child, by it */

#endif

/*
 * slab_internal.h - slabs: 2 MiB each, cut into blocks of one size. For block.c, which threads take blocks from.
 *
 * A class is the blocks of one size, a multiple of SOON__SLAB_STEP.
 */
#ifndef SOON_FUTURES_SLAB_INTERNAL_H
#define SOON_FUTURES_SLAB_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SOON__SLAB_STEP = 16,
    SOON__SLAB_LIMIT = SOON__SLAB ? 1024 : 0, /* the largest size of a block; without slabs 0 */
    SOON__SLAB_CLASSES = SOON__SLAB_LIMIT / SOON__SLAB_STEP + 1,
    SOON__SLAB_BATCH = 32, /* so many blocks are taken and given back at a time */
};

/* A block that is free. */
struct soon__block {
    struct soon__block *next;
};

struct soon__block_list {
    struct soon__block *first;
    size_t room; /* for so many more; an empty list may have none */
};

static inline void soon__block_list_push(struct soon__block_list *list, struct soon__block *block)
{
    block->next = list->first;
    list->first = block;
    list->room--;
}

/* Returns NULL if the list is empty. */
static inline struct soon__block *soon__block_list_pop(struct soon__block_list *list)
{
    struct soon__block *block = list->first;

    if (block) {
        list->first = block->next;
        list->room++;
    }
    return block;
}

static inline size_t soon__slab_class(size_t size)
{
    return (size + SOON__SLAB_STEP - 1) / SOON__SLAB_STEP;
}

/* Puts up to a batch of blocks into an empty list that has room. Returns false if there is no memory. */
bool soon__slab_take(size_t class, struct soon__block_list *list);
/* Gives back up to `most` blocks of the list. */
void soon__slab_give(struct soon__block_list *list, size_t most);

/* How many classes have so many slabs with room that some should become empty; in a forked child one more. While it is
 * not 0, each block that is freed is looked at by the two functions below. Read without the mutex: a hint. */
extern _Atomic uint32_t soon__slabs_watchful;
bool soon__slab_wants_back(const void *block, size_t class); /* not to be kept by a thread: its slab may become empty */
bool soon__slab_is_of_parent(const void *block);             /* of the process that forked this one */

size_t soon__slabs_out(void); /* how many blocks are with threads, in use or not */
/* In a forked child: begins anew, since the mutex and any list may be in the middle of something. */
void soon__slabs_forget(void);

#endif

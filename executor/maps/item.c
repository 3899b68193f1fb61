/*
 * item.c - one argument of any size: its check, a copy of it, and the release of what was given with it.
 */
#include "item_internal.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, BLOCK_MIN = 1 << 10, BLOCK_MAX = 64 << 10 };

/*
 * The store
 */

struct soon__store_block {
    struct soon__store_block *next;
    size_t size, used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

/* Each block has twice the size of the one before, up to BLOCK_MAX; or `size`, if that is more. */
static struct soon__store_block *add_block(struct soon__store *store, size_t size)
{
    size_t room = store->blocks ? 2 * store->blocks->size : BLOCK_MIN;
    struct soon__store_block *block;

    room = room > BLOCK_MAX ? BLOCK_MAX : room;
    room = room < size ? size : room;
    block = malloc(sizeof *block + room);
    if (!block)
        return NULL;
    *block = (struct soon__store_block){.next = store->blocks, .size = room};
    store->blocks = block;
    return block;
}

static void *allocate(struct soon__store *store, size_t size)
{
    struct soon__store_block *block = store->blocks;
    unsigned char *room;

    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!block || block->size - block->used < size)
        block = add_block(store, size);
    if (!block)
        return NULL;
    room = block->bytes + block->used;
    block->used += size;
    return room;
}

bool soon__store_keep(struct soon__store *store, soon_item *ret, const soon_item *item, size_t size)
{
    bool is_own_label = soon__item_is_own_label(item);
    size_t bytes = size ? size : item->size, label = item->label && !is_own_label ? strlen(item->label) + 1 : 0;
    char *copy = bytes > PTRDIFF_MAX - label - 2 * ALIGNMENT ? NULL : allocate(store, bytes + label);

    if (!copy)
        return false;
    *ret = (soon_item){.data = copy, .size = bytes, .payload = item->payload};
    if (item->data && bytes)
        memcpy(copy, item->data, bytes);
    else
        memset(copy, 0, bytes);
    if (item->label)
        ret->label = is_own_label ? copy : memcpy(copy + bytes, item->label, label);
    return true;
}

void soon__store_fini(struct soon__store *store)
{
    struct soon__store_block *block, *next;

    for (block = store->blocks; block; block = next) {
        next = block->next;
        free(block);
    }
    store->blocks = NULL;
}

/*
 * Items
 */

int soon__item_check(const soon_function *function, const soon_item *item, size_t index)
{
    if (item->size > PTRDIFF_MAX)
        return soon__refuse(-EINVAL, "item %zu has %zu bytes, which no memory has", index, item->size);
    if (!item->data && item->size)
        return soon__refuse(-EINVAL, "the data of item %zu is NULL, its size is %zu", index, item->size);
    if (item->data && function->arg_size && item->size != function->arg_size)
        return soon__refuse(-EINVAL, "the size of item %zu is %zu, that of the argument of %s is %zu", index,
                            item->size, function->name, function->arg_size);
    return 0;
}

void soon__item_release_payload(soon_item *item)
{
    soon_buffer *payload = item->payload;

    item->payload = NULL;
    soon_buffer_unref(payload);
}

void soon__item_release(const soon_function *function, soon_item *item)
{
    if (function->free_arg && item->data)
        function->free_arg((void *)item->data);
    soon__item_release_payload(item);
}

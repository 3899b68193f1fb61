/*
 * map_failures.c - which items of a chunk have failed, and of what.
 */
#include "map_failures_internal.h"

#include <stdlib.h>

enum { ROOM_MAX = 4096 }; /* in a block */

void soon__failures_init(struct soon__failures *failures)
{
    *failures = (struct soon__failures){.first = {.room = 1, .list = &failures->one}, .last = &failures->first};
}

bool soon__failures_reserve(struct soon__failures *failures)
{
    struct soon__failure_block *last = failures->last, *next;
    size_t room = last->room * 4 < ROOM_MAX ? last->room * 4 : ROOM_MAX;

    /* Relaxed: only this thread adds. */
    if (atomic_load_explicit(&last->count, memory_order_relaxed) < last->room)
        return true;
    next = malloc(sizeof *next + room * sizeof *next->list);
    if (!next)
        return false;
    *next = (struct soon__failure_block){.room = room, .list = (struct soon__failure *)(next + 1)};
    /* Release: pairs with the acquire in next_block(). */
    atomic_store_explicit(&last->next, next, memory_order_release);
    failures->last = next;
    return true;
}

void soon__failures_add(struct soon__failures *failures, size_t index, struct soon__error *error)
{
    struct soon__failure_block *last = failures->last;
    size_t count = atomic_load_explicit(&last->count, memory_order_relaxed); /* relaxed: only this thread adds */

    last->list[count] = (struct soon__failure){.index = index, .error = error};
    /* Release: pairs with the acquire in block_count(). */
    atomic_store_explicit(&last->count, count + 1, memory_order_release);
}

static struct soon__failure_block *next_block(struct soon__failure_block *block)
{
    return atomic_load_explicit(&block->next, memory_order_acquire);
}

static size_t block_count(struct soon__failure_block *block)
{
    return atomic_load_explicit(&block->count, memory_order_acquire);
}

static int compare_index(const void *key, const void *failure)
{
    size_t index = *(const size_t *)key, other = ((const struct soon__failure *)failure)->index;

    return index < other ? -1 : index > other;
}

struct soon__error *soon__failures_find(struct soon__failures *failures, size_t index)
{
    for (struct soon__failure_block *block = &failures->first; block; block = next_block(block)) {
        size_t count = block_count(block);
        struct soon__failure *found;

        if (count == 0 || block->list[count - 1].index < index)
            continue;
        found = bsearch(&index, block->list, count, sizeof *block->list, compare_index);
        return found ? found->error : NULL;
    }
    return NULL;
}

void soon__failures_each(struct soon__failures *failures, size_t end,
                         void (*fn)(size_t index, struct soon__error *error, void *data), void *data)
{
    for (struct soon__failure_block *block = &failures->first; block; block = next_block(block)) {
        size_t count = block_count(block);

        for (size_t i = 0; i < count && block->list[i].index < end; i++)
            fn(block->list[i].index, block->list[i].error, data);
    }
}

void soon__failures_fini(struct soon__failures *failures)
{
    struct soon__failure_block *block, *next;

    for (block = &failures->first; block; block = next) {
        next = next_block(block);
        for (size_t i = 0; i < block_count(block); i++)
            soon__error_unref(block->list[i].error);
        if (block != &failures->first)
            free(block);
    }
}

/*
 * set.c - open addressing with linear probing, at most half full; removal moves later entries up, so there are no
 * tombstones.
 */
#include "set_internal.h"

#include <errno.h>
#include <stdlib.h>

static size_t home(const struct soon__set *set, const soon_future *future)
{
    /* Blocks are 16-byte aligned; the odd constant spreads what is left. */
    return (size_t)((((uintptr_t)future >> 4) * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (set->size - 1);
}

static struct soon__set_slot *find(const struct soon__set *set, const soon_future *future)
{
    size_t i = home(set, future);

    while (set->slots[i].future && set->slots[i].future != future)
        i = (i + 1) & (set->size - 1);
    return &set->slots[i];
}

static int resize(struct soon__set *set, size_t size)
{
    struct soon__set bigger = {.size = size, .count = set->count};

    bigger.slots = calloc(size, sizeof *bigger.slots);
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < set->size; i++) {
        if (set->slots[i].future)
            *find(&bigger, set->slots[i].future) = set->slots[i];
    }
    free(set->slots);
    *set = bigger;
    return 0;
}

int soon__set_reserve(struct soon__set *set, size_t count)
{
    size_t size = 8;

    if (count > SIZE_MAX / 4 / sizeof *set->slots)
        return -ENOMEM;
    while (size < 2 * count)
        size *= 2;
    return size > set->size ? resize(set, size) : 0;
}

int soon__set_add(struct soon__set *set, const soon_future *future, void *value)
{
    struct soon__set_slot *slot;

    if (soon__set_reserve(set, set->count + 1) < 0)
        return -ENOMEM;
    slot = find(set, future);
    if (slot->future)
        return 0;
    *slot = (struct soon__set_slot){future, value};
    set->count++;
    return 1;
}

void soon__set_remove(struct soon__set *set, const soon_future *future)
{
    size_t hole, i, mask = set->size - 1;

    if (!set->size || !find(set, future)->future)
        return;
    hole = i = (size_t)(find(set, future) - set->slots);
    for (;;) {
        i = (i + 1) & mask;
        if (!set->slots[i].future)
            break;
        /* It may move into the hole unless its home lies cyclically after the hole. */
        if (((i - home(set, set->slots[i].future)) & mask) >= ((i - hole) & mask)) {
            set->slots[hole] = set->slots[i];
            hole = i;
        }
    }
    set->slots[hole] = (struct soon__set_slot){NULL, NULL};
    set->count--;
}

void soon__set_fini(struct soon__set *set)
{
    free(set->slots);
    *set = (struct soon__set){NULL, 0, 0};
}

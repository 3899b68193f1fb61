/*
 * set.c - open addressing with linear probing, at most half full. A slot points to a member, and the member says for
 * which future it stands. So ending a membership needs no removal from the slots: the slot then stands for no future,
 * or for the next one for which the member is used, until the slots are made anew.
 */
#include "set_internal.h"

#include <errno.h>
#include <stdlib.h>

static size_t home(const struct soon__set *set, const soon_future *future)
{
    /* Blocks are 16-byte aligned; the odd constant spreads what is left. */
    return (size_t)((((uintptr_t)future >> 4) * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (set->size - 1);
}

/* Returns the slot of the future's member, or the free slot where it belongs. */
static struct soon__member **find(const struct soon__set *set, const soon_future *future)
{
    size_t i = home(set, future);

    while (set->slots[i] && soon__member_future(set->slots[i]) != future)
        i = (i + 1) & (set->size - 1);
    return &set->slots[i];
}

static void enter(struct soon__set *set, struct soon__member **slot, struct soon__member *member)
{
    set->used += !*slot;
    *slot = member;
}

/* Makes new slots, at least twice `count`, and enters all members. */
static int make_anew(struct soon__set *set, size_t count)
{
    struct soon__set fresh = {.size = 8};
    soon_future *future;

    if (count > SIZE_MAX / 4 / sizeof *set->slots)
        return -ENOMEM;
    while (fresh.size < 2 * count)
        fresh.size *= 2;
    fresh.slots = calloc(fresh.size, sizeof *fresh.slots);
    if (!fresh.slots)
        return -ENOMEM;
    for (size_t i = 0; i < set->size; i++) {
        if (set->slots[i] && (future = soon__member_future(set->slots[i])))
            enter(&fresh, find(&fresh, future), set->slots[i]);
    }
    free(set->slots);
    *set = fresh;
    return 0;
}

int soon__set_reserve(struct soon__set *set, size_t count)
{
    return count > set->size / 2 ? make_anew(set, count) : 0;
}

/* Makes room for half as many more as there are members, so that this is rare. */
static int grow(struct soon__set *set)
{
    size_t members = 0;

    for (size_t i = 0; i < set->size; i++)
        members += set->slots[i] && soon__member_future(set->slots[i]);
    return make_anew(set, members + members / 2 + 1);
}

int soon__set_add(struct soon__set *set, struct soon__member *member, soon_future *future)
{
    struct soon__member **slot;

    if (set->used >= set->size / 2 && grow(set) < 0)
        return -ENOMEM;
    slot = find(set, future);
    if (*slot)
        return 0;
    soon__member_set(member, future);
    enter(set, slot, member);
    return 1;
}

void soon__set_fini(struct soon__set *set)
{
    free(set->slots);
    *set = (struct soon__set){NULL, 0, 0};
}

/*
 * area.c - regions of an area, handed out round and round.
 *
 *     |....[oldest][......][newest].........|     room behind the newest, else before the oldest
 *     |[..][newest]......[oldest][freed][..]|     it has gone round: room is between the two
 *
 * A1  Regions in use lie between the start of the oldest and the end of the newest, in the order of the ring.
 * A2  The oldest is in use, or there is none: who gives it back takes the freed ones behind it along.
 * A3  With none in use the next begins at 0: a light load always touches the same pages.
 */
#include "area_internal.h"

#include <assert.h>

_Static_assert((SOON__AREA_REGIONS & (SOON__AREA_REGIONS - 1)) == 0, "indices wrap around");

static uint64_t round_down(uint64_t size)
{
    return size & ~(uint64_t)(SOON__AREA_ALIGNMENT - 1);
}

void soon__area_init(struct soon__area *area, uint64_t size)
{
    area->size = round_down(size);
    area->oldest = 0;
    area->count = 0;
}

static uint32_t nth(const struct soon__area *area, uint32_t n)
{
    return (area->oldest + n) % SOON__AREA_REGIONS;
}

/* Where `size` bytes fit; UINT64_MAX: nowhere. */
static uint64_t find_room(const struct soon__area *area, uint64_t size)
{
    uint64_t first, end;

    if (area->count == 0)
        return size <= area->size ? 0 : UINT64_MAX;
    first = area->regions[area->oldest].start;
    end = area->regions[nth(area, area->count - 1)].end;
    if (end <= first) /* it has gone round */
        return size <= first - end ? end : UINT64_MAX;
    if (size <= area->size - end)
        return end;
    return size <= first ? 0 : UINT64_MAX;
}

bool soon__area_take(struct soon__area *area, uint64_t size, uint64_t *ret_offset, uint32_t *ret_region)
{
    uint64_t start;
    uint32_t region;

    assert(size > 0);
    if (size > area->size || area->count == SOON__AREA_REGIONS)
        return false;
    size = round_down(size + SOON__AREA_ALIGNMENT - 1);
    start = find_room(area, size);
    if (start == UINT64_MAX)
        return false;
    region = nth(area, area->count++);
    area->regions[region].start = start;
    area->regions[region].end = start + size;
    area->regions[region].freed = false;
    *ret_offset = start;
    *ret_region = region;
    return true;
}

void soon__area_give(struct soon__area *area, uint32_t region)
{
    assert((region - area->oldest) % SOON__AREA_REGIONS < area->count);
    assert(!area->regions[region].freed);
    area->regions[region].freed = true;
    while (area->count > 0 && area->regions[area->oldest].freed) { /* A2 */
        area->oldest = nth(area, 1);
        area->count--;
    }
}

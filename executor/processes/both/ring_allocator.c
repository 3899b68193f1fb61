/*
 * ring_allocator.c - regions of a stretch of memory, handed out in a ring.
 *
 *     |....[oldest][......][newest].........|     room behind the newest, else before the oldest
 *     |[..][newest]......[oldest][freed][..]|     the newest has wrapped around: the room is between the two
 *
 * A1  Regions in use lie between the start of the oldest and the end of the newest, in the order of the ring.
 * A2  The oldest region is in use, or there is none: when it is given back, the freed ones behind it go with it.
 * A3  If no region is in use, the next one begins at 0. So under a light load the same pages are touched again and
 *     again.
 */
#include "ring_allocator_internal.h"

#include <assert.h>

_Static_assert((SOON__RING_REGIONS & (SOON__RING_REGIONS - 1)) == 0, "indices wrap around");

static uint64_t round_down(uint64_t size)
{
    return size & ~(uint64_t)(SOON__RING_ALIGNMENT - 1);
}

void soon__ring_allocator_init(struct soon__ring_allocator *ring, uint64_t size)
{
    ring->size = round_down(size);
    ring->oldest = 0;
    ring->count = 0;
}

static uint32_t nth(const struct soon__ring_allocator *ring, uint32_t n)
{
    return (ring->oldest + n) % SOON__RING_REGIONS;
}

/* Returns the offset at which `size` bytes fit; UINT64_MAX: there is none. */
static uint64_t find_room(const struct soon__ring_allocator *ring, uint64_t size)
{
    uint64_t first, end;

    if (ring->count == 0)
        return size <= ring->size ? 0 : UINT64_MAX;
    first = ring->regions[ring->oldest].start;
    end = ring->regions[nth(ring, ring->count - 1)].end;
    if (end <= first) /* it has wrapped around */
        return size <= first - end ? end : UINT64_MAX;
    if (size <= ring->size - end)
        return end;
    return size <= first ? 0 : UINT64_MAX;
}

bool soon__ring_allocator_take(struct soon__ring_allocator *ring, uint64_t size, uint64_t *ret_offset,
                               uint32_t *ret_region)
{
    uint64_t start;
    uint32_t region;

    assert(size > 0);
    if (size > ring->size || ring->count == SOON__RING_REGIONS)
        return false;
    size = round_down(size + SOON__RING_ALIGNMENT - 1);
    start = find_room(ring, size);
    if (start == UINT64_MAX)
        return false;
    region = nth(ring, ring->count++);
    ring->regions[region].start = start;
    ring->regions[region].end = start + size;
    ring->regions[region].freed = false;
    *ret_offset = start;
    *ret_region = region;
    return true;
}

void soon__ring_allocator_give(struct soon__ring_allocator *ring, uint32_t region)
{
    assert((region - ring->oldest) % SOON__RING_REGIONS < ring->count);
    assert(!ring->regions[region].freed);
    ring->regions[region].freed = true;
    while (ring->count > 0 && ring->regions[ring->oldest].freed) { /* A2 */
        ring->oldest = nth(ring, 1);
        ring->count--;
    }
}

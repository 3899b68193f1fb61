/*
 * ring_allocator_internal.h - allocates regions of a stretch of shared memory. What it knows of them is private to its
 * owner.
 *
 * Regions are handed out one behind the other, and wrap around at the end. They may be given back in any order; a
 * region's room can be used again when all older ones are free, too. Not thread-safe.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_RING_ALLOCATOR_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_RING_ALLOCATOR_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

enum { SOON__RING_REGIONS = 512, SOON__RING_ALIGNMENT = 64 };

struct soon__ring_allocator {
    uint64_t size;
    struct {
        uint64_t start, end;
        bool freed;
    } regions[SOON__RING_REGIONS]; /* a ring: those from `oldest` on, `count` of them */
    uint32_t oldest, count;
};

void soon__ring_allocator_init(struct soon__ring_allocator *ring, uint64_t size);
/* Takes a region of `size` bytes, above 0: its aligned offset, and its number, by which it is given back. False: there
 * is no room now. */
bool soon__ring_allocator_take(struct soon__ring_allocator *ring, uint64_t size, uint64_t *ret_offset,
                               uint32_t *ret_region);
void soon__ring_allocator_give(struct soon__ring_allocator *ring, uint32_t region);

#endif

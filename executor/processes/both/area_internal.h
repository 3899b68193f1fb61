/*
 * area_internal.h - allocation in a stretch of shared memory by its one owner, whose notes about it are private.
 *
 * Regions are handed out one after the other, round and round. They may be given back in any order; room appears when
 * the oldest is free. Not thread-safe: its owner sees to that.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_AREA_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_AREA_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

enum { SOON__AREA_REGIONS = 512, SOON__AREA_ALIGNMENT = 64 };

struct soon__area {
    uint64_t size;
    struct {
        uint64_t start, end;
        bool freed;
    } regions[SOON__AREA_REGIONS]; /* a ring: those from `oldest` on, `count` of them */
    uint32_t oldest, count;
};

void soon__area_init(struct soon__area *area, uint64_t size);
/* Where `size` bytes (above 0) are free, aligned; false: no room now. `*ret_region` is to be given back. */
bool soon__area_take(struct soon__area *area, uint64_t size, uint64_t *ret_offset, uint32_t *ret_region);
void soon__area_give(struct soon__area *area, uint32_t region);

#endif

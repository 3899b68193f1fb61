/*
 * ring_internal.h - the memory of a trace: events that were recorded and are not written yet. Any number of threads
 * push, and none of them ever waits for another, or for the writer; one thread pops.
 *
 *     cell i:  free for position p --claimed by one thread--> filled --its sequence becomes p + 1--> to be popped
 *                    ^                                                                                   |
 *                    +-------------- its sequence becomes p + the number of cells, popped ---------------+
 *
 * R1  A cell belongs to the thread that has moved `head` over it, from then until its sequence says that it is filled;
 *     then to the writer. A thread that is stopped half-way holds the writer up, and no other thread: the ring fills.
 * R2  An event that finds no room is counted in `dropped`. The last eighth is kept for events that are rare, and that
 *     the others are read by.
 */
#ifndef SOON_EXECUTOR_TRACE_RING_INTERNAL_H
#define SOON_EXECUTOR_TRACE_RING_INTERNAL_H

#include "event_internal.h"

#include <stdatomic.h>
#include <stddef.h>

enum { SOON__TRACE_CELL = 256, SOON__TRACE_CELLS_MIN = 64 };

struct soon__trace_cell {
    _Atomic uint64_t sequence;
    struct soon__trace_event event;
};
_Static_assert(sizeof(struct soon__trace_cell) == SOON__TRACE_CELL, "nothing is left over");

struct soon__trace_ring {
    struct soon__trace_cell *cells;
    uint64_t count;                     /* of them, a power of two */
    _Alignas(64) _Atomic uint64_t head; /* the next position to be filled */
    _Atomic uint64_t dropped;           /* R2 */
    _Alignas(64) _Atomic uint64_t tail; /* the next to be popped; the writer alone changes it */
};

/* `cells` are `count` zeroed cells, a power of two. */
void soon__trace_ring_init(struct soon__trace_ring *ring, struct soon__trace_cell *cells, uint64_t count);
/* Returns whether the ring is half full or more: then the writer should be told. */
bool soon__trace_ring_push(struct soon__trace_ring *ring, const struct soon__trace_event *event);
/* The next event, which stays until soon__trace_ring_pop(); NULL: there is none. */
const struct soon__trace_event *soon__trace_ring_next(struct soon__trace_ring *ring);
void soon__trace_ring_pop(struct soon__trace_ring *ring);

#endif

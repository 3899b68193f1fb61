/*
 * ring.c - see ring_internal.h.
 */
#include "ring_internal.h"

void soon__trace_ring_init(struct soon__trace_ring *ring, struct soon__trace_cell *cells, uint64_t count)
{
    ring->cells = cells;
    ring->count = count;
    /* Relaxed, all: no other thread has the ring yet. */
    atomic_store_explicit(&ring->head, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->dropped, 0, memory_order_relaxed);
    for (uint64_t i = 0; i < count; i++)
        atomic_store_explicit(&cells[i].sequence, i, memory_order_relaxed);
}

static struct soon__trace_cell *cell_at(const struct soon__trace_ring *ring, uint64_t position)
{
    return &ring->cells[position & (ring->count - 1)];
}

/* R1. Returns a cell of the caller's own, for `*ret_position`; NULL: there is no room. */
static struct soon__trace_cell *claim(struct soon__trace_ring *ring, uint64_t most, uint64_t *ret_position)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    struct soon__trace_cell *cell;
    int64_t ahead;

    for (;;) {
        cell = cell_at(ring, head);
        /* Acquire: the writer is through with the cell; pairs with the release in soon__trace_ring_pop(). */
        ahead = (int64_t)(atomic_load_explicit(&cell->sequence, memory_order_acquire) - head);
        /* Relaxed: how much is kept for rare events need not be exact. */
        if (ahead < 0 || head - atomic_load_explicit(&ring->tail, memory_order_relaxed) + 1 > most)
            return NULL;
        if (ahead > 0)
            head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        /* Relaxed: the sequence of the cell publishes what is in it. */
        else if (atomic_compare_exchange_weak_explicit(&ring->head, &head, head + 1, memory_order_relaxed,
                                                       memory_order_relaxed))
            break;
    }
    *ret_position = head;
    return cell;
}

bool soon__trace_ring_push(struct soon__trace_ring *ring, const struct soon__trace_event *event)
{
    uint64_t position, most = soon__trace_is_rare(event) ? ring->count : ring->count - ring->count / 8;
    struct soon__trace_cell *cell = claim(ring, most, &position);

    if (!cell) { /* R2. Relaxed: a count. */
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return true;
    }
    cell->event = *event;
    /* Release: the event; pairs with the acquire in soon__trace_ring_next(). */
    atomic_store_explicit(&cell->sequence, position + 1, memory_order_release);
    /* Relaxed: a hint. */
    return position - atomic_load_explicit(&ring->tail, memory_order_relaxed) >= ring->count / 2;
}

const struct soon__trace_event *soon__trace_ring_next(struct soon__trace_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    struct soon__trace_cell *cell = cell_at(ring, tail);

    /* Acquire: pairs with the release in soon__trace_ring_push(). */
    return atomic_load_explicit(&cell->sequence, memory_order_acquire) == tail + 1 ? &cell->event : NULL;
}

void soon__trace_ring_pop(struct soon__trace_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    /* Release: this thread is through with the cell; pairs with the acquire in claim(). */
    atomic_store_explicit(&cell_at(ring, tail)->sequence, tail + ring->count, memory_order_release);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_relaxed);
}

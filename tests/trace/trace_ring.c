/*
 * trace_ring.c - the memory of a trace: what is pushed comes out in order, what finds no room is counted, and the last
 * eighth is kept for what is rare.
 */
#include "../../executor/trace/ring_internal.h"
#include "../harness/test.h"

#include <stdlib.h>

TestSuite(trace_ring);

static struct soon__trace_cell cells[SOON__TRACE_CELLS_MIN];
static struct soon__trace_ring ring;

static void make(void)
{
    soon__trace_ring_init(&ring, cells, SOON__TRACE_CELLS_MIN);
}

static void push(uint8_t kind, uint64_t id)
{
    (void)soon__trace_ring_push(&ring, &(struct soon__trace_event){.kind = kind, .id = id});
}

static uint64_t pop(void)
{
    const struct soon__trace_event *event = soon__trace_ring_next(&ring);
    uint64_t id;

    cr_assert(event);
    id = event->id;
    soon__trace_ring_pop(&ring);
    return id;
}

Test(trace_ring, gives_out_in_order_however_often_it_was_filled, .init = make)
{
    for (uint64_t round = 0; round < 10; round++) {
        for (uint64_t i = 0; i < 50; i++)
            push(SOON__TRACE_RUN, round * 50 + i);
        for (uint64_t i = 0; i < 50; i++)
            cr_assert_eq(pop(), round * 50 + i);
        cr_assert_null(soon__trace_ring_next(&ring));
    }
    cr_assert_eq(ring.dropped, 0);
}

Test(trace_ring, counts_what_finds_no_room_and_keeps_what_was_there, .init = make)
{
    enum { ROOM = SOON__TRACE_CELLS_MIN - SOON__TRACE_CELLS_MIN / 8 };

    for (uint64_t i = 0; i < 2 * SOON__TRACE_CELLS_MIN; i++)
        push(SOON__TRACE_RUN, i);

    cr_assert_eq(ring.dropped, 2 * SOON__TRACE_CELLS_MIN - ROOM);
    for (uint64_t i = 0; i < ROOM; i++)
        cr_assert_eq(pop(), i);
    cr_assert_null(soon__trace_ring_next(&ring));
}

Test(trace_ring, has_room_for_marks_where_there_is_none_for_tasks, .init = make)
{
    for (uint64_t i = 0; i < SOON__TRACE_CELLS_MIN; i++)
        push(SOON__TRACE_RUN, i);
    cr_assert_eq(ring.dropped, SOON__TRACE_CELLS_MIN / 8);

    for (uint64_t i = 0; i < SOON__TRACE_CELLS_MIN / 8; i++)
        push(SOON__TRACE_MARK, i);
    cr_assert_eq(ring.dropped, SOON__TRACE_CELLS_MIN / 8);

    push(SOON__TRACE_MARK, 0);
    cr_assert_eq(ring.dropped, SOON__TRACE_CELLS_MIN / 8 + 1);
}

Test(trace_ring, tells_when_it_is_half_full, .init = make)
{
    const struct soon__trace_event event = {.kind = SOON__TRACE_RUN};

    for (uint64_t i = 0; i < SOON__TRACE_CELLS_MIN / 2; i++)
        cr_assert_not(soon__trace_ring_push(&ring, &event));
    cr_assert(soon__trace_ring_push(&ring, &event));
}

/*
 * ring_allocator.c - regions of shared memory, handed out round and round.
 */
#include "../../support/futures.h"

#include "../../../executor/processes/both/ring_allocator_internal.h"

enum { UNIT = SOON__RING_ALIGNMENT };

static struct soon__ring_allocator ring;
static uint64_t offset;
static uint32_t region;

/* With room for ten units. */
static void make_ring(void)
{
    soon__ring_allocator_init(&ring, 10 * UNIT);
}

static uint32_t take(uint64_t units, uint64_t expected)
{
    cr_assert(soon__ring_allocator_take(&ring, units * UNIT, &offset, &region));
    cr_assert_eq(offset, expected * UNIT, "%d", (int)(offset / UNIT));
    return region;
}

static bool refuses(uint64_t units)
{
    return !soon__ring_allocator_take(&ring, units * UNIT, &offset, &region);
}

TestSuite(ring_allocator, .init = make_ring);

Test(ring_allocator, hands_out_one_behind_the_other)
{
    take(3, 0);
    take(3, 3);
    take(4, 6);
    cr_assert(refuses(1));
}

Test(ring_allocator, aligns_what_it_hands_out)
{
    cr_assert(soon__ring_allocator_take(&ring, 1, &offset, &region));
    cr_assert_eq(offset, 0);
    cr_assert(soon__ring_allocator_take(&ring, UNIT + 1, &offset, &region));
    cr_assert_eq(offset, UNIT);
    take(7, 3);
    cr_assert(refuses(1));
}

Test(ring_allocator, has_no_use_for_a_rest_that_is_not_aligned)
{
    soon__ring_allocator_init(&ring, 2 * UNIT + UNIT / 2);

    cr_assert(!soon__ring_allocator_take(&ring, 2 * UNIT + 1, &offset, &region));
    take(2, 0);
}

Test(ring_allocator, gives_all_its_bytes_to_one)
{
    cr_assert(refuses(11));
    cr_assert(!soon__ring_allocator_take(&ring, UINT64_MAX, &offset, &region));
    soon__ring_allocator_give(&ring, take(10, 0));
    take(10, 0);
}

Test(ring_allocator, begins_at_its_start_whenever_nothing_is_taken)
{
    for (int i = 0; i < 1000; i++)
        soon__ring_allocator_give(&ring, take(3, 0));
}

Test(ring_allocator, goes_round)
{
    uint32_t first = take(4, 0), second = take(4, 4);

    cr_assert(refuses(4), "two units are left at its end, none before the first");
    soon__ring_allocator_give(&ring, first);
    take(4, 0);
    cr_assert(refuses(1), "it has gone round: what is left at the end comes back with the second");
    soon__ring_allocator_give(&ring, second);
    take(6, 4);
    cr_assert(refuses(1));
}

Test(ring_allocator, has_room_again_when_the_oldest_is_given_back)
{
    uint32_t regions[5];

    for (unsigned i = 0; i < 5; i++)
        regions[i] = take(2, 2 * i);
    for (unsigned i = 4; i > 0; i--) {
        soon__ring_allocator_give(&ring, regions[i]);
        cr_assert(refuses(1));
    }
    soon__ring_allocator_give(&ring, regions[0]);
    take(10, 0);
}

Test(ring_allocator, counts_its_regions)
{
    static uint32_t regions[SOON__RING_REGIONS];

    soon__ring_allocator_init(&ring, (uint64_t)10 * UNIT * SOON__RING_REGIONS);
    for (unsigned i = 0; i < SOON__RING_REGIONS; i++)
        regions[i] = take(1, i);
    cr_assert(refuses(1));
    soon__ring_allocator_give(&ring, regions[0]);
    take(1, SOON__RING_REGIONS);
    cr_assert(refuses(1));
}

/*
 * Against a model: a list, in the order of taking, of what was taken and what was freed since the oldest.
 */

enum { UNITS = 100, LIVE_MAX = 2 * UNITS };

static struct piece {
    uint64_t start, end; /* in units */
    uint32_t region;
    bool freed;
} pieces[LIVE_MAX];
static unsigned pieces_count;

static bool is_clear(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < pieces_count; i++) {
        if (start < pieces[i].end && pieces[i].start < end)
            return false;
    }
    return end <= UNITS;
}

/* Behind the newest, without a gap; or at the start, if that does not jump over the oldest. */
static bool has_room(uint64_t units)
{
    uint64_t end = pieces_count ? pieces[pieces_count - 1].end : 0;

    if (pieces_count == 0)
        return units <= UNITS;
    return is_clear(end, end + units) || (end > pieces[0].start && is_clear(0, units));
}

static void take_some(unsigned *seed)
{
    uint64_t units = 1 + dice(seed, dice(seed, 4) ? 8 : UNITS), size = units * UNIT - dice(seed, UNIT);
    struct piece *piece = &pieces[pieces_count];

    if (!has_room(units)) {
        cr_assert(!soon__ring_allocator_take(&ring, size, &offset, &region));
        return;
    }
    cr_assert(soon__ring_allocator_take(&ring, size, &offset, &region));
    cr_assert_eq(offset % UNIT, 0);
    *piece = (struct piece){.start = offset / UNIT, .end = offset / UNIT + units, .region = region};
    cr_assert(is_clear(piece->start, piece->end), "nobody else has it");
    pieces_count++;
}

static void give_some(unsigned *seed)
{
    unsigned which, gone = 0;

    if (pieces_count == 0)
        return;
    which = dice(seed, 3) ? 0 : dice(seed, pieces_count);
    if (pieces[which].freed)
        return;
    soon__ring_allocator_give(&ring, pieces[which].region);
    pieces[which].freed = true;
    while (gone < pieces_count && pieces[gone].freed)
        gone++;
    pieces_count -= gone;
    memmove(pieces, pieces + gone, pieces_count * sizeof *pieces);
}

Test(ring_allocator, does_as_its_model_does)
{
    unsigned seed = 1;

    soon__ring_allocator_init(&ring, UNITS * UNIT);
    for (int i = 0; i < 200000; i++) {
        if (dice(&seed, 2))
            take_some(&seed);
        else
            give_some(&seed);
    }
}

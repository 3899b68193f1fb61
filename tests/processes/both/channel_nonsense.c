/*
 * channel_nonsense.c - replies of a worker that is corrupt: told from those that may be taken at their word.
 */
#include "../../support/channel_fixture.h"

static uint64_t head;
static struct soon__reply reply;

TestSuite(channel_nonsense, .init = make_channel, .fini = free_channel);

#define DONE .kind = SOON__REPLY_DONE
#define IN_AREA .flags = SOON__REPLY_IN_AREA

static const struct {
    const char *name;
    int expected;
    struct soon__reply reply;
} letters[] = {
    {"nothing in it", 1, {DONE}},
    {"an item", 1, {.kind = SOON__REPLY_ITEM, .first = 9, .result_size = 48}},
    {"items", 1, {.kind = SOON__REPLY_ITEMS, .first = 9, .count = 9, .result_size = 48}},
    {"the last slot", 1, {DONE, .slot = SOON__SLOTS - 1}},
    {"a slot too far", -EPROTO, {DONE, .slot = SOON__SLOTS}},
    {"no slot at all", -EPROTO, {DONE, .slot = UINT32_MAX}},
    {"no kind", -EPROTO, {.kind = 0}},
    {"a kind too far", -EPROTO, {.kind = SOON__REPLY_KINDS}},
    {"no kind at all", -EPROTO, {.kind = UINT32_MAX}},
    {"an unknown flag", -EPROTO, {DONE, .flags = SOON__REPLY_IS_SHORT << 1}},
    {"all flags", -EPROTO, {DONE, .flags = UINT32_MAX}},

    {"inline, full", 1, {DONE, .result_size = SOON__REPLY_INLINE}},
    {"inline, a byte more", -EPROTO, {DONE, .result_size = SOON__REPLY_INLINE + 1}},
    {"inline, sizes that wrap", -EPROTO, {DONE, .result_size = UINT64_MAX}},
    {"inline, sizes that wrap when rounded", -EPROTO, {DONE, .result_size = UINT64_MAX - 14}},
    {"inline, a payload behind the result",
     1,
     {DONE, .result_size = 1, .payload_size = 32, .flags = SOON__REPLY_HAS_PAYLOAD}},
    {"inline, a payload that is rounded out of it",
     -EPROTO,
     {DONE, .result_size = 17, .payload_size = 17, .flags = SOON__REPLY_HAS_PAYLOAD}},
    {"inline, sizes that wrap together",
     -EPROTO,
     {DONE, .result_size = 16, .payload_size = UINT64_MAX - 8, .flags = SOON__REPLY_HAS_PAYLOAD}},
    {"inline, a message", 1, {DONE, .code = SOON_ERAISED, .message_size = SOON__REPLY_INLINE}},
    {"inline, a message too long", -EPROTO, {DONE, .code = SOON_ERAISED, .message_size = SOON__REPLY_INLINE + 1}},
    {"inline, the longest message", -EPROTO, {DONE, .code = SOON_ERAISED, .message_size = UINT32_MAX}},

    {"area, all of it", 1, {DONE, IN_AREA, .result_size = SOON__REPLY_AREA}},
    {"area, a byte more", -EPROTO, {DONE, IN_AREA, .result_size = SOON__REPLY_AREA + 1}},
    {"area, nothing at its end", 1, {DONE, IN_AREA, .offset = SOON__REPLY_AREA}},
    {"area, a byte behind its end", -EPROTO, {DONE, IN_AREA, .offset = SOON__REPLY_AREA, .result_size = 1}},
    {"area, far behind its end", -EPROTO, {DONE, IN_AREA, .offset = SOON__REPLY_AREA + 1}},
    {"area, an offset that wraps", -EPROTO, {DONE, IN_AREA, .offset = UINT64_MAX - 15, .result_size = 16}},
    {"area, a size that wraps", -EPROTO, {DONE, IN_AREA, .offset = 16, .result_size = UINT64_MAX - 15}},
    {"area, rounded over its end",
     -EPROTO,
     {DONE, .offset = SOON__REPLY_AREA - 40, .result_size = 17, .payload_size = 9,
      .flags = SOON__REPLY_IN_AREA | SOON__REPLY_HAS_PAYLOAD}},
    {"area, rounded to its end",
     1,
     {DONE, .offset = SOON__REPLY_AREA - 40, .result_size = 17, .payload_size = 8,
      .flags = SOON__REPLY_IN_AREA | SOON__REPLY_HAS_PAYLOAD}},

    {"a result that was sent", 1, {DONE, .result_size = UINT64_MAX, .flags = SOON__REPLY_RESULT_SENT}},
    {"nothing that was sent", -EPROTO, {DONE, .flags = SOON__REPLY_RESULT_SENT}},
    {"a payload that was sent",
     1,
     {DONE, .payload_size = UINT64_MAX, .flags = SOON__REPLY_HAS_PAYLOAD | SOON__REPLY_PAYLOAD_SENT}},
    {"a payload that is none was sent", -EPROTO, {DONE, .payload_size = 1, .flags = SOON__REPLY_PAYLOAD_SENT}},
    {"a payload of nothing was sent", -EPROTO, {DONE, .flags = SOON__REPLY_HAS_PAYLOAD | SOON__REPLY_PAYLOAD_SENT}},
    {"a payload that is none has a size", -EPROTO, {DONE, .result_size = 17, .payload_size = 1}},
    {"an empty payload", 1, {DONE, .flags = SOON__REPLY_HAS_PAYLOAD}},

    {"a code", 1, {DONE, .code = SOON_ERAISED, .raised = 7}},
    {"a code of the wrong sign", -EPROTO, {DONE, .code = 5}},
    {"a code and a result", -EPROTO, {DONE, .code = SOON_ERAISED, .result_size = 1}},
    {"a code and a payload", -EPROTO, {DONE, .code = SOON_ERAISED, .flags = SOON__REPLY_HAS_PAYLOAD}},
    {"a message without a code", -EPROTO, {DONE, .result_size = 17, .message_size = 1}},
    {"not started, with a code", 1, {DONE, .code = SOON_EEXPIRED, .flags = SOON__REPLY_NOT_STARTED}},
    {"not started, and no code", -EPROTO, {DONE, .flags = SOON__REPLY_NOT_STARTED}},
    {"cancelled, with a code", 1, {DONE, .code = -ECANCELED, .flags = SOON__REPLY_CANCELLED}},
    {"cancelled, and no code", -EPROTO, {DONE, .flags = SOON__REPLY_CANCELLED}},

    {"no items", -EPROTO, {.kind = SOON__REPLY_ITEMS}},
    {"items that wrap", -EPROTO, {.kind = SOON__REPLY_ITEMS, .first = UINT64_MAX, .count = 1}},
    {"items with a code", -EPROTO, {.kind = SOON__REPLY_ITEMS, .count = 1, .code = SOON_ERAISED}},
    {"items with a payload", -EPROTO, {.kind = SOON__REPLY_ITEMS, .count = 1, .flags = SOON__REPLY_HAS_PAYLOAD}},
    {"items that were sent",
     -EPROTO,
     {.kind = SOON__REPLY_ITEMS, .count = 1, .result_size = 1, .flags = SOON__REPLY_RESULT_SENT}},
};

Test(channel_nonsense, is_told_from_replies)
{
    for (size_t i = 0; i < COUNT(letters); i++) {
        uint64_t before = head = soon__channel_published_count(&worker);

        soon__channel_ack(&parent, head);
        publish_reply(&letters[i].reply);
        cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), letters[i].expected, "%s", letters[i].name);
        cr_assert_eq(head - before, letters[i].expected == 1, "%s", letters[i].name);
    }
}

/* The next reply has the next number, or its place the number of the one that was there before. */
Test(channel_nonsense, replies_have_their_numbers)
{
    static const uint64_t heads[] = {0, 1, SOON__REPLIES - 1, SOON__REPLIES, SOON__REPLIES + 9, 1000000};

    for (size_t i = 0; i < COUNT(heads); i++) {
        struct soon__reply *place = &worker.replies->reply[heads[i] % SOON__REPLIES];
        uint64_t next = heads[i] + 1, before = next > SOON__REPLIES ? next - SOON__REPLIES : 0;
        const uint64_t numbers[] = {0, 1, 2, before - 1, before, before + 1, next - 1, next, next + 1, UINT64_MAX};

        place->kind = SOON__REPLY_DONE;
        for (size_t k = 0; k < COUNT(numbers); k++) {
            int expected = numbers[k] == before ? 0 : numbers[k] == next ? 1 : -EPROTO;

            head = heads[i];
            atomic_store(&place->number, numbers[k]);
            cr_assert_eq(soon__channel_has_replies(&parent, head, 1), expected != 0, "%zu, %zu", i, k);
            cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), expected, "%zu, %zu", i, k);
            cr_assert_eq(head, heads[i] + (expected == 1), "%zu, %zu", i, k);
        }
    }
}

Test(channel_nonsense, a_short_reply_has_a_short_result)
{
    struct soon__reply *place = worker.replies->reply;

    place->kind = SOON__REPLY_DONE;
    place->flags = SOON__REPLY_IS_SHORT;
    atomic_store(&place->number, 1);
    for (uint64_t size = SOON__REPLY_SHORT_MAX; size <= SOON__REPLY_SHORT_MAX + 1; size++) {
        place->result_size = size;
        head = 0;
        cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), size > SOON__REPLY_SHORT_MAX ? -EPROTO : 1);
    }
}

/* One of the fields of a plain reply is another. */
static const struct {
    const char *name;
    struct soon__reply reply;
} no_short_ones[] = {
    {"another slot", {.slot = SOON__SLOTS, .kind = SOON__REPLY_DONE, .flags = SOON__REPLY_IS_SHORT}},
    {"another kind", {.kind = SOON__REPLY_ITEM, .flags = SOON__REPLY_IS_SHORT}},
    {"no flag", {.kind = SOON__REPLY_DONE}},
    {"another flag", {.kind = SOON__REPLY_DONE, .flags = SOON__REPLY_IS_SHORT | SOON__REPLY_HAS_PROGRESS}},
    {"a code", {.kind = SOON__REPLY_DONE, .flags = SOON__REPLY_IS_SHORT, .code = SOON_ERAISED}},
    {"a long result",
     {.kind = SOON__REPLY_DONE, .flags = SOON__REPLY_IS_SHORT, .result_size = SOON__REPLY_SHORT_MAX + 1}},
};

Test(channel_nonsense, is_no_short_reply)
{
    struct soon__reply *place = worker.replies->reply;
    struct soon__short_reply part;

    for (size_t i = 0; i < COUNT(no_short_ones); i++) {
        *place = no_short_ones[i].reply;
        atomic_store(&place->number, 1);
        cr_assert(!soon__channel_next_short(&parent, 0, &part), "%s", no_short_ones[i].name);
    }
    *place = (struct soon__reply){
        .sequence = 7, .slot = 5, .kind = SOON__REPLY_DONE, .flags = SOON__REPLY_IS_SHORT, .result_size = 8};
    for (uint64_t number = 0; number < 4; number++) {
        atomic_store(&place->number, number);
        cr_assert_eq(soon__channel_next_short(&parent, 0, &part), number == 1);
    }
    cr_assert(part.sequence == 7 && part.slot == 5 && part.size == 8);
}

/* What is checked is what is used: the words change all the time, and no reply that was let through is wrong. */
static _Atomic bool scribbling;

static void *scribble(void *data)
{
    unsigned seed = 1;

    while (atomic_load(&scribbling)) {
        volatile uint64_t *words = (volatile uint64_t *)worker.replies->reply;

        words[2] = dice(&seed, 2) ? 8 : UINT64_C(0x7fffffffffffff);           /* result_size */
        words[4] = dice(&seed, 2) ? UINT64_C(1) << 32 : UINT64_C(0x100000ff); /* slot and kind */
        words[5] = dice(&seed, 2)   ? SOON__REPLY_IN_AREA
                   : dice(&seed, 2) ? SOON__REPLY_IS_SHORT
                                    : 0;             /* flags and code */
        words[12] = dice(&seed, 2) ? 0 : UINT64_MAX; /* offset */
    }
    return data;
}

Test(channel_nonsense, a_reply_that_changes_while_it_is_read_is_checked_as_it_was_copied, .disabled = UNDER_TSAN)
{
    struct soon__short_reply part;
    pthread_t thread;
    int good = 0, good_short = 0;

    worker.replies->reply[0].result_size = 8; /* until that is scribbled */
    atomic_store(&scribbling, true);
    start_thread(&thread, scribble, NULL);
    atomic_store(&worker.replies->reply[0].number, 1);
    for (int i = 0; i < 1000000 || good == 0 || good_short == 0; i++) {
        head = 0;
        if (soon__channel_next_short(&parent, head, &part)) {
            good_short++;
            cr_assert(part.slot < SOON__SLOTS && part.size == 8);
        }
        if (soon__channel_next_reply(&parent, &head, &reply) != 1)
            continue;
        good++;
        cr_assert(reply.slot < SOON__SLOTS && reply.kind < SOON__REPLY_KINDS);
        cr_assert(reply.result_size == 8);
        cr_assert(!(reply.flags & SOON__REPLY_IN_AREA) || reply.offset == 0);
    }
    atomic_store(&scribbling, false);
    pthread_join(thread, NULL);
}

/*
 * corrupt_varied.c - workers that lie about results of any size: such a lie ends its worker and fails its own item, and what is read
 * of the others is what they gave.
 */
#include "corrupt_fixture.h"

TestSuite(corrupt_varied);

enum { ITEMS = 10, ROOM = SOON__REPLY_INLINE };

/* Replies of items, whose bodies lie in the reply itself. */
static const struct {
    const char *name;
    uint64_t count, result_size;
    struct soon__varied_head heads[3];
} lies[] = {
    {"less than a head", 1, 8, {{0, 0}}},
    {"nothing at all", 1, 0, {{0, 0}}},
    {"more than there is", 1, 32, {{17, 0}}},
    {"one byte, and no room", 1, 16, {{1, 0}}},
    {"as much as can be said", 1, 48, {{UINT64_MAX, 0}}},
    {"what is nothing when it is rounded up", 1, 48, {{UINT64_MAX - 14, 0}}},
    {"a second one that is not there", 2, 16, {{0, 0}}},
    {"a second one without a head", 2, 24, {{0, 0}, {0, 0}}},
    {"none", 0, 16, {{0, 0}}},
    {"more items than there are", ITEMS + 1, 48, {{0, 0}}},
};

/* In the channel: what a worker that dies has not told. */
static const struct {
    uint64_t first, finished, offset;
} last_words[] = {
    {0, ITEMS, SOON__REPLY_AREA - 8},
    {0, ITEMS, SOON__REPLY_AREA},
    {0, ITEMS, UINT64_MAX},
    {0, ITEMS + 1, 0},
    {1, ITEMS, 0},
};

static void lie(size_t number)
{
    struct soon__reply reply = {
        .kind = SOON__REPLY_ITEMS, .count = lies[number].count, .result_size = lies[number].result_size};

    find_channel();
    memcpy(reply.bytes, lies[number].heads, ROOM);
    answer(reply);
    for (;;)
        pause();
}

static void die_with(size_t number)
{
    find_channel();
    memset(area, 0xff, SOON__REPLY_AREA); /* each head there tells more than there is */
    replies->status[own_slot].items_first = last_words[number].first;
    replies->status[own_slot].items_offset = last_words[number].offset;
    replies->status[own_slot].items_finished = last_words[number].finished;
    _exit(7);
}

/* "lie 3" and "die 3"; else it gives its argument back. */
SOON_TASK_STRING(lie_about_text)
{
    if (strncmp(arg, "lie ", 4) == 0)
        lie(strtoul(arg + 4, NULL, 10));
    if (strncmp(arg, "die ", 4) == 0)
        die_with(strtoul(arg + 4, NULL, 10));
    return soon_task_return_text(task, "%s", arg);
}

/* The liar is the first of its chunk. What it says of that may be `right`; and of the next one it says what is not. */
static void assert_loses_its_own(soon_executor *pool, const char *liar, bool right)
{
    const char *strings[ITEMS] = {liar, "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    soon_future *map = soon_map_strings_async_with(pool, (.chunk = ITEMS), lie_about_text, strings, ITEMS);

    for (size_t i = 0; i < ITEMS; i++) {
        soon_bytes text;
        int rc = soon_map_item_result(map, i, SOON_FOREVER, &text);

        cr_assert_eq(rc, i == 0 && !right ? SOON_EWORKERDIED : 0, "%s, %zu: %s", liar, i, soon_strerror(rc));
        if (i == 0 && right)
            cr_assert_eq(text.size, 0, "%s", liar);
        if (i > 0)
            cr_assert_str_eq(text.data, strings[i], "%s", liar);
    }
    soon_future_unref(map);
}

Test(corrupt_varied, that_lies_about_results_loses_its_own_item)
{
    soon_executor *pool = new_processes(.workers = 1);

    for (size_t i = 0; i < COUNT(lies); i++) {
        char liar[32];

        snprintf(liar, sizeof liar, "lie %zu", i);
        assert_loses_its_own(pool, liar, lies[i].count == 2);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, COUNT(lies));
    free_pool(pool);
}

Test(corrupt_varied, that_dies_with_a_lie_loses_its_own_item)
{
    soon_executor *pool = new_processes(.workers = 1);

    for (size_t i = 0; i < COUNT(last_words); i++) {
        char liar[32];

        snprintf(liar, sizeof liar, "die %zu", i);
        assert_loses_its_own(pool, liar, false);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, COUNT(last_words));
    free_pool(pool);
}

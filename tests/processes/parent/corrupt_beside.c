/*
 * corrupt_beside.c - workers that lie in what they send beside a result and its first payload.
 */
#include "../../../executor/processes/both/beside_internal.h"
#include "corrupt_fixture.h"

TestSuite(corrupt_beside);

enum {
    BESIDE = SOON__REPLY_HAS_PAYLOAD | SOON__REPLY_HAS_BESIDE,
    ONE = 1 << SOON__REPLY_BESIDE_SENT_AT,
    MANY = 1 << 20, /* parts */
    SENT = 8192,    /* bytes */
};

/* How a descriptor is made that goes with it. */
enum sent { NONE, FROZEN, WRITABLE, A_PIPE };

struct lie {
    const char *what;
    uint32_t flags;
    uint64_t count;
    struct soon__beside_head head;
    struct soon__beside_entry entries[2];
    enum sent sent;
};

#define PART(size)                                                                                                     \
    {                                                                                                                  \
        size, SOON__BESIDE_PAYLOAD, 0                                                                                  \
    }
#define SENT_PART(size)                                                                                                \
    {                                                                                                                  \
        size, SOON__BESIDE_PAYLOAD, 1                                                                                  \
    }

static const struct lie lies[] = {
    {"no lie, to begin with", BESIDE, 48, {32, 1, 0, 0}, {PART(16)}, NONE},
    {"nor this", BESIDE | ONE, 32, {16, 1, 1, 0}, {SENT_PART(SENT)}, FROZEN},
    {"nor this: the section is sent", BESIDE | ONE, 16, {SENT, 1, 1, 1}, {PART(16)}, FROZEN},
    {"no payload before it", SOON__REPLY_HAS_BESIDE, 48, {32, 1, 0, 0}, {PART(16)}, NONE},
    {"a descriptor of nothing", SOON__REPLY_HAS_PAYLOAD | ONE, 48, {32, 1, 1, 0}, {SENT_PART(SENT)}, FROZEN},
    {"no room for its head", BESIDE, 8, {32, 1, 0, 0}, {PART(16)}, NONE},
    {"beyond the area", BESIDE, SOON__REPLY_AREA + 1, {32, 1, 0, 0}, {PART(16)}, NONE},
    {"far beyond the area", BESIDE, UINT64_MAX - 15, {32, 1, 0, 0}, {PART(16)}, NONE},
    {"no parts", BESIDE, 16, {0, 0, 0, 0}, {PART(16)}, NONE},
    {"more parts than it has room for", BESIDE, 48, {32, MANY, 0, 0}, {PART(0)}, NONE},
    {"more parts than there can be", BESIDE, 48, {32, UINT32_MAX, 0, 0}, {PART(0)}, NONE},
    {"another size than the reply says", BESIDE, 48, {48, 1, 0, 0}, {PART(16)}, NONE},
    {"an immense section", BESIDE, 48, {UINT64_MAX - 15, 1, 0, 0}, {PART(16)}, NONE},
    {"a section that is sent twice", BESIDE | ONE, 16, {SENT, 1, 1, 2}, {PART(16)}, FROZEN},
    {"a section that is sent and is not", BESIDE, 16, {SENT, 1, 0, 1}, {PART(16)}, NONE},
    {"an empty section that is sent", BESIDE | ONE, 16, {0, 0, 1, 1}, {PART(16)}, FROZEN},
    {"other descriptors than the reply says", BESIDE, 32, {16, 1, 1, 0}, {SENT_PART(SENT)}, NONE},
    {"a part of another kind", BESIDE, 48, {32, 1, 0, 0}, {{16, SOON__BESIDE_EXTRA, 0}}, NONE},
    {"a part of no kind", BESIDE, 48, {32, 1, 0, 0}, {{16, 0, 0}}, NONE},
    {"a part that is sent twice", BESIDE | ONE, 32, {16, 1, 1, 0}, {{SENT, SOON__BESIDE_PAYLOAD, 2}}, FROZEN},
    {"a part that is too large by a byte", BESIDE, 48, {32, 1, 0, 0}, {PART(17)}, NONE},
    {"a part of immense size", BESIDE, 48, {32, 1, 0, 0}, {PART(UINT64_MAX)}, NONE},
    {"a second part that does not fit", BESIDE, 80, {64, 2, 0, 0}, {PART(16), PART(17)}, NONE},
    {"a part that is sent and is not", BESIDE, 32, {16, 1, 0, 0}, {SENT_PART(SENT)}, NONE},
    {"an empty part that is sent", BESIDE | ONE, 32, {16, 1, 1, 0}, {SENT_PART(0)}, FROZEN},
    {"a sent part of another size", BESIDE | ONE, 32, {16, 1, 1, 0}, {SENT_PART(SENT - 4096)}, FROZEN},
    {"a descriptor too many", BESIDE | ONE, 48, {32, 1, 1, 0}, {PART(16)}, FROZEN},
    {"a part that it may still write", BESIDE | ONE, 32, {16, 1, 1, 0}, {SENT_PART(SENT)}, WRITABLE},
    {"a pipe", BESIDE | ONE, 32, {16, 1, 1, 0}, {SENT_PART(SENT)}, A_PIPE},
    {"a section that it may still write", BESIDE | ONE, 16, {SENT, 1, 1, 1}, {PART(16)}, WRITABLE},
};
enum { LIES_AT = 3 };

static int descriptor_of(const struct lie *lie)
{
    int fd, ends[2];

    if (lie->sent == A_PIPE)
        return pipe(ends) == 0 ? ends[0] : -1;
    fd = soon__shm_new(SENT);
    if (lie->head.section_sent && pwrite(fd, lie->entries, sizeof lie->entries, 0) < 0)
        return -1;
    if (lie->sent == FROZEN)
        soon__shm_freeze(fd);
    return fd;
}

static void tell(const struct lie *lie)
{
    struct soon__message message;
    int fd;

    find_channel();
    if (lie->sent != NONE) {
        message = descriptors_message();
        message.parts = SOON__PART_BESIDE;
        fd = descriptor_of(lie);
        send(message, sizeof message, &fd, 1);
    }
    memcpy(area, &lie->head, sizeof lie->head);
    memcpy(area + sizeof lie->head, lie->entries, sizeof lie->entries);
    answer(
        (struct soon__reply){.kind = SOON__REPLY_DONE, .flags = lie->flags | SOON__REPLY_IN_AREA, .count = lie->count});
    for (;;)
        pause();
}

SOON_TASK_BYTES(lie_beside)
{
    tell(&lies[*(const size_t *)arg.data]);
    return 0;
}

/* What is told there ends the task, and the worker goes on lying: it is killed. */
Test(corrupt_beside, is_believed_where_it_makes_sense)
{
    for (size_t i = 0; i < LIES_AT; i++) {
        soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);
        soon_future *f = lie_beside_submit(pool, &i, sizeof i, NULL);

        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(f)->code, 0, "%s: %s", lies[i].what, soon_future_error(f)->message);
        cr_assert_eq(soon_future_payload_count(f), 2, "%s", lies[i].what);
        soon_future_unref(f);
        cr_assert_eq(soon_executor_shutdown(pool, SOON_KILL, SOON_FOREVER), 0);
        free_pool(pool);
    }
}

Test(corrupt_beside, is_dropped_with_its_worker_where_it_makes_none)
{
    soon_executor *pool = new_processes(.workers = 1);

    for (size_t i = LIES_AT; i < COUNT(lies); i++) {
        soon_future *f = lie_beside_submit(pool, &i, sizeof i, NULL);

        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(f)->code, SOON_EWORKERDIED, "%s: %s", lies[i].what,
                     soon_future_error(f)->message);
        cr_assert_eq(soon_future_error(f)->worker_signal, SIGKILL);
        soon_future_unref(f);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, COUNT(lies) - LIES_AT);
    free_pool(pool);
}

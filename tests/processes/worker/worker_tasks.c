/*
 * worker_tasks.c - one task at a time in a worker process: what arrives there, what it may do, what comes back.
 */
#include "worker_fixture.h"

#include "../../../futures/thread_internal.h"

TestSuite(worker_tasks);

struct pair {
    int x, y;
};

SOON_TASK(add, struct pair, int)
{
    *result = arg->x + arg->y;
    return 0;
}

SOON_TASK_LOCAL(local_only, int, int, NULL, NULL)
{
    *result = *arg;
    return 0;
}

static size_t table_count(const struct worker *worker, const char *name)
{
    struct soon__table_entry entry;
    uint64_t offset = 0;
    size_t count = 0;
    int rc;

    while ((rc = soon__table_next(worker->table, worker->hello.table_size, &offset, &entry)) == 1)
        count += !name || strcmp(entry.name, name) == 0;
    cr_assert_eq(rc, 0);
    return count;
}

Test(worker_tasks, greets_with_its_pid_and_its_functions)
{
    struct worker worker = ready_worker();

    cr_assert_eq(worker.hello.version, SOON__CHANNEL_VERSION);
    cr_assert_eq(worker.hello.pid, worker.pid);
    cr_assert_eq(table_count(&worker, NULL), worker.hello.function_count);
    cr_assert_eq(table_count(&worker, "add"), 1);
    cr_assert_eq(table_count(&worker, "local_only"), 0, "it shares memory with its caller");
    retire(&worker);
}

Test(worker_tasks, runs_a_task)
{
    struct worker worker = ready_worker();

    cr_assert_eq(ask_int(&worker, &add_task, &(struct pair){6, 7}, sizeof(struct pair)), 13);
    retire(&worker);
}

Test(worker_tasks, runs_what_was_posted_in_its_order)
{
    struct worker worker = ready_worker();
    uint64_t sequences[SOON__SLOTS];

    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++)
        sequences[slot] =
            post(&worker, &add_task, &(struct pair){(int)slot, 1}, sizeof(struct pair), (struct asked){.slot = slot});
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        struct soon__reply reply = done(&worker, sequences[slot]);

        cr_assert_eq(reply.slot, slot);
        cr_assert_eq(*(const int *)result_of(&worker, &reply), (int)slot + 1);
        consume(&worker);
    }
    retire(&worker);
}

Test(worker_tasks, serves_the_same_slot_again_and_again)
{
    struct worker worker = ready_worker();

    for (int i = 0; i < 2000; i++)
        cr_assert_eq(ask_int(&worker, &add_task, &(struct pair){i, 1}, sizeof(struct pair)), i + 1);
    retire(&worker);
}

/*
 * Failing
 */

SOON_TASK(fail_with, int, int)
{
    *result = 1;
    return *arg;
}

SOON_TASK(raise_long, int, soon_none)
{
    char text[100000];

    memset(text, 'x', sizeof text);
    text[*arg] = '\0';
    return soon_raise(task, 7, "%s", text);
}

Test(worker_tasks, tells_what_a_task_has_raised)
{
    struct worker worker = ready_worker();
    static const int lengths[] = {0, 1, 47, 48, 1000, 65535, 65536, 99999};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct soon__reply reply =
            done(&worker, post(&worker, &raise_long_task, &lengths[i], sizeof(int), (struct asked){0}));
        size_t told = lengths[i] < 65536 ? (size_t)lengths[i] : 65535;

        cr_assert_eq(reply.code, SOON_ERAISED);
        cr_assert_eq(reply.raised, 7);
        cr_assert_eq(reply.flags & ~(uint32_t)SOON__REPLY_IN_AREA, 0);
        cr_assert_eq(reply.message_size, told + 1);
        cr_assert_eq(strlen(message_of(&worker, &reply)), told);
        consume(&worker);
    }
    retire(&worker);
}

Test(worker_tasks, tells_what_a_task_has_returned)
{
    struct worker worker = ready_worker();
    int code = -EIO;
    struct soon__reply reply = done(&worker, post(&worker, &fail_with_task, &code, sizeof code, (struct asked){0}));

    cr_assert_eq(reply.code, SOON_ERAISED);
    cr_assert_eq(reply.raised, -EIO);
    cr_assert_eq(reply.result_size, 0);
    cr_assert_str_eq(message_of(&worker, &reply), soon_strerror(-EIO));
    consume(&worker);
    retire(&worker);
}

Test(worker_tasks, does_not_start_what_has_waited_too_long)
{
    struct worker worker = ready_worker();
    struct soon__reply reply = done(&worker, post(&worker, &add_task, &(struct pair){1, 2}, sizeof(struct pair),
                                                  (struct asked){.queue_deadline = soon__clock_ns() - 1}));

    cr_assert_eq(reply.code, SOON_EEXPIRED);
    cr_assert_eq(reply.flags, SOON__REPLY_NOT_STARTED);
    consume(&worker);
    retire(&worker);
}

/*
 * Bytes, of any number, either way
 */

SOON_TASK_BYTES(reverse)
{
    unsigned char *space = soon_task_return_space(task, arg.size);

    if (!space)
        return -ENOMEM;
    for (size_t i = 0; i < arg.size; i++)
        space[i] = ((const unsigned char *)arg.data)[arg.size - 1 - i];
    return 0;
}

static void assert_reversed(const unsigned char *a, const unsigned char *b, size_t size)
{
    size_t i = 0;

    while (i < size && a[i] == b[size - 1 - i])
        i++;
    cr_assert_eq(i, size);
}

static void send_and_reverse(struct worker *worker, size_t size)
{
    bool large = size > SOON__BODY_MAX;
    soon_buffer *bytes = NULL, *result;
    int fd = size ? new_bytes(&bytes, size) : -1;
    const void *data = size ? soon_buffer_data(bytes) : NULL;

    if (large)
        send_for_next(worker, 3, SOON__PART_BYTES, &fd, 1);
    uint64_t sequence =
        post(worker, &reverse_task, data, size, (struct asked){.slot = 3, .flags = large ? SOON__REQUEST_ARG_SENT : 0});
    struct soon__reply reply = done(worker, sequence);
    cr_assert_eq(reply.code, 0);
    cr_assert_eq(reply.result_size, size);
    cr_assert_eq(!!(reply.flags & SOON__REPLY_RESULT_SENT), large);
    if (large) {
        result = buffer_of(worker, &reply, 1, 0, size);
        assert_reversed(soon_buffer_data(result), data, size);
        soon_buffer_unref(result);
    } else {
        assert_reversed(result_of(worker, &reply), data, size);
    }
    consume(worker);
    soon_buffer_unref(bytes);
    worker->area_used = 0;
}

Test(worker_tasks, takes_and_gives_any_number_of_bytes)
{
    struct worker worker = ready_worker();
    static const size_t sizes[] = {0,     1,       47,          48,          49,
                                   160,   161,     4096,        1000000,     SOON__BODY_MAX - 1,
                                   70000, 1048576, 1048576 + 1, 3 * 1048576, 64 * 1048576};

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT(sizes); i++)
            send_and_reverse(&worker, sizes[i]);
    }
    retire(&worker);
}

typedef struct {
    unsigned char bytes[1 << 16];
} block;
typedef struct {
    unsigned char bytes[SOON__BODY_MAX + 4096];
} large_block;

SOON_TASK(make_block, int, block)
{
    cr_assert_eq(result->bytes[sizeof *result - 1], 0);
    memset(result, *arg, sizeof *result);
    return *arg < 0 ? *arg : 0;
}

SOON_TASK(make_large_block, int, large_block)
{
    cr_assert_eq(result->bytes[sizeof *result - 1], 0);
    memset(result, *arg, sizeof *result);
    return *arg < 0 ? *arg : 0;
}

static bool all_are(const unsigned char *bytes, size_t size, int value)
{
    size_t i = 0;

    while (i < size && bytes[i] == (unsigned char)value)
        i++;
    return i == size;
}

Test(worker_tasks, gives_large_results_of_fixed_size)
{
    struct worker worker = ready_worker();

    for (int i = 1; i < 100; i++) {
        int asked = i % 10 == 5 ? -i : i;
        struct soon__reply reply =
            done(&worker, post(&worker, &make_block_task, &asked, sizeof asked, (struct asked){0}));

        cr_assert_eq(reply.code, asked < 0 ? SOON_ERAISED : 0);
        cr_assert(asked < 0 || all_are(result_of(&worker, &reply), sizeof(block), i));
        consume(&worker);
    }
    for (int i = 1; i < 10; i++) {
        int asked = i == 5 ? -i : i;
        struct soon__reply reply =
            done(&worker, post(&worker, &make_large_block_task, &asked, sizeof asked, (struct asked){0}));

        cr_assert_eq(reply.code, asked < 0 ? SOON_ERAISED : 0);
        if (asked > 0) {
            soon_buffer *result = buffer_of(&worker, &reply, 1, 0, sizeof(large_block));
            cr_assert(all_are(soon_buffer_data(result), sizeof(large_block), i));
            soon_buffer_unref(result);
        }
        consume(&worker);
    }
    retire(&worker);
}

/* The area holds 63 of these: the worker waits for room. */
Test(worker_tasks, waits_until_its_results_were_read)
{
    struct worker worker = ready_worker();
    int posted = 0;

    for (int i = 1; i <= 200; i++) {
        while (posted < 200 && posted - i < (int)SOON__SLOTS - 1) {
            posted++;
            post(&worker, &make_block_task, &posted, sizeof posted,
                 (struct asked){.slot = (uint32_t)posted % SOON__SLOTS});
        }
        struct soon__reply reply = next_reply(&worker);
        cr_assert(all_are(result_of(&worker, &reply), sizeof(block), i));
        if (i % 50 == 0 || reply.slot == (uint32_t)(posted + 1) % SOON__SLOTS)
            consume(&worker);
    }
    soon__channel_ack(&worker.channel, worker.head);
    retire(&worker);
}

/*
 * Payloads
 */

enum back { SAME, COPY, HEAP, WRAPPED, KEPT };

static void *kept;

/* Sends the payload back in one way or another; the sum of its bytes is the result. */
SOON_TASK(return_payload, int, uint64_t)
{
    soon_buffer *payload = soon_task_payload(task), *back = NULL;
    size_t size = payload ? soon_buffer_size(payload) : 0;
    void *data;

    if (!payload)
        return -ENOENT;
    for (size_t i = 0; i < size; i++)
        *result += ((unsigned char *)soon_buffer_data(payload))[i];
    switch ((enum back) * arg) {
    case SAME:
        back = soon_buffer_ref(payload);
        break;
    case COPY:
    case KEPT:
        cr_assert_eq(soon_buffer_new(&back, size), 0);
        memcpy(soon_buffer_data(back), soon_buffer_data(payload), size);
        kept = *arg == KEPT ? soon_buffer_ref(back) : NULL;
        break;
    case HEAP:
    case WRAPPED:
        data = malloc(size ? size : 1);
        memcpy(data, soon_buffer_data(payload), size);
        cr_assert_eq(soon_buffer_wrap(&back, data, size, free), 0);
        if (*arg == HEAP)
            cr_assert_eq(soon_buffer_resize(back, size), 0);
        break;
    }
    return soon_task_return_payload(task, back);
}

SOON_TASK(write_to_kept, int, int)
{
    *result = *arg;
    memset(soon_buffer_data(kept), *arg, soon_buffer_size(kept));
    soon_buffer_unref(kept);
    kept = NULL;
    return 0;
}

static void send_payload(struct worker *worker, enum back back, size_t size, bool shared)
{
    struct asked asked = {.slot = 1, .payload_size = size};
    bool large = size > SOON__BODY_MAX;
    soon_buffer *bytes, *result;
    int how = (int)back, fd;
    uint64_t sum = 0;

    cr_assert_eq(soon__buffer_new_mappable(&bytes, size), 0);
    for (size_t i = 0; i < size; i++)
        sum += ((unsigned char *)soon_buffer_data(bytes))[i] = (unsigned char)(i * 3 + i / 255);
    fd = fd_or_fail(shared ? soon__buffer_share(bytes) : soon__buffer_freeze(bytes));
    asked.payload = soon_buffer_data(bytes);
    if (large) {
        send_for_next(worker, 1, SOON__PART_PAYLOAD, &fd, 1);
        asked.flags = SOON__REQUEST_PAYLOAD_SENT;
    }
    struct soon__reply reply = done(worker, post(worker, &return_payload_task, &how, sizeof how, asked));
    cr_assert_eq(reply.code, 0);
    cr_assert(reply.flags & SOON__REPLY_HAS_PAYLOAD);
    cr_assert_eq(reply.payload_size, size);
    cr_assert(reply.flags & SOON__REPLY_PAYLOAD_SENT ? size >= 1 << 20 : !large);
    cr_assert_eq(*(const uint64_t *)result_of(worker, &reply), sum);
    if (reply.flags & SOON__REPLY_PAYLOAD_SENT) { /* also where it would just fit, but not beside the result */
        result = buffer_of(worker, &reply, 1, 0, size);
        cr_assert_arr_eq(soon_buffer_data(result), soon_buffer_data(bytes), size);
        soon_buffer_unref(result);
    } else {
        cr_assert_arr_eq((const char *)result_of(worker, &reply) + 16, soon_buffer_data(bytes), size);
    }
    consume(worker);
    soon_buffer_unref(bytes);
    worker->area_used = 0;
}

Test(worker_tasks, takes_and_gives_payloads)
{
    struct worker worker = ready_worker();
    static const size_t sizes[] = {1, 32, 33, 5000, SOON__BODY_MAX, SOON__BODY_MAX + 1, 5 << 20};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        send_payload(&worker, SAME, sizes[i], false);
        send_payload(&worker, SAME, sizes[i], true);
        send_payload(&worker, COPY, sizes[i], false);
        send_payload(&worker, HEAP, sizes[i], true);
        send_payload(&worker, WRAPPED, sizes[i], false);
    }
    retire(&worker);
}

/* What the parent has was sealed, or is a copy: it does not change any more, and the task does not crash. */
Test(worker_tasks, lets_a_task_keep_what_it_has_returned)
{
    struct worker worker = ready_worker();
    static const size_t sizes[] = {10, SOON__BODY_MAX + 1};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        int value = 77;

        send_payload(&worker, KEPT, sizes[i], false);
        cr_assert_eq(ask_int(&worker, &write_to_kept_task, &value, sizeof value), 77);
    }
    retire(&worker);
}

SOON_TASK(has_payload, soon_none, int)
{
    soon_buffer *payload = soon_task_payload(task);

    *result = payload ? (int)soon_buffer_size(payload) : -1;
    return 0;
}

Test(worker_tasks, tells_no_payload_from_an_empty_one)
{
    struct worker worker = ready_worker();
    struct soon__reply reply;

    cr_assert_eq(ask_int(&worker, &has_payload_task, &(char){0}, 1), -1);
    reply = done(&worker,
                 post(&worker, &has_payload_task, &(char){0}, 1, (struct asked){.flags = SOON__REQUEST_HAS_PAYLOAD}));
    cr_assert_eq(*(const int *)result_of(&worker, &reply), 0);
    consume(&worker);
    retire(&worker);
}

SOON_TASK_BYTES(all_at_once)
{
    soon_buffer *payload = soon_task_payload(task), *twin;

    if (soon_task_return_bytes(task, arg.data, arg.size) < 0 || soon_buffer_new(&twin, soon_buffer_size(payload)) < 0)
        return -ENOMEM;
    memcpy(soon_buffer_data(twin), soon_buffer_data(payload), soon_buffer_size(payload));
    return soon_task_return_payload(task, twin);
}

Test(worker_tasks, takes_and_gives_two_descriptors_at_once)
{
    struct worker worker = ready_worker();
    soon_buffer *bytes[2], *back[2];
    size_t sizes[2] = {SOON__BODY_MAX + 1, 2 * SOON__BODY_MAX};
    int fds[2] = {new_bytes(&bytes[0], sizes[0]), new_bytes(&bytes[1], sizes[1])};
    struct soon__reply reply;

    send_for_next(&worker, 0, SOON__PART_BYTES | SOON__PART_PAYLOAD, fds, 2);
    reply = done(&worker, post(&worker, &all_at_once_task, soon_buffer_data(bytes[0]), sizes[0],
                               (struct asked){.flags = SOON__REQUEST_ARG_SENT | SOON__REQUEST_PAYLOAD_SENT,
                                              .payload = soon_buffer_data(bytes[1]),
                                              .payload_size = sizes[1]}));
    cr_assert_eq(reply.flags, SOON__REPLY_RESULT_SENT | SOON__REPLY_HAS_PAYLOAD | SOON__REPLY_PAYLOAD_SENT);
    for (int i = 0; i < 2; i++) {
        back[i] = buffer_of(&worker, &reply, 2, i, sizes[i]);
        cr_assert_arr_eq(soon_buffer_data(back[i]), soon_buffer_data(bytes[i]), sizes[i]);
        soon_buffer_unref(back[i]);
        soon_buffer_unref(bytes[i]);
    }
    consume(&worker);
    retire(&worker);
}

/*
 * corrupt_worker.c - workers that lie: in their replies, and on their control socket. Such a worker is dropped, its task fails
 * as if it had died, and nobody else notices.
 */
#include "corrupt_fixture.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

TestSuite(corrupt_worker);

/*
 * Lies: each on the worker's main thread, in a task
 */

enum { LARGE = SOON__BODY_MAX + 4096 };

static const struct soon__reply large = {
    .kind = SOON__REPLY_DONE, .flags = SOON__REPLY_RESULT_SENT, .result_size = LARGE};

static void send_one(int fd)
{
    send(descriptors_message(), sizeof(struct soon__message), &fd, 1);
    answer(large);
}

static void send_a_pipe(void)
{
    int ends[2];

    if (pipe(ends) == 0)
        send_one(ends[0]);
}

static void send_dev_zero(void)
{
    send_one(open("/dev/zero", O_RDWR));
}

static void send_unsealed(void)
{
    send_one(soon__shm_new(LARGE));
}

static void send_not_sealed_at_all(void)
{
    int fd = memfd_create("x", 0);

    if (ftruncate(fd, LARGE) == 0)
        send_one(fd);
}

static int frozen(size_t size)
{
    int fd = soon__shm_new(size);

    soon__shm_freeze(fd);
    return fd;
}

static void send_too_small(void)
{
    send_one(frozen(LARGE - 4096));
}

static void send_too_large(void)
{
    send_one(frozen(LARGE + 4096));
}

static void send_for_another_slot(void)
{
    struct soon__message message = descriptors_message();
    int fd = frozen(LARGE);

    message.slot = (own_slot + 1) % SOON__SLOTS;
    send(message, sizeof message, &fd, 1);
    answer(large);
}

static void send_for_an_older_request(void)
{
    struct soon__message message = descriptors_message();
    int fd = frozen(LARGE);

    message.sequence--;
    send(message, sizeof message, &fd, 1);
    answer(large);
}

static void send_for_an_item(void)
{
    struct soon__message message = descriptors_message();
    int fd = frozen(LARGE);

    message.item = 1;
    send(message, sizeof message, &fd, 1);
    answer(large);
}

static void send_parts(uint32_t parts, int count)
{
    struct soon__message message = descriptors_message();
    int fds[2] = {frozen(LARGE), frozen(LARGE)};

    message.parts = parts;
    send(message, sizeof message, fds, count);
    answer(large);
}

static void send_another_part(void)
{
    send_parts(SOON__PART_PAYLOAD, 1);
}

static void send_a_part_too_many(void)
{
    send_parts(SOON__PART_BYTES | SOON__PART_PAYLOAD, 2);
}

static void send_less_than_said(void)
{
    send_parts(SOON__PART_BYTES | SOON__PART_PAYLOAD, 1);
}

static void send_more_than_said(void)
{
    send_parts(SOON__PART_BYTES, 2);
}

static void send_no_part(void)
{
    send_parts(0, 0);
}

static void send_an_unknown_part(void)
{
    send_parts(SOON__PARTS + 1, 1);
}

/* Else the reply is taken first. */
static void await_that_it_was_read(void)
{
    int unread;

    do
        cr_assert_eq(ioctl(SOON__FD_CONTROL, SIOCOUTQ, &unread), 0);
    while (unread);
}

static void send_what_the_reply_has_not(void)
{
    int fd = frozen(LARGE);

    send(descriptors_message(), sizeof(struct soon__message), &fd, 1);
    await_that_it_was_read();
    answer((struct soon__reply){.kind = SOON__REPLY_DONE, .code = -EIO});
}

static void send_twice(void)
{
    int fd = frozen(LARGE);

    send(descriptors_message(), sizeof(struct soon__message), &fd, 1);
    send_one(fd);
}

static void send_nothing(void)
{
    answer(large);
}

static void greet_again(void)
{
    send((struct soon__message){.magic = SOON__CHANNEL_MAGIC,
                                .kind = SOON__MESSAGE_HELLO,
                                .version = SOON__CHANNEL_VERSION},
         sizeof(struct soon__message), NULL, 0);
}

static void send_unknown_kind(void)
{
    send((struct soon__message){.magic = SOON__CHANNEL_MAGIC, .kind = 77}, sizeof(struct soon__message), NULL, 0);
}

static void send_without_magic(void)
{
    int fds[4] = {0, 1, 2, 0};

    send((struct soon__message){.kind = SOON__MESSAGE_DESCRIPTORS}, sizeof(struct soon__message), fds, 4);
}

static void send_for_a_slot_too_far(void)
{
    struct soon__message message = descriptors_message();

    message.slot = SOON__SLOTS;
    send(message, sizeof message, &(int){0}, 1);
}

static void send_half(void)
{
    send(descriptors_message(), sizeof(struct soon__message) / 2, &(int){0}, 1);
}

static void send_too_much(void)
{
    char much[500] = {0};
    struct soon__message message = descriptors_message();

    memcpy(much, &message, sizeof message);
    (void)soon__socket_send(SOON__FD_CONTROL, much, sizeof much, &(int){0}, 1);
}

static void flood(void)
{
    for (int i = 0; i < 100000; i++)
        send(descriptors_message(), sizeof(struct soon__message), &(int){0}, 1);
}

static void run_ahead(void)
{
    replies->reply[published() % SOON__REPLIES].number = published() + 2;
    ring();
}

/* Zero would be none yet, where it is the first. */
static void run_back(void)
{
    replies->reply[published() % SOON__REPLIES].number = published() ? published() : UINT64_MAX;
    ring();
}

static void answer_what_nobody_asked(void)
{
    struct soon__reply reply = {.kind = SOON__REPLY_DONE, .code = -EIO, .slot = (own_slot + 1) % SOON__SLOTS};

    reply.sequence = requests->request[reply.slot].sequence;
    publish(reply);
}

static void message_without_end(void)
{
    struct soon__reply reply = {.kind = SOON__REPLY_DONE, .code = SOON_ERAISED, .message_size = 40};

    memset(reply.bytes, 'a', sizeof reply.bytes);
    answer(reply);
}

static void long_message_without_end(void)
{
    memset(area, 'a', SOON__REPLY_AREA);
    answer((struct soon__reply){.kind = SOON__REPLY_DONE,
                                .code = SOON_ERAISED,
                                .message_size = SOON__REPLY_AREA,
                                .flags = SOON__REPLY_IN_AREA});
}

#define REPLY(name, ...)                                                                                               \
    static void name(void)                                                                                             \
    {                                                                                                                  \
        answer((struct soon__reply){__VA_ARGS__});                                                                     \
    }
#define DONE .kind = SOON__REPLY_DONE
REPLY(older_sequence, DONE, .sequence = (uint64_t)-1, .result_size = 4)
REPLY(newer_sequence, DONE, .sequence = 1, .result_size = 4)
REPLY(items_of_a_task, .kind = SOON__REPLY_ITEMS, .count = 1, .result_size = 4)
REPLY(item_of_a_task, .kind = SOON__REPLY_ITEM, .result_size = 4)
REPLY(too_small, DONE, .result_size = 3)
REPLY(too_large, DONE, .result_size = 5)
REPLY(positive_code, DONE, .code = 5)
REPLY(beyond_the_area, DONE, .result_size = 4, .flags = SOON__REPLY_IN_AREA, .offset = SOON__REPLY_AREA - 3)
REPLY(far_beyond_the_area, DONE, .result_size = 4, .flags = SOON__REPLY_IN_AREA, .offset = UINT64_MAX)
REPLY(slot_too_far, DONE, .result_size = 4, .slot = SOON__SLOTS)
REPLY(unknown_flags, DONE, .result_size = 4, .flags = UINT32_MAX)
REPLY(payload_not_sent, DONE, .result_size = 4, .payload_size = LARGE,
      .flags = SOON__REPLY_HAS_PAYLOAD | SOON__REPLY_PAYLOAD_SENT)

typedef void lie(void);
static lie *const lies[] = {
    older_sequence,
    newer_sequence,
    items_of_a_task,
    item_of_a_task,
    too_small,
    too_large,
    positive_code,
    beyond_the_area,
    far_beyond_the_area,
    slot_too_far,
    unknown_flags,
    payload_not_sent,
    message_without_end,
    run_ahead,
    run_back,
    greet_again,
    answer_what_nobody_asked,
    send_unknown_kind,
    send_half,
    send_for_a_slot_too_far,
    send_too_much,
    flood,
    send_without_magic,
    NULL, /* what follows is of a task with a result of any size */
    send_nothing,
    send_a_pipe,
    long_message_without_end,
    send_dev_zero,
    send_unsealed,
    send_not_sealed_at_all,
    send_too_small,
    send_too_large,
    send_for_another_slot,
    send_for_an_older_request,
    send_for_an_item,
    send_another_part,
    send_a_part_too_many,
    send_less_than_said,
    send_more_than_said,
    send_no_part,
    send_an_unknown_part,
    send_what_the_reply_has_not,
    send_twice,
};

static void tell(size_t number)
{
    find_channel();
    lies[number]();
    for (;;)
        pause();
}

SOON_TASK(lie_in_int, size_t, int)
{
    tell(*arg);
    return 0;
}

SOON_TASK_BYTES(lie_in_bytes)
{
    tell(*(const size_t *)arg.data);
    return 0;
}

static void assert_went_corrupt(soon_future *future, const char *what, size_t number)
{
    const soon_error *error;

    cr_assert_eq(soon_future_exception(future, SOON_FOREVER, &error), 0);
    cr_assert_eq(error->code, SOON_EWORKERDIED, "%s %zu: %s", what, number, error->message);
    cr_assert_eq(error->worker_signal, SIGKILL, "%s %zu: %s", what, number, error->message);
    soon_future_unref(future);
}

Test(corrupt_worker, that_lies_is_dropped_with_its_task_and_no_other)
{
    soon_executor *pool = new_processes(.workers = 2);
    bool in_bytes = false;

    for (size_t i = 0; i < COUNT(lies); i++) {
        soon_future *corrupt, *others[20];
        int doubled;

        if (!lies[i]) {
            in_bytes = true;
            continue;
        }
        corrupt = in_bytes ? lie_in_bytes_submit(pool, &i, sizeof i, NULL) : lie_in_int_submit(pool, &i, NULL);
        for (int k = 0; k < 20; k++)
            others[k] = soon_submit(pool, twice, k);
        assert_went_corrupt(corrupt, "lie", i);
        for (int k = 0; k < 20; k++) {
            cr_assert_eq(soon_result(others[k], &doubled), 0);
            cr_assert_eq(doubled, 2 * k);
        }
        soon_futures_unref(others, 20);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, COUNT(lies) - 1);
    free_pool(pool);
}

/*
 * Lies about the items of a chunk
 */

enum { ITEMS = 10 };
#define INTS(n) .count = n, .result_size = 4 * (n)

static const struct soon__reply item_lies[] = {
    {.kind = SOON__REPLY_ITEMS, .first = 1, INTS(1)},
    {.kind = SOON__REPLY_ITEMS, .first = UINT64_MAX, INTS(1)},
    {.kind = SOON__REPLY_ITEMS, INTS(ITEMS + 1)},
    {.kind = SOON__REPLY_ITEMS, .count = 1, .result_size = 8},
    {.kind = SOON__REPLY_ITEMS, .count = UINT64_MAX / 4 + 2, .result_size = 4},
    {.kind = SOON__REPLY_ITEM, .first = 1, .result_size = 4},
    {.kind = SOON__REPLY_ITEM, .first = 0, .result_size = 8},
    {DONE},
    {DONE, .first = 1},
    {DONE, .first = ITEMS},
    {DONE, .first = ITEMS + 1, .code = -ECANCELED, .flags = SOON__REPLY_CANCELLED},
    {DONE, .code = -ETIMEDOUT, .flags = SOON__REPLY_NOT_STARTED}, /* there is no deadline */
};

struct item {
    size_t lie;
    int number;
};

SOON_TASK(lie_about_items, struct item, int)
{
    *result = arg->number;
    if (arg->lie == SIZE_MAX)
        return 0;
    find_channel();
    answer(item_lies[arg->lie]);
    for (;;)
        pause();
}

/* The liar's item fails; those before it and behind it have their results. */
Test(corrupt_worker, that_lies_about_items_loses_its_own_alone)
{
    soon_executor *pool = new_processes(.workers = 1);

    for (size_t i = 0; i < COUNT(item_lies); i++) {
        struct item items[ITEMS];
        int results[ITEMS], errors[ITEMS];

        for (int k = 0; k < ITEMS; k++)
            items[k] = (struct item){k == 0 ? i : SIZE_MAX, k};
        (void)soon_map_with(pool, (.chunk = ITEMS), lie_about_items, items, ITEMS, results, errors);
        for (int k = 0; k < ITEMS; k++) {
            cr_assert_eq(errors[k], k == 0 ? SOON_EWORKERDIED : 0, "lie %zu, item %d: %s", i, k,
                         soon_strerror(errors[k]));
            cr_assert(errors[k] || results[k] == k);
        }
    }
    free_pool(pool);
}

/*
 * mad_worker.c - workers that write what they should not: over their desk, in their replies, on their control socket.
 * Such a worker is dropped, its task fails as if it had died, and nobody else notices.
 */
#include "../executor/processes/wire_internal.h"
#include "process_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

TestSuite(mad_worker);

/*
 * What a task of this process can find of its worker
 */

static struct soon__desk *desk;
static unsigned char *area;
static uint32_t own_slot;
static uint64_t own_sequence;

static void *find_mapping(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), wanted = (size + page - 1) / page * page;
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, to;
    char line[512], rights[8];
    void *found = NULL;

    while (!found && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && strcmp(rights, "rw-s") == 0 && to - from == wanted)
            found = (void *)from;
    }
    fclose(maps);
    return found;
}

static void find_desk(void)
{
    desk = find_mapping(sizeof *desk);
    area = find_mapping(SOON__REPLY_AREA);
    if (!desk || !area || desk->magic != SOON__DESK_MAGIC)
        _exit(99);
    for (own_slot = 0; (desk->slots[own_slot] & SOON__SLOT_STATE) != SOON__SLOT_CLAIMED; own_slot++)
        continue;
    own_sequence = desk->slots[own_slot] >> 2;
}

static void ring(void)
{
    soon__bell_ring(SOON__FD_BELL);
}

static void publish(struct soon__reply reply)
{
    desk->replies[desk->replies_tail % SOON__REPLIES] = reply;
    desk->replies_tail++;
    ring();
}

static void answer(struct soon__reply reply)
{
    reply.slot += own_slot;
    reply.sequence += own_sequence;
    publish(reply);
}

static void send(struct soon__message message, size_t size, const int *descriptors, int count)
{
    (void)soon__socket_send(SOON__FD_CONTROL, &message, size, descriptors, count);
}

static struct soon__message descriptors_message(void)
{
    return (struct soon__message){.magic = SOON__DESK_MAGIC,
                                  .kind = SOON__MESSAGE_DESCRIPTORS,
                                  .version = SOON__DESK_VERSION,
                                  .slot = own_slot,
                                  .sequence = own_sequence};
}

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

static void send_nothing(void)
{
    answer(large);
}

static void greet_again(void)
{
    send((struct soon__message){.magic = SOON__DESK_MAGIC, .kind = SOON__MESSAGE_HELLO, .version = SOON__DESK_VERSION},
         sizeof(struct soon__message), NULL, 0);
}

static void send_unknown_kind(void)
{
    send((struct soon__message){.magic = SOON__DESK_MAGIC, .kind = 77}, sizeof(struct soon__message), NULL, 0);
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
    desk->replies_tail += SOON__REPLIES + 1;
    ring();
}

static void run_back(void)
{
    desk->replies_tail--;
    ring();
}

static void answer_what_nobody_asked(void)
{
    struct soon__reply reply = {.kind = SOON__REPLY_DONE, .code = -EIO, .slot = (own_slot + 1) % SOON__SLOTS};

    reply.sequence = desk->slots[reply.slot] >> 2;
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
};

static void tell(size_t number)
{
    find_desk();
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

static void assert_went_mad(soon_future *future, const char *what, size_t number)
{
    const soon_error *error;

    cr_assert_eq(soon_future_exception(future, SOON_FOREVER, &error), 0);
    cr_assert_eq(error->code, SOON_EWORKERDIED, "%s %zu: %s", what, number, error->message);
    cr_assert_eq(error->worker_signal, SIGKILL, "%s %zu: %s", what, number, error->message);
    soon_future_unref(future);
}

Test(mad_worker, that_lies_is_dropped_with_its_task_and_no_other)
{
    soon_executor *pool = new_processes(.workers = 2);
    bool in_bytes = false;

    for (size_t i = 0; i < COUNT(lies); i++) {
        soon_future *mad, *others[20];
        int doubled;

        if (!lies[i]) {
            in_bytes = true;
            continue;
        }
        mad = in_bytes ? lie_in_bytes_submit(pool, &i, sizeof i, NULL) : lie_in_int_submit(pool, &i, NULL);
        for (int k = 0; k < 20; k++)
            others[k] = soon_submit(pool, twice, k);
        assert_went_mad(mad, "lie", i);
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
    find_desk();
    answer(item_lies[arg->lie]);
    for (;;)
        pause();
}

/* The liar's item fails; those before it and behind it have their results. */
Test(mad_worker, that_lies_about_items_loses_its_own_alone)
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

/*
 * Nonsense that is not about replies
 */

static uint32_t random_word(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* What it cannot be caught at, it dies of in the end. */
SOON_TASK(scribble, uint32_t, int)
{
    uint32_t seed = *arg * 2654435761u + 1;
    size_t words = sizeof *desk / 4;

    find_desk();
    for (int i = 0; i < 2000; i++) {
        size_t at = random_word(&seed) % words;

        ((uint32_t *)desk)[at] = random_word(&seed) >> (random_word(&seed) % 32);
        if (i % 50 == 0)
            desk->replies_tail += random_word(&seed) % 3;
        if (i % 50 == 0)
            ring();
    }
    ring();
    _exit(7);
}

Test(mad_worker, that_scribbles_at_random_fails_its_own_task_alone, .timeout = 120)
{
    soon_executor *pool = new_processes(.workers = 2);

    for (uint32_t i = 0; i < 100; i++) {
        soon_future *mad = soon_submit(pool, scribble, i), *others[10];
        int doubled, pid;

        for (int k = 0; k < 10; k++)
            others[k] = soon_submit(pool, twice, k);
        (void)soon_future_progress(mad);
        cr_assert_eq(soon_future_wait(mad, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(mad)->code, SOON_EWORKERDIED, "%u", i);
        pid = soon_future_error(mad)->worker_pid;
        soon_future_unref(mad);
        for (int k = 0; k < 10; k++) {
            const soon_error *error;

            /* Where it has scribbled over a slot in such a way that the task there may have begun. */
            if (soon_future_wait(others[k], SOON_FOREVER) == 0 && (error = soon_future_error(others[k]))->code) {
                cr_assert_eq(error->code, SOON_EWORKERDIED, "%u: %s", i, error->message);
                cr_assert_eq(error->worker_pid, pid, "%u: %s", i, error->message);
                continue;
            }
            cr_assert_eq(soon_result(others[k], &doubled), 0);
            cr_assert_eq(doubled, 2 * k);
        }
        soon_futures_unref(others, 10);
    }
    free_pool(pool);
}

/* It says that it has not claimed what it runs, so the parent takes that back; then it answers. */
SOON_TASK(unclaim, struct gate, int)
{
    find_desk();
    desk->slots[own_slot] = own_sequence << 2 | SOON__SLOT_POSTED;
    *result = getpid();
    return gate_pass(*arg, NULL);
}

Test(mad_worker, that_takes_back_its_claim_answers_in_vain)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new();
    int pid = pid_of_one(pool);
    soon_future *mad = unclaim_submit(pool, &gate, NULL);

    gate_await(gate, 1);
    cr_assert(soon_future_cancel(mad));
    gate_open(gate, 1);

    test_wait_until(!is_alive(pid));
    cr_assert_neq(pid_of_one(pool), pid);
    soon_future_unref(mad);
    free_pool(pool);
    gate_free(gate);
}

/* The first answer is as good as any; the second is nobody's. */
SOON_TASK(answer_twice, soon_none, int)
{
    struct soon__reply reply = {DONE, .result_size = 4, .bytes = {3}};

    find_desk();
    desk->bell_wanted = 0; /* so that both are there when it looks */
    answer(reply);
    answer(reply);
    for (;;)
        pause();
    return 0;
}

Test(mad_worker, that_answers_twice_is_dropped_after_the_first)
{
    soon_executor *pool = new_processes(.workers = 1);
    int three = 0, pid = pid_of_one(pool);

    cr_assert_eq(soon_take(soon_submit(pool, answer_twice), &three), 0);
    cr_assert_eq(three, 3);
    test_wait_until(!is_alive(pid));
    cr_assert_neq(pid_of_one(pool), pid);
    free_pool(pool);
}

/* That ends the conversation on the socket, and is no leak. */
SOON_TASK(send_empty, soon_none, int)
{
    find_desk();
    send(descriptors_message(), 0, &(int){0}, 1);
    *result = 3;
    return 0;
}

Test(mad_worker, that_sends_descriptors_with_nothing_leaks_none)
{
    soon_executor *pool = new_processes(.workers = 1);
    int three = 0;

    cr_assert_eq(soon_take(soon_submit(pool, send_empty), &three), 0);
    cr_assert_eq(three, 3);
    free_pool(pool);
}

/* Times from the past and the future are believed within bounds. */
SOON_TASK(misstate_time, int64_t, soon_none)
{
    find_desk();
    for (;;)
        desk->status[own_slot].started_ns = *arg;
    return 0;
}

Test(mad_worker, that_misstates_its_time_is_killed_all_the_same)
{
    static const int64_t times[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);

    for (size_t i = 0; i < COUNT(times); i++)
        cr_assert_eq(outcome_of(soon_submit_with(pool, (.time_limit_ms = 30), misstate_time, times[i])),
                     SOON_ETIMELIMIT);
    free_pool(pool);
}

/*
 * Nonsense at the start
 */

struct greeting {
    struct soon__message hello;
    size_t table_size;
    unsigned char table[64];
    int descriptors;
};

#define HELLO .magic = SOON__DESK_MAGIC, .kind = SOON__MESSAGE_HELLO, .version = SOON__DESK_VERSION
#define SIZES 4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0
static const struct greeting greetings[] = {
    {.hello = {HELLO, .function_count = 1}},
    {.hello = {HELLO, .function_count = 1, .table_size = 8}},
    {.hello = {HELLO, .function_count = 1, .table_size = 17}, .table = {SIZES, 'x'}},
    {.hello = {HELLO, .function_count = 1, .table_size = 18}, .table = {SIZES, 'x', 0}},
    {.hello = {HELLO, .function_count = 2, .table_size = 20}, .table = {SIZES, 'x', 0, 0, 0}},
    {.hello = {HELLO, .function_count = 0, .table_size = 20}, .table = {SIZES, 'x', 0, 0, 0}},
    {.hello = {HELLO, .function_count = UINT32_MAX, .table_size = SOON__REPLY_AREA}},
    {.hello = {HELLO, .function_count = 1, .table_size = SOON__REPLY_AREA + 1}},
    {.hello = {HELLO, .function_count = 1, .table_size = UINT64_MAX}},
    {.hello = {.magic = SOON__DESK_MAGIC, .kind = SOON__MESSAGE_HELLO, .version = SOON__DESK_VERSION + 1}},
    {.hello = {.magic = 1, .kind = SOON__MESSAGE_HELLO, .version = SOON__DESK_VERSION}},
    {.hello = {HELLO, .function_count = 1, .table_size = 17}, .table = {SIZES, 'x'}, .descriptors = 3},
};

void soon__process_point(enum soon__point point)
{
    const char *number = point == SOON__POINT_BEFORE_HELLO ? getenv("SOON_TEST_GREETING") : NULL;
    const struct greeting *greeting = number ? &greetings[atoi(number)] : NULL;

    if (!greeting)
        return;
    area = find_mapping(SOON__REPLY_AREA);
    memset(area, 'z', SOON__REPLY_AREA);
    memcpy(area, greeting->table, sizeof greeting->table);
    send(greeting->hello, sizeof greeting->hello, (int[]){0, 1, 2}, greeting->descriptors);
    for (;;)
        pause();
}

Test(mad_worker, that_greets_with_nonsense_does_not_start)
{
    char variable[64];
    const char *environment[] = {variable, NULL};

    for (size_t i = 0; i < COUNT(greetings); i++) {
        snprintf(variable, sizeof variable, "SOON_TEST_GREETING=%zu", i);
        soon_executor *pool = new_processes(.workers = 1, .environment = environment, .max_restarts = 2);
        soon_future *future = soon_submit(pool, nothing);

        cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(future)->code, SOON_EBROKEN, "greeting %zu", i);
        cr_assert_not_null(strstr(soon_future_error(future)->message, "what no worker says"), "greeting %zu: %s", i,
                           soon_future_error(future)->message);
        soon_future_unref(future);
        free_pool(pool);
    }
}

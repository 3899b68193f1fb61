/*
 * corrupt_channel.c - workers that scribble over what they share with the parent, and over their first words. Such a worker is
 * dropped, its task fails as if it had died, and nobody else notices.
 */
#include "corrupt_fixture.h"

#include <fcntl.h>

TestSuite(corrupt_channel);

/*
 * In a task
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
    size_t words = sizeof *replies / 4;

    find_channel();
    for (int i = 0; i < 2000; i++) {
        size_t at = random_word(&seed) % words;

        ((uint32_t *)replies)[at] = random_word(&seed) >> (random_word(&seed) % 32);
        if (i % 50 == 0)
            replies->reply[published() % SOON__REPLIES].number += random_word(&seed) % 3;
        if (i % 50 == 0)
            ring();
    }
    ring();
    _exit(7);
}

Test(corrupt_channel, that_scribbles_at_random_fails_its_own_task_alone)
{
    soon_executor *pool = new_processes(.workers = 2);

    for (uint32_t i = 0; i < 100; i++) {
        soon_future *corrupt = soon_submit(pool, scribble, i), *others[10];
        int doubled, pid;

        for (int k = 0; k < 10; k++)
            others[k] = soon_submit(pool, twice, k);
        (void)soon_future_progress(corrupt);
        cr_assert_eq(soon_future_wait(corrupt, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(corrupt)->code, SOON_EWORKERDIED, "%u", i);
        pid = soon_future_error(corrupt)->worker_pid;
        soon_future_unref(corrupt);
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
    find_channel();
    replies->claims[own_slot] = word_before(own_sequence, own_sequence - 1);
    *result = getpid();
    return gate_pass(*arg, NULL);
}

Test(corrupt_channel, that_takes_back_its_claim_answers_in_vain)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new();
    int pid = pid_of_one(pool);
    soon_future *corrupt = unclaim_submit(pool, &gate, NULL);

    gate_await(gate, 1);
    cr_assert(soon_future_cancel(corrupt));
    gate_open(gate, 1);

    test_wait_until(!is_alive(pid));
    cr_assert_neq(pid_of_one(pool), pid);
    soon_future_unref(corrupt);
    free_pool(pool);
    gate_free(gate);
}

/* The first answer is as good as any; the second is nobody's. */
SOON_TASK(answer_twice, soon_none, int)
{
    struct soon__reply reply = {.kind = SOON__REPLY_DONE, .result_size = 4, .bytes = {3}};

    find_channel();
    reply.slot = own_slot;
    reply.sequence = own_sequence;
    add_reply(reply);
    publish(reply);
    for (;;)
        pause();
    return 0;
}

Test(corrupt_channel, that_answers_twice_is_dropped_after_the_first)
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
    find_channel();
    send(descriptors_message(), 0, &(int){0}, 1);
    *result = 3;
    return 0;
}

Test(corrupt_channel, that_sends_descriptors_with_nothing_leaks_none)
{
    soon_executor *pool = new_processes(.workers = 1);
    int three = 0;

    cr_assert_eq(soon_take(soon_submit(pool, send_empty), &three), 0);
    cr_assert_eq(three, 3);
    free_pool(pool);
}

/* It blocks for who writes to it, and is full: nobody but its worker may come to a stop. */
SOON_TASK(stop_the_bell, soon_none, int)
{
    const uint64_t most = UINT64_MAX - 1;

    fcntl(SOON__FD_BELL, F_SETFL, 0);
    for (int i = 0; i < 100; i++) {
        if (write(SOON__FD_BELL, &most, sizeof most) != sizeof most)
            return EIO;
    }
    *result = 3;
    return 0;
}

Test(corrupt_channel, that_makes_its_bell_block_holds_up_nobody)
{
    soon_executor *pool = new_processes(.workers = 1);
    soon_future *many[2000];
    int three = 0;

    for (int turn = 0; turn < 10; turn++) {
        cr_assert_eq(soon_take(soon_submit(pool, stop_the_bell), &three), 0);
        cr_assert_eq(three, 3);
        for (size_t i = 0; i < COUNT(many); i++)
            many[i] = soon_submit(pool, nothing);
        for (size_t i = 0; i < COUNT(many); i++)
            cr_assert_eq(outcome_of(many[i]), 0);
    }
    free_pool(pool);
}

/* Times from the past and the future are believed within bounds. */
SOON_TASK(misstate_time, int64_t, soon_none)
{
    find_channel();
    for (;;)
        replies->status[own_slot].started_ns = *arg;
    return 0;
}

Test(corrupt_channel, that_misstates_its_time_is_killed_all_the_same)
{
    static const int64_t times[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);

    for (size_t i = 0; i < COUNT(times); i++)
        cr_assert_eq(outcome_of(soon_submit_with(pool, (.time_limit_ms = 30), misstate_time, times[i])),
                     SOON_ETIMELIMIT);
    free_pool(pool);
}

/* Each item of a chunk has a time of its own, which is not made longer by what it says of it. */
Test(corrupt_channel, that_misstates_the_time_of_items_is_killed_all_the_same)
{
    static const int64_t times[] = {INT64_MAX, -1, INT64_MAX};
    const soon_submit_options each = {.time_limit_ms = 30};
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);
    int errors[COUNT(times)];

    (void)soon_map_with(pool, (.chunk = COUNT(times), .each = &each), misstate_time, times, COUNT(times), NULL, errors);
    for (size_t i = 0; i < COUNT(times); i++)
        cr_assert_eq(errors[i], SOON_ETIMELIMIT, "%zu: %s", i, soon_strerror(errors[i]));
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

#define HELLO .magic = SOON__CHANNEL_MAGIC, .kind = SOON__MESSAGE_HELLO, .version = SOON__CHANNEL_VERSION
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
    {.hello = {.magic = SOON__CHANNEL_MAGIC, .kind = SOON__MESSAGE_HELLO, .version = SOON__CHANNEL_VERSION + 1}},
    {.hello = {.magic = 1, .kind = SOON__MESSAGE_HELLO, .version = SOON__CHANNEL_VERSION}},
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

Test(corrupt_channel, that_greets_with_nonsense_does_not_start)
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

/*
 * What no reply and no bell ever tells of
 */

enum lie { NO_SLOTS, ALL_ZERO, OTHERS_CLAIMED, OWN_FREE, ANSWER_HIDDEN, LIES };

/* Takes every number away again; it is left behind by its task. */
static void *hide_answers(void *data)
{
    uint64_t last = published();

    for (;;) {
        for (uint64_t i = 0; i < SOON__REPLIES; i++)
            if (replies->reply[i].number > last)
                replies->reply[i].number = 0;
    }
    return data;
}

static void start_hiding(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, hide_answers, NULL);
    usleep(10000);
}

/* It goes on to answer, and to look for work. */
SOON_TASK(lie, int, int)
{
    find_channel();
    *result = 3;
    switch (*arg) {
    case NO_SLOTS:
        for (uint32_t slot = 0; slot < SOON__SLOTS; slot++)
            replies->claims[slot] = slot == own_slot ? replies->claims[slot] : 0;
        break;
    case ALL_ZERO:
        memset(replies, 0, sizeof *replies);
        break;
    case OTHERS_CLAIMED:
        for (uint32_t slot = 0; slot < SOON__SLOTS; slot++)
            if (requests->request[slot].sequence > replies->claims[slot] >> 2)
                replies->claims[slot] = requests->request[slot].sequence << 2 | SOON__SLOT_CLAIMED;
        break;
    case OWN_FREE:
        replies->claims[own_slot] = 0;
        break;
    default:
        start_hiding();
        break;
    }
    return 0;
}

/* Each of these hung until the loop looked at the channel by itself. What cannot be told from a task that runs goes down
 * with the worker; all else is done by the next. */
Test(corrupt_channel, that_hides_what_it_was_given_is_found_out)
{
    for (int what = 0; what < LIES; what++) {
        soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);
        soon_future *liar, *others[5];
        int doubled;

        cr_assert_eq(soon_take(soon_submit(pool, twice, 1), &doubled), 0);
        liar = soon_submit(pool, lie, what);
        for (int k = 0; k < 5; k++)
            others[k] = soon_submit(pool, twice, k);
        cr_assert_eq(soon_future_wait(liar, SOON_FOREVER), 0);
        for (int k = 0; k < 5; k++) {
            int rc = soon_result(others[k], &doubled);

            cr_assert(rc == SOON_EWORKERDIED || (rc == 0 && doubled == 2 * k), "%d: %s", what, soon_strerror(rc));
        }
        /* If all its answers have come through before they were hidden, it goes down with the next task. */
        if (soon_take(soon_submit(pool, twice, 21), &doubled) == SOON_EWORKERDIED && what == ANSWER_HIDDEN)
            doubled = soon_take(soon_submit(pool, twice, 21), &doubled) == 0 ? doubled : 0;
        cr_assert_eq(doubled, 42, "%d", what);
        soon_future_unref(liar);
        soon_futures_unref(others, 5);
        free_pool(pool);
    }
}

/*
 * Words of slots that were never used before: what was claimed there does not come back.
 */

static void forget_all(void)
{
    find_channel();
    memset((void *)replies->claims, 0, sizeof replies->claims);
}

SOON_TASK(forget_and_end, struct gate, int)
{
    gate_knock(*arg);
    forget_all();
    *result = 3;
    return 0;
}

Test(corrupt_channel, that_forgets_its_claims_runs_no_task_twice)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);
    struct gate gate = gate_new();
    soon_future *corrupt = forget_and_end_submit(pool, &gate, NULL);
    int result = 0, rc;

    rc = soon_take(corrupt, &result);
    cr_assert(rc == SOON_EWORKERDIED || (rc == 0 && result == 3), "%s", soon_strerror(rc));
    /* What is posted there next cannot be told from what it runs. */
    rc = soon_take(soon_submit(pool, twice, 4), &result);
    cr_assert(rc == SOON_EWORKERDIED || (rc == 0 && result == 8), "%s", soon_strerror(rc));
    cr_assert_eq(soon_take(soon_submit(pool, twice, 5), &result), 0);
    cr_assert_eq(gate_arrived(gate), 1);
    free_pool(pool);
    gate_free(gate);
}

struct two_gates {
    struct gate before, ran;
};

SOON_TASK(forget_when_let, struct two_gates, int)
{
    (void)gate_pass(arg->before, NULL);
    forget_all();
    *result = 3;
    return 0;
}

SOON_TASK(knock, struct two_gates, int)
{
    gate_knock(arg->ran);
    *result = 4;
    return 0;
}

Test(corrupt_channel, that_forgets_what_was_taken_back_does_not_run_it)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = -1);
    struct two_gates gates = {gate_new(), gate_new()};
    soon_future *corrupt = forget_when_let_submit(pool, &gates, NULL), *taken = knock_submit(pool, &gates, NULL);
    int result = 0;

    gate_await(gates.before, 1);
    cr_assert(soon_future_cancel(taken));
    gate_open(gates.before, 1);
    (void)soon_take(corrupt, &result);
    (void)soon_take(soon_submit(pool, twice, 4), &result);
    cr_assert_eq(soon_take(soon_submit(pool, twice, 5), &result), 0);
    cr_assert_eq(gate_arrived(gates.ran), 0);
    soon_future_unref(taken);
    free_pool(pool);
    gate_free(gates.before);
    gate_free(gates.ran);
}

SOON_TASK(forget_and_stay, struct gate, int)
{
    gate_knock(*arg);
    forget_all();
    for (;;)
        pause();
    return *result = 0;
}

Test(corrupt_channel, that_forgets_what_it_runs_fails_with_it)
{
    soon_executor *pool = new_processes(.workers = 2, .grace_ms = -1);
    struct gate gate = gate_new();
    soon_future *corrupt = forget_and_stay_submit(pool, &gate, NULL);

    cr_assert_eq(soon_future_wait(corrupt, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(corrupt)->code, SOON_EWORKERDIED);
    cr_assert_eq(gate_arrived(gate), 1);
    soon_future_unref(corrupt);
    free_pool(pool);
    gate_free(gate);
}

/* When its task has answered: as any worker it rings if that is wanted. Again and again: the next answer of the worker's
 * own takes the place of this one. */
static void *answer_nobody(void *data)
{
    const uint64_t *before = data;

    while (published() == *before)
        usleep(1000);
    for (;;) {
        usleep(50000);
        add_reply((struct soon__reply){.kind = SOON__REPLY_DONE, .slot = own_slot, .sequence = own_sequence});
        if (requests->bell_wanted)
            ring();
    }
    return NULL;
}

SOON_TASK(answer_once_more, soon_none, int)
{
    static uint64_t before;
    pthread_t thread;

    find_channel();
    before = published();
    *result = getpid();
    return pthread_create(&thread, NULL, answer_nobody, &before) ? -EAGAIN : 0;
}

Test(corrupt_channel, that_answers_nobody_is_heard)
{
    soon_executor *pool = new_processes(.workers = 1);
    int pid;

    for (int i = 0; i < 5; i++) {
        int doubled;

        cr_assert_eq(soon_take(soon_submit(pool, answer_once_more), &pid), 0);
        /* So short that their replies are waited for without a bell. */
        for (int k = 0, rc = 0; k < 50 && rc == 0; k++) {
            rc = soon_take(soon_submit(pool, twice, k), &doubled);
            cr_assert(rc == 0 || rc == SOON_EWORKERDIED, "%s", soon_strerror(rc)); /* it came early */
        }
        test_wait_until(!is_alive(pid));
    }
    cr_assert_neq(pid_of_one(pool), pid);
    free_pool(pool);
}

/* It says that it does not sleep while it does, and so is not woken: but for the looks of the loop. */
static void *stay_awake(void *data)
{
    for (;;)
        atomic_store(&replies->asleep, 0);
    return data;
}

SOON_TASK(claim_to_be_awake, soon_none, int)
{
    pthread_t thread;

    find_channel();
    *result = 3;
    return pthread_create(&thread, NULL, stay_awake, NULL) ? -EAGAIN : 0;
}

Test(corrupt_channel, that_hides_its_sleep_is_woken)
{
    soon_executor *pool = new_processes(.workers = 1);
    int result;

    cr_assert_eq(soon_take(soon_submit(pool, claim_to_be_awake), &result), 0);
    for (int i = 0; i < 5; i++) {
        usleep(2000); /* it sleeps, in all likelihood */
        cr_assert_eq(soon_take(soon_submit(pool, twice, i), &result), 0);
        cr_assert_eq(result, 2 * i);
    }
    free_pool(pool);
}

/* The memory of what is asked of it: it dies of the attempt, and the next one gets what was meant. */
SOON_TASK(change_what_was_asked, soon_none, int)
{
    struct soon__requests *there = find_readonly_mapping(sizeof *there);

    *result = 3;
    signal(SIGSEGV, SIG_DFL); /* sanitizers have a handler */
    memset(there->request, 0x55, sizeof there->request);
    return 0;
}

Test(corrupt_channel, that_writes_over_its_orders_dies_of_it)
{
    soon_executor *pool = new_processes(.workers = 1);
    soon_future *corrupt = soon_submit(pool, change_what_was_asked), *next = soon_submit(pool, twice, 7);
    int doubled;

    cr_assert_eq(soon_future_wait(corrupt, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(corrupt)->code, SOON_EWORKERDIED);
    cr_assert_eq(soon_future_error(corrupt)->worker_signal, SIGSEGV, "%s", soon_future_error(corrupt)->message);
    cr_assert_eq(soon_take(next, &doubled), 0);
    cr_assert_eq(doubled, 14);
    soon_future_unref(corrupt);
    free_pool(pool);
}

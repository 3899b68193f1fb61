/*
 * worker_items.c - chunks of items in a worker process: results in order, failures by themselves, and where it stops.
 */
#include "worker_fixture.h"

TestSuite(worker_items);

enum { ITEMS = 1000 };

/* What became of the items of a chunk, as the parent sees it. */
struct seen {
    uint64_t ended; /* items, in order */
    int values[ITEMS];
    int codes[ITEMS];
    int replies;
    struct soon__reply last;
};

/* Takes in one reply. */
static void see(struct worker *worker, struct seen *seen, uint64_t sequence)
{
    struct soon__reply reply = next_reply(worker);

    cr_assert_eq(reply.sequence, sequence);
    cr_assert_eq(reply.first, seen->ended);
    seen->replies++;
    seen->last = reply;
    if (reply.kind == SOON__REPLY_ITEMS) {
        cr_assert_eq(reply.result_size, reply.count * sizeof(int));
        memcpy(seen->values + seen->ended, result_of(worker, &reply), reply.result_size);
        seen->ended += reply.count;
    } else if (reply.kind == SOON__REPLY_ITEM) {
        seen->codes[seen->ended] = reply.code;
        seen->ended++;
    }
    consume(worker);
}

static struct seen see_all(struct worker *worker, uint64_t sequence)
{
    struct seen seen = {0};

    while (seen.last.kind != SOON__REPLY_DONE)
        see(worker, &seen, sequence);
    return seen;
}

static uint64_t post_items(struct worker *worker, const soon_function *function, const int *args, size_t count,
                           struct asked asked)
{
    asked.items = count;
    return post(worker, function, args, 0, asked);
}

static int *numbers(void)
{
    static int list[ITEMS];

    for (int i = 0; i < ITEMS; i++)
        list[i] = i;
    return list;
}

SOON_TASK(twice, int, int)
{
    cr_assert_eq(*result, 0);
    *result = 2 * *arg;
    return 0;
}

Test(worker_items, succeed_in_order)
{
    struct worker worker = ready_worker();
    static const size_t counts[] = {1, 2, 7, 100, ITEMS};

    for (size_t n = 0; n < COUNT(counts); n++) {
        struct seen seen = see_all(&worker, post_items(&worker, &twice_task, numbers(), counts[n], (struct asked){0}));

        cr_assert_eq(seen.ended, counts[n]);
        cr_assert_eq(seen.last.code, 0);
        for (size_t i = 0; i < counts[n]; i++)
            cr_assert_eq(seen.values[i], 2 * (int)i);
    }
    retire(&worker);
}

/* Fails for multiples of 10, with a long text for those of 100. */
SOON_TASK(twice_or_fail, int, int)
{
    *result = 2 * *arg;
    if (*arg % 100 == 0)
        return soon_raise(task, *arg, "%01000d", *arg);
    return *arg % 10 == 0 ? -EDOM : 0;
}

Test(worker_items, that_fail_are_told_by_themselves)
{
    struct worker worker = ready_worker();

    for (int round = 0; round < 20; round++) { /* more than fits at once: what was read is used again */
        struct seen seen =
            see_all(&worker, post_items(&worker, &twice_or_fail_task, numbers(), ITEMS, (struct asked){0}));

        worker.area_used = 0;
        cr_assert_eq(seen.ended, ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            cr_assert_eq(seen.codes[i], i % 10 == 0 ? SOON_ERAISED : 0);
            cr_assert(i % 10 == 0 || seen.values[i] == 2 * i);
        }
    }
    retire(&worker);
}

/* All fail, nobody reads until they have filled the ring: the worker waits. */
Test(worker_items, wait_for_room_in_the_ring)
{
    struct worker worker = ready_worker();
    uint64_t sequence = post_items(&worker, &twice_or_fail_task, (int[ITEMS]){0}, ITEMS, (struct asked){0});
    struct seen seen;

    test_wait_until(atomic_load(&worker.channel.replies->reply[SOON__REPLIES - SOON__SLOTS - 1].number));
    seen = see_all(&worker, sequence);
    cr_assert_eq(seen.ended, ITEMS);
    cr_assert_eq(seen.replies, ITEMS + 1);
    retire(&worker);
}

/* Steps from outside, in memory that both see: item `n` ends when `may_end` is above n. */
struct steps {
    _Atomic int begun, may_end;
};

SOON_TASK(step, int, int)
{
    struct steps *steps = soon_task_shared(task);

    atomic_store(&steps->begun, *arg + 1);
    test_wait_until(atomic_load(&steps->may_end) > *arg);
    *result = *arg + 100;
    return 0;
}

static struct worker stepping_worker(struct steps **ret)
{
    struct worker worker = greeted_worker((struct how){.shared_size = sizeof(struct steps)});

    *ret = worker.shared;
    return worker;
}

static void end_stepping(struct worker *worker)
{
    void *shared = worker->shared;

    retire(worker);
    soon__shm_unmap(shared, sizeof(struct steps));
}

Test(worker_items, are_flushed_while_others_run)
{
    struct steps *steps;
    struct worker worker = stepping_worker(&steps);
    uint64_t sequence = post_items(&worker, &step_task, numbers(), 3, (struct asked){0});
    struct seen seen = {0};

    test_wait_until(atomic_load(&steps->begun) == 1);
    usleep(2000); /* longer than it keeps results back */
    atomic_store(&steps->may_end, 1);
    see(&worker, &seen, sequence);
    cr_assert_eq(seen.ended, 1);
    cr_assert_eq(seen.values[0], 100);
    atomic_store(&steps->may_end, 3);
    while (seen.last.kind != SOON__REPLY_DONE)
        see(&worker, &seen, sequence);
    cr_assert_eq(seen.ended, 3);
    end_stepping(&worker);
}

/* The parent finds in the status what was not replied yet, with the worker dead. */
Test(worker_items, that_were_not_told_yet_are_found_after_a_death)
{
    struct steps *steps;
    struct worker worker = stepping_worker(&steps);
    struct soon__status *status = &worker.channel.replies->status[0];
    uint64_t sequence = post_items(&worker, &step_task, numbers(), 10, (struct asked){0});
    struct seen seen = {0};
    struct soon__reply reply;

    atomic_store(&steps->may_end, 7); /* seven end at once, the eighth never does */
    test_wait_until(atomic_load(&steps->begun) == 8);
    cr_assert_eq(soon__process_signal(worker.watch, worker.pid, SIGKILL), 0);
    await_readable(worker.watch);

    while (soon__channel_next_reply(&worker.channel, &worker.head, &reply) == 1) {
        worker.head--;
        see(&worker, &seen, sequence);
    }
    uint64_t first = atomic_load(&status->items_first), finished = atomic_load(&status->items_finished);
    if (finished > first) {
        cr_assert_eq(first, seen.ended);
        memcpy(seen.values + first, worker.channel.reply_area + atomic_load(&status->items_offset),
               (finished - first) * sizeof(int));
        seen.ended = finished;
    }
    cr_assert_eq(seen.ended, 7);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(seen.values[i], 100 + i);
    soon__shm_unmap(worker.shared, sizeof(struct steps));
    cr_assert(await_end(&worker).killed);
}

Test(worker_items, stop_between_two_when_cancelled)
{
    struct steps *steps;
    struct worker worker = stepping_worker(&steps);
    uint64_t sequence = post_items(&worker, &step_task, numbers(), 10, (struct asked){0});
    struct seen seen;

    test_wait_until(atomic_load(&steps->begun) == 1);
    soon__channel_request_cancel(&worker.channel, 0);
    atomic_store(&steps->may_end, 10);
    seen = see_all(&worker, sequence);
    cr_assert_eq(seen.ended, 1);
    cr_assert_eq(seen.last.code, -ECANCELED);
    cr_assert_eq(seen.last.flags, SOON__REPLY_CANCELLED);
    cr_assert_eq(atomic_load(&steps->begun), 1);
    end_stepping(&worker);
}

Test(worker_items, do_not_start_after_their_deadline)
{
    struct steps *steps;
    struct worker worker = stepping_worker(&steps);
    int64_t deadline = soon__clock_ns() + 20000000;
    uint64_t sequence = post_items(&worker, &step_task, numbers(), 10, (struct asked){.items_deadline = deadline});
    struct seen seen;

    test_wait_until(soon__clock_ns() > deadline);
    atomic_store(&steps->may_end, 10);
    seen = see_all(&worker, sequence);
    cr_assert_leq(seen.ended, 1); /* none, if it was slow */
    cr_assert_eq(seen.last.code, -ETIMEDOUT);
    cr_assert_eq(seen.last.flags, SOON__REPLY_NOT_STARTED);
    end_stepping(&worker);
}

Test(worker_items, do_not_start_when_the_chunk_has_waited_too_long)
{
    struct worker worker = ready_worker();
    struct seen seen = see_all(&worker, post_items(&worker, &twice_task, numbers(), 10,
                                                   (struct asked){.queue_deadline = soon__clock_ns() - 1}));

    cr_assert_eq(seen.ended, 0);
    cr_assert_eq(seen.last.code, SOON_EEXPIRED);
    retire(&worker);
}

/* Each has the whole limit. */
SOON_TASK(time_left, int, int)
{
    *result = (int)soon_task_time_left_ms(task);
    return 0;
}

Test(worker_items, have_a_time_limit_each)
{
    struct worker worker = ready_worker();
    struct seen seen = see_all(&worker, post_items(&worker, &time_left_task, numbers(), 10,
                                                   (struct asked){.time_limit_ns = INT64_C(3600000000000)}));

    for (int i = 0; i < 10; i++)
        cr_assert(seen.values[i] > 3000000 && seen.values[i] <= 3600000);
    retire(&worker);
}

typedef struct {
    unsigned char bytes[SOON__BODY_MAX + 64];
} large;

SOON_TASK(make_large, int, large)
{
    memset(result, *arg, sizeof *result);
    return *arg % 3 == 2 ? -EDOM : 0;
}

/* Message and reply come in pairs. */
Test(worker_items, may_have_large_results)
{
    struct worker worker = ready_worker();
    uint64_t sequence = post_items(&worker, &make_large_task, numbers(), 9, (struct asked){0});

    for (int i = 0; i < 9; i++) {
        struct soon__reply reply = next_reply(&worker);

        cr_assert_eq(reply.kind, SOON__REPLY_ITEM);
        cr_assert_eq(reply.first, (uint64_t)i);
        cr_assert_eq(reply.code, i % 3 == 2 ? SOON_ERAISED : 0);
        if (reply.code == 0) {
            soon_buffer *result = buffer_of(&worker, &reply, 1, 0, sizeof(large));
            cr_assert_eq(*((unsigned char *)soon_buffer_data(result) + sizeof(large) - 1), i);
            soon_buffer_unref(result);
        }
        consume(&worker);
    }
    struct soon__reply reply = done(&worker, sequence);
    cr_assert_eq(reply.first, 9);
    consume(&worker);
    retire(&worker);
}

/* Every other one with a payload, so that it comes by itself. */
SOON_TASK(with_payload, int, int)
{
    soon_buffer *payload;

    *result = 3 * *arg;
    if (*arg % 2)
        return 0;
    cr_assert_eq(soon_buffer_new(&payload, 200), 0);
    memset(soon_buffer_data(payload), *arg, 200);
    return soon_task_return_payload(task, payload);
}

Test(worker_items, may_have_payloads)
{
    struct worker worker = ready_worker();
    uint64_t sequence = post_items(&worker, &with_payload_task, numbers(), 20, (struct asked){0});

    for (int i = 0; i < 20; i++) {
        struct soon__reply reply = next_reply(&worker);

        cr_assert_eq(reply.kind, i % 2 ? SOON__REPLY_ITEMS : SOON__REPLY_ITEM);
        cr_assert_eq(*(const int *)result_of(&worker, &reply), 3 * i);
        if (i % 2 == 0)
            cr_assert_eq(((const unsigned char *)result_of(&worker, &reply))[16 + 199], i);
        consume(&worker);
    }
    done(&worker, sequence);
    consume(&worker);
    retire(&worker);
}

/* By hand, since the macro has neither: arguments of fixed size, results of any. Of multiples of 7 they are long. */
static int digits(soon_task *task, const void *arg, void *result)
{
    int number = *(const int *)arg;

    (void)result;
    return soon_task_return_text(task, "%0*d", number % 7 ? 1 : 5000, number);
}

static const soon_function digits_task = {
    .name = "digits", .body = digits, .arg_size = sizeof(int), .arg_type = "int", .result_type = ""};

__attribute__((constructor)) static void register_digits(void)
{
    cr_assert_eq(soon_function_register(&digits_task), 0);
}

static void assert_digits(const char *text, uint64_t size, uint64_t number)
{
    cr_assert_eq(size, strlen(text) + 1);
    cr_assert_eq(strtoul(text, NULL, 10), number);
}

/* Small ones together, each behind its head; the others, between them, by themselves. */
Test(worker_items, may_have_results_of_any_size)
{
    struct worker worker = ready_worker();
    uint64_t sequence = post_items(&worker, &digits_task, numbers(), ITEMS, (struct asked){0}), ended = 0, replies = 0;

    for (; ended < ITEMS; replies++) {
        struct soon__reply reply = next_reply(&worker);
        const char *body = result_of(&worker, &reply);
        uint64_t count = reply.kind == SOON__REPLY_ITEMS ? reply.count : 0;

        cr_assert_eq(reply.first, ended);
        cr_assert_eq(count == 0, ended % 7 == 0);
        if (!count)
            assert_digits(body, reply.result_size, ended++);
        for (uint64_t i = 0; i < count; i++, ended++) {
            struct soon__varied_head head;

            memcpy(&head, body, sizeof head);
            assert_digits(body + sizeof head, head.size, ended);
            body += sizeof head + soon__body_round(head.size);
        }
        cr_assert(!count || body == (const char *)result_of(&worker, &reply) + reply.result_size);
        consume(&worker);
    }
    cr_assert_lt(replies, ITEMS);
    done(&worker, sequence);
    consume(&worker);
    retire(&worker);
}

/*
 * A full ring
 */

enum { LONG = 16 << 10, MANY = SOON__REPLY_AREA / LONG + 100 }; /* bytes of a result that lies in the area */

struct long_result {
    unsigned char bytes[LONG];
};

SOON_TASK(repeat, unsigned char, struct long_result)
{
    memset(result->bytes, *arg, LONG);
    return 0;
}

static void assert_repeats(const struct worker *worker, const struct soon__reply *reply, int number)
{
    const unsigned char *bytes = result_of(worker, reply);

    for (int i = 0; i < LONG; i++)
        cr_assert_eq(bytes[i], (unsigned char)number);
}

/* Posts the next one, and waits until the worker has to wait for a place. */
static void post_into_full_ring(struct worker *worker, int number)
{
    atomic_store(&worker->channel.replies->starved, 0);
    (void)post(worker, &repeat_task, &(unsigned char){(unsigned char)number}, 1, (struct asked){0});
    test_wait_until(atomic_load(&worker->channel.replies->starved));
}

/* The region of a reply that was read is free, and that of no other: none is lost, or the area would be full some time. */
Test(worker_items, of_a_full_ring_keep_their_results)
{
    struct worker worker = ready_worker();
    int last = SOON__REPLIES + 1;

    for (int i = 0; i < SOON__REPLIES; i++) {
        (void)post(&worker, &repeat_task, &(unsigned char){(unsigned char)i}, 1, (struct asked){0});
        test_wait_until(atomic_load(&worker.channel.replies->reply[i].number));
    }
    for (int i = SOON__REPLIES; i <= last; i++) {
        struct soon__reply reply;

        post_into_full_ring(&worker, i);
        reply = next_reply(&worker);
        assert_repeats(&worker, &reply, i - SOON__REPLIES);
        consume(&worker);
        /* Its answer takes the place of the one that was read. */
        test_wait_until(atomic_load(&worker.channel.replies->reply[i % SOON__REPLIES].number) == (uint64_t)i + 1);
    }
    for (int i = last + 1 - SOON__REPLIES; i <= last + MANY; i++) {
        struct soon__reply reply;

        if (i > last)
            (void)post(&worker, &repeat_task, &(unsigned char){(unsigned char)i}, 1, (struct asked){0});
        reply = next_reply(&worker);
        assert_repeats(&worker, &reply, i);
        consume(&worker);
    }
    retire(&worker);
}

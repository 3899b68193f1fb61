/*
 * channel.c - what parent and worker do at their replies. A worker that writes nonsense is in channel_nonsense.c.
 */
#include "../../support/channel_fixture.h"

#include <stdio.h>

static uint32_t slot;
static uint64_t sequence, head;
static struct soon__reply reply;

/* Claims, and it must be this one. */
static void claim(uint32_t expected_slot, uint64_t expected_sequence)
{
    cr_assert(soon__channel_claim(&worker, &slot, &sequence));
    cr_assert_eq(slot, expected_slot);
    cr_assert_eq(sequence, expected_sequence);
}

TestSuite(channel, .init = make_channel, .fini = free_channel);

/*
 * Requests
 */

Test(channel, a_posted_request_is_claimed_once_and_whole)
{
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
    post(7, 4711, 0);

    claim(7, 4711);
    assert_request(7, 4711);
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
}

Test(channel, the_request_with_the_lowest_order_is_claimed_first)
{
    for (uint32_t i = 0; i < SOON__SLOTS; i++)
        post(i, 100 + i, (i * 7 + 3) % SOON__SLOTS);

    for (uint64_t order = 0; order < SOON__SLOTS; order++) {
        cr_assert(soon__channel_claim(&worker, &slot, &sequence));
        cr_assert_eq((slot * 7 + 3) % SOON__SLOTS, order);
        cr_assert_eq(sequence, 100 + slot);
    }
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
}

Test(channel, a_request_that_was_taken_back_is_not_claimed)
{
    post(0, 1, 0);
    post(1, 2, 1);

    cr_assert(soon__channel_take_back(&parent, 0, 1));
    cr_assert(!soon__channel_take_back(&parent, 0, 1), "once");
    claim(1, 2);
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
}

Test(channel, a_claimed_request_cannot_be_taken_back)
{
    post(0, 1, 0);
    claim(0, 1);

    cr_assert(!soon__channel_take_back(&parent, 0, 1));
    cr_assert_eq(soon__channel_look(&parent, 0, 1), SOON__LOOK_CLAIMED);
}

Test(channel, a_slot_is_used_again_and_the_old_number_means_nothing)
{
    post(0, 1, 0);
    cr_assert(soon__channel_take_back(&parent, 0, 1));
    post(0, 2, 0);

    cr_assert(!soon__channel_take_back(&parent, 0, 1));
    cr_assert_eq(soon__channel_look(&parent, 0, 1), SOON__LOOK_GARBAGE);
    claim(0, 2);
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
}

Test(channel, a_look_tells_where_a_request_stands)
{
    post(3, 9, 0);
    cr_assert_eq(soon__channel_look(&parent, 3, 9), SOON__LOOK_UNCLAIMED);
    claim(3, 9);
    cr_assert_eq(soon__channel_look(&parent, 3, 9), SOON__LOOK_CLAIMED);

    for (uint64_t word = 0; word < 64; word++) {
        atomic_store(&worker.replies->claims[3], word);
        cr_assert_eq(soon__channel_look(&parent, 3, 9) == SOON__LOOK_GARBAGE,
                     word != SOON__SLOT_TAKEN && word != (9 << 2 | SOON__SLOT_CLAIMED));
    }
}

Test(channel, a_look_tells_where_a_request_stands_in_a_slot_that_was_used)
{
    post(3, 9, 0);
    claim(3, 9);
    post(3, 10, 0);
    cr_assert_eq(soon__channel_look(&parent, 3, 10), SOON__LOOK_UNCLAIMED);
    cr_assert(soon__channel_take_back(&parent, 3, 10));
    post(3, 11, 0);
    cr_assert_eq(soon__channel_look(&parent, 3, 11), SOON__LOOK_UNCLAIMED);

    for (uint64_t word = 0; word < 64; word++) {
        atomic_store(&worker.replies->claims[3], word);
        cr_assert_eq(soon__channel_look(&parent, 3, 11) == SOON__LOOK_GARBAGE,
                     word != (10 << 2 | SOON__SLOT_TAKEN) && word != (11 << 2 | SOON__SLOT_CLAIMED));
    }
}

/* What it was before is what the parent takes it back from. */
Test(channel, a_request_is_not_taken_back_from_a_worker_that_has_changed_the_word)
{
    post(3, 9, 0);
    claim(3, 9);
    post(3, 10, 0);
    atomic_store(&worker.replies->claims[3], 0);

    cr_assert(!soon__channel_take_back(&parent, 3, 10));
    cr_assert_eq(soon__channel_look(&parent, 3, 10), SOON__LOOK_GARBAGE);
}

Test(channel, an_urgent_request_is_claimed_before_those_that_were_found_already)
{
    for (uint32_t i = 0; i < 4; i++)
        post(i, i + 1, 10 + i);
    claim(0, 1);
    post(5, 5, 1);
    claim(5, 5);
    claim(1, 2);
}

Test(channel, a_request_that_was_found_is_not_claimed_once_it_was_taken_back)
{
    for (uint32_t i = 0; i < 4; i++)
        post(i, i + 1, i);
    claim(0, 1);
    cr_assert(soon__channel_take_back(&parent, 1, 2));
    cr_assert(soon__channel_take_back(&parent, 2, 3));
    post(2, 5, 9);
    claim(3, 4);
    claim(2, 5);
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
}

/* By the task before it: what the word was before that is none of the worker's business. */
Test(channel, a_request_that_was_found_is_claimed_though_a_task_has_written_over_its_word)
{
    post(0, 1000, 0);
    post(1, 1001, 1);
    claim(0, 1000);
    atomic_store(&worker.replies->claims[1], 7 << 2 | SOON__SLOT_CLAIMED);
    claim(1, 1001);
}

Test(channel, a_request_that_was_claimed_is_not_claimed_again_though_a_task_has_written_over_its_word)
{
    static const uint64_t words[] = {0, SOON__SLOT_TAKEN, 6 << 2 | SOON__SLOT_TAKEN, 6 << 2 | SOON__SLOT_CLAIMED};

    post(0, 7, 100);
    claim(0, 7);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        atomic_store(&worker.replies->claims[0], words[i]);
        cr_assert_not(soon__channel_claim(&worker, &slot, &sequence), "%zu", i);
    }
}

/* One is claimed each time that all others are given something else. */
Test(channel, requests_that_are_taken_back_again_and_again_leave_nothing_behind)
{
    uint64_t next = 1, last[SOON__SLOTS];

    for (int round = 0; round < 10; round++) {
        post(0, next++, 0);
        for (uint32_t i = 1; i < SOON__SLOTS; i++, next++) {
            cr_assert(round == 0 || soon__channel_take_back(&parent, i, last[i]));
            post(i, last[i] = next, next);
        }
        cr_assert(soon__channel_claim(&worker, &slot, &sequence));
        cr_assert_eq(slot, 0);
    }
    for (uint32_t i = 1; i < SOON__SLOTS; i++)
        claim(i, last[i]);
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
}

/* All slots are full, and which slot a request is in says nothing about its turn. */
Test(channel, requests_are_claimed_in_their_order_in_a_flood)
{
    uint64_t next = 1, expected = 1;
    uint32_t empty[3];

    for (uint32_t i = 0; i < SOON__SLOTS; i++, next++)
        post(i, next, next);
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 3; i++) {
            cr_assert(soon__channel_claim(&worker, &slot, &sequence));
            cr_assert_eq(sequence, expected++);
            empty[i] = slot;
        }
        for (int i = 2; i >= 0; i--, next++)
            post(empty[i], next, next);
    }
}

Test(channel, a_request_is_looked_for_where_there_may_be_one)
{
    fill_request(1, 5, 0);
    soon__channel_publish(&parent, 1, 5);
    soon__channel_wake(&parent, 1 << 2);
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
    soon__channel_wake(&parent, 1 << 1 | 1 << 2);
    claim(1, 5);
}

/* The first is in a slot that was empty when the bell rang last, and the second in one that was not. */
Test(channel, requests_are_claimed_in_their_order_before_the_bell_has_rung_for_them)
{
    post(2, 1, 8);
    post(3, 2, 9);
    for (uint32_t i = 2; i < 4; i++)
        cr_assert(soon__channel_take_back(&parent, i, i - 1));
    for (uint32_t i = 1; i < 3; i++) {
        fill_request(i, 2 + i, i);
        soon__channel_publish(&parent, i, 2 + i);
    }

    claim(1, 3);
    claim(2, 4);
}

Test(channel, numbers_of_62_bits_survive)
{
    const uint64_t large = (UINT64_C(1) << 62) - 1;

    post(0, large, UINT64_MAX);
    claim(0, large);
    cr_assert_eq(soon__channel_look(&parent, 0, large), SOON__LOOK_CLAIMED);
}

/*
 * The status
 */

Test(channel, a_claim_begins_with_a_status_of_its_own)
{
    struct soon__status *status = &parent.replies->status[0];
    uint64_t done = 7, total = 7;

    post(0, 1, 0);
    claim(0, 1);
    soon__channel_set_progress(&worker, 0, 3, 4);
    soon__channel_request_cancel(&parent, 0);
    status->items_first = status->items_finished = status->items_offset = 5;
    status->started_ns = 5;

    post(0, 2, 0);
    claim(0, 2);
    cr_assert_eq(status->started_ns, INT64_MAX);
    cr_assert(soon__channel_progress(&parent, 0, &done, &total));
    cr_assert(done == 0 && total == 0);
    cr_assert(status->items_first == 0 && status->items_finished == 0 && status->items_offset == 0);
    cr_assert_eq(worker.requests->cancel_requested[0], 0);
}

Test(channel, a_cancel_request_reaches_the_task)
{
    post(0, 1, 0);
    claim(0, 1);
    soon__channel_request_cancel(&parent, 0);

    cr_assert_eq(worker.requests->cancel_requested[0], 1);
    cr_assert_eq(worker.requests->cancel_requested[1], 0);
}

Test(channel, progress_is_what_was_set_last)
{
    uint64_t done, total;

    soon__channel_set_progress(&worker, 5, 1, 10);
    soon__channel_set_progress(&worker, 5, UINT64_MAX, 2);
    cr_assert(soon__channel_progress(&parent, 5, &done, &total));
    cr_assert(done == UINT64_MAX && total == 2);
}

/* As by one that was killed in between. */
Test(channel, progress_that_is_half_written_is_not_shown)
{
    struct soon__status *status = &worker.replies->status[5];
    uint64_t done = 7, total = 7;

    for (uint64_t i = 1; i < 4; i++) {
        soon__channel_set_progress(&worker, 5, i, 10 * i);
        status->progress[(status->progress_sequence + 1) & 1].done = 99;
        cr_assert(soon__channel_progress(&parent, 5, &done, &total));
        cr_assert(done == i && total == 10 * i);
    }
}

/*
 * Replies
 */

Test(channel, replies_come_in_their_order_with_their_bodies)
{
    cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), 0);
    for (uint64_t i = 0; i < 10; i++)
        reply_done((uint32_t)i, i);

    for (uint64_t i = 0; i < 10; i++) {
        cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), 1);
        cr_assert(reply.slot == i && reply.sequence == i && number_in(&reply) == i);
        cr_assert_eq(head, i + 1);
    }
    cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), 0);
}

Test(channel, a_reply_that_was_read_is_the_readers_own)
{
    reply_done(1, 11);
    cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), 1);
    memset(worker.replies->reply, 0xff, sizeof worker.replies->reply);

    cr_assert(reply.slot == 1 && number_in(&reply) == 11);
}

/* What a longer one has left behind its first line is nobody's. */
Test(channel, a_short_reply_is_nothing_but_what_it_says)
{
    struct soon__reply longer = {
        .kind = SOON__REPLY_ITEM, .code = -EIO, .raised = 5, .count = 6, .offset = 7, .message_size = 8};

    memset(longer.bytes, 0xee, sizeof longer.bytes);
    for (uint64_t i = 0; i < SOON__REPLIES; i++)
        publish_reply(&longer);
    while (soon__channel_next_reply(&parent, &head, &reply) == 1)
        cr_assert(reply.code == -EIO && reply.raised == 5 && reply.count == 6 && reply.offset == 7 &&
                  reply.message_size == 8 && reply.bytes[47] == 0xee);
    soon__channel_ack(&parent, head);

    for (uint64_t size = 0; size <= SOON__REPLY_INLINE; size++) {
        struct soon__reply sent = {.sequence = size, .slot = 3, .kind = SOON__REPLY_DONE, .first = 2};

        sent.result_size = size;
        memset(sent.bytes, (int)size, size);
        publish_reply(&sent);
        cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), 1);
        cr_assert(reply.sequence == size && reply.slot == 3 && reply.result_size == size && reply.first == 2);
        cr_assert(!reply.flags && !reply.code && !reply.raised && !reply.count && !reply.offset &&
                  !reply.payload_size && !reply.message_size);
        for (uint64_t i = 0; i < size; i++)
            cr_assert_eq(reply.bytes[i], size);
    }
}

Test(channel, a_body_may_lie_anywhere_in_the_area)
{
    struct soon__reply sent = {.kind = SOON__REPLY_DONE, .flags = SOON__REPLY_IN_AREA, .result_size = 8};
    const uint64_t offsets[] = {0, 64, 100, SOON__REPLY_AREA - 8};

    for (size_t i = 0; i < COUNT(offsets); i++) {
        sent.offset = offsets[i];
        memcpy(worker.reply_area + sent.offset, &i, sizeof i);
        publish_reply(&sent);
        cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), 1);
        cr_assert_eq(number_in(&reply), i);
    }
}

Test(channel, the_ring_keeps_places_for_final_replies)
{
    struct soon__reply item = {.kind = SOON__REPLY_ITEMS, .count = 1};

    for (int round = 0; round < 3; round++) {
        uint64_t published = soon__channel_published_count(&worker);

        while (soon__channel_has_room(&worker))
            publish_reply(&item);
        cr_assert_eq(soon__channel_published_count(&worker) - published, SOON__REPLIES - SOON__SLOTS);
        for (uint32_t i = 0; i < SOON__SLOTS; i++)
            reply_done(i, i);
        cr_assert(!soon__channel_has_room(&worker));

        while (soon__channel_next_reply(&parent, &head, &reply) == 1)
            continue;
        cr_assert_eq(head - published, SOON__REPLIES);
        cr_assert(!soon__channel_has_room(&worker), "read, but not consumed");
        soon__channel_ack(&parent, head);
        cr_assert_eq(soon__channel_acked(&worker), head);
    }
}

/*
 * Bells
 */

Test(channel, the_bell_rings_for_who_wants_it)
{
    reply_done(0, 0);
    cr_assert(!bell_rings(0));
    cr_assert(soon__channel_want_bell(&parent, 0), "there is a reply already");
    cr_assert(!soon__channel_want_bell(&parent, 1));

    reply_done(0, 1);
    cr_assert(bell_rings(0));
    soon__bell_quiet(parent.bell);
    soon__channel_want_no_bell(&parent);
    reply_done(0, 2);
    cr_assert(!bell_rings(0));
}

Test(channel, the_bell_tells_of_claims_where_that_is_asked_for)
{
    post(0, 1, 0);
    post(1, 2, 1);
    claim(0, 1);
    cr_assert(!bell_rings(0));

    parent.replies->tell_claims = 1;
    claim(1, 2);
    cr_assert(bell_rings(0));
    soon__bell_quiet(parent.bell);
    cr_assert(!soon__channel_claim(&worker, &slot, &sequence));
    cr_assert(!bell_rings(0));
}

/*
 * Sleep
 */

static _Atomic bool awake;
static _Atomic pid_t sleeper;

static void *await_request(void *data)
{
    (void)data;
    atomic_store(&sleeper, gettid());
    while (!soon__channel_claim(&worker, &slot, &sequence) && !soon__channel_is_retired(&worker))
        soon__channel_await_request(&worker);
    atomic_store(&awake, true);
    return NULL;
}

static pthread_t start_sleeper(void *(*body)(void *))
{
    pthread_t thread;

    start_thread(&thread, body, NULL);
    return thread;
}

/* It says so before it looks once more, and only then sleeps: what comes in between wakes nobody. */
static bool is_asleep(void)
{
    char path[64], state = 0;
    FILE *file;

    if (!atomic_load(&parent.replies->asleep))
        return false;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)atomic_load(&sleeper));
    file = fopen(path, "re");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%*d %*s %c", &state), 1);
    fclose(file);
    return state == 'S';
}

Test(channel, a_worker_sleeps_until_there_is_a_request)
{
    pthread_t thread = start_sleeper(await_request);

    test_wait_until(is_asleep());
    cr_assert(!atomic_load(&awake));
    post(2, 5, 0);

    pthread_join(thread, NULL);
    cr_assert(slot == 2 && sequence == 5);
    cr_assert_eq(parent.replies->asleep, 0);
}

Test(channel, a_worker_sleeps_until_it_is_to_retire)
{
    pthread_t thread = start_sleeper(await_request);

    test_wait_until(is_asleep());
    soon__channel_retire(&parent);
    pthread_join(thread, NULL);
    cr_assert(soon__channel_is_retired(&worker));
}

Test(channel, a_worker_does_not_sleep_where_there_is_work_or_nothing_to_come)
{
    post(0, 1, 0);
    soon__channel_await_request(&worker);
    claim(0, 1);

    soon__channel_retire(&parent);
    soon__channel_await_request(&worker);
}

Test(channel, a_worker_that_may_look_around_does_not_sleep_meanwhile)
{
    int64_t sleeps_after = soon__clock_ns() + UINT32_MAX;
    pthread_t thread;
    bool asleep;

    atomic_store(&parent.requests->spin_ns, UINT32_MAX);
    thread = start_sleeper(await_request);
    for (int i = 0; i < 1000; i++) {
        asleep = atomic_load(&parent.replies->asleep);
        if (soon__clock_ns() >= sleeps_after)
            break; /* we had no CPU for that long */
        cr_assert_not(asleep);
        sched_yield();
    }
    post(2, 5, 0);
    pthread_join(thread, NULL);
}

Test(channel, a_worker_that_has_looked_around_sleeps)
{
    pthread_t thread;

    atomic_store(&parent.requests->spin_ns, 1000);
    thread = start_sleeper(await_request);
    test_wait_until(atomic_load(&parent.replies->asleep));
    post(2, 5, 0);
    pthread_join(thread, NULL);
}

static void *await_ack(void *data)
{
    cr_assert_eq(soon__channel_await_ack(&worker, 2), 3);
    return data;
}

Test(channel, a_starved_worker_sleeps_until_replies_are_consumed)
{
    pthread_t thread = start_sleeper(await_ack);

    for (uint64_t consumed = 1; consumed <= 3; consumed++) {
        test_wait_until(atomic_load(&parent.replies->starved));
        soon__channel_ack(&parent, consumed);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(parent.replies->starved, 0);
}

Test(channel, a_worker_that_is_not_starved_goes_on)
{
    soon__channel_ack(&parent, 3);
    cr_assert_eq(soon__channel_await_ack(&worker, 2), 3);
}

/* Only if the parent fills a slot again before it says that it has consumed the reply. */
static void *reply_once_more(void *data)
{
    reply_done(0, SOON__REPLIES);
    return data;
}

Test(channel, a_full_ring_is_never_written_over)
{
    pthread_t thread;

    for (uint64_t i = 0; i < SOON__REPLIES; i++)
        reply_done(0, i);
    thread = start_sleeper(reply_once_more);
    test_wait_until(atomic_load(&parent.replies->starved));
    cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), 1);
    cr_assert_eq(reply.sequence, 0);

    soon__channel_ack(&parent, head);
    pthread_join(thread, NULL);
    while (soon__channel_next_reply(&parent, &head, &reply) == 1)
        continue;
    cr_assert_eq(reply.sequence, SOON__REPLIES);
}

/*
 * Both at work
 */

enum { TASKS = 20000 };

/* Echoes each request's number, every third through the area, and some items before it. */
static void serve_one(void)
{
    uint64_t number = worker.requests->request[slot].arg_size;
    struct soon__reply answer = {.slot = slot, .sequence = sequence, .kind = SOON__REPLY_DONE, .result_size = 8};

    assert_request(slot, sequence);
    for (uint64_t i = 0; i < number % 4; i++) {
        struct soon__reply item = {
            .slot = slot, .sequence = sequence, .kind = SOON__REPLY_ITEMS, .first = i, .count = 1};

        while (!soon__channel_has_room(&worker))
            soon__channel_await_ack(&worker, soon__channel_acked(&worker));
        publish_reply(&item);
    }
    if (number % 3 == 0) {
        answer.flags = SOON__REPLY_IN_AREA;
        answer.offset = slot * 64; /* one final reply per slot is under way */
        memcpy(worker.reply_area + answer.offset, &number, sizeof number);
    } else {
        memcpy(answer.bytes, &number, sizeof number);
    }
    publish_reply(&answer);
}

static void *serve(void *data)
{
    for (;;) {
        if (soon__channel_claim(&worker, &slot, &sequence))
            serve_one();
        else if (soon__channel_is_retired(&worker))
            return data;
        else
            soon__channel_await_request(&worker);
    }
}

static uint64_t in_slot[SOON__SLOTS], items_of[SOON__SLOTS], next_sequence = 1, finished;

static void fill_slots(void)
{
    for (uint32_t i = 0; i < SOON__SLOTS && next_sequence <= TASKS; i++) {
        if (in_slot[i])
            continue;
        in_slot[i] = next_sequence++;
        items_of[i] = 0;
        post(i, in_slot[i], in_slot[i]);
    }
}

static void take_reply(void)
{
    uint64_t expected = in_slot[reply.slot];

    cr_assert(expected != 0 && reply.sequence == expected);
    if (reply.kind == SOON__REPLY_ITEMS) {
        cr_assert_eq(reply.first, items_of[reply.slot]++);
        return;
    }
    cr_assert_eq(number_in(&reply), expected);
    cr_assert_eq(items_of[reply.slot], expected % 4);
    soon__channel_ack(&parent, head);
    in_slot[reply.slot] = 0;
    finished++;
}

Test(channel, every_request_has_its_reply)
{
    pthread_t thread = start_sleeper(serve);

    while (finished < TASKS) {
        fill_slots();
        if (!soon__channel_want_bell(&parent, head)) {
            cr_assert(bell_rings(-1));
            soon__bell_quiet(parent.bell);
        }
        soon__channel_want_no_bell(&parent);
        while (soon__channel_next_reply(&parent, &head, &reply) == 1)
            take_reply();
        soon__channel_ack(&parent, head);
    }
    soon__channel_retire(&parent);
    pthread_join(thread, NULL);
    cr_assert_eq(soon__channel_next_reply(&parent, &head, &reply), 0);
}

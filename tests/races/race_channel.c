/*
 * race_channel.c - parent and worker at one replies, at the same time. Each test names what it guards; each was seen to fail
 * with that broken. Windows of a few instructions, in which two threads do not meet, are in step_channel.c.
 * That soon__channel_wake() and soon__channel_ack() ring before they look for sleepers is shown by D3 alone.
 */
#include "../support/channel_fixture.h"

enum { SIDES = 2 }; /* thread 0 is the parent, 1 the worker */

static void dawdle(unsigned *seed, unsigned most)
{
    for (volatile unsigned i = dice(seed, most); i > 0; i--)
        continue;
}

static uint32_t slot;
static uint64_t sequence;

TestSuite(race_channel, .init = make_channel, .fini = free_channel);

/*
 * Claim against take back
 */

static uint64_t numbers; /* of requests so far */
static bool claimed[SOON__SLOTS], taken[SOON__SLOTS];
static _Atomic bool begun;

static void post_everywhere(void)
{
    memset(claimed, 0, sizeof claimed);
    memset(taken, 0, sizeof taken);
    atomic_store(&begun, false);
    for (uint32_t i = 0; i < SOON__SLOTS; i++)
        post(i, ++numbers, i);
}

/* From both ends, and each while the other is at it: they meet on the way. */
static void claim_or_take_back(unsigned thread, unsigned *seed)
{
    if (thread == 0) {
        while (!atomic_load(&begun))
            sched_yield();
        for (uint32_t i = SOON__SLOTS; i-- > 0; dawdle(seed, 300))
            taken[i] = soon__channel_take_back(&parent, i, numbers - SOON__SLOTS + 1 + i);
        return;
    }
    while (soon__channel_claim(&worker, &slot, &sequence)) {
        assert_request(slot, sequence);
        claimed[slot] = true;
        atomic_store(&begun, true);
    }
}

static void each_has_one_owner(void)
{
    for (uint32_t i = 0; i < SOON__SLOTS; i++) {
        cr_assert_neq(claimed[i], taken[i]);
    }
}

/* Guards the compare-exchange in claim(): with a plain store there, both have it. */
Test(race_channel, a_request_is_claimed_or_taken_back)
{
    run_race(&(struct race){.threads = SIDES,
                            .rounds = ROUNDS(30000),
                            .before = post_everywhere,
                            .body = claim_or_take_back,
                            .after = each_has_one_owner});
}

/*
 * Claim against a slot that is used again
 */

static uint64_t first_number, last_number, done;

static void begin_numbers(void)
{
    first_number = numbers + 1;
    last_number = done = 0;
}

/* Takes back and posts the next one to the same slot, as often as that goes. */
static void reuse_or_claim(unsigned thread, unsigned *seed)
{
    (void)seed;
    if (thread == 1) {
        while (!soon__channel_claim(&worker, &slot, &sequence))
            sched_yield();
        assert_request(slot, sequence);
        done = sequence;
        return;
    }
    last_number = first_number;
    post(0, last_number, 0);
    while (last_number < first_number + 20 && soon__channel_take_back(&parent, 0, last_number)) {
        post(0, ++last_number, 0);
    }
}

static void the_last_was_claimed(void)
{
    cr_assert_eq(done, last_number);
    numbers = last_number;
}

/* Guards that claim() expects the word that was found: with the one that is there now, an old request is claimed in place of
 * the new one. */
Test(race_channel, a_claim_is_of_the_request_that_was_found)
{
    run_race(&(struct race){.threads = SIDES,
                            .rounds = ROUNDS(30000),
                            .before = begin_numbers,
                            .body = reuse_or_claim,
                            .after = the_last_was_claimed});
}

/*
 * Sleep against post
 */

enum { POSTS = 50 };

static _Atomic uint64_t served;

static void begin_serving(void)
{
    atomic_store(&parent.requests->retire, 0);
}

/* One at a time, so that each post meets a worker that is about to sleep. */
static void post_or_serve(unsigned thread, unsigned *seed)
{
    if (thread == 0) {
        for (int i = 0; i < POSTS; i++) {
            dawdle(seed, 300);
            numbers++;
            post((uint32_t)(numbers % SOON__SLOTS), numbers, numbers);
            test_wait_until(atomic_load(&served) == numbers);
        }
        soon__channel_retire(&parent);
        return;
    }
    for (;;) {
        if (soon__channel_claim(&worker, &slot, &sequence)) {
            atomic_store(&served, sequence);
            dawdle(seed, 300);
        } else if (soon__channel_is_retired(&worker)) {
            return;
        } else {
            soon__channel_await_request(&worker);
        }
    }
}

/* Guards that soon__channel_await_request() reads the bell before it looks for requests: else this hangs. */
Test(race_channel, no_post_is_slept_through)
{
    run_race(&(struct race){.threads = SIDES, .rounds = ROUNDS(2000), .before = begin_serving, .body = post_or_serve});
}

/*
 * Starve against consume
 */

enum { CONSUMED = 50 };

static _Atomic uint64_t seen, last; /* last: 0 when it is over */
static uint64_t consumed;

static void begin_starving(void)
{
    atomic_store(&seen, consumed);
    atomic_store(&last, UINT64_MAX);
}

static void consume_or_starve(unsigned thread, unsigned *seed)
{
    if (thread == 1) {
        for (uint64_t i = atomic_load(&seen); i < atomic_load(&last);) {
            i = soon__channel_await_ack(&worker, i);
            atomic_store(&seen, i);
            dawdle(seed, 300);
        }
        return;
    }
    for (uint64_t left = CONSUMED; left > 0; left--) {
        dawdle(seed, 300);
        soon__channel_ack(&parent, ++consumed);
        test_wait_until(atomic_load(&seen) == consumed);
    }
    atomic_store(&last, 0);
    soon__channel_ack(&parent, ++consumed);
}

/* Guards that soon__channel_await_ack() reads the bell before the count: else this hangs. */
Test(race_channel, no_room_is_slept_through)
{
    run_race(
        &(struct race){.threads = SIDES, .rounds = ROUNDS(2000), .before = begin_starving, .body = consume_or_starve});
}

/*
 * Reply against the wish for a bell
 */

static uint64_t head;

static void receive_one(void)
{
    struct soon__reply reply;

    while (soon__channel_next_reply(&parent, &head, &reply) == 0) {
        if (!soon__channel_want_bell(&parent, head)) {
            cr_assert(bell_rings(-1));
            soon__bell_quiet(parent.bell);
        }
        soon__channel_want_no_bell(&parent);
    }
    cr_assert_eq(number_in(&reply), head);
    soon__channel_ack(&parent, head);
}

static void listen_or_reply(unsigned thread, unsigned *seed)
{
    for (int i = 0; i < POSTS; i++) {
        race_step(SIDES);
        dawdle(seed, 50);
        if (thread == 0)
            receive_one();
        else
            reply_done(0, soon__channel_published_count(&worker) + 1);
    }
}

/* Guards the fences in soon__channel_want_bell() and soon__channel_reply(): without either this hangs. */
Test(race_channel, no_reply_is_waited_for_in_vain)
{
    run_race(&(struct race){.threads = SIDES, .rounds = ROUNDS(20000), .body = listen_or_reply});
}

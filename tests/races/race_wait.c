/*
 * race_wait.c - waits and iterations over futures that end at the same time. Each test names the line that it guards;
 * each was seen to fail with that line broken.
 */
#include "../../futures/complete_internal.h"
#include "../support/futures.h"

enum { FUTURES = 3 };

static struct halves all[FUTURES];
static soon_future *futures[FUTURES];

static void make_all(void)
{
    for (int i = 0; i < FUTURES; i++) {
        all[i] = pending();
        futures[i] = all[i].future;
    }
}

static void release_all(void)
{
    for (int i = 0; i < FUTURES; i++)
        release(all[i]);
}

static void complete(unsigned which, unsigned *seed)
{
    switch (dice(seed, 3)) {
    case 0:
        set_int(all[which].promise, (int)which);
        break;
    case 1:
        cr_assert(soon_future_cancel(futures[which]));
        break;
    default:
        cr_assert_eq(soon_promise_set_exception(all[which].promise, EDOM, NULL), 0);
    }
}

/*
 * A note that is taken back while the future is completed.
 */

struct probe {
    struct soon__waiter waiter; /* first */
    _Atomic int notified;
};

static void notify(struct soon__waiter *waiter, soon_future *future)
{
    struct probe *probe = (struct probe *)waiter;

    (void)future;
    cr_assert_eq(probe->notified++, 0, "it is told once");
}

static void leave_and_take_back(unsigned thread, unsigned *seed)
{
    if (thread == 0) {
        complete(0, seed);
        return;
    }
    for (unsigned i = dice(seed, 10); i > 0; i--) {
        struct probe *probe = calloc(1, sizeof *probe);

        probe->waiter.notify = notify;
        if (soon__future_add_waiter(futures[0], &probe->waiter))
            soon__future_remove_waiter(futures[0], &probe->waiter);
        probe->notified = 100; /* whoever tells it now is too late */
        free(probe);
    }
}

/* Guards LOCK in soon__future_remove_waiter(), and that waiters are told under LOCK in
 * soon__future_publish_quietly(). */
Test(race_wait, nobody_touches_a_note_that_was_taken_back)
{
    run_race(&(struct race){
        .threads = 4, .rounds = ROUNDS(20000), .before = make_all, .body = leave_and_take_back, .after = release_all});
}

/*
 * soon_wait()
 */

static void wait_or_complete(unsigned thread, unsigned *seed)
{
    static const soon_when modes[] = {SOON_ALL_COMPLETED, SOON_FIRST_COMPLETED, SOON_FIRST_EXCEPTION};
    bool done[FUTURES];
    soon_when mode;
    int64_t count;
    int seen = 0;

    if (thread < FUTURES) {
        complete(thread, seed);
        return;
    }
    mode = modes[dice(seed, 3)];
    count = soon_wait(futures, FUTURES, mode, SOON_FOREVER, done);
    for (int i = 0; i < FUTURES; i++) {
        seen += done[i];
        cr_assert(!done[i] || soon_future_done(futures[i]));
    }
    cr_assert_eq(count, seen);
    cr_assert_geq(count, mode == SOON_ALL_COMPLETED ? FUTURES : 1);
    for (int i = 0; mode == SOON_FIRST_EXCEPTION && count < FUTURES; i++) {
        cr_assert_lt(i, FUTURES, "one has failed");
        if (done[i] && soon_future_error(futures[i])->code == SOON_ERAISED)
            break;
    }
}

/* Guards `sleeps_for` in as_completed.c, of which one sleeps for the last: without it this hangs. */
Test(race_wait, every_mode_ends_when_it_should)
{
    run_race(&(struct race){.threads = FUTURES + 2,
                            .rounds = ROUNDS(10000),
                            .before = make_all,
                            .body = wait_or_complete,
                            .after = release_all});
}

static void wait_or_fail_one(unsigned thread, unsigned *seed)
{
    if (thread == 0) {
        cr_assert_geq(soon_wait(futures, FUTURES, SOON_FIRST_EXCEPTION, SOON_FOREVER, NULL), 1);
        return;
    }
    test_wait_until(has_waiter(futures[0]) && has_waiter(futures[FUTURES - 1])); /* soon it sleeps */
    for (volatile unsigned delay = dice(seed, 100000); delay > 0; delay--)
        continue;
    cr_assert_eq(soon_promise_set_exception(all[dice(seed, FUTURES)].promise, EDOM, NULL), 0);
}

/* Guards that a failure ends a sleep for more than one in as_completed.c: without it this hangs. */
Test(race_wait, a_failure_is_enough_though_the_others_go_on)
{
    run_race(&(struct race){
        .threads = 2, .rounds = ROUNDS(2000), .before = make_all, .body = wait_or_fail_one, .after = release_all});
}

/*
 * soon_as_completed
 */

static soon_as_completed *set;

static void make_set(void)
{
    make_all();
    cr_assert_eq(soon_as_completed_new(&set, futures, FUTURES, SOON_FOREVER), 0);
}

static void free_or_complete(unsigned thread, unsigned *seed)
{
    soon_future *given;

    if (thread > 0) {
        complete(thread - 1, seed);
        return;
    }
    for (unsigned i = dice(seed, FUTURES); i > 0; i--) {
        cr_assert_eq(soon_as_completed_next(set, &given), 0);
        soon_future_unref(given);
    }
    soon_as_completed_free(set);
}

/* Guards the removal of the waiters in soon_as_completed_free(): nobody may tell a set that is gone. */
Test(race_wait, a_set_may_be_freed_while_its_futures_end)
{
    run_race(&(struct race){.threads = FUTURES + 1,
                            .rounds = ROUNDS(20000),
                            .before = make_set,
                            .body = free_or_complete,
                            .after = release_all});
}

static _Atomic int stages; /* adders that are through */

static void make_empty_set(void)
{
    make_all();
    stages = 0;
    cr_assert_eq(soon_as_completed_new(&set, NULL, 0, SOON_FOREVER), 0);
}

static void iterate(void)
{
    bool seen[FUTURES] = {false};
    soon_future *given;
    int rc;

    for (int count = 0; count < FUTURES;) {
        rc = soon_as_completed_next(set, &given);
        if (rc == SOON_EEND) {
            sched_yield(); /* the adders have not come yet */
            continue;
        }
        cr_assert_eq(rc, 0);
        cr_assert(soon_future_done(given));
        for (int i = 0; i < FUTURES; i++) {
            cr_assert(given != futures[i] || !seen[i], "each one once");
            seen[i] |= given == futures[i];
        }
        soon_future_unref(given);
        count++;
    }
    test_wait_until(stages == 2);
    cr_assert_eq(soon_as_completed_next(set, &given), SOON_EEND);
    cr_assert_eq(soon_as_completed_left(set, NULL), 0);
    soon_as_completed_free(set);
}

/* Two threads add: one from each end, so that what one adds again may be there, may be done, but is not given yet: the
 * futures end only after both are through. */
static void grow_and_complete(unsigned thread, unsigned *seed)
{
    if (thread == 0) {
        iterate();
        return;
    }
    if (thread <= 2) {
        for (int i = 0; i < FUTURES; i++)
            cr_assert_eq(soon_as_completed_add(set, futures[thread == 1 ? i : FUTURES - 1 - i]), 0);
        stages++;
        return;
    }
    test_wait_until(stages == 2);
    complete(thread - 3, seed);
}

/* Guards the mutex in notify() and in soon_as_completed_add(), as_completed.c. */
Test(race_wait, a_set_that_grows_gives_each_one_once)
{
    run_race(&(struct race){.threads = 3 + FUTURES,
                            .rounds = ROUNDS(5000),
                            .before = make_empty_set,
                            .body = grow_and_complete,
                            .after = release_all});
}

static void add_meanwhile(unsigned thread, unsigned *seed)
{
    if (thread == 0) {
        iterate();
    } else if (thread == 1) {
        for (int i = 0; i < FUTURES; i++)
            cr_assert_eq(soon_as_completed_give(set, soon_future_ref(futures[i])), 0);
        stages = 2;
    } else {
        complete(thread - 2, seed);
    }
}

/* Guards that soon_as_completed_add() tells of one that is done already: without that this hangs. */
Test(race_wait, what_ends_while_it_is_added_is_given)
{
    run_race(&(struct race){.threads = 2 + FUTURES,
                            .rounds = ROUNDS(10000),
                            .before = make_empty_set,
                            .body = add_meanwhile,
                            .after = release_all});
}

/* One future after the other, each completed as the iterator goes to sleep. */

static struct halves batch[BATCH];

static void make_batch(void)
{
    cr_assert_eq(soon_as_completed_new(&set, NULL, 0, SOON_FOREVER), 0);
    for (int i = 0; i < BATCH; i++) {
        batch[i] = pending();
        cr_assert_eq(soon_as_completed_add(set, batch[i].future), 0);
    }
}

static void sleep_or_complete(unsigned thread, unsigned *seed)
{
    soon_future *given;

    for (int i = 0; i < BATCH; i++) {
        race_step(2);
        if (thread == 0) {
            cr_assert_eq(soon_as_completed_next(set, &given), 0);
            cr_assert_eq(given, batch[i].future);
            soon_future_unref(given);
        } else {
            for (volatile unsigned delay = dice(seed, 500); delay > 0; delay--)
                continue;
            set_int(batch[i].promise, i);
        }
    }
}

static void release_batch(void)
{
    for (int i = 0; i < BATCH; i++)
        release(batch[i]);
    soon_as_completed_free(set);
}

/* Guards `sleeps_for` in sleep_locked(): without it this hangs. */
Test(race_wait, what_ends_as_the_iterator_goes_to_sleep_wakes_it)
{
    run_race(&(struct race){
        .threads = 2, .rounds = ROUNDS(5000), .before = make_batch, .body = sleep_or_complete, .after = release_batch});
}

static void make_done_ones(void)
{
    make_empty_set();
    for (int i = 0; i < FUTURES; i++)
        set_int(all[i].promise, i);
}

/* One thread gives out, the others add what may be given out at the same moment: it counts as there, or is given again. */
static void add_and_give_out(unsigned thread, unsigned *seed)
{
    size_t given = 0, total;
    soon_future *future;
    int rc;

    if (thread > 0) {
        for (int i = 0; i < 50; i++)
            cr_assert_eq(soon_as_completed_add(set, futures[dice(seed, FUTURES)]), 0);
        stages++;
        return;
    }
    for (bool last = false; !last;) {
        last = stages == 2;
        while ((rc = soon_as_completed_next(set, &future)) == 0) {
            cr_assert(future == futures[0] || future == futures[1] || future == futures[2]);
            soon_future_unref(future);
            given++;
        }
        cr_assert_eq(rc, SOON_EEND);
        sched_yield();
    }
    cr_assert_eq(soon_as_completed_left(set, &total), 0);
    cr_assert_eq(given, total);
    soon_as_completed_free(set);
}

/* Guards the end of a membership in soon_as_completed_next(), which is out of the mutex, and what becomes of its node. */
Test(race_wait, what_is_added_while_it_is_given_out_counts_as_often_as_it_is_given)
{
    run_race(&(struct race){.threads = 3,
                            .rounds = ROUNDS(5000),
                            .before = make_done_ones,
                            .body = add_and_give_out,
                            .after = release_all});
}

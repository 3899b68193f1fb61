/*
 * race_future.c - many threads on one future. Each test names the line that it guards; each was seen to fail with that
 * line broken.
 */
#include "../../futures/aside_internal.h"
#include "../../futures/await_internal.h"
#include "../../futures/complete_internal.h"
#include "../support/futures.h"

#define THREADS 4
static struct halves both;

static void make_pending(void)
{
    both = pending();
}

static void release_both(void)
{
    release(both);
}

/*
 * Who ends it: a result, an exception, the maker's or a reader's cancel.
 */

static int answers[THREADS], seen_codes[2];
static unsigned round_number;

static void make_pending_or_running(void)
{
    both = round_number++ % 2 ? pending() : running();
    memset(answers, 0, sizeof answers);
}

/* Until it is done; then all that can be seen must agree, and with what others see. */
static int watch(soon_future *future)
{
    soon_bytes bytes = {NULL, 0};
    int code;

    while ((code = soon_future_result(future, 0, &bytes)) == -ETIMEDOUT)
        cr_assert_not(soon_future_succeeded(future) && code == 0);
    cr_assert(soon_future_done(future));
    cr_assert_eq(soon_future_error(future)->code, code);
    cr_assert_eq(soon_future_cancelled(future), code == -ECANCELED);
    cr_assert_eq(soon_future_succeeded(future), code == 0);
    if (code == 0)
        cr_assert_eq(*(const int *)bytes.data, 7);
    return code;
}

static void end_it(unsigned thread, unsigned *seed)
{
    (void)seed;
    switch (thread) {
    case 0:
        answers[0] = soon_promise_set_result(both.promise, &(int){7}, sizeof(int));
        break;
    case 1:
        answers[1] = soon_promise_set_exception(both.promise, EDOM, "of thread %u", thread);
        break;
    case 2:
        answers[2] = soon_promise_set_cancelled(both.promise);
        break;
    case 3:
        answers[3] = soon_future_cancel(both.future);
        break;
    default:
        seen_codes[thread - THREADS] = watch(both.future);
    }
    cr_assert(soon_future_done(both.future) || thread == 3, "who is too late can see that");
}

static void assert_one_winner(void)
{
    static const int codes[] = {0, SOON_ERAISED, -ECANCELED};
    int winners = 0, expected = -ECANCELED;

    for (int i = 0; i < 3; i++) {
        cr_assert(answers[i] == 0 || answers[i] == SOON_EINVALIDSTATE);
        if (answers[i] == 0) {
            winners++;
            expected = codes[i];
        }
    }
    cr_assert_leq(winners, 1);
    cr_assert(winners == 1 || answers[3], "somebody has won");
    cr_assert(answers[3] == 0 || expected == -ECANCELED);
    cr_assert_eq(watch(both.future), expected);
    cr_assert_eq(seen_codes[0], expected);
    cr_assert_eq(seen_codes[1], expected);
    release_both();
}

/* CPython: test_get_snapshot. Guards the compare-exchange of move() behind soon__future_claim(), and that the
 * outcome is written before it is published. */
Test(race_future, one_of_many_ends_it_and_all_see_the_same)
{
    run_race(&(struct race){.threads = THREADS + 2,
                            .rounds = ROUNDS(5000),
                            .before = make_pending_or_running,
                            .body = end_it,
                            .after = assert_one_winner});
}

/*
 * A cancel against another, and against the start.
 */

static struct halves batch[BATCH];
static bool cancels[2][BATCH];
static int starts[BATCH];

static void make_batch(void)
{
    for (int i = 0; i < BATCH; i++)
        batch[i] = pending();
}

static void release_batch(void)
{
    for (int i = 0; i < BATCH; i++)
        release(batch[i]);
}

static void cancel(unsigned thread, unsigned *seed)
{
    (void)seed;
    for (int i = 0; i < BATCH; i++) {
        race_step(2);
        cancels[thread][i] = soon_future_cancel(batch[i].future);
        cr_assert(soon_future_cancelled(batch[i].future));
    }
}

static void assert_cancelled_for_both(void)
{
    for (int i = 0; i < BATCH; i++)
        cr_assert(cancels[0][i] && cancels[1][i]);
    release_batch();
}

/* Guards soon__future_stable_word() in cancel_one(). */
Test(race_future, is_cancelled_for_both_who_cancel)
{
    run_race(&(struct race){.threads = 2,
                            .rounds = ROUNDS(10000),
                            .before = make_batch,
                            .body = cancel,
                            .after = assert_cancelled_for_both});
}

static void start_or_cancel(unsigned thread, unsigned *seed)
{
    (void)seed;
    for (int i = 0; i < BATCH; i++) {
        race_step(2);
        if (thread == 0)
            starts[i] = soon_promise_set_running(batch[i].promise);
        else
            cancels[1][i] = soon_future_cancel(batch[i].future);
    }
}

static void assert_started_or_cancelled(void)
{
    for (int i = 0; i < BATCH; i++) {
        cr_assert_eq(starts[i], cancels[1][i] ? -ECANCELED : 0);
        cr_assert_eq(soon_future_state(batch[i].future), cancels[1][i] ? SOON_CANCELLED : SOON_RUNNING);
        cr_assert(soon_promise_cancel_requested(batch[i].promise), "either way the maker can see it");
    }
    release_batch();
}

/* Guards the compare-exchange of move() behind soon__future_start(), and soon__future_stable_word() in
 * soon_promise_set_running(). */
Test(race_future, a_cancelled_one_never_begins)
{
    run_race(&(struct race){.threads = 2,
                            .rounds = ROUNDS(10000),
                            .before = make_batch,
                            .body = start_or_cancel,
                            .after = assert_started_or_cancelled});
}

/*
 * Sleepers
 */

static void never(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

static void sleep_or_wake(unsigned thread, unsigned *seed)
{
    switch (thread) {
    case 0:
        set_int(both.promise, 5);
        break;
    case 1:
        /* Makes the completion take LOCK, and the sleeper's word change under it. */
        if (dice(seed, 2))
            cr_assert_eq(soon_future_add_done_callback(both.future, never, NULL), 0);
        soon_promise_set_progress(both.promise, 1, 2);
        break;
    default:
        cr_assert_eq(int_of(both.future), 5);
    }
}

/* Guards the unpark for PARKED in soon__future_publish_quietly(), on both of its ways: without it this hangs. */
Test(race_future, no_sleeper_is_forgotten)
{
    run_race(&(struct race){
        .threads = 4, .rounds = ROUNDS(20000), .before = make_pending, .body = sleep_or_wake, .after = release_both});
}

/* A thread that waits for LOCK and one that waits for the end sleep on the same word. */

static void crowd_the_lock(unsigned thread, unsigned *seed)
{
    if (thread == 0) {
        for (unsigned i = dice(seed, 200); i > 0; i--)
            soon_promise_set_progress(both.promise, i, i);
        set_int(both.promise, 5);
    } else if (thread == 1) {
        cr_assert_eq(int_of(both.future), 5);
    } else {
        while (!soon_future_done(both.future))
            (void)soon_future_progress(both.future);
    }
}

/* Guards the unpark for LOCK_WANTED in soon__future_unlock(): without it this hangs. */
Test(race_future, nobody_waits_for_the_lock_for_ever)
{
    run_race(&(struct race){
        .threads = 8, .rounds = ROUNDS(500), .before = make_pending, .body = crowd_the_lock, .after = release_both});
}

static int64_t about_to_be_over;

static void make_pending_for_a_moment(void)
{
    make_pending();
    about_to_be_over = soon__clock_ns() + 1000000;
}

static void time_out_or_complete(unsigned thread, unsigned *seed)
{
    int64_t when = about_to_be_over - 20000 + dice(seed, 100000);
    int rc;

    if (thread > 0) {
        rc = thread == 1 ? soon_future_wait(both.future, 1)
                         : (soon_wait(&both.future, 1, SOON_FIRST_COMPLETED, 1, NULL) == 1 ? 0 : -ETIMEDOUT);
        cr_assert(rc == 0 || rc == -ETIMEDOUT);
        cr_assert(rc == -ETIMEDOUT || soon_future_done(both.future));
        cr_assert_eq(int_of(both.future), 5);
        return;
    }
    test_wait_until(soon__clock_ns() >= when);
    set_int(both.promise, 5);
}

/* Guards LOCK in soon__future_remove_waiter(): the waiter's memory goes when it returns. */
Test(race_future, a_wait_may_end_at_the_very_moment_of_completion)
{
    run_race(&(struct race){.threads = 3,
                            .rounds = ROUNDS(2000),
                            .before = make_pending_for_a_moment,
                            .body = time_out_or_complete,
                            .after = release_both});
}

/*
 * Progress
 */

static void write_or_read_progress(unsigned thread, unsigned *seed)
{
    for (unsigned i = 0; i < 100; i++) {
        uint64_t done = dice(seed, 1000);
        soon_progress progress;

        if (thread < 2) {
            soon_promise_set_progress(both.promise, done, 3 * done);
        } else {
            progress = soon_future_progress(both.future);
            cr_assert_eq(progress.total, 3 * progress.done);
        }
    }
    if (thread == 0)
        set_int(both.promise, 5); /* what comes later is ignored */
}

/* Guards LOCK in soon__future_set_progress() and soon_future_progress(). */
Test(race_future, progress_is_never_torn)
{
    run_race(&(struct race){.threads = 4,
                            .rounds = ROUNDS(2000),
                            .before = make_pending,
                            .body = write_or_read_progress,
                            .after = release_both});
}

/*
 * References
 */

static void make_with_references(void)
{
    assert_alive(0); /* the last round's */
    make_pending();
    for (int i = 1; i < THREADS; i++)
        soon_future_ref(both.future);
}

static void use_and_give_up(unsigned thread, unsigned *seed)
{
    if (thread == THREADS) {
        soon_promise_free(both.promise);
        return;
    }
    for (unsigned i = dice(seed, 50); i > 0; i--)
        soon_future_unref(soon_future_ref(both.future));
    (void)soon_future_error(both.future);
    soon_future_unref(both.future);
}

/* Guards the atomic counts and the acquire-release order of the unrefs in future.c. */
Test(race_future, the_last_reference_frees_it_whosever_it_is)
{
    run_race(&(struct race){
        .threads = THREADS + 1, .rounds = ROUNDS(20000), .before = make_with_references, .body = use_and_give_up});
}

/*
 * All at once
 */

static _Atomic int added, called_or_removed;

static void count_call(soon_future *future, void *data)
{
    (void)data;
    cr_assert(soon_future_done(future));
    called_or_removed++;
}

static void iterate_once(void)
{
    soon_as_completed *set;
    soon_future *given;

    cr_assert_eq(soon_as_completed_new(&set, &both.future, 1, 0), 0);
    if (soon_as_completed_next(set, &given) == 0)
        soon_future_unref(given);
    soon_as_completed_free(set);
}

static void do_anything(unsigned *seed)
{
    soon_progress progress;
    soon_future *gathered;

    switch (dice(seed, 10)) {
    case 0:
        added++;
        cr_assert_eq(soon_future_add_done_callback(both.future, count_call, NULL), 0);
        break;
    case 1:
        called_or_removed += soon_future_remove_done_callback(both.future, count_call, NULL);
        break;
    case 2:
        soon_promise_set_progress(both.promise, 4, 12);
        break;
    case 3:
        progress = soon_future_progress(both.future);
        cr_assert_eq(progress.total, 3 * progress.done);
        break;
    case 4:
        (void)soon_wait(&both.future, 1, SOON_FIRST_COMPLETED, 0, NULL);
        break;
    case 5:
        iterate_once();
        break;
    case 6:
        gathered = soon_gather(&both.future, 1);
        (void)soon_future_done(gathered);
        soon_future_unref(gathered);
        break;
    case 7:
        (void)soon_future_error(both.future)->message;
        break;
    case 8:
        soon_future_unref(soon_future_ref(both.future));
        break;
    default:
        (void)soon_future_state(both.future);
    }
}

static void be_busy(unsigned thread, unsigned *seed)
{
    for (unsigned i = 0; i < 20; i++)
        do_anything(seed);
    if (thread == 0)
        (void)soon_promise_set_result(both.promise, NULL, 0);
    else if (thread == 1)
        (void)soon_future_cancel(both.future);
    cr_assert_eq(soon_future_wait(both.future, SOON_FOREVER), 0);
}

static void assert_each_called_or_removed(void)
{
    cr_assert_eq(added, called_or_removed);
    release_both();
}

Test(race_future, may_be_used_by_all_in_all_ways)
{
    run_race(&(struct race){.threads = 4,
                            .rounds = ROUNDS(20000),
                            .before = make_pending,
                            .body = be_busy,
                            .after = assert_each_called_or_removed});
}

/*
 * race_callback.c - callbacks that are added, removed and run at the same time. Each test names the line that it
 * guards; each was seen to fail with that line broken.
 */
#include "../../futures/callback_internal.h"
#include "../support/futures.h"

enum { THREADS = 4 };

static struct halves batch[BATCH];
static _Atomic int calls[THREADS][BATCH];
static bool removed[THREADS][BATCH];

static void make_batch(void)
{
    for (int i = 0; i < BATCH; i++)
        batch[i] = pending();
    memset(calls, 0, sizeof calls);
    memset(removed, 0, sizeof removed);
}

static void release_batch(void)
{
    for (int i = 0; i < BATCH; i++)
        release(batch[i]);
}

static void count(soon_future *future, void *data)
{
    _Atomic int *counter = data;

    cr_assert(soon_future_done(future));
    atomic_fetch_add(counter, 1);
}

static void add(unsigned thread, unsigned i)
{
    cr_assert_eq(soon_future_add_done_callback(batch[i].future, count, &calls[thread][i]), 0);
}

/*
 * Adding
 */

static void add_or_complete(unsigned thread, unsigned *seed)
{
    (void)seed;
    for (unsigned i = 0; i < BATCH; i++) {
        if (thread == 0)
            set_int(batch[i].promise, 5);
        else
            add(thread, i);
    }
}

static unsigned adders; /* threads 1 and up */

static void assert_called_once(void)
{
    for (unsigned thread = 1; thread <= adders; thread++) {
        for (unsigned i = 0; i < BATCH; i++)
            cr_assert_eq(calls[thread][i], 1, "%u of thread %u", i, thread);
    }
    release_batch();
}

/* Guards the look at LOCK and LISTS in store_final(), and the second look in soon__future_add_callback(): a
 * completion that overlooks a registration loses its callback. */
Test(race_callback, one_added_meanwhile_runs_once)
{
    for (adders = 1; adders < THREADS; adders++)
        run_race(&(struct race){.threads = adders + 1,
                                .rounds = ROUNDS(10000),
                                .before = make_batch,
                                .body = add_or_complete,
                                .after = assert_called_once});
}

/*
 * Removing: it runs, once, or it was removed.
 */

static void add_all(void)
{
    make_batch();
    for (unsigned i = 0; i < BATCH; i++) {
        for (unsigned thread = 1; thread <= adders; thread++)
            add(thread, i);
    }
}

static void remove_or_complete(unsigned thread, unsigned *seed)
{
    (void)seed;
    for (unsigned i = 0; i < BATCH; i++) {
        if (thread == 0) {
            set_int(batch[i].promise, 5);
            continue;
        }
        removed[thread][i] = soon_future_remove_done_callback(batch[i].future, count, &calls[thread][i]);
        if (removed[thread][i])
            cr_assert_eq(calls[thread][i], 0);
    }
}

static void assert_called_or_removed(void)
{
    for (unsigned thread = 1; thread <= adders; thread++) {
        for (unsigned i = 0; i < BATCH; i++)
            cr_assert_eq(calls[thread][i], !removed[thread][i], "%u of thread %u", i, thread);
    }
    release_batch();
}

/* Guards LOCK around the search in soon_future_remove_done_callback() and around take_callback(). */
Test(race_callback, one_is_called_or_removed_and_never_both)
{
    for (adders = 1; adders < THREADS; adders++)
        run_race(&(struct race){.threads = adders + 1,
                                .rounds = ROUNDS(10000),
                                .before = add_all,
                                .body = remove_or_complete,
                                .after = assert_called_or_removed});
}

/* Several threads remove the same: one of them has it. */
static _Atomic int removals[BATCH];

static void add_one_each(void)
{
    make_batch();
    for (unsigned i = 0; i < BATCH; i++) {
        add(1, i);
        removals[i] = 0;
    }
}

static void remove_the_same_or_complete(unsigned thread, unsigned *seed)
{
    bool complete = thread == 0 && dice(seed, 2);

    for (unsigned i = 0; i < BATCH; i++) {
        if (complete)
            set_int(batch[i].promise, 5);
        else if (soon_future_remove_done_callback(batch[i].future, count, &calls[1][i]))
            removals[i]++;
    }
}

static void assert_removed_or_called_once(void)
{
    for (unsigned i = 0; i < BATCH; i++)
        cr_assert_eq(removals[i] + calls[1][i], 1);
    release_batch();
}

Test(race_callback, one_is_removed_by_one)
{
    run_race(&(struct race){.threads = 3,
                            .rounds = ROUNDS(20000),
                            .before = add_one_each,
                            .body = remove_the_same_or_complete,
                            .after = assert_removed_or_called_once});
}

/*
 * What a callback was lent may go once it was removed.
 */

struct note {
    _Atomic int uses;
};

static void use(soon_future *future, void *data)
{
    struct note *note = data;

    (void)future;
    note->uses++;
    free(note);
}

static void lend_and_take_back(unsigned thread, unsigned *seed)
{
    for (unsigned i = 0; i < BATCH; i++) {
        struct note *note;

        if (thread == 0) {
            set_int(batch[i].promise, 5);
            continue;
        }
        for (unsigned times = dice(seed, 3); times > 0; times--) {
            note = calloc(1, sizeof *note);
            cr_assert_eq(soon_future_add_done_callback(batch[i].future, use, note), 0);
            if (soon_future_remove_done_callback(batch[i].future, use, note)) {
                cr_assert_eq(note->uses, 0);
                free(note);
            } /* else it has freed itself, or is about to */
        }
    }
}

Test(race_callback, what_it_was_lent_may_go_once_it_is_removed)
{
    run_race(&(struct race){.threads = 3,
                            .rounds = ROUNDS(20000),
                            .before = make_batch,
                            .body = lend_and_take_back,
                            .after = release_batch});
}

/*
 * Callbacks that complete others, on several threads at once, in a ring.
 */

enum { RING = 16 };
static struct halves ring[RING];
static _Atomic int ring_calls;

static void complete_next(soon_future *future, void *data)
{
    (void)future;
    ring_calls++;
    (void)soon_promise_set_result(data, NULL, 0);
}

static void make_ring(void)
{
    ring_calls = 0;
    for (int i = 0; i < RING; i++)
        ring[i] = pending();
    for (int i = 0; i < RING; i++) {
        cr_assert_eq(soon_future_add_done_callback(ring[i].future, complete_next, ring[(i + 1) % RING].promise), 0);
        cr_assert_eq(soon_future_add_done_callback(ring[i].future, complete_next, ring[(i + 5) % RING].promise), 0);
    }
}

static void complete_somewhere(unsigned thread, unsigned *seed)
{
    (void)thread;
    (void)soon_promise_set_result(ring[dice(seed, RING)].promise, NULL, 0);
}

static void assert_ring_complete(void)
{
    cr_assert_eq(ring_calls, 2 * RING);
    for (int i = 0; i < RING; i++) {
        cr_assert(soon_future_done(ring[i].future));
        release(ring[i]);
    }
}

Test(race_callback, chains_that_meet_run_each_one_once)
{
    run_race(&(struct race){.threads = THREADS,
                            .rounds = ROUNDS(5000),
                            .before = make_ring,
                            .body = complete_somewhere,
                            .after = assert_ring_complete});
}

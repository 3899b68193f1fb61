/*
 * race_callback.c - callbacks that are added, removed and run at the same time. Each test names the line that it guards;
 * each was seen to fail with that line broken.
 */
#include "support_futures.h"

enum { THREADS = 4, EACH = 8 };

static struct halves both;
static _Atomic int calls[THREADS][EACH];
static bool removed[THREADS][EACH];

static void make_pending(void)
{
    both = pending();
    memset(calls, 0, sizeof calls);
    memset(removed, 0, sizeof removed);
}

static void count(soon_future *future, void *data)
{
    _Atomic int *counter = data;

    cr_assert(soon_future_done(future));
    atomic_fetch_add(counter, 1);
}

static void add(unsigned thread, unsigned number)
{
    cr_assert_eq(soon_future_add_done_callback(both.future, count, &calls[thread][number]), 0);
}

/*
 * Adding
 */

static void add_or_complete(unsigned thread, unsigned *seed)
{
    (void)seed;
    if (thread == 0)
        set_int(both.promise, 5);
    for (unsigned i = 0; thread > 0 && i < EACH; i++)
        add(thread, i);
}

static void assert_called_once(void)
{
    for (unsigned thread = 1; thread < THREADS; thread++) {
        for (unsigned i = 0; i < EACH; i++)
            cr_assert_eq(calls[thread][i], 1, "%u of thread %u", i, thread);
    }
    release(both);
}

/* Guards the look at LOCK and LISTS in store_final(): a completion that overlooks a registration loses its callback. */
Test(race_callback, one_added_meanwhile_runs_once)
{
    run_race(&(struct race){.threads = THREADS,
                            .rounds = ROUNDS(20000),
                            .before = make_pending,
                            .body = add_or_complete,
                            .after = assert_called_once});
}

/*
 * Removing: it runs, once, or it was removed.
 */

static void add_all(void)
{
    make_pending();
    for (unsigned i = 0; i < EACH; i++) {
        for (unsigned thread = 1; thread < THREADS; thread++)
            add(thread, i);
    }
}

static void remove_or_complete(unsigned thread, unsigned *seed)
{
    (void)seed;
    if (thread == 0)
        set_int(both.promise, 5);
    for (unsigned i = EACH; thread > 0 && i-- > 0;) {
        removed[thread][i] = soon_future_remove_done_callback(both.future, count, &calls[thread][i]);
        if (removed[thread][i])
            cr_assert_eq(calls[thread][i], 0);
    }
}

static void assert_called_or_removed(void)
{
    for (unsigned thread = 1; thread < THREADS; thread++) {
        for (unsigned i = 0; i < EACH; i++)
            cr_assert_eq(calls[thread][i], !removed[thread][i], "%u of thread %u", i, thread);
    }
    release(both);
}

/* Guards LOCK around the search in soon_future_remove_done_callback() and around take_callback(). */
Test(race_callback, one_is_called_or_removed_and_never_both)
{
    run_race(&(struct race){.threads = THREADS,
                            .rounds = ROUNDS(20000),
                            .before = add_all,
                            .body = remove_or_complete,
                            .after = assert_called_or_removed});
}

/* Two threads remove the same: one of them has it. */
static _Atomic int removals;

static void add_one(void)
{
    make_pending();
    add(1, 0);
    removals = 0;
}

static void remove_the_same_or_complete(unsigned thread, unsigned *seed)
{
    if (thread == 0 && dice(seed, 2))
        set_int(both.promise, 5);
    else if (thread > 0 && soon_future_remove_done_callback(both.future, count, &calls[1][0]))
        removals++;
}

static void assert_at_most_one(void)
{
    (void)soon_promise_set_result(both.promise, NULL, 0);
    cr_assert_eq(removals + calls[1][0], 1);
    release(both);
}

Test(race_callback, one_is_removed_by_one)
{
    run_race(&(struct race){.threads = THREADS,
                            .rounds = ROUNDS(20000),
                            .before = add_one,
                            .body = remove_the_same_or_complete,
                            .after = assert_at_most_one});
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
    if (thread == 0) {
        set_int(both.promise, 5);
        return;
    }
    for (unsigned i = dice(seed, EACH); i > 0; i--) {
        struct note *note = calloc(1, sizeof *note);

        cr_assert_eq(soon_future_add_done_callback(both.future, use, note), 0);
        if (soon_future_remove_done_callback(both.future, use, note)) {
            cr_assert_eq(note->uses, 0);
            free(note);
        } /* else it has freed itself, or is about to */
    }
}

static void release_both(void)
{
    release(both);
}

Test(race_callback, what_it_was_lent_may_go_once_it_is_removed)
{
    run_race(&(struct race){.threads = THREADS,
                            .rounds = ROUNDS(20000),
                            .before = make_pending,
                            .body = lend_and_take_back,
                            .after = release_both});
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

/*
 * race_map.c - the map family where two threads meet: cancel against start, an item's end against who waits for it, the
 * end of the time against the end of the work, free against completion.
 */
#include "../support/executors.h"

#include <string.h>

TestSuite(race_map);

enum { ROUNDS = 20000, ITEMS = 8 };

static _Atomic int runs;

SOON_TASK(count_run, int, int)
{
    runs++;
    *result = *arg + 1;
    return 0;
}

/* Another thread that does `act` once in each round, a little later in each. */
struct rival {
    pthread_t thread;
    pthread_barrier_t barrier;
    void (*act)(struct rival *rival);
    soon_future *map;
    int round, answer;
};

static void *rival_main(void *data)
{
    struct rival *rival = data;

    for (int i = 0; i < test_rounds(ROUNDS); i++) {
        pthread_barrier_wait(&rival->barrier);
        for (volatile int delay = i % 500; delay > 0;)
            delay = delay - 1;
        rival->act(rival);
        pthread_barrier_wait(&rival->barrier);
    }
    return NULL;
}

static void start_rival(struct rival *rival, void (*act)(struct rival *rival))
{
    *rival = (struct rival){.act = act};
    pthread_barrier_init(&rival->barrier, NULL, 2);
    pthread_create(&rival->thread, NULL, rival_main, rival);
}

static void meet(struct rival *rival)
{
    pthread_barrier_wait(&rival->barrier);
}

static void stop_rival(struct rival *rival)
{
    pthread_join(rival->thread, NULL);
    pthread_barrier_destroy(&rival->barrier);
}

static bool is_quiet(soon_executor *executor)
{
    soon_stats stats;

    soon_executor_stats(executor, &stats);
    return stats.pending == 0 && stats.running == 0;
}

static void cancel(struct rival *rival)
{
    rival->answer = soon_future_cancel(rival->map);
}

/* Mutant: wanted() in map_chunk.c without map_has_started(). */
Test(race_map, cancel_wins_only_if_nothing_has_started)
{
    soon_executor *executor = make_threads(2);
    int args[ITEMS] = {0};
    struct rival rival;

    start_rival(&rival, cancel);
    for (int i = 0; i < test_rounds(ROUNDS); i++) {
        size_t done, failed, failed_later;

        runs = 0;
        rival.map = soon_map_async_with(executor, (.chunk = 1 + (size_t)i % 3), count_run, args, ITEMS);
        meet(&rival);
        cr_assert_eq(soon_future_wait(rival.map, SOON_FOREVER), 0);
        soon_map_count(rival.map, &done, &failed);
        meet(&rival);
        test_wait_until(is_quiet(executor));
        soon_map_count(rival.map, NULL, &failed_later);
        cr_assert_eq(done, ITEMS);
        cr_assert_eq(failed, failed_later); /* nothing changes once it is done */
        cr_assert_eq(ITEMS - failed, (size_t)runs);
        cr_assert(!rival.answer || soon_future_cancelled(rival.map));
        soon_future_unref(rival.map);
    }
    stop_rival(&rival);
    soon_executor_free(executor);
}

static _Atomic int asked_for;

/* Ends about when somebody asks for this item. */
SOON_TASK(meet_the_reader, int, int)
{
    for (int spins = 0; asked_for <= *arg; spins++) {
        if (spins > 10000)
            sched_yield();
    }
    return 0;
}

/* Mutant: sleep_for_item() in map_items.c reads the bell after it has looked. */
Test(race_map, who_waits_for_an_item_is_woken)
{
    enum { MANY = 200000 };
    static int args[MANY];
    soon_executor *executor = make_threads(1);
    soon_future *map;
    int result;

    for (int i = 0; i < MANY; i++)
        args[i] = i;
    asked_for = 0;
    map = soon_map_async_with(executor, (.chunk = MANY), meet_the_reader, args, MANY);
    for (int i = 0; i < MANY; i++) {
        asked_for = i + 1;
        for (volatile int delay = i % 150; delay > 0;)
            delay = delay - 1;
        cr_assert_eq(soon_map_item(map, (size_t)i, SOON_FOREVER, &result, sizeof result), 0);
    }
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    soon_future_unref(map);
    soon_executor_free(executor);
}

SOON_TASK(take_a_moment, int, int)
{
    for (volatile int delay = *arg; delay > 0;)
        delay = delay - 1;
    *result = 1;
    return 0;
}

/* Mutant: own_memory() in map.c has the results of a map with a timeout written straight to the caller's array. */
Test(race_map, what_was_not_done_in_time_has_no_result)
{
    enum { MANY = 20000 };
    static int args[MANY], results[MANY], errors[MANY];
    soon_executor *executor = make_threads(2);
    int in_time = 0;

    for (int i = 0; i < test_rounds(200) || !in_time; i++) { /* on a slow machine it needs more time */
        int rc;

        for (int j = 0; j < MANY; j++)
            args[j] = 300 + i;
        rc = soon_map_with(executor, (.chunk = 100 + (size_t)(i % 200) * 50, .timeout_ms = 1 + i / 200), take_a_moment,
                           args, MANY, results, errors);
        cr_assert(rc == 0 || rc == -ETIMEDOUT);
        for (int j = 0; j < MANY; j++) {
            cr_assert(errors[j] == 0 || errors[j] == -ETIMEDOUT);
            cr_assert_eq(results[j], errors[j] == 0);
            in_time += errors[j] == 0;
        }
    }
    soon_executor_free(executor);
}

struct countdown {
    int left;
};

static int count_down(void *arg, void *data)
{
    struct countdown *countdown = data;

    *(int *)arg = countdown->left;
    return countdown->left-- > 0;
}

/* Mutant: make_ready() in imap_source.c rings the bell before it takes the mutex. */
Test(race_map, imap_hands_out_every_item_as_it_finishes)
{
    soon_executor *executor = make_threads(2);

    for (int i = 0; i < test_rounds(200); i++) {
        soon_map_options options = {.unordered = true, .in_flight_max = 1 + (size_t)i % 7, .chunk = 1 + (size_t)i % 3};
        struct countdown countdown = {100};
        soon_future *future;
        soon_imap *imap;
        int count = 0;

        cr_assert_eq(soon_imap_new(&imap, executor, &count_run_task, &options, count_down, &countdown), 0);
        for (; soon_imap_next(imap, SOON_FOREVER, &future, NULL) == 0; count++)
            soon_future_unref(future);
        cr_assert_eq(count, 100);
        soon_imap_free(imap);
    }
    soon_executor_free(executor);
}

/* Mutant, told by AddressSanitizer: soon_imap_free() without removing its waiters. By ThreadSanitizer: make_ready() in
 * imap_source.c rings the bell after it has left the mutex. */
Test(race_map, imap_may_be_freed_as_items_finish)
{
    soon_executor *executor = make_threads(2);

    for (int i = 0; i < test_rounds(10000); i++) {
        soon_map_options options = {.unordered = i & 1, .in_flight_max = 6, .chunk = 1 + (size_t)i % 3};
        struct countdown countdown = {1 + i % 12};
        soon_future *future;
        soon_imap *imap;

        cr_assert_eq(soon_imap_new(&imap, executor, &count_run_task, &options, count_down, &countdown), 0);
        for (int j = 0; j < i % 5;) {
            int rc = soon_imap_next(imap, 0, &future, NULL);

            if (rc == SOON_EEND)
                break;
            if (rc == 0)
                soon_future_unref(future);
            j += rc == 0;
        }
        soon_imap_free(imap);
    }
    soon_executor_free(executor);
}

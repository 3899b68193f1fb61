/*
 * sample.c - which calls are measured, for how many each counts, and what a trace hears of them.
 */
#include "../support/pools.h"

#include "../../executor/core/sample_internal.h"

TestSuite(sample);

static soon_histogram times_of(soon_executor *executor, soon_timing timing)
{
    soon_histogram h;

    cr_assert_eq(soon_executor_histogram(executor, timing, &h), 0);
    return h;
}

Test(sample, is_each_call_of_a_thread_that_submits_slowly)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_histogram h;
    int us = 1100;

    for (int i = 0; i < 60; i++)
        cr_assert_eq(outcome_of(soon_submit(pool, pause_for_us, us)), 0);
    h = times_of(pool, SOON_RUN_TIME);
    free_pool(pool);

    cr_assert_eq(h.count, 60);
    cr_assert_eq(h.measured, 60);
    cr_assert(soon_histogram_quantile(&h, 0) >= 1000000);
}

/* A flood: so few are measured that it costs next to nothing, and their weights add up to all. */
Test(sample, counts_for_all_of_a_flood)
{
    enum { CALLS = 100000 };
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *last = NULL;
    soon_histogram h;

    for (int i = 0; i < CALLS; i++) {
        soon_future_unref(last);
        last = soon_submit(pool, nothing);
    }
    cr_assert_eq(outcome_of(last), 0);
    test_wait_until(stats_of(pool).succeeded == CALLS);
    h = times_of(pool, SOON_QUEUE_WAIT);
    free_pool(pool);

    cr_assert(h.measured < h.count);
    cr_assert(h.count <= CALLS);
    cr_assert(h.count > CALLS - 1024, "of the last gap none was measured yet: %llu", (unsigned long long)h.count);
}

/* With a rhythm of the program's: each of two pools gets every second call. */
Test(sample, meets_no_rhythm_of_the_program)
{
    enum { CALLS = 200000 };
    soon_executor *pools[] = {new_pool(.workers = 1), new_pool(.workers = 1)};
    soon_histogram h[2];

    for (int i = 0; i < CALLS; i++)
        soon_future_unref(soon_submit(pools[i % 2], nothing));
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(outcome_of(soon_submit(pools[i], nothing)), 0);
        h[i] = times_of(pools[i], SOON_RUN_TIME);
        free_pool(pools[i]);
    }

    cr_assert(h[0].count > CALLS / 4 && h[1].count > CALLS / 4, "%llu and %llu", (unsigned long long)h[0].count,
              (unsigned long long)h[1].count);
}

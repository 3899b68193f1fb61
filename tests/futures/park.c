/*
 * park.c - what ends between a waiter's last look and its sleep: the one moment that races seldom meet, made certain.
 *
 * A worker that is about to sleep is asked to help first; these tests play a worker whose help is to end what it waits
 * for. Each one hangs if the sleep does not look again.
 */
#include "../support/futures.h"

static struct halves both;
static int helps, returns;

static int end_it(void *worker, soon_future *awaited, bool others)
{
    (void)awaited;
    cr_assert(others);
    cr_assert_eq(worker, &both);
    if (helps++ == 0)
        set_int(both.promise, 5);
    return 0; /* now sleep */
}

static void count_return(void *worker)
{
    (void)worker;
    returns++;
}

static bool is_others(void *worker, soon_future *future)
{
    (void)worker;
    return future == both.future;
}

static bool run_nothing(void *worker, soon_future *awaited)
{
    (void)worker;
    (void)awaited;
    return false;
}

static const struct soon__parking parking = {
    .run_own = run_nothing, .before_park = end_it, .after_park = count_return, .is_others = is_others};

static void play_worker(void)
{
    both = pending();
    soon__thread_self()->parking = &parking;
    soon__thread_self()->worker = &both;
}

static void stop_playing(void)
{
    soon__thread_self()->parking = NULL;
    cr_assert_geq(helps, 1);
    cr_assert_eq(returns, helps);
    release(both);
}

TestSuite(park, .init = play_worker, .fini = stop_playing);

Test(park, of_a_wait_for_one)
{
    cr_assert_eq(int_of(both.future), 5);
}

Test(park, of_a_wait_for_one_with_an_end)
{
    cr_assert_eq(soon_future_wait(both.future, INT64_MAX), 0);
}

Test(park, of_a_wait_for_all)
{
    cr_assert_eq(soon_wait(&both.future, 1, SOON_ALL_COMPLETED, SOON_FOREVER, NULL), 1);
}

/* As of_an_iterator below: a set sleeps for it. */
Test(park, of_a_wait_for_the_first)
{
    cr_assert_eq(soon_wait(&both.future, 1, SOON_FIRST_COMPLETED, SOON_FOREVER, NULL), 1);
}

Test(park, of_a_wait_for_the_first_exception)
{
    cr_assert_eq(soon_wait(&both.future, 1, SOON_FIRST_EXCEPTION, SOON_FOREVER, NULL), 1);
}

/* Guards the count of the bell in make_ready_locked(), and that sleep_locked() reads it under the mutex. */
Test(park, of_an_iterator)
{
    soon_as_completed *set;
    soon_future *given;

    cr_assert_eq(soon_as_completed_new(&set, &both.future, 1, SOON_FOREVER), 0);
    cr_assert_eq(soon_as_completed_next(set, &given), 0);
    cr_assert_eq(given, both.future);

    soon_future_unref(given);
    soon_as_completed_free(set);
}

/*
 * What ends in the last moment has ended: a wait looks once more when its time is over.
 */

/* Long enough that the wait comes to ask for help at all. */
static int64_t limit_ms = 100;

/* False: on a slow machine it was not. */
static bool asked_for_help(void)
{
    limit_ms *= 2;
    return helps;
}

static int end_it_when_the_time_is_over(void *worker, soon_future *awaited, bool others)
{
    int64_t over = soon__clock_ns() + (limit_ms + 10) * 1000000;

    test_wait_until(soon__clock_ns() >= over);
    return end_it(worker, awaited, others);
}

static const struct soon__parking late = {.run_own = run_nothing,
                                          .before_park = end_it_when_the_time_is_over,
                                          .after_park = count_return,
                                          .is_others = is_others};

static void play_late_worker(void)
{
    soon__thread_self()->parking = &late;
}

Test(park, of_a_wait_whose_time_is_over, .init = play_late_worker)
{
    int rc;

    do
        rc = soon_future_wait(both.future, limit_ms);
    while (!asked_for_help());
    cr_assert_eq(rc, 0);
}

Test(park, of_a_wait_for_the_first_whose_time_is_over, .init = play_late_worker)
{
    int64_t rc;

    do
        rc = soon_wait(&both.future, 1, SOON_FIRST_COMPLETED, limit_ms, NULL);
    while (!asked_for_help());
    cr_assert_eq(rc, 1);
}

Test(park, of_an_iterator_whose_time_is_over, .init = play_late_worker)
{
    soon_future *given = NULL;
    soon_as_completed *set;
    int rc;

    do {
        cr_assert_eq(soon_as_completed_new(&set, &both.future, 1, limit_ms), 0);
        rc = soon_as_completed_next(set, &given);
        soon_as_completed_free(set);
    } while (!asked_for_help());
    cr_assert_eq(rc, 0);

    soon_future_unref(given);
}

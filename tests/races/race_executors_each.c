/*
 * race_executors_each.c - walks over all executors, beside threads that make, use and free some; and that the numbers
 * of an executor add up under load.
 */
#include "../support/pools.h"

TestSuite(race_executors_each);

enum { ROUNDS = 300, MAKERS = 2, WALKERS = 2 };

static atomic_bool over;

static void look(soon_executor *executor, void *data)
{
    static _Thread_local soon_histogram h;
    soon_stats stats = stats_of(executor);

    cr_assert_eq(strncmp(soon_executor_name(executor), "walked", 6), 0);
    cr_assert(stats.workers_max == 1);
    cr_assert_eq(soon_executor_histogram(executor, SOON_RUN_TIME, &h), 0);
    cr_assert(soon_executor_error(executor) != NULL);
    ++*(size_t *)data;
}

static void *walk(void *unused)
{
    size_t seen = 0;

    while (!over)
        (void)soon_executors_each(look, &seen);
    cr_assert(seen > 0);
    return unused;
}

static void *make(void *rounds)
{
    for (int i = 0; i < *(int *)rounds; i++) {
        soon_executor *pool = new_pool(.workers = 1, .name = "walked by another");

        if (i % 2)
            cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
        free_pool(pool);
    }
    return NULL;
}

Test(race_executors_each, finds_only_executors_that_live)
{
    pthread_t makers[MAKERS], walkers[WALKERS];
    int rounds = test_rounds(ROUNDS);
    soon_executor *stays = new_pool(.workers = 1, .name = "walked");

    over = false;
    for (int i = 0; i < WALKERS; i++)
        cr_assert_eq(pthread_create(&walkers[i], NULL, walk, NULL), 0);
    for (int i = 0; i < MAKERS; i++)
        cr_assert_eq(pthread_create(&makers[i], NULL, make, &rounds), 0);
    for (int i = 0; i < MAKERS; i++)
        pthread_join(makers[i], NULL);
    over = true;
    for (int i = 0; i < WALKERS; i++)
        pthread_join(walkers[i], NULL);
    free_pool(stays);
}

static void count(soon_executor *executor, void *data)
{
    (void)executor;
    ++*(int *)data;
}

static soon_executor *two[2];

static void free_the_other(soon_executor *executor, void *data)
{
    int which = executor == two[1];

    ++*(int *)data;
    cr_assert_eq(soon_executor_free(executor), SOON_EDEADLK);
    if (two[!which])
        free_pool(two[!which]);
    two[!which] = NULL;
}

Test(race_executors_each, may_free_another_than_the_one_that_it_is_at)
{
    int seen = 0;

    for (int i = 0; i < 2; i++)
        two[i] = new_pool(.workers = 1);
    cr_assert_eq(soon_executors_each(free_the_other, &seen), 1);
    cr_assert_eq(seen, 1);
    free_pool(two[0]);
    seen = 0;
    cr_assert_eq(soon_executors_each(count, &seen), 0);
    cr_assert_eq(seen, 0);
}

SOON_TASK(submit_more, int, soon_none)
{
    for (int i = 0; i < *arg; i++)
        soon_future_unref(soon_submit(soon_task_executor(task), nothing));
    return *arg % 3 ? 0 : -EIO;
}

static void *submit_many(void *pool)
{
    for (int i = 0; i < 2000; i++) {
        soon_future *f = soon_submit(pool, submit_more, i % 5);

        if (i % 7 == 0)
            (void)soon_future_cancel(f);
        soon_future_unref(f);
    }
    return NULL;
}

Test(race_executors_each, and_what_an_executor_has_counted_adds_up)
{
    for (int workers = 1; workers <= 3; workers++) {
        soon_executor *pool = new_pool(.workers = workers);
        soon_histogram h;
        pthread_t threads[2];
        soon_stats s;

        for (int i = 0; i < 2; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, submit_many, pool), 0);
        do {
            s = stats_of(pool);
            cr_assert(s.succeeded + s.failed + s.cancelled <= s.submitted);
        } while (s.submitted < 2000);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        do /* a task that moves is in none of these for a moment: if they did not add up in the end this would hang */
            s = stats_of(pool);
        while (s.pending || s.running || s.submitted != s.succeeded + s.failed + s.cancelled);
        cr_assert_eq(s.failed, s.failed_raised);
        cr_assert_eq(soon_executor_histogram(pool, SOON_RUN_TIME, &h), 0);
        cr_assert(h.count <= s.submitted);
        free_pool(pool);
    }
}

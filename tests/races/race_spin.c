/*
 * race_spin.c - threads that wait for short tasks in worker processes take in replies themselves, beside the library's
 * loop. Nobody's reply may be left unseen, and nobody's callback may run on a thread that only waits.
 */
#include "storm_fixture.h"

TestSuite(race_spin);

enum { USERS = 4, TASKS_IN_ALL = 24000, AHEAD = 4 };

static soon_executor *pool;
static _Atomic unsigned seeds, called;
static _Thread_local bool waits;

/* Some are done while who waits still looks, some are not. */
SOON_TASK(work, unsigned, unsigned)
{
    int64_t until = storm__clock_ns() + *arg % 64 * 500;

    while (*arg % 2 && storm__clock_ns() < until)
        ;
    *result = ~*arg;
    return *arg % 16 == 15 ? soon_raise(task, EDOM, "%u", *arg) : 0;
}

static void on_done(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    cr_assert(!waits);
    called++;
}

static void check(soon_future *future, unsigned number)
{
    unsigned result = 0;
    int rc;

    waits = true;
    rc = soon_future_read(future, SOON_FOREVER, &result, sizeof result);
    waits = false;
    if (rc != -ECANCELED && rc != SOON_EWORKERDIED && number % 16 == 15)
        cr_assert_eq(rc, SOON_ERAISED);
    else
        cr_assert(rc == -ECANCELED || rc == SOON_EWORKERDIED || (rc == 0 && result == ~number), "%d", rc);
    soon_future_unref(future);
    storm_task_ended();
}

static void *use(void *count)
{
    unsigned seed = 17 * ++seeds, numbers[AHEAD], ahead;
    soon_future *futures[AHEAD];

    for (size_t done = 0; done < *(size_t *)count; done += ahead) {
        ahead = 1 + dice(&seed, AHEAD);
        for (unsigned i = 0; i < ahead; i++) {
            numbers[i] = dice(&seed, 1u << 31);
            futures[i] = work_submit(pool, &numbers[i], &(soon_submit_options){.on_done = on_done});
        }
        if (dice(&seed, 8) == 0)
            (void)soon_future_cancel(futures[dice(&seed, ahead)]);
        if (dice(&seed, 8) == 0)
            (void)soon_future_wait(futures[dice(&seed, ahead)], 1); /* which may be over while it looks */
        for (unsigned i = 0; i < ahead; i++)
            check(futures[i], numbers[i]);
    }
    return count;
}

static void run(int workers, int users, int tasks)
{
    size_t each = (size_t)(test_rounds(tasks) / users) / (test_slowness() > 1 ? 4 : 1);
    pthread_t threads[USERS];

    called = 0;
    pool = new_processes(.workers = workers, .max_restarts = -1);
    for (int i = 0; i < users; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, use, &each), 0);
    for (int i = 0; i < users; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(stats_of(pool).pending + stats_of(pool).running, 0);
    free_pool(pool);
    while (called < each * (size_t)users) /* on the callback thread */
        sched_yield();
}

Test(race_spin, of_threads_that_wait_beside_the_loop_loses_no_reply)
{
    for (int workers = 1; workers <= 3; workers++) {
        for (int users = 1; users <= USERS; users++)
            run(workers, users, TASKS_IN_ALL);
    }
}

Test(race_spin, with_workers_that_die_ends_each_task_once)
{
    storm_begin(&(struct storm){.pause_us = 3000, .stop_us = 1000});
    for (int workers = 1; workers <= 3; workers++)
        run(workers, USERS, TASKS_IN_ALL / 4);
    storm_end();
}

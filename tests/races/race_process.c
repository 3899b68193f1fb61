/*
 * race_process.c - process pools that live shortly: made, used by some threads in every way at once, killed at, shut
 * down in any mode in the middle of it. What goes wrong here mostly hangs, or only a sanitizer sees it.
 */
#include "storm_fixture.h"

#include <limits.h>

TestSuite(race_process);

enum { USERS = 3, ROUNDS_IN_ALL = 80, LARGE = 1200000 };

static soon_executor *pool;
static _Atomic unsigned seeds;

SOON_TASK(work, unsigned, unsigned)
{
    for (unsigned i = 0; i < *arg % 5; i++) {
        soon_task_set_progress(task, i, 5);
        nanosleep(&(struct timespec){.tv_nsec = *arg % 200000}, NULL);
    }
    *result = ~*arg;
    return soon_task_cancel_requested(task) ? ECANCELED : 0;
}

SOON_TASK_BYTES(measure)
{
    return soon_task_return_bytes(task, arg.data, arg.size);
}

static soon_future *submit_some(unsigned *seed)
{
    static const char bytes[LARGE];
    soon_submit_options options = {.retries = (int)dice(seed, 2), .priority = (int)dice(seed, 3) - 1};
    unsigned numbers[20] = {0};

    if (dice(seed, 20) == 0)
        options.time_limit_ms = 1 + dice(seed, 3);
    if (dice(seed, 20) == 0)
        options.queue_limit_ms = 1 + dice(seed, 3);
    switch (dice(seed, 12)) {
    case 0:
        return measure_submit(pool, bytes, dice(seed, 50000), &options);
    case 1:
        return measure_submit(pool, bytes, LARGE, &options);
    case 2:
        return soon_map_async_with(pool, (.chunk = 1 + dice(seed, 10)), work, numbers, 20);
    default:
        return work_submit(pool, &(unsigned){dice(seed, 1u << 31)}, &options);
    }
}

static void disturb(soon_future *future, unsigned *seed)
{
    switch (dice(seed, 8)) {
    case 0:
        (void)soon_future_cancel(future);
        break;
    case 1:
        (void)soon_future_kill(future);
        break;
    case 2:
        (void)soon_future_progress(future);
        break;
    case 3:
        (void)soon_future_running(future);
        break;
    case 4:
        (void)soon_future_wait(future, dice(seed, 3));
        break;
    case 5:
        (void)stats_of(pool);
        break;
    default:
        break;
    }
}

/* Whatever becomes of them, all have ended in the end. */
static void *use(void *unused)
{
    unsigned seed = 31 * ++seeds;
    soon_future *futures[60];

    for (size_t i = 0; i < COUNT(futures); i++) {
        futures[i] = submit_some(&seed);
        disturb(futures[dice(&seed, (unsigned)i + 1)], &seed);
    }
    for (size_t i = 0; i < COUNT(futures); i++) {
        cr_assert_eq(soon_future_wait(futures[i], SOON_FOREVER), 0);
        storm_task_ended();
    }
    soon_futures_unref(futures, COUNT(futures));
    return unused;
}

static void live_shortly(unsigned *seed)
{
    pthread_t users[USERS];
    soon_shutdown mode = (soon_shutdown)dice(seed, SOON_KILL + 1);

    pool = new_processes(.workers = 1 + (int)dice(seed, 3), .grace_ms = dice(seed, 2) ? -1 : 20, .max_restarts = -1,
                         .queue_max = dice(seed, 3) ? 0 : 20, .max_tasks_per_worker = dice(seed, 3) ? 0 : 3,
                         .idle_timeout_ms = dice(seed, 3) ? 0 : 2);
    for (int i = 0; i < USERS; i++)
        cr_assert_eq(pthread_create(&users[i], NULL, use, NULL), 0);
    storm__sleep(dice(seed, 15000));
    if (dice(seed, 4))
        (void)soon_executor_shutdown(pool, mode, dice(seed, 2) ? 0 : SOON_FOREVER);
    for (int i = 0; i < USERS; i++)
        pthread_join(users[i], NULL);
    free_pool(pool);
}

static unsigned rounds_of(unsigned rounds)
{
    return (unsigned)test_rounds((int)rounds) / (test_slowness() > 1 ? 5 : 1);
}

static void live_often(unsigned rounds)
{
    unsigned seed = 5;

    for (unsigned i = 0; i < rounds_of(rounds); i++)
        live_shortly(&seed);
}

Test(race_process, of_users_and_a_shutdown_leaves_nothing_unresolved)
{
    live_often(ROUNDS_IN_ALL);
}

Test(race_process, of_users_a_killer_and_a_shutdown_leaves_nothing_unresolved)
{
    storm_begin(&(struct storm){.pause_us = 3000, .stop_us = 1000});
    live_often(ROUNDS_IN_ALL);
    storm_end();
}

static void busy_us(int us)
{
    int64_t until = storm__clock_ns() + us * INT64_C(1000);

    while (storm__clock_ns() < until)
        ;
}

/* Short, and busy: so the parent hears of its end when the next one is under way. */
SOON_TASK(spin_us, int, soon_none)
{
    busy_us(*arg);
    return 0;
}

static void await_begin(const soon_future *future)
{
    while (!soon_future_running(future) && !soon_future_done(future))
        sched_yield();
}

/* The worker is condemned for one task, and then with all that it has. */
Test(race_process, of_a_kill_and_a_shutdown_has_one_cause_for_each_task)
{
    enum { TASKS = 60 };
    unsigned seed = 7;

    for (unsigned round = 0; round < rounds_of(400); round++) {
        soon_future *futures[TASKS];
        size_t victim = dice(&seed, 50);

        pool = new_processes(.workers = 1, .grace_ms = 100);
        cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
        for (int i = 0; i < TASKS; i++)
            futures[i] = soon_submit(pool, spin_us, i < TASKS - 2 ? 30 : 20000);
        await_begin(futures[victim]);
        busy_us((int)dice(&seed, 40)); /* when it is killed it is near its end, or over */
        (void)soon_future_kill(futures[victim]);
        cr_assert_eq(soon_executor_shutdown(pool, SOON_TERMINATE, SOON_FOREVER), 0);
        for (int i = 0; i < TASKS; i++) {
            int rc = outcome_of(futures[i]);

            cr_assert(rc == 0 || rc == -ECANCELED || rc == SOON_EKILLED, "task %d (killed was %zu): %s", i, victim,
                      soon_strerror(rc));
        }
        free_pool(pool);
    }
}

/* The worker is condemned for one task, which ends by itself, and meanwhile for the next one, which does not. */
Test(race_process, of_two_kills_ends_both)
{
    enum { TASKS = 40 };
    unsigned seed = 7;

    pool = new_processes(.workers = 1, .grace_ms = -1);
    for (unsigned round = 0; round < rounds_of(150); round++) {
        soon_future *futures[TASKS];
        size_t victim = dice(&seed, TASKS - 1);

        for (size_t i = 0; i < TASKS; i++)
            futures[i] = i == victim + 1 ? soon_submit(pool, hang) : soon_submit(pool, spin_us, 30);
        await_begin(futures[victim]);
        (void)soon_future_kill(futures[victim]);
        await_begin(futures[victim + 1]);
        cr_assert_eq(soon_future_kill(futures[victim + 1]), 0);
        for (size_t i = 0; i < TASKS; i++) {
            int rc = outcome_of(futures[i]);

            cr_assert(rc == 0 || (rc == SOON_EKILLED && i - victim < 2), "task %zu (killed was %zu): %s", i, victim,
                      soon_strerror(rc));
        }
    }
    free_pool(pool);
}

/* Ends by itself just when the parent finds that its time is over. */
SOON_TASK(until_asked, bool, soon_none)
{
    while (*arg && !soon_task_cancel_requested(task))
        sched_yield();
    return *arg ? -ECANCELED : 0;
}

Test(race_process, of_items_with_their_time_limit_leaves_the_next_item_alone)
{
    enum { ITEMS = 40 };
    soon_submit_options each = {.time_limit_ms = 50};
    int errors[ITEMS];
    bool args[ITEMS], in_time;

    pool = new_processes(.workers = 2);
    for (int i = 0; i < ITEMS; i++)
        args[i] = i % 2 == 0;
    do { /* those that do not wait end in time: on a busy machine that is more */
        cr_assert_eq(soon_map_with(pool, (.chunk = 20, .each = &each), until_asked, args, ITEMS, NULL, errors),
                     SOON_ETIMELIMIT);
        in_time = true;
        for (int i = 0; i < ITEMS; i++) {
            cr_assert(errors[i] == SOON_ETIMELIMIT || (errors[i] == 0 && !args[i]), "item %d: %s", i,
                      soon_strerror(errors[i]));
            in_time &= errors[i] == 0 || args[i];
        }
        each.time_limit_ms *= 2;
    } while (!in_time);
    free_pool(pool);
}

/* It has tries without end, and dies in each: between two of them, or while the loop has it in hand, it ends all the same. */
Test(race_process, of_a_cancel_or_a_kill_with_deaths_ends_all_tries)
{
    unsigned seed = 11;

    pool = new_processes(.workers = 1, .max_restarts = -1, .grace_ms = -1);
    for (unsigned round = 0; round < rounds_of(150); round++) {
        soon_future *future = soon_submit_with(pool, (.retries = INT_MAX), die_by, BY_EXIT_AT_ONCE);
        bool kill = round % 2;
        int rc;

        nanosleep(&(struct timespec){.tv_nsec = dice(&seed, 6000000)}, NULL);
        if (round % 3 == 0)
            (void)soon_future_running(future);
        if (kill)
            cr_assert_eq(soon_future_kill(future), 0);
        else
            (void)soon_future_cancel(future);
        rc = outcome_of(future);
        cr_assert(rc == -ECANCELED || (rc == SOON_EKILLED && kill), "%s", soon_strerror(rc));
    }
    free_pool(pool);
}

SOON_TASK(count_in_shared, int, int)
{
    *result = ++((_Atomic int *)soon_task_shared(task))[*arg];
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    return 0;
}

/* Just when its worker begins it: what an item says of that is true at once. */
Test(race_process, of_a_cancelled_map_and_its_begin_is_told_by_each_item)
{
    enum { ITEMS = 4 };
    static const int items[ITEMS] = {0, 1, 2, 3};
    soon_shared *shared = NULL;
    unsigned seed = 5;
    _Atomic int *begun;

    cr_assert_eq(soon_shared_new(&shared, ITEMS * sizeof *begun), 0);
    begun = soon_shared_data(shared);
    pool = new_processes(.workers = 1, .shared = shared);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    for (unsigned round = 0; round < rounds_of(1000); round++) {
        soon_future *map = soon_map_async_with(pool, (.chunk = 1 + round % ITEMS), count_in_shared, items, ITEMS);
        bool never[ITEMS];

        for (unsigned spin = dice(&seed, 4000); spin > 0; spin--)
            __asm__ volatile("");
        (void)soon_future_cancel(map);
        for (size_t i = 0; i < ITEMS; i++)
            never[i] = soon_map_item_error(map, i)->code == -ECANCELED && !soon_map_item_error(map, i)->started;
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0); /* what had begun has ended */
        for (size_t i = 0; i < ITEMS; i++)
            cr_assert(!atomic_exchange(&begun[i], 0) || !never[i], "round %u, item %zu", round, i);
        soon_future_unref(map);
    }
    free_pool(pool);
    soon_shared_unref(shared);
}

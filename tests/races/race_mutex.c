/*
 * race_mutex.c - the mutex of pools, and its conditions, under stress: one at a time has it, and nobody sleeps on who was to be
 * woken.
 */
#include "../../executor/pools/mutex_internal.h"
#include "../harness/test.h"

#include <pthread.h>
#include <sched.h>

TestSuite(race_mutex);

enum { THREADS = 4, ROUNDS = 20000, HELD_LONG = 64 /* so often that who wants it goes to sleep */ };

static struct soon__mutex mutex;
static struct soon__condition condition;
static size_t count, turn, arrived;

static void start(pthread_t *threads, size_t number, void *(*run)(void *data))
{
    for (size_t i = 0; i < number; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run, (void *)i), 0);
}

static void join(const pthread_t *threads, size_t number)
{
    for (size_t i = 0; i < number; i++)
        pthread_join(threads[i], NULL);
}

static void *add(void *number)
{
    for (int i = 0; i < test_rounds(ROUNDS); i++) {
        size_t before;

        soon__mutex_lock(&mutex);
        before = count;
        for (int held = i % 64 ? 0 : HELD_LONG; held > 0; held--)
            sched_yield();
        count = before + 1;
        soon__mutex_unlock(&mutex);
    }
    return number;
}

Test(race_mutex, has_one_holder_at_a_time_and_wakes_who_sleeps_for_it)
{
    pthread_t threads[THREADS];

    start(threads, THREADS, add);
    join(threads, THREADS);
    cr_assert_eq(count, (size_t)test_rounds(ROUNDS) * THREADS);
}

/* Both may wait at once, for each other's turn. */
static void *take_turns(void *number)
{
    for (int i = 0; i < test_rounds(ROUNDS); i++) {
        soon__mutex_lock(&mutex);
        while (turn != (size_t)number)
            soon__condition_wait(&condition, &mutex, SOON__NEVER);
        turn = 1 - turn;
        soon__condition_tell_one(&condition);
        soon__mutex_unlock(&mutex);
    }
    return number;
}

Test(race_mutex, has_conditions_that_miss_no_change)
{
    pthread_t threads[2];

    start(threads, 2, take_turns);
    join(threads, 2);
    cr_assert_eq(turn, 0);
}

/* The last of each round lets the others go. */
static void *meet(void *number)
{
    for (int i = 0; i < test_rounds(ROUNDS) / 10; i++) {
        size_t round;

        soon__mutex_lock(&mutex);
        round = turn;
        if (++arrived == THREADS) {
            arrived = 0;
            turn++;
            soon__condition_tell_all(&condition);
        }
        while (turn == round)
            soon__condition_wait(&condition, &mutex, SOON__NEVER);
        soon__mutex_unlock(&mutex);
    }
    return number;
}

Test(race_mutex, has_conditions_that_tell_all)
{
    pthread_t threads[THREADS];

    start(threads, THREADS, meet);
    join(threads, THREADS);
    cr_assert_eq(turn, (size_t)(test_rounds(ROUNDS) / 10));
}

Test(race_mutex, has_conditions_that_wait_no_longer_than_asked)
{
    int64_t deadline = soon__clock_ns() + 1000000;

    soon__mutex_lock(&mutex);
    while (soon__deadline_check(deadline) == 0)
        soon__condition_wait(&condition, &mutex, deadline);
    cr_assert_eq(atomic_load(&mutex.word), SOON__MUTEX_TAKEN);
    cr_assert_eq(condition.waiting, 0);
    soon__mutex_unlock(&mutex);
}

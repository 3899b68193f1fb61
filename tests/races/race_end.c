/*
 * race_end.c - pools that end while their tasks do, while a grace ends, and while their loop turns.
 */
#include "../support/loop_fixture.h"

TestSuite(race_end, .init = open_loop, .fini = close_loop);

enum { ROUNDS = 400, TASKS = 8 };

static atomic_int ends;

static void note_end(void *data)
{
    (void)data;
    ends++;
}

SOON_TASK(wait_a_little, int, int)
{
    for (int i = 0; i < *arg && !soon_task_cancel_requested(task); i++)
        sched_yield();
    *result = *arg;
    return 0;
}

static void submit_some(soon_executor *pool, int round)
{
    for (int i = 0; i < TASKS; i++)
        soon_future_unref(soon_submit(pool, wait_a_little, (round * 37 + i * 61) % 400));
}

static void end_one(int round, soon_loop *loop)
{
    soon_executor *pool;

    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}), 0);
    submit_some(pool, round);
    cr_assert_eq(soon_executor_end(pool, &(soon_end_options){.grace_ms = round % 3, .loop = loop, .on_end = note_end}),
                 0);
}

/* A grace of a millisecond or two is over about when the tasks are. */
Test(race_end, each_end_is_told_once_beside_its_grace)
{
    int rounds = test_rounds(ROUNDS);

    for (int i = 0; i < rounds; i++) {
        end_one(i, i % 2 ? on : NULL);
        if (i % 8 == 0)
            run_to_the_end();
    }
    run_to_the_end();
    test_wait_until(ends == rounds);
}

static void *shut_down(void *pool)
{
    (void)soon_executor_shutdown(pool, SOON_TERMINATE, 0);
    return NULL;
}

/* On another thread, which the loop's waits for before it turns: the executor lives until then. */
Test(race_end, a_shutdown_beside_it_finds_the_executor_alive)
{
    int rounds = test_rounds(ROUNDS);

    for (int i = 0; i < rounds; i++) {
        soon_executor *pool;
        pthread_t thread;

        cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1}), 0);
        submit_some(pool, i);
        pthread_create(&thread, NULL, shut_down, pool);
        cr_assert_eq(soon_executor_end(pool, &(soon_end_options){.grace_ms = 1, .loop = on, .on_end = note_end}), 0);
        pthread_join(thread, NULL);
        run_to_the_end();
        cr_assert_eq(ends, i + 1);
    }
}

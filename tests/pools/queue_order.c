/*
 * queue_order.c - the order in which a thread pool takes its tasks, and the time that they may wait.
 */
#include "../support/pools.h"

TestSuite(queue_order);

/* What ran, one after the other: there is one worker. */
static int ran[64], ran_count;

SOON_TASK(note, int, soon_none)
{
    ran[ran_count++] = *arg;
    return 0;
}

/* A pool with one worker that is busy while the test submits. */
static struct {
    soon_executor *pool;
    struct gate gate;
    soon_future *first, *futures[64];
    int count;
} one;

static void begin(void)
{
    one.pool = new_pool(.workers = 1);
    one.gate = gate_new();
    one.first = occupy_one(one.pool, one.gate);
}

static soon_future *submit_note(int number, int priority, int64_t queue_limit_ms)
{
    soon_submit_options options = {.priority = priority, .queue_limit_ms = queue_limit_ms};

    return one.futures[one.count++] = note_submit(one.pool, &number, &options);
}

static void run_all(void)
{
    gate_open(one.gate, 1);
    cr_assert_eq(soon_executor_shutdown(one.pool, SOON_DRAIN, SOON_FOREVER), 0);
}

static void end(void)
{
    soon_futures_unref(one.futures, (size_t)one.count);
    soon_future_unref(one.first);
    free_pool(one.pool);
    gate_free(one.gate);
}

Test(queue_order, is_that_of_the_submits, .init = begin, .fini = end)
{
    for (int i = 0; i < 20; i++)
        submit_note(i, 0, 0);
    run_all();

    cr_assert_eq(ran_count, 20);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(ran[i], i);
}

Test(queue_order, puts_higher_priorities_first_and_keeps_the_order_of_equal_ones, .init = begin, .fini = end)
{
    static const int priorities[] = {0, 5, -1, 0, INT32_MAX, 5, INT32_MIN, -1, 0, 1};
    static const int expected[] = {4, 1, 5, 9, 0, 3, 8, 2, 7, 6};

    for (int i = 0; i < 10; i++)
        submit_note(i, priorities[i], 0);
    run_all();

    cr_assert_arr_eq(ran, expected, sizeof expected);
}

Test(queue_order, forgets_those_that_are_cancelled, .init = begin, .fini = end)
{
    static const int priorities[] = {0, 5, -1, 0, 7, 5, -9, -1, 0, 1};
    static const int expected[] = {5, 9, 3, 2};

    for (int i = 0; i < 10; i++)
        submit_note(i, priorities[i], i % 2 ? 1000000 : 0);
    for (int i = 0; i < 10; i++) {
        if (i == 4 || i == 1 || i == 0 || i == 8 || i == 7 || i == 6)
            cr_assert(soon_future_cancel(one.futures[i]));
    }
    cr_assert_eq(stats_of(one.pool).pending, 4);
    run_all();

    cr_assert_eq(ran_count, 4);
    cr_assert_arr_eq(ran, expected, sizeof expected);
}

/* Takes anything from anywhere of the queue; the order of what stays must not change. */
Test(queue_order, survives_cancels_everywhere, .init = begin, .fini = end)
{
    int priorities[60], cancelled = 0;

    srand(3);
    for (int i = 0; i < 60; i++) {
        priorities[i] = rand() % 5 - 2;
        submit_note(i, priorities[i], i % 3 ? 1000000 : 0);
    }
    for (int i = 0; i < 30; i++)
        soon_future_cancel(one.futures[rand() % 60]);
    run_all();

    for (int i = 1; i < ran_count; i++) {
        int before = priorities[ran[i - 1]], now = priorities[ran[i]];

        cr_assert(now < before || (now == before && ran[i] > ran[i - 1]));
    }
    for (int i = 0; i < 60; i++)
        cancelled += soon_future_cancelled(one.futures[i]);
    cr_assert_eq(ran_count, 60 - cancelled);
    cr_assert_eq(stats_of(one.pool).cancelled, (size_t)cancelled);
}

/*
 * Queue limits
 */

Test(queue_order, has_limits_that_end_what_waited_too_long, .init = begin, .fini = end)
{
    submit_note(0, 0, 0);
    submit_note(1, 0, 1);
    submit_note(2, 3, 1);
    submit_note(3, 0, 30);
    submit_note(4, 0, 1000000);
    submit_note(5, 0, INT64_MAX);
    for (int i = 1; i < 4; i++) {
        cr_assert_eq(soon_future_wait(one.futures[i], SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(one.futures[i])->code, SOON_EEXPIRED);
        cr_assert_not(soon_future_error(one.futures[i])->started);
    }
    cr_assert_eq(stats_of(one.pool).pending, 3);
    cr_assert_eq(stats_of(one.pool).failed, 3);
    run_all();

    cr_assert_eq(ran_count, 3);
    cr_assert_arr_eq(ran, ((int[]){0, 4, 5}), 3 * sizeof(int));
}

/* The shortest limit comes last: the alarm must be set anew. */
Test(queue_order, has_limits_in_any_order, .init = begin, .fini = end)
{
    for (int i = 0; i < 20; i++)
        submit_note(i, i % 3, 60 - 3 * i);

    for (int i = 19; i >= 0; i--) {
        cr_assert_eq(soon_future_wait(one.futures[i], SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(one.futures[i])->code, SOON_EEXPIRED);
    }
    run_all();
    cr_assert_eq(ran_count, 0);
}

struct name {
    char text[16];
};

static void note_thread(soon_future *future, void *data)
{
    struct name *name = data;

    cr_assert_eq(soon_future_error(future)->code, SOON_EEXPIRED);
    pthread_getname_np(pthread_self(), name->text, sizeof name->text);
    gate_knock(one.gate);
}

/* No user code runs on the library's loop. */
Test(queue_order, tells_of_a_limit_on_the_callback_thread, .init = begin, .fini = end)
{
    struct name name;
    soon_submit_options options = {.queue_limit_ms = 1, .on_done = note_thread, .on_done_data = &name};

    one.futures[one.count++] = note_submit(one.pool, NULL, &options);
    gate_await(one.gate, 1);

    cr_assert_str_eq(name.text, "soon-callbacks");
    run_all();
}

static void *submit_with_limit(void *pool)
{
    soon_future *f = note_submit(pool, NULL, &(soon_submit_options){.queue_limit_ms = 5});

    return (void *)(intptr_t)outcome_of(f);
}

/* The limit counts from the submit: a submitter that waits for a place does not wait longer. */
Test(queue_order, has_limits_for_submitters_that_wait_for_a_place)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1, .queue_max = 1);
    soon_future *running = occupy_one(pool, gate), *queued = soon_submit(pool, note, 1);
    pthread_t submitter;
    void *rc;

    cr_assert_eq(pthread_create(&submitter, NULL, submit_with_limit, pool), 0);
    pthread_join(submitter, &rc);
    cr_assert_eq((intptr_t)rc, SOON_EEXPIRED);
    gate_open(gate, 1);

    cr_assert_eq(outcome_of(running), 0);
    cr_assert_eq(outcome_of(queued), 0);
    free_pool(pool);
    gate_free(gate);
}

Test(queue_order, has_limits_that_do_not_matter_once_a_task_has_started)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f = NULL, *other;
    int64_t limit_ms = 500;

    do { /* on a busy machine it takes more to start in time */
        limit_ms *= 2;
        soon_future_unref(f);
        f = pass_submit(pool, &gate, &(soon_submit_options){.queue_limit_ms = limit_ms});
        test_wait_until(gate_arrived(gate) || soon_future_done(f));
    } while (!gate_arrived(gate));
    other = note_submit(pool, &(int){0}, &(soon_submit_options){.queue_limit_ms = limit_ms + 1});
    cr_assert_eq(outcome_of(other), SOON_EEXPIRED); /* so the first one's would be over too */
    gate_open(gate, 1);

    cr_assert_eq(outcome_of(f), 0);
    free_pool(pool);
    gate_free(gate);
}

/* Limits that come due while the pool drains, is cancelled, or is over already. */
Test(queue_order, has_limits_while_the_pool_shuts_down)
{
    for (int mode = SOON_DRAIN; mode <= SOON_CANCEL_PENDING; mode++) {
        struct gate gate = gate_new();
        soon_executor *pool = new_pool(.workers = 1);
        soon_future *running = occupy_one(pool, gate), *futures[50];

        for (int i = 0; i < 50; i++)
            futures[i] = note_submit(pool, &(int){i}, &(soon_submit_options){.queue_limit_ms = 1 + i / 10});
        cr_assert_eq(soon_executor_shutdown(pool, (soon_shutdown)mode, 0), -ETIMEDOUT);
        for (int i = 0; i < 50; i++) {
            int rc = outcome_of(futures[i]);
            cr_assert(rc == SOON_EEXPIRED || (mode == SOON_CANCEL_PENDING && rc == -ECANCELED));
        }
        gate_open(gate, 1);
        cr_assert_eq(outcome_of(running), 0);
        free_pool(pool);
        gate_free(gate);
    }
}

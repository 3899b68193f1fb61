/*
 * alloc_failure_growth.c - a thread pool that cannot start a worker: it goes on with those it has; without any, what
 * waits fails, and the next submit tries again.
 */
#include "../harness/fail.h"
#include "../support/pools.h"

TestSuite(alloc_failure_growth);

static soon_executor *pool;
static struct gate gate;

static void make_pool(void)
{
    gate = gate_new();
    pool = new_pool(.workers = 2);
}
static void drop_pool(void)
{
    free_pool(pool);
    gate_free(gate);
}

/* Each call that the start of a first worker needs fails once: its block, the thread, and what that may do without.
 * Caught: a failed start that goes on being counted, after which nobody is started any more; one that leaves its task
 * in the queue. */
/* Returns how many of them have failed the task. */
static int fail_each_in_turn(void)
{
    bool was_last = false;
    int broken = 0;

    for (size_t n = 1; !was_last; n++) {
        soon_executor *one = new_pool(.workers = 1);
        soon_future *f;
        int rc;

        fail_nth(n);
        fail_pause(); /* those of this thread do not count: the loop starts the worker */
        f = soon_submit(one, nothing);
        rc = soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0});
        fail_resume();
        was_last = fail_stop() < n;
        cr_assert(rc == 0 || (!was_last && rc == SOON_EBROKEN), "%d", rc);
        if (rc == 0) {
            soon_future_unref(f);
            free_pool(one);
            continue;
        }
        broken++;
        cr_assert_not(soon_future_error(f)->started);
        cr_assert_not_null(strstr(soon_future_error(f)->message, "could not start a worker"));
        cr_assert_eq(stats_of(one).failed, 1);
        cr_assert_eq(stats_of(one).pending, 0);
        cr_assert_eq(workers_of(one), 0);
        soon_future_unref(f);
        cr_assert_eq(outcome_of(soon_submit(one, nothing)), 0);
        cr_assert_eq(workers_of(one), 1);
        free_pool(one);
    }
    return broken;
}

/* The library's loop makes a few things once, such as a list of blocks with the first block that it frees. One of these
 * may have the number of a call that the start needs; but not for ever. */
Test(alloc_failure_growth, of_the_first_worker_fails_the_task_and_no_other, .init = make_pool, .fini = drop_pool)
{
    while (fail_each_in_turn() < 2)
        continue;
}

/* From here on no call of another thread succeeds: the library's loop can start no worker. */
static void starve_others(void)
{
    fail_from(1);
    fail_pause();
}
/* No more. Returns how many calls have failed. */
static size_t feed_others(void)
{
    fail_resume();
    return fail_stop();
}

/* The submit itself succeeds, no second worker can be started. */
static soon_future *submit_without_growth(const soon_function *function, const void *arg, size_t size)
{
    soon_future *f;

    starve_others();
    f = soon_submit_bytes(pool, function, arg, size, NULL);
    test_wait_until(workers_of(pool) == 1);
    cr_assert_geq(feed_others(), 1);
    return f;
}
static soon_future *twice_without_growth(void)
{
    return submit_without_growth(&twice_task, &(int){4}, sizeof(int));
}

Test(alloc_failure_growth, of_another_worker_leaves_the_task_to_the_first, .init = make_pool, .fini = drop_pool)
{
    soon_future *running = occupy_one(pool, gate), *f = twice_without_growth();
    int result;

    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    cr_assert_eq(workers_of(pool), 1);
    gate_open(gate, 1);

    cr_assert_eq(outcome_of(running), 0);
    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 8);
}

Test(alloc_failure_growth, is_tried_again_with_the_next_task, .init = make_pool, .fini = drop_pool)
{
    soon_future *running = occupy_one(pool, gate), *f = twice_without_growth(), *second = submit_pass(pool, gate);

    cr_assert_eq(outcome_of(f), 0); /* by the second worker, which came for the last one */
    gate_await(gate, 1);
    cr_assert_eq(workers_of(pool), 2);
    gate_open(gate, 2);
    cr_assert_eq(outcome_of(running), 0);
    cr_assert_eq(outcome_of(second), 0);
}

/* Returns of how many failed calls a boot was told. */
static int boot_where_each_fails_in_turn(void)
{
    int told = 0;

    for (size_t n = 1;; n++) {
        soon_executor *four = new_pool(.workers = 4);
        int rc;

        fail_nth(n);
        rc = soon_executor_boot(four, SOON_FOREVER);
        if (fail_stop() < n) {
            cr_assert_eq(rc, 0);
            free_pool(four);
            return told;
        }
        cr_assert(rc == 0 || rc == -EAGAIN || rc == -ENOMEM, "%d", rc); /* 0: a thread can do without that */
        told += rc < 0;
        cr_assert_eq(soon_executor_boot(four, SOON_FOREVER), 0);
        cr_assert_eq(workers_of(four), 4);
        free_pool(four);
    }
}

/* The calls of workers that have begun lie anywhere between those of the loop that starts the next ones. So the number
 * that fails may fall on one of theirs instead: but not for ever. */
Test(alloc_failure_growth, is_told_by_boot_which_may_be_repeated)
{
    while (boot_where_each_fails_in_turn() < 8) /* the block and the thread of each */
        continue;
}

SOON_TASK(wait_for_a_child, soon_none, int)
{
    soon_future *child = soon_submit(soon_task_executor(task), twice, 1);

    starve_others(); /* no spare */
    *result = soon_result_within(child, 1000000, &(int){0});
    feed_others();
    soon_future_unref(child);
    return 0;
}

/* The only worker parks, and no spare can be started: what it waits for fails rather than never runs. */
Test(alloc_failure_growth, of_a_spare_worker_fails_what_waits)
{
    soon_executor *one = new_pool(.workers = 1);
    soon_future *f = soon_submit(one, wait_for_a_child);
    int rc;

    cr_assert_eq(soon_take(f, &rc), 0);
    cr_assert(rc == SOON_EBROKEN || rc == -ENOMEM, "%d", rc);
    cr_assert_eq(outcome_of(soon_submit(one, nothing)), 0);
    free_pool(one);
}

static soon_promise *promise;

SOON_TASK(wait_for_the_promise, soon_none, int)
{
    soon_future *f = soon_promise_future(promise);

    *result = soon_future_wait(f, SOON_FOREVER);
    soon_future_unref(f);
    return 0;
}

SOON_TASK(keep_the_promise, soon_none, soon_none)
{
    cr_assert_eq(soon_promise_set_result(promise, NULL, 0), 0);
    return 0;
}

/* The worker that waits is no use to a new task: another is tried each time. */
Test(alloc_failure_growth, with_all_workers_waiting_is_tried_with_each_task)
{
    soon_executor *one = new_pool(.workers = 1);
    soon_future *waits, *f;
    int rc;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    waits = soon_submit(one, wait_for_the_promise);
    test_wait_until(soon_future_running(waits));
    for (int i = 0; i < 5; i++) {
        starve_others();
        f = soon_submit(one, twice, 1);
        cr_assert_eq(outcome_of(f), SOON_EBROKEN);
        cr_assert_geq(feed_others(), 1);
    }
    cr_assert_eq(outcome_of(soon_submit(one, keep_the_promise)), 0);

    cr_assert_eq(soon_take(waits, &rc), 0);
    cr_assert_eq(rc, 0);
    free_pool(one);
    soon_promise_free(promise);
}

SOON_TASK(pass_and_wait_for_the_promise, soon_none, int)
{
    soon_future *f = soon_promise_future(promise);

    gate_pass(gate, NULL);
    *result = soon_future_wait(f, SOON_FOREVER);
    soon_future_unref(f);
    return 0;
}

/* What is pending since a start failed is left alone by the worker that could have run it. Caught: a failed start that
 * counts also when nobody else is left. */
Test(alloc_failure_growth, is_tried_again_when_the_last_worker_parks, .init = make_pool, .fini = drop_pool)
{
    soon_future *waits, *keeps;
    int rc;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    waits = soon_submit(pool, pass_and_wait_for_the_promise);
    gate_await(gate, 1);
    keeps = submit_without_growth(&keep_the_promise_task, NULL, 0);
    gate_open(gate, 1);

    cr_assert_eq(outcome_of(keeps), 0);
    cr_assert_eq(soon_take(waits, &rc), 0);
    cr_assert_eq(rc, 0);
    soon_promise_free(promise);
}

/* Shut down while nothing can be started: nothing is left unresolved. */
Test(alloc_failure_growth, leaves_nothing_unresolved_in_a_shutdown)
{
    for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        soon_executor *two = new_pool(.workers = 2);
        soon_future *futures[10];

        starve_others();
        for (int i = 0; i < 10; i++)
            futures[i] = soon_submit(two, nothing);
        cr_assert_eq(soon_executor_shutdown(two, (soon_shutdown)mode, SOON_FOREVER), 0);
        feed_others();
        for (int i = 0; i < 10; i++) {
            int rc = outcome_of(futures[i]);
            cr_assert(rc == SOON_EBROKEN || (rc == -ECANCELED && mode != SOON_DRAIN), "%d", rc);
        }
        free_pool(two);
    }
}

static void submit_again(soon_future *future, void *data)
{
    soon_executor *executor = data;

    cr_assert_eq(soon_future_error(future)->code, SOON_EBROKEN);
    fail_stop();
    cr_assert_eq(outcome_of(soon_submit(executor, nothing)), 0);
}

/* The callback of the failed one may use the pool as any other. */
Test(alloc_failure_growth, has_callbacks_that_may_try_again)
{
    soon_executor *one = new_pool(.workers = 1);
    soon_future *f;

    starve_others();
    f = nothing_submit(one, NULL, &(soon_submit_options){.on_done = submit_again, .on_done_data = one});
    cr_assert_eq(outcome_of(f), SOON_EBROKEN);
    test_wait_until(stats_of(one).succeeded == 1);
    feed_others();
    free_pool(one);
}

static soon_executor *starved;
static atomic_int said; /* 1: nothing yet */

static void hear_error(const soon_error *error, void *data)
{
    (void)error, (void)data;
}

static void wait_for_the_starved(soon_future *future, void *data)
{
    soon_future *applied;

    (void)future, (void)data;
    starve_others();
    applied = soon_apply_async(starved, NULL, hear_error, NULL, nothing);
    said = soon_future_wait(applied, SOON_FOREVER);
    feed_others();
    soon_future_unref(applied);
}

/* The loop fails the task, and the callback that then comes before the future's end is to run on this very thread. */
Test(alloc_failure_growth, ends_a_wait_on_the_callback_thread, .init = make_pool, .fini = drop_pool)
{
    soon_future *first = occupy_one(pool, gate), *second = occupy_one(pool, gate), *late;

    said = 1;
    starved = new_pool(.workers = 1);
    late = nothing_submit(pool, NULL, &(soon_submit_options){.queue_limit_ms = 1, .on_done = wait_for_the_starved});
    test_wait_until(said != 1);
    cr_assert_eq(said, SOON_EDEADLK);

    cr_assert_eq(outcome_of(late), SOON_EEXPIRED);
    gate_open(gate, 2);
    cr_assert_eq(outcome_of(first), 0);
    cr_assert_eq(outcome_of(second), 0);
    free_pool(starved);
}

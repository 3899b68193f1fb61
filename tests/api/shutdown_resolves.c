/*
 * shutdown_resolves.c - a shutdown that has returned 0 leaves no future of its executor unresolved, whichever thread resolves it:
 * what is held up on that thread holds up the shutdown.
 *
 * User code keeps that thread from going on: a callback, a release, a task. While it does so every worker has gone; so
 * nothing else is left of the executor.
 */
#include "../support/executors.h"
#include "../support/pools.h"

TestSuite(shutdown_resolves, .init = close_gate);

enum { A_WHILE_MS = 100 }; /* long enough for a shutdown that does not wait to return; only who waits needs that long */

static struct {
    _Atomic bool inside, open;
    _Atomic int times;
} door;

/* User code stops here until the test lets it go on. */
static void stop_at_door(void)
{
    door.times++;
    door.inside = true;
    test_wait_until(door.open);
}

static void on_value(soon_bytes result, void *data)
{
    (void)result;
    (void)data;
    stop_at_door();
}

static void on_error(const soon_error *error, void *data)
{
    (void)error;
    (void)data;
    stop_at_door();
}

static void assert_held_up_and_let_go(soon_executor *executor, soon_future *future)
{
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, A_WHILE_MS), -ETIMEDOUT);
    cr_assert_not(soon_future_done(future));

    door.open = true;
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert(soon_future_done(future));
    door.open = door.inside = false;
}

SOON_TASK(answer, soon_none, int)
{
    *result = 42;
    return 0;
}

TestOnEach(shutdown_resolves, is_what_apply_async_made_when_its_callbacks_are_slow)
{
    soon_future *futures[5];

    door.times = 0;
    for (int i = 0; i < 5; i++)
        futures[i] = soon_apply_async(executor, on_value, on_error, NULL, answer);
    test_wait_until(door.inside);
    assert_held_up_and_let_go(executor, futures[4]);

    cr_assert_eq(door.times, 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
}

static void *cancel(void *future)
{
    cr_assert(soon_future_cancel(future));
    return NULL;
}

/* Of a pool with one worker, which has something to do; that ends, and the worker with it. */
static pthread_t cancel_elsewhere(soon_executor *pool, soon_future *future, void *(*how)(void *))
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, how, future), 0);
    test_wait_until(door.inside);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 0), -ETIMEDOUT);
    open_gate();
    test_wait_until(workers_of(pool) == 0);
    return thread;
}

SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return wait_at_gate(task);
}

Test(shutdown_resolves, is_what_apply_async_made_when_a_canceller_is_slow)
{
    soon_executor *pool = make_one_thread();
    soon_future *running = soon_submit(pool, at_gate, 1), *future;
    pthread_t canceller;

    await_arrivals(1);
    future = soon_apply_async(pool, on_value, on_error, NULL, at_gate, 2);
    canceller = cancel_elsewhere(pool, future, cancel);
    assert_held_up_and_let_go(pool, future);

    pthread_join(canceller, NULL);
    cr_assert_eq(outcome_of(future), -ECANCELED);
    cr_assert_eq(outcome_of(running), 0);
    free_pool(pool);
}

struct item {
    int number;
};

static void release_item(void *arg)
{
    if (((struct item *)arg)->number == 1)
        stop_at_door();
}

SOON_TASK_LOCAL(use_item, struct item, int, release_item, NULL)
{
    *result = arg->number;
    common()->arrived++;
    while (!common()->open) /* it does not listen */
        sched_yield();
    return 0;
}

static void *ask_to_end(void *future)
{
    (void)soon_future_cancel(future); /* it may have ended before this returns */
    return NULL;
}

/* The argument of the chunk that never ran is released before its map is told; the other one runs meanwhile. */
Test(shutdown_resolves, is_a_map_when_a_canceller_is_slow)
{
    static const struct item items[2] = {{0}, {1}};
    soon_executor *pool = make_one_thread();
    soon_future *map = soon_map_async_with(pool, (.chunk = 1), use_item, items, 2);
    pthread_t canceller;

    await_arrivals(1);
    canceller = cancel_elsewhere(pool, map, ask_to_end);
    assert_held_up_and_let_go(pool, map);

    pthread_join(canceller, NULL);
    cr_assert_eq(outcome_of(map), -ECANCELED);
    free_pool(pool);
}

static void *free_imap(void *imap)
{
    soon_imap_free(imap);
    return NULL;
}

static int two_items(void *arg, void *data)
{
    int *left = data;

    ((struct item *)arg)->number = *left;
    return (*left)-- > 0;
}

Test(shutdown_resolves, is_an_imap_when_who_gives_it_up_is_slow)
{
    soon_executor *pool = make_one_thread();
    soon_future *running = soon_submit(pool, at_gate, 1), *item;
    soon_imap *imap;
    pthread_t thread;
    int left = 2;

    await_arrivals(1);
    cr_assert_eq(soon_imap_new(&imap, pool, &use_item_task, &(soon_map_options){.chunk = 2}, two_items, &left), 0);
    cr_assert_eq(soon_imap_next(imap, 0, &item, NULL), -ETIMEDOUT);
    cr_assert_eq(pthread_create(&thread, NULL, free_imap, imap), 0);
    test_wait_until(door.inside);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, 0), -ETIMEDOUT);
    open_gate();
    test_wait_until(workers_of(pool) == 0);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, A_WHILE_MS), -ETIMEDOUT);
    door.open = true;

    free_pool(pool);
    pthread_join(thread, NULL);
    cr_assert_eq(outcome_of(running), 0);
}

SOON_TASK(stop, soon_none, int)
{
    stop_at_door();
    *result = 42;
    return 0;
}

struct submitter {
    soon_executor *pool;
    soon_future *future;
};

static void *submit_stop(void *data)
{
    struct submitter *submitter = data;

    submitter->future = soon_submit(submitter->pool, stop);
    return NULL;
}

Test(shutdown_resolves, is_what_a_submitter_runs_itself)
{
    struct submitter submitter = {.pool = new_pool(.workers = 1, .queue_max = 1, .when_full = SOON_FULL_RUN_HERE)};
    soon_future *running = soon_submit(submitter.pool, at_gate, 1), *queued;
    pthread_t thread;

    await_arrivals(1);
    queued = soon_submit(submitter.pool, answer);
    cr_assert_eq(pthread_create(&thread, NULL, submit_stop, &submitter), 0);
    test_wait_until(door.inside);
    cr_assert_eq(soon_executor_shutdown(submitter.pool, SOON_DRAIN, 0), -ETIMEDOUT);
    open_gate();
    test_wait_until(workers_of(submitter.pool) == 0);
    cr_assert_eq(soon_executor_shutdown(submitter.pool, SOON_DRAIN, A_WHILE_MS), -ETIMEDOUT);
    door.open = true;

    cr_assert_eq(soon_executor_shutdown(submitter.pool, SOON_DRAIN, SOON_FOREVER), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(outcome_of(submitter.future), 0);
    cr_assert_eq(outcome_of(running), 0);
    cr_assert_eq(outcome_of(queued), 0);
    free_pool(submitter.pool);
}

/* A refusal tells here and now, and pins nothing. */
TestOnEach(shutdown_resolves, is_what_came_when_the_executor_was_down)
{
    soon_future *future;

    door.open = true;
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    future = soon_apply_async(executor, on_value, on_error, NULL, answer);
    cr_assert(soon_future_done(future));
    cr_assert_eq(outcome_of(future), SOON_ESHUTDOWN);
    door.open = false;
}

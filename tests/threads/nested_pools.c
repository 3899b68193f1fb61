/*
 * nested_pools.c - waiting inside workers, continued: across pools, in callbacks, while a pool shuts down, for oneself.
 */
#include "../support/pools.h"

TestSuite(nested_pools);

static soon_executor *pools[2];

static void make_pools(void)
{
    for (int i = 0; i < 2; i++)
        pools[i] = new_pool(.workers = 1);
}
static void drop_pools(void)
{
    for (int i = 0; i < 2; i++)
        free_pool(pools[i]);
}

SOON_TASK(ping_pong, int, int)
{
    if (*arg == 0)
        return 0;
    cr_assert_eq(soon_take(soon_submit(pools[*arg % 2], ping_pong, *arg - 1), result), 0);
    ++*result;
    return 0;
}

Test(nested_pools, wait_for_each_other_in_turn, .init = make_pools, .fini = drop_pools)
{
    int result;

    cr_assert_eq(soon_take(soon_submit(pools[0], ping_pong, 100), &result), 0);
    cr_assert_eq(result, 100);
}

SOON_TASK(fill_the_other, soon_none, soon_none)
{
    soon_future *futures[50];

    for (int i = 0; i < 50; i++)
        futures[i] = soon_submit(pools[1], nothing);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    return 0;
}

/* A worker that waits for a place in the queue of another pool gives its own place to a spare. */
Test(nested_pools, wait_for_a_place_in_the_queue_of_another)
{
    struct gate gate = gate_new();
    soon_future *blocked, *blocker, *quick;

    pools[0] = new_pool(.workers = 1);
    pools[1] = new_pool(.workers = 1, .queue_max = 1);
    blocker = occupy_one(pools[1], gate);
    blocked = soon_submit(pools[0], fill_the_other);
    quick = soon_submit(pools[0], nothing);
    cr_assert_eq(outcome_of(quick), 0);
    cr_assert_not(soon_future_done(blocked));
    gate_open(gate, 1);

    cr_assert_eq(outcome_of(blocked), 0);
    cr_assert_eq(outcome_of(blocker), 0);
    drop_pools();
    gate_free(gate);
}

/*
 * In callbacks on workers
 */

static atomic_int seen;

static void submit_and_wait(soon_future *future, void *pool)
{
    int result = -1;

    (void)future;
    cr_assert_eq(soon_take(soon_submit(pool, twice, 4), &result), 0);
    seen = result;
}

Test(nested_pools, wait_in_a_callback_on_the_only_worker)
{
    soon_executor *pool = new_pool(.workers = 1);
    struct gate gate = gate_new();
    soon_future *f = occupy_one(pool, gate);

    cr_assert_eq(soon_future_add_done_callback(f, submit_and_wait, pool), 0);
    gate_open(gate, 1);
    test_wait_until(seen == 8);

    cr_assert_eq(outcome_of(f), 0);
    free_pool(pool);
    gate_free(gate);
}

/*
 * While the pool shuts down
 */

static struct gate gate;
static void make_gate(void)
{
    gate = gate_new();
}
static void drop_gate(void)
{
    gate_free(gate);
}

struct codes {
    int before, after;
};

/* Submits a child, waits at the gate, then waits for the child and for another. */
SOON_TASK(parent, int64_t, struct codes)
{
    soon_executor *pool = soon_task_executor(task);
    soon_future *early = soon_submit(pool, twice, 1), *late;

    gate_pass(gate, NULL);
    late = soon_submit(pool, twice, 2);
    result->before = soon_result_within(early, *arg, &(int){0});
    result->after = soon_result_within(late, *arg, &(int){0});
    soon_future_unref(early);
    soon_future_unref(late);
    return 0;
}

static struct codes shut_down_around(soon_shutdown mode, int64_t timeout_ms)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f = soon_submit(pool, parent, timeout_ms);
    struct codes codes;

    gate_await(gate, 1);
    cr_assert_eq(soon_executor_shutdown(pool, mode, 0), -ETIMEDOUT);
    gate_open(gate, 1);
    cr_assert_eq(soon_take(f, &codes), 0);
    free_pool(pool);
    return codes;
}

Test(nested_pools, waits_get_their_tasks_in_a_drain, .init = make_gate, .fini = drop_gate)
{
    static const int64_t timeouts[] = {SOON_FOREVER, 1000000};

    for (int i = 0; i < 2; i++) {
        struct codes codes = shut_down_around(SOON_DRAIN, timeouts[i]);

        cr_assert_eq(codes.before, 0);
        cr_assert_eq(codes.after, SOON_ESHUTDOWN);
    }
}

Test(nested_pools, waits_end_with_their_tasks_in_stronger_modes, .init = make_gate, .fini = drop_gate)
{
    for (int mode = SOON_CANCEL_PENDING; mode <= SOON_KILL; mode++) {
        struct codes codes = shut_down_around((soon_shutdown)mode, SOON_FOREVER);

        cr_assert_eq(codes.before, -ECANCELED);
        cr_assert_eq(codes.after, SOON_ESHUTDOWN);
    }
}

/*
 * For oneself
 */

static _Atomic(soon_future *) own;

SOON_TASK(wait_for_myself, soon_none, int)
{
    soon_future *f;
    int failures = 0;

    gate_pass(gate, NULL);
    f = own;
    failures += soon_future_wait(f, SOON_FOREVER) != SOON_EDEADLK;
    failures += soon_future_wait(f, 1) != SOON_EDEADLK;
    failures += soon_future_wait(f, 0) != -ETIMEDOUT;
    failures += soon_result(f, result) != SOON_EDEADLK;
    failures += soon_wait(&f, 1, SOON_ALL_COMPLETED, SOON_FOREVER, NULL) != SOON_EDEADLK;
    failures += soon_wait(&f, 1, SOON_FIRST_COMPLETED, 1, NULL) != SOON_EDEADLK;
    *result = failures;
    return 0;
}

Test(nested_pools, wait_for_the_own_future_is_refused, .init = make_gate, .fini = drop_gate)
{
    soon_executor *pool = new_pool(.workers = 1);
    int failures;

    own = soon_submit(pool, wait_for_myself);
    gate_await(gate, 1);
    gate_open(gate, 1);
    cr_assert_eq(soon_result(own, &failures), 0);

    cr_assert_eq(failures, 0);
    soon_future_unref(own);
    free_pool(pool);
}

SOON_TASK(wait_for_the_parent, soon_none, int)
{
    *result = soon_future_wait(own, SOON_FOREVER);
    return 0;
}

SOON_TASK(have_a_child, soon_none, int)
{
    gate_pass(gate, NULL);
    return soon_take(soon_submit(soon_task_executor(task), wait_for_the_parent), result);
}

Test(nested_pools, wait_for_a_task_below_on_the_stack_is_refused, .init = make_gate, .fini = drop_gate)
{
    soon_executor *pool = new_pool(.workers = 1);
    int rc;

    own = soon_submit(pool, have_a_child);
    gate_await(gate, 1);
    gate_open(gate, 1);
    cr_assert_eq(soon_result(own, &rc), 0);

    cr_assert_eq(rc, SOON_EDEADLK);
    soon_future_unref(own);
    free_pool(pool);
}

/*
 * Shutting down from inside
 */

struct inside {
    int polled, waited, freed, booted;
};

SOON_TASK(end_the_own_pool, soon_none, struct inside)
{
    soon_executor *pool = soon_task_executor(task);

    result->polled = soon_executor_shutdown(pool, SOON_CANCEL_PENDING, 0);
    result->waited = soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER);
    result->freed = soon_executor_free(pool);
    result->booted = soon_executor_boot(pool, SOON_FOREVER);
    return 0;
}

SOON_TASK(end_it_from_further_up, soon_none, struct inside)
{
    return soon_take(soon_submit(soon_task_executor(task), end_the_own_pool), result);
}

/* pebble: test_thread_pool_join_running */
Test(nested_pools, shutdown_in_a_task_begins_and_is_not_waited_for)
{
    for (int deep = 0; deep < 2; deep++) {
        soon_executor *pool = new_pool(.workers = 1);
        soon_future *f = deep ? soon_submit(pool, end_it_from_further_up) : soon_submit(pool, end_the_own_pool);
        struct inside inside;

        cr_assert_eq(soon_take(f, &inside), 0);
        cr_assert_eq(inside.polled, -ETIMEDOUT);
        cr_assert_eq(inside.waited, SOON_EDEADLK);
        cr_assert_eq(inside.freed, SOON_EDEADLK);
        cr_assert_eq(inside.booted, SOON_EDEADLK);
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), SOON_ESHUTDOWN);
        free_pool(pool);
    }
}

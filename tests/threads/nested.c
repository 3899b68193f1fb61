/*
 * nested.c - waiting inside workers: it cannot use up the pool, and at the limits it says so.
 */
#include "../support/pools.h"

TestSuite(nested);

enum { SPARES_MAX = 256, SMALL_STACK = 128 * 1024 /* a task on top of another has no room on half of that */ };

SOON_TASK(fib, int, int)
{
    soon_executor *pool = soon_task_executor(task);
    soon_future *f;
    int a, b;

    *result = *arg;
    if (*arg < 2)
        return 0;
    f = soon_submit(pool, fib, *arg - 1);
    cr_assert_eq(soon_take(soon_submit(pool, fib, *arg - 2), &b), 0);
    cr_assert_eq(soon_take(f, &a), 0);
    *result = a + b;
    return 0;
}

/* CPython's pools hang here, and loky has one level per pool */
Test(nested, fork_join_works_with_any_number_of_workers)
{
    static const int workers[] = {1, 2, 3, 8};
    int result;

    for (size_t i = 0; i < 4; i++) {
        soon_executor *pool = new_pool(.workers = workers[i]);

        cr_assert_eq(soon_take(soon_submit(pool, fib, 15), &result), 0);
        cr_assert_eq(result, 610);
        free_pool(pool);
    }
}

Test(nested, fork_join_works_for_many_at_once)
{
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *futures[50];
    int result;

    for (int i = 0; i < 50; i++)
        futures[i] = soon_submit(pool, fib, 8);
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(soon_take(futures[i], &result), 0);
        cr_assert_eq(result, 21);
    }
    free_pool(pool);
}

/*
 * Chains
 */

struct link {
    int depth;
    int64_t timeout_ms;
};

static atomic_int refused;

/* How deep it came. */
SOON_TASK(chain, struct link, int)
{
    struct link next = {arg->depth - 1, arg->timeout_ms};
    soon_future *f;
    int rc;

    if (arg->depth == 0)
        return 0;
    f = chain_submit(soon_task_executor(task), &next, NULL);
    rc = soon_future_read(f, arg->timeout_ms, result, sizeof *result);
    soon_future_unref(f);
    refused += rc == SOON_EDEADLK;
    ++*result;
    return 0;
}

static int chain_of(int depth, int64_t timeout_ms, size_t stack_size)
{
    soon_executor *pool = new_pool(.workers = 1, .stack_size = stack_size);
    int result;

    cr_assert_eq(soon_take(soon_submit(pool, chain, depth, timeout_ms), &result), 0);
    free_pool(pool); /* and what was given up on the way has ended too */
    return result;
}

Test(nested, chains_run_on_one_stack_as_long_as_there_is_room)
{
    cr_assert_eq(chain_of(500, SOON_FOREVER, 0), 500);
    cr_assert_eq(refused, 0);
}

Test(nested, chains_go_on_with_spare_workers_on_small_stacks)
{
    cr_assert_eq(chain_of(SPARES_MAX, SOON_FOREVER, SMALL_STACK), SPARES_MAX);
    cr_assert_eq(refused, 0);
}

/* I4 */
Test(nested, chains_end_with_a_code_at_the_limit_of_spare_workers)
{
    cr_assert_leq(chain_of(5000, 1000000000, SMALL_STACK), 5000);
    cr_assert_gt(refused, 0);
}

Test(nested, chains_end_with_a_code_at_the_limits_of_stack_and_spare_workers)
{
    cr_assert_leq(chain_of(30000, SOON_FOREVER, SMALL_STACK), 30000);
}

/*
 * What a wait may do meanwhile
 */

SOON_TASK(wait_a_little, struct gate, int)
{
    soon_future *child = submit_pass(soon_task_executor(task), *arg);

    *result = soon_future_wait(child, 1);
    soon_future_unref(child);
    return 0;
}

/* docs/decisions/waiting.md, "A wait with a time limit runs no task" */
Test(nested, wait_with_a_limit_runs_nothing_that_could_take_longer)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1);
    int rc;

    cr_assert_eq(soon_take(wait_a_little_submit(pool, &gate, NULL), &rc), 0);
    cr_assert_eq(rc, -ETIMEDOUT);
    gate_open(gate, 1);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(poll, struct gate, int)
{
    soon_future *child = submit_pass(soon_task_executor(task), *arg);
    bool done;

    *result = soon_future_wait(child, 0) == -ETIMEDOUT && soon_wait(&child, 1, SOON_ALL_COMPLETED, 0, &done) == 0 &&
              soon_wait(&child, 1, SOON_FIRST_COMPLETED, 0, &done) == 0 && !done;
    cr_assert_eq(workers_of(soon_task_executor(task)), 1); /* to look costs no worker */
    soon_future_cancel(child);
    soon_future_unref(child);
    return 0;
}

Test(nested, poll_neither_runs_anything_nor_parks)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1);
    int polled;

    cr_assert_eq(soon_take(poll_submit(pool, &gate, NULL), &polled), 0);
    cr_assert(polled);
    free_pool(pool);
    gate_free(gate);
}

static pthread_mutex_t lock;

static void init_lock(void)
{
    pthread_mutexattr_t checked;

    pthread_mutexattr_init(&checked);
    pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK); /* who locks it twice is told */
    pthread_mutex_init(&lock, &checked);
}

SOON_TASK(stranger, soon_none, int)
{
    *result = pthread_mutex_lock(&lock);
    if (*result == 0)
        pthread_mutex_unlock(&lock);
    return 0;
}

static soon_future *strangers[20];

SOON_TASK(wait_under_a_lock, soon_none, int)
{
    soon_executor *pool = soon_task_executor(task);
    soon_future *child;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < 20; i++)
        strangers[i] = soon_submit(pool, stranger);
    child = soon_submit(pool, twice, 21);
    *result = -1;
    cr_assert_eq(soon_take(child, result), 0);
    pthread_mutex_unlock(&lock);
    return 0;
}

/* A stranger that ran under a lock which the waiting task holds would wait for that for ever. */
Test(nested, wait_runs_no_stranger_on_the_stack_of_who_waits, .init = init_lock)
{
    static const int workers[] = {1, 2, 4};

    for (size_t w = 0; w < 3; w++) {
        soon_executor *pool = new_pool(.workers = workers[w]);
        int result;

        cr_assert_eq(soon_take(soon_submit(pool, wait_under_a_lock), &result), 0);
        cr_assert_eq(result, 42);
        for (size_t i = 0; i < 20; i++) {
            cr_assert_eq(soon_take(strangers[i], &result), 0);
            cr_assert_eq(result, 0);
        }
        free_pool(pool);
    }
}

/*
 * Promises and sets
 */

static soon_promise *promise;

static void make_promise(void)
{
    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
}
static void drop_promise(void)
{
    soon_promise_free(promise);
}

enum way { ONE, ALL, FIRST, FIRST_EXCEPTION, AS_COMPLETED, GATHER, WAYS };

static int wait_in(enum way way, soon_future *f)
{
    soon_as_completed *set;
    soon_future *all;
    int rc = 0;

    switch (way) {
    case ONE:
        return soon_future_wait(f, SOON_FOREVER);
    case AS_COMPLETED:
        cr_assert_eq(soon_as_completed_new(&set, &f, 1, SOON_FOREVER), 0);
        rc = soon_as_completed_next(set, &all);
        if (rc == 0)
            soon_future_unref(all);
        soon_as_completed_free(set);
        return rc;
    case GATHER:
        all = soon_gather(&f, 1);
        rc = soon_future_wait(all, SOON_FOREVER);
        soon_future_unref(all);
        return rc;
    default:
        rc = (int)soon_wait(&f, 1,
                            way == ALL     ? SOON_ALL_COMPLETED
                            : way == FIRST ? SOON_FIRST_COMPLETED
                                           : SOON_FIRST_EXCEPTION,
                            SOON_FOREVER, NULL);
        return rc == 1 ? 0 : rc;
    }
}

SOON_TASK(wait_for_the_promise, enum way, int)
{
    soon_future *f = soon_promise_future(promise);

    *result = wait_in(*arg, f);
    soon_future_unref(f);
    return 0;
}

SOON_TASK(keep_the_promise, soon_none, soon_none)
{
    cr_assert_eq(soon_promise_set_result(promise, NULL, 0), 0);
    return 0;
}

/* Whoever waits in whatever way gives its place to another worker, which brings what it waits for. */
Test(nested, wait_for_something_else_gives_the_place_to_a_spare_worker)
{
    for (int workers = 1; workers <= 3; workers++) {
        for (int way = 0; way < WAYS; way++) {
            soon_executor *pool = new_pool(.workers = workers);
            soon_future *futures[9], *keeper;
            int rc;

            make_promise();
            for (int i = 0; i < 3 * workers; i++)
                futures[i] = soon_submit(pool, wait_for_the_promise, (enum way)way);
            keeper = soon_submit(pool, keep_the_promise);
            for (int i = 0; i < 3 * workers; i++) {
                cr_assert_eq(soon_take(futures[i], &rc), 0);
                cr_assert_eq(rc, 0);
            }
            cr_assert_eq(outcome_of(keeper), 0);
            free_pool(pool);
            drop_promise();
        }
    }
}

/* I4, with `tasks` of them, far beyond the limit. */
static void park_at_the_limit(enum way way, int tasks)
{
    soon_executor *pool = new_pool(.workers = 2, .stack_size = SMALL_STACK);
    soon_future **futures = calloc((size_t)tasks, sizeof *futures);
    int rc;

    make_promise();
    for (int i = 0; i < tasks; i++)
        futures[i] = soon_submit(pool, wait_for_the_promise, way);
    test_wait_until(stats_of(pool).spares == SPARES_MAX);
    cr_assert_eq(soon_future_wait(futures[tasks - 1], 50), -ETIMEDOUT); /* if one were refused, all others would be */
    cr_assert_eq(stats_of(pool).running, SPARES_MAX + 2);
    cr_assert_eq(soon_promise_set_result(promise, NULL, 0), 0);

    for (int i = 0; i < tasks; i++) {
        cr_assert_eq(soon_take(futures[i], &rc), 0);
        cr_assert_eq(rc, 0);
    }
    free(futures);
    free_pool(pool);
    drop_promise();
}

Test(nested, waits_that_others_end_are_not_refused_at_the_limit)
{
    park_at_the_limit(ONE, 1000);
    for (int way = ONE + 1; way < WAYS; way++)
        park_at_the_limit((enum way)way, SPARES_MAX + 20);
}

static soon_future *awaited;

SOON_TASK(wait_for_another, enum way, int)
{
    *result = wait_in(*arg, awaited);
    return 0;
}

Test(nested, waits_for_another_pool_are_not_refused_at_the_limit)
{
    enum { TASKS = SPARES_MAX + 20 };
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1, .stack_size = SMALL_STACK), *other = new_pool(.workers = 1);
    soon_future *futures[TASKS];
    int rc;

    awaited = occupy_one(other, gate);
    for (int i = 0; i < TASKS; i++)
        futures[i] = soon_submit(pool, wait_for_another, ONE);
    test_wait_until(stats_of(pool).spares == SPARES_MAX);
    cr_assert_eq(soon_future_wait(futures[TASKS - 1], 50), -ETIMEDOUT);
    gate_open(gate, 1);

    for (int i = 0; i < TASKS; i++) {
        cr_assert_eq(soon_take(futures[i], &rc), 0);
        cr_assert_eq(rc, 0);
    }
    soon_future_unref(awaited);
    free_pool(pool);
    free_pool(other);
    gate_free(gate);
}

/* I4: what they wait for is behind them in the queue. The last that could run it is refused, and does. */
Test(nested, waits_that_only_the_pool_can_end_are_refused_at_the_limit)
{
    enum { TASKS = SPARES_MAX + 20 };

    for (int way = ONE; way < WAYS; way++) {
        struct gate gate = gate_new();
        soon_executor *pool = new_pool(.workers = 1, .stack_size = SMALL_STACK);
        soon_future *first = occupy_one(pool, gate), *futures[TASKS];
        int rc, refusals = 0;

        awaited = soon_submit_with(pool, (.priority = -1), nothing);
        for (int i = 0; i < TASKS; i++)
            futures[i] = soon_submit(pool, wait_for_another, (enum way)way);
        gate_open(gate, 1);

        for (int i = 0; i < TASKS; i++) {
            cr_assert_eq(soon_take(futures[i], &rc), 0);
            cr_assert(rc == 0 || rc == SOON_EDEADLK);
            refusals += rc == SOON_EDEADLK;
        }
        /* One future may be run by who waits for it. */
        cr_assert(refusals > 0 || way == ONE || way == ALL, "in way %d", way);
        cr_assert_eq(outcome_of(awaited), 0);
        cr_assert_eq(outcome_of(first), 0);
        free_pool(pool);
        gate_free(gate);
    }
}

/* While one of them waits for others nobody is refused: it comes back, and then the rule is as before. */
Test(nested, wait_for_others_keeps_the_rest_from_being_refused, .init = make_promise)
{
    soon_executor *pool = new_pool(.workers = 1, .stack_size = SMALL_STACK);
    soon_future *waiting = soon_submit(pool, wait_for_the_promise, ONE), *deep;
    int rc;

    test_wait_until(stats_of(pool).running == 1);
    deep = soon_submit(pool, chain, 5000, 1000000000);
    test_wait_until(stats_of(pool).spares == SPARES_MAX);
    cr_assert_eq(soon_future_wait(deep, 50), -ETIMEDOUT);
    cr_assert_eq(refused, 0);
    cr_assert_eq(soon_promise_set_result(promise, NULL, 0), 0);

    cr_assert_eq(soon_take(waiting, &rc), 0);
    cr_assert_eq(rc, 0);
    cr_assert_eq(outcome_of(deep), 0);
    cr_assert_gt(refused, 0);
    free_pool(pool);
    drop_promise();
}

static struct gate gates[2];

SOON_TASK(wait_then_pass, soon_none, soon_none)
{
    soon_future *f = soon_promise_future(promise);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    soon_future_unref(f);
    return gate_pass(gates[0], task);
}

SOON_TASK(keep_then_pass, soon_none, soon_none)
{
    cr_assert_eq(soon_promise_set_result(promise, NULL, 0), 0);
    return gate_pass(gates[1], task);
}

/* I3: when a parked worker is back there are too many: the first that looks for work goes to sleep. Fails (waits for
 * ever) if take_locked() skips the surplus check. */
Test(nested, worker_too_many_takes_no_new_task, .init = make_promise, .fini = drop_promise)
{
    soon_executor *pool = new_pool(.workers = 1);
    struct gate never = gate_new();
    soon_future *futures[3];

    gates[0] = gate_new();
    gates[1] = gate_new();
    futures[0] = soon_submit(pool, wait_then_pass);
    futures[1] = soon_submit(pool, keep_then_pass);
    gate_await(gates[0], 1); /* the first is back from its wait */
    gate_await(gates[1], 1);
    futures[2] = submit_pass(pool, never);
    gate_open(gates[1], 1);

    test_wait_until(stats_of(pool).idle == 1);
    cr_assert_eq(stats_of(pool).pending, 1);
    gate_open(gates[0], 1);
    gate_await(never, 1);
    gate_open(never, 1);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    free_pool(pool);
    gate_free(gates[0]);
    gate_free(gates[1]);
    gate_free(never);
}

/*
 * Cancelling
 */

static atomic_int children_run;

SOON_TASK(count_child, soon_none, soon_none)
{
    children_run++;
    return 0;
}

/* How many of its children it could cancel. */
SOON_TASK(cancel_children, soon_none, int)
{
    soon_future *children[4];

    for (int i = 0; i < 4; i++)
        children[i] = soon_submit(soon_task_executor(task), count_child);
    for (int i = 3; i >= 0; i--)
        *result += soon_future_cancel(children[i]) && soon_future_state(children[i]) == SOON_CANCELLED;
    soon_futures_unref(children, 4);
    return 0;
}

/* The only worker is busy with their parent, so none has begun. Caught: a child that is looked for in the queue alone. */
Test(nested, children_that_have_not_begun_can_be_cancelled)
{
    soon_executor *pool = new_pool(.workers = 1);
    int count;

    for (int i = 0; i < 100; i++) {
        cr_assert_eq(soon_take(soon_submit(pool, cancel_children), &count), 0);
        cr_assert_eq(count, 4);
    }
    free_pool(pool);
    cr_assert_eq(children_run, 0);
}

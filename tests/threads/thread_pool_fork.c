/*
 * thread_pool_fork.c - thread pools in a child of fork(): the parent's say that they are the parent's, and the child makes its
 * own.
 */
#include "../support/forked.h"
#include "../support/pools.h"

/* The parent's: one worker at a gate, one task pending, one that is done. */
static soon_executor *pool;
static struct gate gate;
static soon_future *running, *pending, *done, *down;

static void make_all(void)
{
    gate = gate_new();
    pool = new_pool(.workers = 1);
    done = soon_submit(pool, twice, 21);
    cr_assert_eq(soon_future_wait(done, SOON_FOREVER), 0);
    running = occupy_one(pool, gate);
    pending = soon_submit(pool, twice, 4);
    down = soon_executor_down(pool);
}

static void drop_all(void)
{
    int result;

    gate_open(gate, 1);
    cr_assert_eq(soon_take(running, &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(soon_take(pending, &result), 0);
    cr_assert_eq(result, 8);
    free_pool(pool);
    cr_assert(soon_future_succeeded(down));
    soon_future_unref(done);
    soon_future_unref(down);
    gate_free(gate);
}

TestSuite(thread_pool_fork, .init = make_all, .fini = drop_all);

static void refuses_everything(void)
{
    soon_future *f = soon_submit(pool, twice, 1);
    int result;

    CHECK(soon_future_done(f));
    CHECK(soon_result(f, &result) == SOON_EFORKED);
    soon_future_unref(f);
    CHECK(soon_try_submit_bytes(&f, pool, &nothing_task, NULL, 0, NULL) == SOON_EFORKED);
    CHECK(soon_executor_boot(pool, SOON_FOREVER) == SOON_EFORKED);
    for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        CHECK(soon_executor_shutdown(pool, (soon_shutdown)mode, SOON_FOREVER) == SOON_EFORKED);
        CHECK(soon_executor_shutdown(pool, (soon_shutdown)mode, 0) == SOON_EFORKED);
    }
    f = soon_executor_down(pool);
    CHECK(soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0}) == SOON_EFORKED);
    soon_future_unref(f);
    f = soon_then(done, pool, &twice_task);
    CHECK(soon_result(f, &result) == SOON_EFORKED);
    soon_future_unref(f);
    CHECK(soon_executor_free(pool) == SOON_EFORKED);
}

Test(thread_pool_fork, refuses_everything_in_the_child)
{
    in_child(refuses_everything);
}

static void has_no_stats(void)
{
    soon_stats stats, zeroes;

    memset(&stats, 0xff, sizeof stats);
    memset(&zeroes, 0, sizeof zeroes);
    soon_executor_stats(pool, &stats);
    CHECK(memcmp(&stats, &zeroes, sizeof stats) == 0);
}

Test(thread_pool_fork, has_no_stats_in_the_child)
{
    in_child(has_no_stats);
}

static void futures_say_so(void)
{
    soon_future *futures[] = {running, pending, down};
    int result;

    for (size_t i = 0; i < 3; i++) {
        CHECK(soon_future_wait(futures[i], SOON_FOREVER) == SOON_EFORKED);
        CHECK(soon_result(futures[i], &result) == SOON_EFORKED);
        CHECK(!soon_future_cancel(futures[i]));
        CHECK(soon_future_kill(futures[i]) == SOON_EFORKED);
    }
    CHECK(soon_future_state(running) == SOON_RUNNING);
    CHECK(soon_future_state(pending) == SOON_PENDING);
    CHECK(soon_result(done, &result) == 0 && result == 42);
}

Test(thread_pool_fork, has_futures_that_say_so_unless_they_are_done)
{
    in_child(futures_say_so);
}

static void makes_its_own(void)
{
    soon_executor *own, *inner;
    soon_future *f;
    int result;

    CHECK(soon_thread_pool_new(&own, &(soon_thread_pool_options){.workers = 2, .queue_max = 5}) == 0);
    CHECK(soon_executor_boot(own, SOON_FOREVER) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(soon_take(soon_submit(own, twice, i), &result) == 0 && result == 2 * i);
    f = nothing_submit(own, NULL, &(soon_submit_options){.queue_limit_ms = 1000000, .time_limit_ms = 1000000});
    CHECK(soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0}) == 0);
    soon_future_unref(f);
    CHECK(soon_thread_pool_new(&inner, NULL) == 0);
    CHECK(soon_executor_free(inner) == 0);
    CHECK(soon_executor_shutdown(own, SOON_TERMINATE, SOON_FOREVER) == 0);
    CHECK(soon_executor_free(own) == 0);
}

static void skip_under_tsan(void)
{
    if (UNDER_TSAN)
        cr_skip_test("it starts no threads in a child");
}

Test(thread_pool_fork, lets_the_child_make_its_own)
{
    skip_under_tsan();
    in_child(makes_its_own);
}

static void has_a_child_of_its_own(void)
{
    soon_executor *own;
    int result;

    CHECK(soon_thread_pool_new(&own, NULL) == 0);
    CHECK(soon_take(soon_submit(own, twice, 5), &result) == 0 && result == 10);
    CHECK(status_of_child(makes_its_own) == 0);
    CHECK(soon_take(soon_submit(own, twice, 6), &result) == 0 && result == 12);
    CHECK(soon_executor_free(own) == 0);
}

Test(thread_pool_fork, lets_the_child_fork_too)
{
    skip_under_tsan();
    in_child(has_a_child_of_its_own);
}

SOON_TASK(fork_here, bool, int)
{
    *result = status_of_child(*arg ? makes_its_own : refuses_everything);
    return 0;
}

/* CPython: test_process_fork_from_a_threadpool */
Test(thread_pool_fork, lets_a_task_fork)
{
    soon_executor *other = new_pool(.workers = 2);
    int status;

    cr_assert_eq(soon_take(soon_submit(other, fork_here, false), &status), 0);
    cr_assert_eq(status, 0);
    if (!UNDER_TSAN)
        cr_assert_eq(soon_take(soon_submit(other, fork_here, true), &status), 0);
    cr_assert_eq(status, 0);
    free_pool(other);
}

/* In the parent: how the child has ended. The child returns into what is the parent's. */
static int fork_and_return(void)
{
    int status = -1;
    pid_t child = test_fork();

    if (child == 0) {
        alarm(60);
        return 0;
    }
    return waitpid(child, &status, 0) == child ? status : -1;
}

SOON_TASK(fork_and_return_from_body, soon_none, int)
{
    *result = fork_and_return();
    return 0;
}

Test(thread_pool_fork, ends_the_child_of_a_task_that_returns_from_its_body)
{
    soon_executor *other = new_pool(.workers = 1);
    int status;

    cr_assert_eq(soon_take(soon_submit(other, fork_and_return_from_body), &status), 0);
    cr_assert_eq(status, 0);
    free_pool(other);
}

static _Atomic int status_of_callback;

static void fork_and_return_from_callback(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    status_of_callback = fork_and_return();
}

Test(thread_pool_fork, ends_the_child_of_a_callback_that_returns_to_its_worker)
{
    status_of_callback = -1;
    cr_assert_eq(soon_future_add_done_callback(pending, fork_and_return_from_callback, NULL), 0);
    gate_open(gate, 1);

    test_wait_until(status_of_callback != -1);
    cr_assert_eq(status_of_callback, 0);
}

static void wait_in_child_of_task(void)
{
    soon_executor *own;
    int result;

    /* Its worker is a thread of the parent's: this one has none to give its place to. */
    CHECK(soon_thread_pool_new(&own, &(soon_thread_pool_options){.workers = 1}) == 0);
    CHECK(soon_take(soon_submit(own, twice, 5), &result) == 0 && result == 10);
    CHECK(soon_executor_shutdown(own, SOON_DRAIN, SOON_FOREVER) == 0);
    CHECK(soon_executor_free(own) == 0);
}

SOON_TASK(fork_and_wait, soon_none, int)
{
    *result = status_of_child(wait_in_child_of_task);
    return 0;
}

Test(thread_pool_fork, lets_the_child_of_a_task_wait)
{
    soon_executor *other = new_pool(.workers = 1);
    int status;

    skip_under_tsan();
    cr_assert_eq(soon_take(soon_submit(other, fork_and_wait), &status), 0);
    cr_assert_eq(status, 0);
    free_pool(other);
}

SOON_TASK(submit_oneself, soon_none, soon_none)
{
    soon_future_unref(soon_submit(soon_task_executor(task), submit_oneself));
    return 0;
}

/* CPython: test_hang_global_shutdown_lock: 50 forks of a pool that is busy all the time */
Test(thread_pool_fork, works_while_the_parents_is_busy)
{
    soon_executor *busy;

    if (UNDER_ASAN)
        cr_skip_test("its allocator may be locked in a child, by a thread that is not there");
    busy = new_pool(.workers = 2, .idle_timeout_ms = 1);
    for (int i = 0; i < 3; i++)
        soon_future_unref(soon_submit(busy, submit_oneself));
    for (int i = 0; i < 50; i++)
        in_child(UNDER_TSAN ? refuses_everything : makes_its_own);
    cr_assert_eq(soon_executor_shutdown(busy, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
    free_pool(busy);
}

static void free_in_any_order(void)
{
    soon_future_unref(running);
    soon_future_unref(pending);
    soon_future_unref(done);
    soon_future_unref(down);
    CHECK(soon_executor_free(pool) == SOON_EFORKED);
}

Test(thread_pool_fork, lets_the_child_give_up_its_references)
{
    in_child(free_in_any_order);
}

/*
 * thread_initializer.c - initializers of thread pools, what they leave on a worker, and its release.
 */
#include "../support/pools.h"

TestSuite(thread_initializer);

/* What an initializer leaves: a counted block that knows its thread. */
struct local {
    int thread, value, tasks;
};

static atomic_int made, released, released_elsewhere;

static void release_local(void *pointer)
{
    struct local *local = pointer;

    released_elsewhere += local->thread != gettid();
    released++;
    free(local);
}

SOON_TASK(make_local, int, soon_none)
{
    struct local *local = calloc(1, sizeof *local);

    local->thread = gettid();
    local->value = *arg;
    soon_task_set_local(task, local, release_local);
    made++;
    return 0;
}

/* -1: another thread's. */
SOON_TASK(get_local, soon_none, int)
{
    struct local *local = soon_task_local(task);

    *result = local->thread == gettid() ? local->value : -1;
    local->tasks++;
    return 0;
}

SOON_TASK(has_local, soon_none, bool)
{
    *result = soon_task_local(task) != NULL;
    return 0;
}

/* CPython: InitializerTest.test_initializer; pebble: test_thread_pool_initializer; interpreter pool: test_init_func */
Test(thread_initializer, runs_before_the_first_task_of_each_worker)
{
    int value = 7, seen;
    soon_executor *pool = new_pool(.workers = 3, .initializer = &make_local_task, .initializer_arg = &value);
    soon_future *futures[100];

    value = 8; /* it was copied */
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    for (int i = 0; i < 100; i++)
        futures[i] = soon_submit(pool, get_local);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(soon_take(futures[i], &seen), 0);
        cr_assert_eq(seen, 7);
    }
    cr_assert_eq(made, 3);
    cr_assert_eq(released, 0);
    free_pool(pool);

    cr_assert_eq(released, 3);
    cr_assert_eq(released_elsewhere, 0);
}

Test(thread_initializer, gets_zeroes_where_no_argument_is_given)
{
    soon_executor *pool = new_pool(.workers = 1, .initializer = &make_local_task);
    int seen = -1;

    cr_assert_eq(soon_take(soon_submit(pool, get_local), &seen), 0);

    cr_assert_eq(seen, 0);
    free_pool(pool);
}

Test(thread_initializer, is_not_needed)
{
    soon_executor *pool = new_pool(.workers = 1);
    bool has;

    cr_assert_eq(soon_take(soon_submit(pool, has_local), &has), 0);

    cr_assert_not(has);
    free_pool(pool);
}

Test(thread_initializer, may_leave_nothing)
{
    soon_executor *pool = new_pool(.workers = 1, .initializer = &nothing_task);
    bool has;

    cr_assert_eq(soon_take(soon_submit(pool, has_local), &has), 0);

    cr_assert_not(has);
    free_pool(pool);
}

SOON_TASK(leave_static, soon_none, soon_none)
{
    static int value;

    soon_task_set_local(task, &value, NULL);
    return 0;
}

Test(thread_initializer, may_leave_what_needs_no_release)
{
    soon_executor *pool = new_pool(.workers = 1, .initializer = &leave_static_task);
    bool has;

    cr_assert_eq(soon_take(soon_submit(pool, has_local), &has), 0);

    cr_assert(has);
    free_pool(pool);
}

/* A worker that ends because it had no work releases what it has, and its successor is initialised anew. */
Test(thread_initializer, runs_again_for_each_new_worker)
{
    int value = 3, seen;
    soon_executor *pool =
        new_pool(.workers = 1, .idle_timeout_ms = 1, .initializer = &make_local_task, .initializer_arg = &value);

    for (int round = 1; round <= 5; round++) {
        cr_assert_eq(soon_take(soon_submit(pool, get_local), &seen), 0);
        cr_assert_eq(seen, 3);
        test_wait_until(workers_of(pool) == 0);
        test_wait_until(released == made); /* by a thread that counts no more */
        cr_assert_eq(made, round);
    }
    free_pool(pool);
    cr_assert_eq(released_elsewhere, 0);
}

SOON_TASK(wait_for_one_with_local, struct gate, int)
{
    soon_future *child = soon_submit(soon_task_executor(task), get_local);
    int rc = soon_result_within(child, 1000000, result); /* on a spare: it has a limit */

    soon_future_unref(child);
    return rc;
}

Test(thread_initializer, runs_for_spare_workers_too)
{
    int value = 5, seen;
    soon_executor *pool = new_pool(.workers = 1, .initializer = &make_local_task, .initializer_arg = &value);

    cr_assert_eq(soon_take(wait_for_one_with_local_submit(pool, NULL, NULL), &seen), 0);

    cr_assert_eq(seen, 5);
    cr_assert_eq(made, 2);
    free_pool(pool);
    cr_assert_eq(released, 2);
}

/* What runs on top of a waiting task has the local of the thread that it is on. */
SOON_TASK(wait_and_run, soon_none, int)
{
    return soon_take(soon_submit(soon_task_executor(task), get_local), result);
}

Test(thread_initializer, is_seen_by_tasks_that_run_inside_a_wait)
{
    int value = 6, seen;
    soon_executor *pool = new_pool(.workers = 1, .initializer = &make_local_task, .initializer_arg = &value);

    cr_assert_eq(soon_take(soon_submit(pool, wait_and_run), &seen), 0);

    cr_assert_eq(seen, 6);
    cr_assert_eq(made, 1);
    free_pool(pool);
}

static soon_executor *executor_of_release;
static atomic_int freed, shut_down;

static void free_in_release(void *pointer)
{
    (void)pointer;
    shut_down = soon_executor_shutdown(executor_of_release, SOON_DRAIN, SOON_FOREVER);
    freed = soon_executor_free(executor_of_release);
}

SOON_TASK(leave_a_trap, soon_none, soon_none)
{
    executor_of_release = soon_task_executor(task);
    soon_task_set_local(task, task, free_in_release);
    return 0;
}

Test(thread_initializer, has_a_release_in_which_the_pool_cannot_be_freed)
{
    soon_executor *pool = new_pool(.workers = 1, .initializer = &leave_a_trap_task);

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);

    cr_assert_eq(shut_down, SOON_EDEADLK);
    cr_assert_eq(freed, SOON_EDEADLK);
}

/*
 * Failing
 */

static struct gate gate;

SOON_TASK(fail, int, soon_none)
{
    gate_pass(gate, NULL);
    return *arg ? *arg : soon_raise(task, EIO, "no disk in %s", "drive A");
}

/* A pool with tasks that wait for an initializer that is about to fail. */
static void break_a_pool(int code, const char *text)
{
    soon_executor *pool = new_pool(.workers = 2, .initializer = &fail_task, .initializer_arg = &code);
    soon_future *futures[20], *late;

    gate = gate_new();
    for (int i = 0; i < 20; i++)
        futures[i] = soon_submit_with(pool, (.label = "waits"), nothing);
    gate_open(gate, 2);

    for (int i = 0; i < 20; i++) {
        cr_assert_eq(soon_future_result(futures[i], SOON_FOREVER, &(soon_bytes){NULL, 0}), SOON_EBROKEN);
        cr_assert_not_null(strstr(soon_future_error(futures[i])->message, text), "%s",
                           soon_future_error(futures[i])->message);
        cr_assert_not(soon_future_error(futures[i])->started);
    }
    late = soon_submit(pool, nothing);
    cr_assert_eq(soon_future_result(late, 0, &(soon_bytes){NULL, 0}), SOON_EBROKEN);
    cr_assert_not_null(strstr(soon_future_error(late)->message, text));
    soon_future_unref(late);
    late = NULL;
    cr_assert_eq(soon_try_submit_bytes(&late, pool, &nothing_task, NULL, 0, NULL), SOON_EBROKEN);
    cr_assert_null(late);
    cr_assert_eq(stats_of(pool).failed, 20);
    cr_assert_eq(stats_of(pool).pending, 0);

    soon_futures_unref(futures, 20);
    free_pool(pool);
    gate_free(gate);
}

/* CPython: FailingInitializerTest.test_initializer; pebble: test_thread_pool_broken_initializer */
Test(thread_initializer, breaks_the_pool_when_it_fails_and_says_why)
{
    break_a_pool(0, "no disk in drive A");
}

Test(thread_initializer, breaks_the_pool_with_any_code)
{
    break_a_pool(-ENOSPC, soon_strerror(-ENOSPC));
    break_a_pool(5, soon_strerror(5));
    break_a_pool(-ECANCELED, soon_strerror(-ECANCELED));
    break_a_pool(SOON_ERAISED, soon_strerror(SOON_ERAISED));
}

/* CPython: test_force_shutdown_workers_dead_workers */
Test(thread_initializer, leaves_a_broken_pool_that_can_be_shut_down_in_any_mode)
{
    for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        soon_executor *pool = new_pool(.workers = 2, .initializer = &fail_task, .initializer_arg = &(int){-EIO});
        soon_future *f, *down = soon_executor_down(pool);

        gate = gate_new();
        gate_open(gate, 2);
        f = soon_submit(pool, nothing);
        cr_assert_eq(outcome_of(f), SOON_EBROKEN);
        cr_assert_not(soon_future_done(down));
        cr_assert_eq(soon_executor_shutdown(pool, (soon_shutdown)mode, SOON_FOREVER), 0);
        cr_assert(soon_future_succeeded(down));
        soon_future_unref(down);
        free_pool(pool);
        gate_free(gate);
    }
}

SOON_TASK(fail_but_the_first, soon_none, soon_none)
{
    return made++ == 0 ? 0 : -EIO;
}

Test(thread_initializer, that_fails_lets_what_runs_end)
{
    soon_executor *pool = new_pool(.workers = 2, .initializer = &fail_but_the_first_task);
    soon_future *running, *pending, *callback_told;
    int result;

    gate = gate_new();
    running = occupy_one(pool, gate);
    pending = soon_submit(pool, nothing); /* starts the second worker */
    callback_told = soon_then(running, pool, &twice_task);
    cr_assert_eq(outcome_of(pending), SOON_EBROKEN);
    gate_open(gate, 1);

    cr_assert_eq(soon_take(running, &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(outcome_of(callback_told), SOON_EBROKEN);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(leave_and_fail, soon_none, soon_none)
{
    struct local *local = calloc(1, sizeof *local);

    local->thread = gettid();
    soon_task_set_local(task, local, release_local);
    return -EIO;
}

Test(thread_initializer, that_fails_has_what_it_left_released)
{
    soon_executor *pool = new_pool(.workers = 1, .initializer = &leave_and_fail_task);

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), SOON_EBROKEN);
    free_pool(pool);

    cr_assert_eq(released, 1);
}

/* It has no future: nobody can cancel it, and it has neither label, payload nor limit. */
SOON_TASK(look_around, soon_none, double)
{
    bool bare = !soon_task_cancel_requested(task) && soon_task_time_left_ms(task) == SOON_FOREVER &&
                !soon_task_payload(task) && *soon_task_label(task) == '\0' && soon_task_executor(task);

    soon_task_set_progress(task, 1, 2);
    soon_task_set_local(task, NULL, NULL);
    *result = 1.5;
    return bare ? 0 : -EIO;
}

Test(thread_initializer, has_a_task_of_its_own)
{
    soon_executor *pool = new_pool(.workers = 1, .initializer = &look_around_task);

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
}

SOON_TASK_BYTES(answer_at_length)
{
    return soon_task_return_bytes(task, "a result that nobody gets", arg.size + 20);
}

Test(thread_initializer, may_have_a_result_which_is_dropped)
{
    soon_executor *pool = new_pool(.workers = 1, .initializer = &answer_at_length_task);

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
}

SOON_TASK(set_local_late, soon_none, soon_none)
{
    soon_task_set_local(task, task, NULL);
    return 0;
}

/* A value that is left by a task would surprise the next. */
TestMisuse(thread_initializer, is_where_a_local_may_be_set)
{
    soon_executor *pool = new_pool(.workers = 1);
    bool has;

    cr_assert_eq(outcome_of(soon_submit(pool, set_local_late)), 0);
    cr_assert_eq(soon_take(soon_submit(pool, has_local), &has), 0);

    cr_assert_not(has);
    free_pool(pool);
}

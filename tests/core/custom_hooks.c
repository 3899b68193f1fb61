/*
 * custom_hooks.c - executors of a user's own: cancelling, killing, helping, shutting down; and executors built on
 * others.
 */
#include "../support/shelf.h"

static struct shelf shelf;

static void open_shelf(void)
{
    shelf_open(&shelf, &shelf_class);
}
static void close_shelf(void)
{
    shelf_close(&shelf);
}

TestSuite(custom_hooks, .init = open_shelf, .fini = close_shelf);
TestSuite(custom_kinds);

/*
 * Cancelling
 */

Test(custom_hooks, that_give_a_call_back_cancel_it_at_once)
{
    soon_future *f = soon_submit(shelf.executor, nothing);

    cr_assert(soon_future_cancel(f));
    cr_assert_eq(soon_future_state(f), SOON_CANCELLED);
    cr_assert_eq(shelf.take_backs, 1);
    cr_assert_eq(shelf.count, 0);
    soon_future_unref(f);
}

static atomic_int ran;

SOON_TASK(count_run, soon_none, soon_none)
{
    ran++;
    return 0;
}

/* docs/decisions/cancel.md, "Executors that cannot take a call back" */
Test(custom_hooks, that_keep_a_call_end_it_before_it_starts)
{
    soon_future *run = soon_submit(shelf.executor, count_run), *started = soon_submit(shelf.executor, count_run);
    soon_call *call;

    shelf.gives_back = false;
    cr_assert_not(soon_future_cancel(run));
    cr_assert_not(soon_future_cancel(started));
    cr_assert_eq(soon_future_state(run), SOON_PENDING);
    soon_call_run(shelf_first(&shelf));
    cr_assert_eq(soon_future_state(run), SOON_CANCELLED);
    cr_assert_eq(ran, 0);

    call = shelf_first(&shelf);
    cr_assert(soon_promise_cancel_requested(soon_call_promise(call)));
    cr_assert_eq(soon_promise_set_running(soon_call_promise(call)), -ECANCELED);
    cr_assert_eq(soon_future_state(started), SOON_CANCELLED);
    cr_assert_not(soon_future_error(started)->started);
    soon_call_free(call);
    soon_future_unref(run);
    soon_future_unref(started);
}

Test(custom_kinds, without_take_back_cancels_in_the_same_way)
{
    soon_executor_class klass = shelf_class;
    soon_future *f;

    klass.take_back = NULL;
    shelf_open(&shelf, &klass);
    f = soon_submit(shelf.executor, count_run);
    cr_assert_not(soon_future_cancel(f));
    soon_call_run(shelf_first(&shelf));
    cr_assert_eq(outcome_of(f), -ECANCELED);
    cr_assert_eq(ran, 0);
    shelf_close(&shelf);
}

Test(custom_hooks, that_run_a_call_too_late_end_it_as_expired)
{
    soon_submit_options limit = {.queue_limit_ms = 1}, time = {.queue_limit_ms = 1000000};
    soon_future *late = count_run_submit(shelf.executor, NULL, &limit);
    soon_future *in_time = count_run_submit(shelf.executor, NULL, &time);

    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    soon_call_run(shelf_first(&shelf));
    soon_call_run(shelf_first(&shelf));

    cr_assert_eq(outcome_of(late), SOON_EEXPIRED);
    cr_assert_eq(outcome_of(in_time), 0);
    cr_assert_eq(ran, 1);
}

/*
 * Killing
 */

Test(custom_hooks, that_kill_are_asked_only_for_what_runs)
{
    soon_future *pending = soon_submit(shelf.executor, nothing), *running = soon_submit(shelf.executor, nothing);
    soon_call *call = shelf.calls[1];

    cr_assert_eq(soon_future_kill(pending), 0);
    cr_assert_eq(soon_future_state(pending), SOON_CANCELLED);
    cr_assert_eq(shelf.kills, 0);

    cr_assert(shelf_take(&shelf, call));
    cr_assert_eq(soon_promise_set_running(soon_call_promise(call)), 0);
    shelf.kill_code = -EBUSY;
    cr_assert_eq(soon_future_kill(running), -EBUSY);
    cr_assert_eq(soon_future_state(running), SOON_RUNNING);
    shelf.kill_code = 0;
    cr_assert_eq(soon_future_kill(running), 0);
    cr_assert_eq(soon_future_error(running)->code, SOON_EKILLED);
    cr_assert_eq(soon_future_kill(running), SOON_EINVALIDSTATE);
    cr_assert_eq(shelf.kills, 2);
    soon_call_free(call);
    soon_future_unref(pending);
    soon_future_unref(running);
}

/*
 * Helping
 */

SOON_TASK(wait_for_another, int64_t, int)
{
    soon_future *f = soon_submit(soon_task_executor(task), twice, 21);
    int rc = soon_future_read(f, *arg, result, sizeof *result);

    soon_future_unref(f);
    return rc == -ETIMEDOUT ? 0 : rc;
}

Test(custom_hooks, that_help_run_what_a_task_waits_for)
{
    soon_future *f = soon_submit(shelf.executor, wait_for_another, SOON_FOREVER);
    int result;

    shelf.helps = true;
    soon_call_run(shelf_first(&shelf));

    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(shelf.helps_asked, 1);
}

Test(custom_hooks, that_help_are_not_asked_in_waits_with_a_limit_nor_outside)
{
    soon_future *f = soon_submit(shelf.executor, wait_for_another, 1);

    shelf.helps = true;
    cr_assert_eq(soon_future_wait(f, 1), -ETIMEDOUT);
    soon_call_run(shelf_first(&shelf));

    cr_assert_eq(outcome_of(f), 0);
    cr_assert_eq(shelf.helps_asked, 0);
}

/*
 * Shutting down
 */

Test(custom_hooks, that_shut_down_are_called_for_each_stronger_mode)
{
    soon_future *f = soon_submit(shelf.executor, nothing);

    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_DRAIN, 1), -ETIMEDOUT);
    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_TERMINATE, 0), 0);
    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_KILL, 0), 0); /* it is down: nothing to ask */

    cr_assert_eq(shelf.mode_count, 2);
    cr_assert_eq(shelf.modes[0], SOON_DRAIN);
    cr_assert_eq(shelf.modes[1], SOON_TERMINATE);
    cr_assert_eq(outcome_of(f), -ECANCELED);
}

Test(custom_hooks, that_fail_to_shut_down_are_asked_again)
{
    shelf.shutdown_code = -EAGAIN;
    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_DRAIN, SOON_FOREVER), -EAGAIN);
    cr_assert_eq(soon_executor_free(shelf.executor), -EAGAIN);
    shelf.shutdown_code = 0;
    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(shelf.mode_count, 3);
}

Test(custom_hooks, that_shut_down_hear_of_it_when_no_then_is_left)
{
    soon_promise *promise;
    soon_future *first, *then;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    first = soon_promise_future(promise);
    then = soon_then(first, shelf.executor, &twice_task);
    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(shelf.mode_count, 0);
    cr_assert_eq(soon_promise_set_result(promise, &(int){5}, sizeof(int)), 0);
    cr_assert_eq(shelf.mode_count, 1);
    cr_assert_eq(shelf.count, 1);
    cr_assert_eq(shelf.blocking_submits, 0);
    soon_call_run(shelf_first(&shelf));
    soon_promise_set_result(shelf.down, NULL, 0);

    cr_assert_eq(outcome_of(then), 0);
    soon_future_unref(first);
    soon_promise_free(promise);
}

Test(custom_hooks, that_refuse_a_then_fail_it)
{
    soon_future *first = soon_submit(shelf.executor, twice, 2), *then = soon_then(first, shelf.executor, &twice_task);

    shelf.submit_code = SOON_EFULL;
    soon_call_run(shelf_first(&shelf));

    cr_assert_eq(outcome_of(then), SOON_EFULL);
    soon_future_unref(first);
}

static void free_it(soon_future *down, void *data)
{
    cr_assert(soon_future_succeeded(down));
    cr_assert_eq(soon_executor_free(data), 0);
}

/* Down inside the shutdown itself, and freed inside that: nothing of it may be touched afterwards. */
Test(custom_kinds, that_is_down_at_once_may_be_freed_in_the_callback)
{
    soon_future *down;

    shelf_open(&shelf, &shelf_class);
    down = soon_executor_down(shelf.executor);
    cr_assert_eq(soon_future_add_done_callback(down, free_it, shelf.executor), 0);
    cr_assert_eq(soon_executor_shutdown(shelf.executor, SOON_DRAIN, SOON_FOREVER), 0);

    cr_assert_eq(shelf.frees, 1);
    soon_future_unref(down);
}

static struct {
    soon_executor *executor;
    soon_future *down;
    struct gate gate;
    int waited, freed;
} pool;

static void wait_and_free(soon_future *future, void *data)
{
    (void)data;
    cr_assert(soon_future_cancelled(future));
    gate_open(pool.gate, 1);
    pool.waited = soon_future_wait(pool.down, SOON_FOREVER);
    pool.freed = soon_executor_free(pool.executor);
}

/* The shutdown has cancelled it and tells so, here: meanwhile the pool goes down. */
Test(custom_kinds, thread_pool_may_be_freed_in_a_callback_of_what_its_shutdown_cancels)
{
    soon_future *running, *pending;

    pool.gate = gate_new();
    pool.executor = new_pool(.workers = 1);
    pool.down = soon_executor_down(pool.executor);
    running = occupy_one(pool.executor, pool.gate);
    pending = soon_submit(pool.executor, nothing);
    cr_assert_eq(soon_future_add_done_callback(pending, wait_and_free, NULL), 0);
    cr_assert_eq(soon_executor_shutdown(pool.executor, SOON_CANCEL_PENDING, SOON_FOREVER), 0);

    cr_assert_eq(pool.waited, 0);
    cr_assert_eq(pool.freed, 0);
    soon_futures_unref((soon_future *[]){running, pending, pool.down}, 3);
    gate_free(pool.gate);
}

/* Its own functions, called while the library has it pinned, would wait for themselves. */
static struct {
    soon_executor *executor;
    soon_call *call;
    soon_promise *down;
    int in_take_back, in_kill, in_shutdown, freed, waited;
} waiter;

static int keep_call(void *self, soon_call *call, bool may_block)
{
    (void)self;
    (void)may_block;
    waiter.call = call;
    return 0;
}

static bool wait_in_take_back(void *self, soon_call *call)
{
    (void)self;
    (void)call;
    waiter.in_take_back = soon_executor_shutdown(waiter.executor, SOON_DRAIN, SOON_FOREVER);
    return false;
}

static int wait_in_kill(void *self, soon_call *call)
{
    soon_future *down = soon_executor_down(waiter.executor);

    (void)self;
    waiter.in_kill = soon_executor_shutdown(waiter.executor, SOON_KILL, SOON_FOREVER);
    waiter.freed = soon_executor_free(waiter.executor);
    waiter.waited = soon_future_wait(down, SOON_FOREVER);
    soon_future_unref(down);
    return soon_promise_set_exception(soon_call_promise(call), SOON_EKILLED, NULL);
}

static int wait_in_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    (void)self;
    waiter.down = down;
    waiter.in_shutdown = soon_executor_shutdown(waiter.executor, mode, SOON_FOREVER);
    return 0;
}

Test(custom_kinds, that_would_wait_for_their_own_end_are_told)
{
    soon_executor_class klass = {.size = sizeof klass,
                                 .name = "waiter",
                                 .submit = keep_call,
                                 .take_back = wait_in_take_back,
                                 .kill = wait_in_kill,
                                 .shutdown = wait_in_shutdown};
    soon_future *f;

    cr_assert_eq(soon_executor_new(&waiter.executor, &klass, NULL), 0);
    f = soon_submit(waiter.executor, nothing);
    cr_assert_not(soon_future_cancel(f));
    cr_assert_eq(waiter.in_take_back, SOON_EDEADLK);
    cr_assert_eq(waiter.in_shutdown, SOON_EDEADLK);
    cr_assert_eq(soon_future_kill(f), 0);
    cr_assert_eq(waiter.in_kill, SOON_EDEADLK);
    cr_assert_eq(waiter.freed, SOON_EDEADLK);
    cr_assert_eq(waiter.waited, SOON_EDEADLK);
    soon_call_free(waiter.call);
    cr_assert_eq(soon_promise_set_result(waiter.down, NULL, 0), 0);
    cr_assert_eq(soon_executor_free(waiter.executor), 0);

    soon_future_unref(f);
}

/*
 * Kinds of executors that people write
 */

static int run_at_once(void *self, soon_call *call, bool may_block)
{
    (void)self;
    (void)may_block;
    soon_call_run(call);
    return 0;
}

static int down_at_once(void *self, soon_shutdown mode, soon_promise *down)
{
    (void)self;
    (void)mode;
    return soon_promise_set_result(down, NULL, 0) == SOON_EINVALIDSTATE ? 0 : 0;
}

SOON_TASK(fib, int, int)
{
    int a = 0, b = 1;

    if (*arg > 1) {
        cr_assert_eq(soon_take(soon_submit(soon_task_executor(task), fib, *arg - 1), &a), 0);
        cr_assert_eq(soon_take(soon_submit(soon_task_executor(task), fib, *arg - 2), &b), 0);
    }
    *result = *arg < 1 ? 0 : a + b;
    return 0;
}

/* Each call runs inside its submit. */
Test(custom_kinds, that_runs_at_once_has_done_futures)
{
    static const soon_executor_class klass = {.size = sizeof klass, .submit = run_at_once, .shutdown = down_at_once};
    soon_executor *executor;
    soon_future *f;
    int result;

    cr_assert_eq(soon_executor_new(&executor, &klass, NULL), 0);
    f = soon_submit(executor, fib, 15);
    cr_assert(soon_future_done(f));
    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 610);
    cr_assert_eq(soon_executor_free(executor), 0);
}

static struct {
    soon_executor *executor;
    int calls, again, shut;
} freed;

static void free_again(void *self)
{
    (void)self;
    freed.calls++;
    freed.again = soon_executor_free(freed.executor);
    freed.shut = soon_executor_shutdown(freed.executor, SOON_KILL, SOON_FOREVER);
}

Test(custom_kinds, that_free_themselves_while_they_are_freed_are_told)
{
    soon_executor_class klass = {
        .size = sizeof klass, .submit = run_at_once, .shutdown = down_at_once, .free = free_again};

    cr_assert_eq(soon_executor_new(&freed.executor, &klass, NULL), 0);
    cr_assert_eq(soon_executor_free(freed.executor), 0);

    cr_assert_eq(freed.calls, 1);
    cr_assert_eq(freed.again, SOON_EDEADLK);
    cr_assert_eq(freed.shut, 0);
}

/* One that hands its calls to another executor, as a limiter or a logger would. */
struct wrapper {
    soon_executor *inner;
};

SOON_TASK_LOCAL(run_call, soon_call *, soon_none, NULL, NULL)
{
    soon_call_run(*arg);
    return 0;
}

static int wrap(void *self, soon_call *call, bool may_block)
{
    struct wrapper *wrapper = self;
    soon_submit_options options = {.when_full = may_block ? SOON_FULL_BLOCK : SOON_FULL_FAIL};
    soon_future *f;
    int rc = soon_try_submit_bytes(&f, wrapper->inner, &run_call_task, &call, sizeof call, &options);

    if (rc == 0)
        soon_future_unref(f);
    return rc;
}

static int shut_down_inner(void *self, soon_shutdown mode, soon_promise *down)
{
    struct wrapper *wrapper = self;
    int rc = soon_executor_shutdown(wrapper->inner, mode, SOON_FOREVER);

    return rc == 0 ? soon_promise_set_result(down, NULL, 0) : rc;
}

static void free_inner(void *self)
{
    cr_assert_eq(soon_executor_free(((struct wrapper *)self)->inner), 0);
}

Test(custom_kinds, that_wraps_another_runs_tasks_there)
{
    static const soon_executor_class klass = {
        .size = sizeof klass, .submit = wrap, .shutdown = shut_down_inner, .free = free_inner};
    struct wrapper wrapper = {new_pool(.workers = 2)};
    soon_executor *executor;
    soon_future *futures[100];
    int results[10], result;

    cr_assert_eq(soon_executor_new(&executor, &klass, &wrapper), 0);
    for (int i = 0; i < 100; i++)
        futures[i] = soon_submit(executor, twice, i);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(soon_take(futures[i], &result), 0);
        cr_assert_eq(result, 2 * i);
    }
    cr_assert_eq(soon_map(executor, twice, ((int[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), 10, results), 0);
    cr_assert_eq(results[9], 20);
    cr_assert_eq(soon_executor_free(executor), 0);
}

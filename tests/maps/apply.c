/*
 * apply.c - soon_apply_async(), on every executor.
 */
#include "../support/executors.h"

#include <string.h>

TestSuite(apply, .init = close_gate);

/* What its callbacks heard. */
struct heard {
    _Atomic int values, errors;
    int value, code, raised;
    bool future_was_done;
    soon_future *_Atomic future;
    int wait;
};

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    return *arg < 0 ? soon_raise(task, EDOM, "%d is negative", *arg) : 0;
}

SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return wait_at_gate(task);
}

static void on_value(soon_bytes result, void *data)
{
    struct heard *heard = data;

    cr_assert_eq(result.size, sizeof(int));
    memcpy(&heard->value, result.data, sizeof(int));
    heard->values++;
}

static void on_error(const soon_error *error, void *data)
{
    struct heard *heard = data;

    heard->code = error->code;
    heard->raised = error->raised;
    heard->errors++;
}

TestOnEach(apply, calls_back_with_the_value_before_the_future_is_done) /* CPython: _TestPool.test_async */
{
    for (int i = 0; i < 100; i++) {
        struct heard heard = {.values = 0};
        soon_future *future = soon_apply_async(executor, on_value, on_error, &heard, square, i);
        int value;

        cr_assert_eq(soon_result(future, &value), 0);
        cr_assert_eq(heard.values, 1);
        cr_assert_eq(heard.value, i * i);
        cr_assert_eq(value, i * i);
        cr_assert_eq(heard.errors, 0);
        soon_future_unref(future);
    }
}

TestOnEach(apply, calls_back_with_the_error_before_the_future_is_done) /* CPython: test_async_error_callback */
{
    struct heard heard = {.values = 0};
    soon_future *future = soon_apply_async(executor, on_value, on_error, &heard, square, -3);
    int value = 99;

    cr_assert_eq(soon_result(future, &value), SOON_ERAISED);
    cr_assert_eq(heard.errors, 1);
    cr_assert_eq(heard.values, 0);
    cr_assert_eq(heard.code, SOON_ERAISED);
    cr_assert_eq(heard.raised, EDOM);
    cr_assert_eq(value, 99);
    cr_assert_str_eq(soon_future_error(future)->message, "-3 is negative");
    soon_future_unref(future);
}

static void note_thread(soon_bytes result, void *data)
{
    (void)result;
    *(pthread_t *)data = pthread_self();
}

TestOnEach(apply, calls_back_on_the_completing_thread)
{
    for (int i = 0; i < 1000; i++) {
        pthread_t thread;
        int value;

        cr_assert_eq(soon_take(soon_apply_async(executor, note_thread, NULL, &thread, square, i), &value), 0);
        cr_assert_not(pthread_equal(thread, pthread_self()));
    }
}

TestOnEach(apply, does_without_callbacks)
{
    soon_future *good = soon_apply_async(executor, NULL, NULL, NULL, square, 3);
    soon_future *bad = soon_apply_async(executor, NULL, NULL, NULL, square, -3);
    soon_future *none = soon_apply_async(executor, NULL, NULL, NULL, square, 0);
    int value;

    cr_assert_eq(soon_take(good, &value), 0);
    cr_assert_eq(value, 9);
    cr_assert_eq(soon_take(bad, &value), SOON_ERAISED);
    cr_assert_eq(soon_take(none, &value), 0);
    cr_assert_eq(value, 0);
}

TestOnEach(apply, future_shows_what_its_task_does)
{
    soon_future *future = soon_apply_async(executor, NULL, NULL, NULL, at_gate, 5);
    int value;

    await_arrivals(1);
    cr_assert(soon_future_running(future));
    cr_assert_eq(soon_future_wait(future, 5), -ETIMEDOUT); /* CPython: _TestPool.test_async_timeout */
    open_gate();
    cr_assert_eq(at_gate_get(future, SOON_FOREVER, &value), 0);
    cr_assert_eq(value, 5);
    cr_assert_eq(square_get(future, 0, &value), SOON_ETYPE);
    soon_future_unref(future);
}

Test(apply, cancel_of_a_pending_one_is_an_error_at_once)
{
    soon_executor *executor = make_threads(1);
    soon_future *blocker = soon_submit(executor, at_gate, 1);
    struct heard heard = {.values = 0};
    soon_future *future;

    await_arrivals(1);
    future = soon_apply_async(executor, on_value, on_error, &heard, square, 3);
    cr_assert(soon_future_cancel(future));
    cr_assert(soon_future_cancelled(future));
    cr_assert_eq(heard.errors, 1);
    cr_assert_eq(heard.code, -ECANCELED);
    cr_assert(soon_future_cancel(future));
    open_gate();
    soon_future_unref(future);
    soon_future_unref(blocker);
    soon_executor_free(executor);
}

TestOnEach(apply, cancel_of_a_running_one_asks_it)
{
    struct heard heard = {.values = 0};
    soon_future *future = soon_apply_async(executor, on_value, on_error, &heard, at_gate, 3);

    await_arrivals(1);
    cr_assert(test_is_asked_to_end(future));
    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(future));
    cr_assert_eq(heard.errors, 1);
    cr_assert_eq(heard.code, -ECANCELED);
    cr_assert_eq(soon_future_kill(future), SOON_EINVALIDSTATE);
    soon_future_unref(future);
}

TestOnEach(apply, that_is_refused_is_an_error_here_and_now)
{
    struct heard heard = {.values = 0};
    soon_future *future;

    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    future = soon_apply_async(executor, on_value, on_error, &heard, square, 3);
    cr_assert(soon_future_done(future));
    cr_assert_eq(soon_future_error(future)->code, SOON_ESHUTDOWN);
    cr_assert_eq(heard.errors, 1);
    cr_assert_eq(heard.code, SOON_ESHUTDOWN);
    soon_future_unref(future);
}

TestOnEach(apply, refuses_bad_arguments)
{
    struct heard heard = {.values = 0};
    soon_future *futures[] = {
        soon_apply_async_bytes(NULL, &square_task, NULL, 0, on_value, on_error, &heard),
        soon_apply_async_bytes(executor, NULL, NULL, 0, on_value, on_error, &heard),
        soon_apply_async_bytes(executor, &square_task, "?", 1, on_value, on_error, &heard),
    };

    for (int i = 0; i < 3; i++) {
        cr_assert_eq(soon_future_error(futures[i])->code, -EINVAL);
        soon_future_unref(futures[i]);
    }
    cr_assert_eq(heard.errors, 3);
    cr_assert_eq(heard.code, -EINVAL);
}

static void wait_for_itself(soon_bytes result, void *data)
{
    struct heard *heard = data;

    (void)result;
    test_wait_until(heard->future);
    heard->future_was_done = soon_future_done(heard->future);
    heard->wait = soon_future_wait(heard->future, SOON_FOREVER);
}

TestOnEach(apply, callback_that_waits_for_its_own_future_is_told)
{
    struct heard heard = {.values = 0};
    soon_future *gate_future = soon_submit(executor, at_gate, 1);

    await_arrivals(1);
    heard.future = soon_apply_async(executor, wait_for_itself, NULL, &heard, square, 3);
    open_gate();
    cr_assert_eq(soon_future_wait(heard.future, SOON_FOREVER), 0);
    cr_assert_eq(heard.wait, SOON_EDEADLK);
    cr_assert_not(heard.future_was_done);
    soon_future_unref(heard.future);
    soon_future_unref(gate_future);
}

struct chain {
    soon_executor *executor;
    soon_future *_Atomic pending;
    bool at_once;
};

static void cancel_other(soon_future *future, void *data)
{
    struct chain *chain = data;

    (void)future;
    chain->at_once = soon_future_cancel(chain->pending);
}

Test(apply, cancel_inside_a_callback_takes_effect_after_it)
{
    soon_executor *executor = make_threads(1);
    struct chain chain = {.executor = executor};
    struct heard heard = {.values = 0};
    soon_future *first = soon_submit(executor, at_gate, 1);

    await_arrivals(1);
    chain.pending = soon_apply_async(executor, on_value, on_error, &heard, square, 3);
    cr_assert_eq(soon_future_add_done_callback(first, cancel_other, &chain), 0);
    open_gate();
    cr_assert_eq(soon_future_wait(chain.pending, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(chain.pending));
    cr_assert_eq(heard.errors, 1);
    soon_future_unref(chain.pending);
    soon_future_unref(first);
    soon_executor_free(executor);
}

static void submit_more(soon_bytes result, void *data)
{
    struct chain *chain = data;
    int value;

    memcpy(&value, result.data, sizeof value);
    if (value > 2)
        soon_future_unref(soon_apply_async(chain->executor, submit_more, NULL, chain, at_gate, value - 1));
}

TestOnEach(apply, callback_may_apply_again) /* loky: test_submit_from_callback */
{
    struct chain chain = {.executor = executor};
    soon_future *first;

    open_gate();
    first = soon_apply_async(executor, submit_more, NULL, &chain, at_gate, 60);
    cr_assert_eq(soon_future_wait(first, SOON_FOREVER), 0);
    test_wait_until(arrivals() == 59);
    soon_future_unref(first);
}

SOON_TASK(apply_inside, int, int)
{
    return soon_take(soon_apply_async(soon_task_executor(task), NULL, NULL, NULL, square, *arg), result);
}

TestOnEachHere(apply, can_be_awaited_inside_a_task_of_the_same_executor)
{
    int args[] = {1, 2, 3, 4, 5, 6}, results[6];

    cr_assert_eq(soon_map_with(executor, (.chunk = 1), apply_inside, args, 6, results, NULL), 0);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(results[i], args[i] * args[i]);
}

static void count_unhandled(const soon_error *error, void *data)
{
    (void)error;
    ++*(_Atomic int *)data;
}

TestOnEach(apply, error_that_the_callback_has_heard_of_is_handled)
{
    struct heard heard = {.values = 0};
    _Atomic int unhandled = 0;

    soon_on_unhandled(count_unhandled, &unhandled);
    soon_future_unref(soon_apply_async(executor, NULL, on_error, &heard, square, -1));
    test_wait_until(heard.errors == 1);
    soon_future_unref(soon_apply_async(executor, on_value, NULL, &heard, square, -1));
    test_wait_until(unhandled == 1);
    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    soon_on_unhandled(NULL, NULL);
    cr_assert_eq(unhandled, 1);
}

static _Atomic int alive;

static void free_number(void *data)
{
    alive--;
    free(*(int **)data);
}

SOON_TASK_LOCAL(boxed, int *, int *, free_number, free_number)
{
    *result = malloc(sizeof **result);
    **result = **arg + 1;
    alive++;
    return 0;
}

static int *box(int value)
{
    int *number = malloc(sizeof *number);

    *number = value;
    alive++;
    return number;
}

TestOnEachHere(apply, passes_on_what_its_result_points_to)
{
    int *number;

    cr_assert_eq(soon_take(soon_apply_async(executor, NULL, NULL, NULL, boxed, box(3)), &number), 0);
    cr_assert_eq(*number, 4);
    free_number(&number);
    soon_future_unref(soon_apply_async(executor, NULL, NULL, NULL, boxed, box(3)));
    soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    soon_future_unref(soon_apply_async(executor, NULL, NULL, NULL, boxed, box(3)));
    test_wait_until(alive == 0);
}

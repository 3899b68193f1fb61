/*
 * then.c - soon_then(): a task whose argument is another one's result.
 *
 * mpi4py's then() passes a result on when it has no function, and has one for errors; ours always has a function, for
 * results only.
 */
#include "../support/executors.h"
#include "../support/futures.h"

TestSuite(then, .init = close_gate);

static _Atomic int runs;

SOON_TASK(increment, int, int)
{
    runs++;
    *result = *arg + 1;
    return 0;
}

SOON_TASK(refuse, int, int)
{
    runs++;
    return soon_raise(task, EDOM, "%d repackaged", *arg);
}

SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return wait_at_gate(task);
}

/* Ends so, before its own executor does. */
static void finish(soon_future *then, struct halves first)
{
    soon_future_unref(then);
    release(first);
}

/* mpi4py: ThenTest.test_no_callbacks_and_success, .test_success_callback_and_success */
TestOnEach(then, runs_on_the_result)
{
    struct halves first = pending();
    soon_future *then = soon_then(first.future, executor, &increment_task);

    cr_assert_neq(then, first.future);
    cr_assert_eq(soon_future_state(then), SOON_PENDING);
    set_int(first.promise, 1);
    cr_assert_eq(int_of(then), 2);

    finish(then, first);
}

TestOnEach(then, of_a_done_one_runs_at_once)
{
    struct halves first = successful();
    soon_future *then = soon_then(first.future, executor, &increment_task);

    cr_assert_eq(int_of(then), 43);

    finish(then, first);
}

TestOnEach(then, of_a_task)
{
    soon_future *first = soon_submit(executor, at_gate, 4), *then = soon_then(first, executor, &increment_task);

    soon_future_unref(first); /* the then holds it */
    open_gate();
    cr_assert_eq(int_of(then), 5);
    close_gate();

    soon_future_unref(then);
}

/* mpi4py: ThenTest.test_not_done, .test_cancel */
TestOnEach(then, is_cancelled_with_the_first)
{
    struct halves first = pending();
    soon_future *then = soon_then(first.future, executor, &increment_task);

    runs = 0;
    cr_assert(soon_future_cancel(first.future));
    cr_assert(soon_future_cancelled(then), "at once, and without a run");
    cr_assert_eq(code_of(then), -ECANCELED);
    cr_assert_eq(runs, 0);

    finish(then, first);
}

TestOnEach(then, of_a_cancelled_one_is_cancelled)
{
    struct halves first = cancelled();
    soon_future *then = soon_then(first.future, executor, &increment_task);

    cr_assert(soon_future_cancelled(then));

    finish(then, first);
}

/* mpi4py: ThenTest.test_then_multiple */
TestOnEach(then, may_be_many_of_one)
{
    struct halves first = pending();
    soon_future *thens[3];

    for (size_t i = 0; i < COUNT(thens); i++)
        thens[i] = soon_then(first.future, executor, &increment_task);
    for (size_t i = 0; i < COUNT(thens); i++)
        cr_assert_not(soon_future_done(thens[i]));
    set_int(first.promise, 1);
    for (size_t i = 0; i < COUNT(thens); i++)
        cr_assert_eq(int_of(thens[i]), 2);

    soon_futures_unref(thens, COUNT(thens));
    release(first);
}

/* mpi4py: ThenTest.test_no_callbacks_and_failure */
TestOnEach(then, has_the_error_of_the_first)
{
    struct halves all[] = {pending(), failed()};

    for (size_t i = 0; i < COUNT(all); i++) {
        soon_future *then = soon_then(all[i].future, executor, &increment_task);

        runs = 0;
        if (!soon_future_done(all[i].future)) {
            cr_assert_not(soon_future_done(then));
            cr_assert_eq(soon_promise_set_exception(all[i].promise, EIO, "it failed"), 0);
        }
        cr_assert_eq(soon_future_state(then), SOON_FINISHED);
        cr_assert_eq(code_of(then), SOON_ERAISED);
        cr_assert_eq(soon_future_error(then)->raised, EIO);
        cr_assert_str_eq(soon_future_error(then)->message, "it failed");
        cr_assert_eq(runs, 0);
        finish(then, all[i]);
    }
}

/* mpi4py: ThenTest.test_success_callback_and_failure_raised */
TestOnEach(then, may_raise_itself)
{
    struct halves first = pending();
    soon_future *then = soon_then(first.future, executor, &refuse_task);

    set_int(first.promise, 3);
    cr_assert_eq(soon_future_wait(then, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(then)->raised, EDOM);
    cr_assert_str_eq(soon_future_error(then)->message, "3 repackaged");
    cr_assert_str_eq(soon_future_error(then)->function, "refuse");

    finish(then, first);
}

/* mpi4py: ThenTest.test_chained_success_callback_and_success */
TestOnEach(then, of_then_of_then)
{
    struct halves first = pending();
    soon_future *last = soon_future_ref(first.future);

    for (int i = 0; i < 5; i++) {
        soon_future *next = soon_then(last, executor, &increment_task);

        soon_future_unref(last);
        last = next;
    }
    set_int(first.promise, 1);
    cr_assert_eq(int_of(last), 6);

    finish(last, first);
}

/*
 * Cancelling
 */

TestOnEach(then, cancelled_cancels_a_pending_first)
{
    struct halves first = pending();
    soon_future *then = soon_then(first.future, executor, &increment_task);

    cr_assert(soon_future_cancel(then));
    cr_assert(soon_future_cancelled(then));
    cr_assert(soon_future_cancelled(first.future));
    cr_assert_eq(soon_promise_set_running(first.promise), -ECANCELED);

    finish(then, first);
}

TestOnEach(then, cancelled_leaves_a_running_first_alone)
{
    struct halves first = running();
    soon_future *then = soon_then(first.future, executor, &increment_task);

    runs = 0;
    cr_assert(soon_future_cancel(then));
    cr_assert_not(soon_promise_cancel_requested(first.promise));
    set_int(first.promise, 1);
    cr_assert(soon_future_cancelled(then));
    cr_assert_eq(runs, 0);

    finish(then, first);
}

TestOnEach(then, that_runs_is_only_asked_to_end)
{
    struct halves first = successful();
    soon_future *then = soon_then(first.future, executor, &at_gate_task);

    await_arrivals(1);
    cr_assert(test_is_asked_to_end(then));
    cr_assert_eq(soon_future_wait(then, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(then));
    close_gate();

    finish(then, first);
}

/*
 * The argument: the first one's bytes.
 */

Test(then, is_lent_the_bytes_of_the_first)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    struct halves first = successful();
    soon_future *then = soon_then(first.future, executor, &increment_task);
    soon_bytes bytes;

    cr_assert_eq(drawer.count, 1);
    cr_assert_eq(soon_future_result(first.future, 0, &bytes), 0);
    cr_assert_eq(soon_call_arg(drawer.calls[0]).data, bytes.data, "no copy");
    cr_assert_eq(soon_call_arg(drawer.calls[0]).size, bytes.size);

    release(first); /* they are held until the task has ended */
    cr_assert_eq(soon_executor_free(executor), 0);
    cr_assert_eq(int_of(then), 43);
    cr_assert_eq(soon__blocks_alive(), 1, "not longer");
    soon_future_unref(then);
}

SOON_TASK(of_a_char, char, int)
{
    runs++;
    *result = *arg;
    return 0;
}

SOON_TASK_BYTES(measure)
{
    return soon_task_return_bytes(task, &arg.size, sizeof arg.size);
}

TestOnEach(then, of_another_size_is_refused)
{
    struct halves all[] = {pending(), successful()};

    runs = 0;
    for (size_t i = 0; i < COUNT(all); i++) {
        soon_future *then = soon_then(all[i].future, executor, &of_a_char_task);

        if (!soon_future_done(all[i].future))
            set_int(all[i].promise, 1);
        cr_assert_eq(code_of(then), SOON_ETYPE);
        finish(then, all[i]);
    }
    cr_assert_eq(runs, 0);
}

TestOnEach(then, of_variable_size_takes_any_number_of_bytes)
{
    static const char text[1000];
    static const size_t sizes[] = {0, 1, 1000};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct halves first = pending();
        soon_future *then = soon_then(first.future, executor, &measure_task);
        size_t size = 7;

        cr_assert_eq(soon_promise_set_result(first.promise, sizes[i] ? text : NULL, sizes[i]), 0);
        cr_assert_eq(soon_result(then, &size), 0);
        cr_assert_eq(size, sizes[i]);
        finish(then, first);
    }
}

/* A gather has no bytes; any lends those of its winner. */
TestOnEach(then, of_gather_and_any)
{
    struct halves first = pending();
    soon_future *gathered = soon_gather(&first.future, 1), *any = soon_any(&first.future, 1);
    soon_future *thens[] = {soon_then(gathered, executor, &measure_task), soon_then(any, executor, &increment_task)};
    size_t size = 7;

    set_int(first.promise, 1);
    cr_assert_eq(soon_result(thens[0], &size), 0);
    cr_assert_eq(size, 0);
    cr_assert_eq(int_of(thens[1]), 2);

    soon_futures_unref(thens, 2);
    soon_future_unref(gathered);
    soon_future_unref(any);
    release(first);
}

/*
 * Arguments
 */

Test(then, refuses_null_with_a_future)
{
    static const soon_function empty = {.name = NULL};
    soon_executor *executor = make_inline();
    struct halves first = successful();
    soon_future *refused[] = {soon_then(NULL, executor, &increment_task),
                              soon_then(first.future, NULL, &increment_task), soon_then(first.future, executor, NULL),
                              soon_then(first.future, executor, &empty)};

    for (size_t i = 0; i < COUNT(refused); i++) {
        cr_assert_eq(code_of(refused[i]), -EINVAL, "%zu", i);
        soon_future_unref(refused[i]);
    }
    release(first);
    cr_assert_eq(soon_executor_free(executor), 0);
}

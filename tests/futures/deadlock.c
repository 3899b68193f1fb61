/*
 * deadlock.c - waits that would wait for themselves: SOON_EDEADLK, at once, whatever the form of the wait.
 */
#include "../support/executors.h"
#include "../support/futures.h"

/* What each form of a wait has said. */
struct answers {
    int wait, wait_long, poll, result, read, exception, take, all, first, first_exception, next;
    int64_t polled_all;
};

static int next_of(soon_future *future, int64_t timeout_ms)
{
    soon_as_completed *set;
    soon_future *given = NULL;
    int rc;

    cr_assert_eq(soon_as_completed_new(&set, &future, 1, timeout_ms), 0);
    rc = soon_as_completed_next(set, &given);
    soon_future_unref(given);
    soon_as_completed_free(set);
    return rc;
}

static struct answers ask(soon_future *future)
{
    const soon_error *error;
    soon_bytes bytes;
    int value;

    return (struct answers){
        .wait = soon_future_wait(future, SOON_FOREVER),
        .wait_long = soon_future_wait(future, INT64_MAX),
        .poll = soon_future_wait(future, 0),
        .result = soon_future_result(future, SOON_FOREVER, &bytes),
        .read = soon_result_within(future, 10000, &value),
        .exception = soon_future_exception(future, SOON_FOREVER, &error),
        .take = soon_take(soon_future_ref(future), &value),
        .all = (int)soon_wait(&future, 1, SOON_ALL_COMPLETED, SOON_FOREVER, NULL),
        .first = (int)soon_wait(&future, 1, SOON_FIRST_COMPLETED, 10000, NULL),
        .first_exception = (int)soon_wait(&future, 1, SOON_FIRST_EXCEPTION, SOON_FOREVER, NULL),
        .next = next_of(future, SOON_FOREVER),
        .polled_all = soon_wait(&future, 1, SOON_ALL_COMPLETED, 0, NULL),
    };
}

static void assert_refused(const struct answers *answers)
{
    cr_assert_eq(answers->wait, SOON_EDEADLK);
    cr_assert_eq(answers->wait_long, SOON_EDEADLK);
    cr_assert_eq(answers->result, SOON_EDEADLK);
    cr_assert_eq(answers->read, SOON_EDEADLK);
    cr_assert_eq(answers->exception, SOON_EDEADLK);
    cr_assert_eq(answers->take, SOON_EDEADLK);
    cr_assert_eq(answers->all, SOON_EDEADLK);
    cr_assert_eq(answers->first, SOON_EDEADLK);
    cr_assert_eq(answers->first_exception, SOON_EDEADLK);
    cr_assert_eq(answers->next, SOON_EDEADLK);
    /* To look does no harm. */
    cr_assert_eq(answers->poll, -ETIMEDOUT);
    cr_assert_eq(answers->polled_all, 0);
}

/* A task whose future the test has told it. */
static soon_future *_Atomic own;
static struct answers answers;

static void tell_own(soon_future *future)
{
    memset(&answers, 0, sizeof answers);
    atomic_store(&own, future);
}

static soon_future *await_own(void)
{
    test_wait_until(atomic_load(&own));
    return atomic_load(&own);
}

static void finish_own(soon_future *future)
{
    cr_assert_eq(int_of(future), 1);
    atomic_store(&own, NULL);
    soon_future_unref(future);
}

SOON_TASK(ask_for_itself, int, int)
{
    answers = ask(await_own());
    *result = 1;
    return 0;
}

TestOnEachHere(deadlock, a_task_waits_for_itself)
{
    soon_future *future = ask_for_itself_submit(executor, NULL, NULL);

    tell_own(future);
    finish_own(future);

    assert_refused(&answers);
}

/*
 * A task further down on the stack.
 */

SOON_TASK(ask_for_the_outer, int, int)
{
    answers = ask(await_own());
    *result = 1;
    return 0;
}

SOON_TASK(wait_for_an_inner, int, int)
{
    soon_future *inner;

    await_own();
    inner = ask_for_the_outer_submit(soon_task_executor(task), NULL, NULL);
    return soon_take(inner, result); /* it runs here: there is one worker */
}

Test(deadlock, a_task_waits_for_one_below_it)
{
    soon_executor *(*const make[])(void) = {make_one_thread, make_own};

    for (size_t i = 0; i < COUNT(make); i++) {
        soon_executor *executor = make[i]();
        soon_future *future = wait_for_an_inner_submit(executor, NULL, NULL);

        tell_own(future);
        finish_own(future);

        assert_refused(&answers);
        cr_assert_eq(soon_executor_free(executor), 0);
    }
}

/* What needs its own task first can never come either. */
SOON_TASK(ask_for_its_then, int, int)
{
    soon_future *then = soon_then(await_own(), soon_task_executor(task), &ask_for_itself_task);

    answers = ask(then);
    soon_future_cancel(then);
    soon_future_unref(then);
    *result = 1;
    return 0;
}

TestOnEachHere(deadlock, a_task_waits_for_its_own_then)
{
    soon_future *future = ask_for_its_then_submit(executor, NULL, NULL);

    tell_own(future);
    finish_own(future);

    assert_refused(&answers);
}

SOON_TASK(ask_for_what_comes_after_it, int, int)
{
    soon_future *before = await_own(), *after;

    after = soon_submit_with(soon_task_executor(task), (.after = &before, .after_count = 1), ask_for_itself, 1);
    answers = ask(after);
    soon_future_cancel(after);
    soon_future_unref(after);
    *result = 1;
    return 0;
}

TestOnEachHere(deadlock, a_task_waits_for_one_that_is_to_start_after_it)
{
    soon_future *future = ask_for_what_comes_after_it_submit(executor, NULL, NULL);

    tell_own(future);
    finish_own(future);

    assert_refused(&answers);
}

/*
 * soon_apply_async(): its future is done when its callback has returned.
 */

SOON_TASK(one, int, int)
{
    *result = 1;
    return 0;
}

/* Ends when the test knows the future, so that the callbacks run on the worker. */
SOON_TASK(one_or_error, int, int)
{
    await_own();
    *result = 1;
    return *arg ? soon_raise(task, *arg, NULL) : 0;
}

static void ask_in_callback(soon_bytes result, void *data)
{
    (void)result;
    (void)data;
    answers = ask(await_own());
}

static void ask_in_error_callback(const soon_error *error, void *data)
{
    (void)error;
    (void)data;
    answers = ask(await_own());
}

TestOnEachHere(deadlock, an_apply_async_waits_for_itself_in_its_callback)
{
    for (int code = 0; code <= EDOM; code += EDOM) {
        soon_future *future =
            soon_apply_async(executor, ask_in_callback, ask_in_error_callback, NULL, one_or_error, code);

        tell_own(future);
        cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
        atomic_store(&own, NULL);

        assert_refused(&answers);
        soon_future_unref(future);
    }
}

/*
 * What this thread is in the middle of: a completed future whose callbacks wait for their turn here.
 */

static soon_future *later;

static void complete_and_ask(soon_future *future, void *promise)
{
    (void)future;
    set_int(promise, 7); /* whose callbacks run when this one has returned */
    answers = ask(later);
}

static void complete_inside_a_callback(soon_promise *promise)
{
    struct halves outer = pending();

    cr_assert_eq(soon_future_add_done_callback(outer.future, complete_and_ask, promise), 0);
    set_int(outer.promise, 1);
    release(outer);
}

Test(deadlock, a_callback_waits_for_a_then_that_is_to_run_behind_it)
{
    soon_executor *executor = make_inline(); /* its submit is user code, so it comes in the turn of callbacks */
    struct halves both = pending();

    later = soon_then(both.future, executor, &one_task);
    complete_inside_a_callback(both.promise);

    assert_refused(&answers);
    cr_assert_eq(soon_future_wait(later, SOON_FOREVER), 0);
    release(both);
    soon_future_unref(later);
    cr_assert_eq(soon_executor_free(executor), 0);
}

static void ask_for_it(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    answers = ask(later);
}

/* Guards `settling`, callback.c. */
Test(deadlock, a_callback_waits_for_a_then_that_is_registered_behind_it)
{
    soon_executor *executor = make_inline();
    struct halves both = pending();

    cr_assert_eq(soon_future_add_done_callback(both.future, ask_for_it, NULL), 0);
    later = soon_then(both.future, executor, &one_task);
    set_int(both.promise, 1);

    assert_refused(&answers);
    cr_assert_eq(int_of(later), 1);
    release(both);
    soon_future_unref(later);
    cr_assert_eq(soon_executor_free(executor), 0);
}

/* The same from a task that runs inside of the callback. */

SOON_TASK(ask_for_later, int, int)
{
    answers = ask(later);
    *result = 1;
    return 0;
}

static soon_executor *inside;

static void complete_and_submit(soon_future *future, void *promise)
{
    soon_future *task;

    (void)future;
    set_int(promise, 7);
    task = ask_for_later_submit(inside, NULL, NULL);
    cr_assert_eq(int_of(task), 1);
    soon_future_unref(task);
}

/* Guards the look at the lists that soon__thread_enter() has put aside. */
Test(deadlock, a_task_inside_of_a_callback_waits_for_what_is_to_run_behind_that)
{
    struct halves outer = pending(), both = pending();

    inside = make_inline();
    later = soon_then(both.future, inside, &one_task);
    cr_assert_eq(soon_future_add_done_callback(outer.future, complete_and_submit, both.promise), 0);
    set_int(outer.promise, 1);

    assert_refused(&answers);
    cr_assert_eq(int_of(later), 1);
    release(outer);
    release(both);
    soon_future_unref(later);
    cr_assert_eq(soon_executor_free(inside), 0);
}

static void nothing(soon_bytes result, void *data)
{
    (void)result;
    (void)data;
}

Test(deadlock, a_callback_waits_for_an_apply_async_that_is_to_end_behind_it)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_promise *promise;

    later = soon_apply_async(executor, nothing, NULL, NULL, one, 0);
    promise = soon_call_promise(drawer.calls[0]);
    cr_assert_eq(soon_promise_set_running(promise), 0);
    complete_inside_a_callback(promise);
    soon_call_free(drawer.calls[0]);
    drawer.count = 0;

    assert_refused(&answers);
    cr_assert_eq(int_of(later), 7);
    soon_future_unref(later);
    cr_assert_eq(soon_executor_free(executor), 0);
}

/*
 * What looks alike and is none.
 */

static void wait_for_itself(soon_future *future, void *data)
{
    (void)data;
    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
}

Test(deadlock, a_callback_may_wait_for_its_own_future)
{
    struct halves both = pending();

    cr_assert_eq(soon_future_add_done_callback(both.future, wait_for_itself, NULL), 0);
    set_int(both.promise, 1);

    release(both);
}

static void wait_for_data(soon_future *future, void *data)
{
    (void)future;
    cr_assert_eq(soon_future_wait(*(soon_future * _Atomic *)data, SOON_FOREVER), 0);
}

SOON_TASK(at_the_gate, int, int)
{
    *result = 0;
    return wait_at_gate(task);
}

Test(deadlock, a_callback_on_the_only_worker_may_wait_for_what_is_queued, .init = close_gate)
{
    soon_executor *pool = make_one_thread();
    soon_future *_Atomic queued = NULL;
    soon_future *first = at_the_gate_submit(pool, NULL, NULL);

    cr_assert_eq(soon_future_add_done_callback(first, wait_for_data, &queued), 0);
    queued = soon_then(first, pool, &one_task); /* goes to the queue before the callback runs */
    open_gate();

    cr_assert_eq(soon_executor_free(pool), 0); /* it joins the worker: the callback has returned */
    cr_assert_eq(int_of(queued), 1);
    soon_future_unref(first);
    soon_future_unref(queued);
}

static void complete_and_wait(soon_future *future, void *promise)
{
    (void)future;
    set_int(promise, 7);
    cr_assert_eq(int_of(later), 1);
}

/* A pool takes it at once, before the callbacks run. Guards the question in source(), then.c, whether it still
 * waits. */
Test(deadlock, a_callback_may_wait_for_a_then_of_what_it_has_completed)
{
    soon_executor *pool = make_one_thread();
    struct halves outer = pending(), both = pending();

    later = soon_then(both.future, pool, &one_task);
    cr_assert_eq(soon_future_add_done_callback(outer.future, complete_and_wait, both.promise), 0);
    set_int(outer.promise, 1);

    cr_assert(soon_future_done(later));
    release(outer);
    release(both);
    soon_future_unref(later);
    cr_assert_eq(soon_executor_free(pool), 0);
}

/*
 * Sets: only when nothing that would do can come.
 */

struct set_answers {
    int64_t all, first, first_exception, first_stuck;
    int next, next_stuck;
};
static struct set_answers set_answers;
static soon_future *other; /* unfinished until the task has asked for all */
static soon_promise *others_promise;

static void *complete_the_other(void *data)
{
    (void)data;
    test_wait_until(has_waiter(other));
    set_int(others_promise, 3);
    return NULL;
}

SOON_TASK(ask_for_sets, int, int)
{
    soon_future *mine = await_own(), *given = NULL;
    soon_future *const both[] = {mine, other}, *const twice[] = {mine, mine};
    soon_as_completed *set;
    pthread_t thread;

    set_answers.all = soon_wait(both, 2, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
    start_thread(&thread, complete_the_other, NULL);
    set_answers.first = soon_wait(both, 2, SOON_FIRST_COMPLETED, SOON_FOREVER, NULL);
    pthread_join(thread, NULL);
    set_answers.first_exception = soon_wait(both, 2, SOON_FIRST_EXCEPTION, SOON_FOREVER, NULL);
    set_answers.first_stuck = soon_wait(twice, 2, SOON_FIRST_COMPLETED, SOON_FOREVER, NULL);

    cr_assert_eq(soon_as_completed_new(&set, both, 2, SOON_FOREVER), 0);
    set_answers.next = soon_as_completed_next(set, &given);
    cr_assert_eq(given, other);
    soon_future_unref(given);
    set_answers.next_stuck = soon_as_completed_next(set, &given);
    soon_as_completed_free(set);
    *result = 1;
    return 0;
}

TestOnEachHere(deadlock, a_set_with_the_own_future)
{
    struct halves both = pending();
    soon_future *future;

    other = both.future;
    others_promise = both.promise;
    future = ask_for_sets_submit(executor, NULL, NULL);
    tell_own(future);
    finish_own(future);

    cr_assert_eq(set_answers.all, SOON_EDEADLK);
    cr_assert_eq(set_answers.first, 1);
    cr_assert_eq(set_answers.first_exception, SOON_EDEADLK, "the own one could still fail, but not while it waits");
    cr_assert_eq(set_answers.first_stuck, SOON_EDEADLK);
    cr_assert_eq(set_answers.next, 0);
    cr_assert_eq(set_answers.next_stuck, SOON_EDEADLK);
    release(both);
}

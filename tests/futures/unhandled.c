/*
 * unhandled.c - the hook for failures that nobody has looked at.
 */
#include "../../futures/failed_internal.h"
#include "../support/futures.h"

#include <stdio.h>

static struct {
    int count;
    int code;
    char message[100];
    const void *data;
    pthread_t thread;
} heard;

static void hear(const soon_error *error, void *data)
{
    heard.count++;
    heard.code = error->code;
    snprintf(heard.message, sizeof heard.message, "%s", error->message);
    heard.data = data;
    heard.thread = pthread_self();
}

static void listen(void)
{
    soon_on_unhandled(hear, &heard);
}

TestSuite(unhandled, .init = listen);

Test(unhandled, a_failure_that_nobody_saw)
{
    struct halves both = failed();

    soon_promise_free(both.promise);
    cr_assert_eq(heard.count, 0, "somebody may look yet");
    soon_future_unref(both.future);

    cr_assert_eq(heard.count, 1);
    cr_assert_eq(heard.code, SOON_ERAISED);
    cr_assert_str_eq(heard.message, "it failed");
    cr_assert_eq(heard.data, &heard);
    cr_assert(pthread_equal(heard.thread, pthread_self()));
}

Test(unhandled, a_promise_without_a_reader)
{
    soon_promise *promise;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    soon_promise_free(promise);

    cr_assert_eq(heard.count, 1);
    cr_assert_eq(heard.code, SOON_EABANDONED);
}

/*
 * To have looked
 */

static void look_by_result(soon_future *future)
{
    soon_bytes bytes;

    cr_assert_lt(soon_future_result(future, 0, &bytes), 0);
}
static void look_by_read(soon_future *future)
{
    int value;

    cr_assert_lt(soon_result_within(future, 0, &value), 0);
}
static void look_by_take(soon_future *future)
{
    int value;

    cr_assert_lt(soon_take(soon_future_ref(future), &value), 0);
}
static void look_by_exception(soon_future *future)
{
    const soon_error *error;

    cr_assert_eq(soon_future_exception(future, 0, &error), 0);
}
static void look_by_error(soon_future *future)
{
    cr_assert_lt(soon_future_error(future)->code, 0);
}

static void (*const looks[])(soon_future *) = {look_by_result, look_by_read, look_by_take, look_by_exception,
                                               look_by_error};

Test(unhandled, not_when_somebody_has_looked)
{
    for (size_t i = 0; i < COUNT(looks); i++) {
        struct halves both = failed();

        looks[i](both.future);
        release(both);
        cr_assert_eq(heard.count, 0, "look %zu", i);
    }
}

static void do_nothing(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

Test(unhandled, only_the_outcome_counts_as_looking)
{
    struct halves both = failed();
    bool done;

    (void)soon_future_state(both.future);
    (void)soon_future_done(both.future);
    (void)soon_future_succeeded(both.future);
    cr_assert_eq(soon_future_wait(both.future, 0), 0);
    cr_assert_eq(soon_wait(&both.future, 1, SOON_FIRST_EXCEPTION, 0, &done), 1);
    cr_assert_eq(soon_future_add_done_callback(both.future, do_nothing, NULL), 0);
    (void)soon_future_label(both.future);
    (void)soon_future_payload(both.future);
    (void)soon_future_progress(both.future);
    release(both);

    cr_assert_eq(heard.count, 1);
}

Test(unhandled, an_early_look_does_not_count)
{
    struct halves both = running();

    cr_assert_eq(soon_future_error(both.future)->code, 0);
    cr_assert_eq(code_of(both.future), -ETIMEDOUT);
    cr_assert_eq(soon_promise_set_exception(both.promise, EDOM, NULL), 0);
    release(both);

    cr_assert_eq(heard.count, 1);
}

Test(unhandled, not_for_success_and_cancellation)
{
    struct halves gave_in = running();

    cr_assert_eq(soon_promise_set_cancelled(gave_in.promise), 0);
    release(gave_in);
    release(successful());
    release(cancelled());

    cr_assert_eq(heard.count, 0);
}

/*
 * What passes an error on has looked; who has it now may not.
 */

SOON_TASK(increment, int, int)
{
    *result = *arg + 1;
    return 0;
}

Test(unhandled, gather_any_and_then_pass_it_on)
{
    soon_executor *executor = make_inline();

    for (int i = 0; i < 3; i++) {
        struct halves both = pending();
        soon_future *next = i == 0   ? soon_gather(&both.future, 1)
                            : i == 1 ? soon_any(&both.future, 1)
                                     : soon_then(both.future, executor, &increment_task);

        cr_assert_eq(soon_promise_set_exception(both.promise, EDOM, NULL), 0);
        release(both);
        cr_assert_eq(heard.count, i, "%d: it was passed on", i);
        soon_future_unref(next);
        cr_assert_eq(heard.count, i + 1, "%d: and then nobody looked", i);
    }
    cr_assert_eq(soon_executor_free(executor), 0);
}

Test(unhandled, gather_passes_on_one_and_has_looked_at_all)
{
    struct halves a = failed(), b = failed();
    soon_future *members[] = {a.future, b.future}, *gathered = soon_gather(members, 2);

    cr_assert_eq(code_of(gathered), SOON_ERAISED);
    soon_future_unref(gathered);
    release(a);
    release(b);

    cr_assert_eq(heard.count, 0);
}

Test(unhandled, any_that_succeeds_has_looked_at_the_failures)
{
    struct halves a = failed(), b = successful();
    soon_future *members[] = {a.future, b.future}, *any = soon_any(members, 2);

    soon_future_unref(any);
    release(a);
    release(b);

    cr_assert_eq(heard.count, 0);
}

Test(unhandled, not_for_no_memory)
{
    soon_future_unref(soon__future_nomem());

    cr_assert_eq(heard.count, 0);
}

/*
 * The hook
 */

Test(unhandled, hears_nothing_when_it_is_taken_away)
{
    soon_on_unhandled(NULL, NULL);
    release(failed());

    cr_assert_eq(heard.count, 0);
}

static void hear_another(const soon_error *error, void *data)
{
    (void)error;
    ++*(int *)data;
}

Test(unhandled, the_latest_hears)
{
    int others = 0;

    soon_on_unhandled(hear_another, &others);
    release(failed());

    cr_assert_eq(heard.count, 0);
    cr_assert_eq(others, 1);
}

/* A hook may use the library, and so fail itself. */
static void fail_again(const soon_error *error, void *data)
{
    (void)error;
    if (++*(int *)data < 3)
        release(failed());
}

Test(unhandled, a_hook_may_drop_a_failure_itself)
{
    int calls = 0;

    soon_on_unhandled(fail_again, &calls);
    release(failed());

    cr_assert_eq(calls, 3);
}

/*
 * The hook is set by some while others drop failures: each failure is heard by one hook, with the data of that.
 */

struct ear {
    soon_unhandled_fn fn;
    _Atomic int heard;
};

static void hear_left(const soon_error *error, void *data);
static void hear_right(const soon_error *error, void *data);
static struct ear left = {.fn = hear_left}, right = {.fn = hear_right};

static void hear_with(struct ear *ear, const soon_error *error, void *data)
{
    cr_assert_eq(data, ear);
    cr_assert_eq(error->code, SOON_ERAISED);
    ear->heard++;
}

static void hear_left(const soon_error *error, void *data)
{
    hear_with(&left, error, data);
}

static void hear_right(const soon_error *error, void *data)
{
    hear_with(&right, error, data);
}

static void set_hook_or_fail(unsigned thread, unsigned *seed)
{
    struct ear *ear = dice(seed, 2) ? &left : &right;

    if (thread < 2)
        soon_on_unhandled(ear->fn, ear);
    else
        release(failed());
}

/* Guards the mutex of the hook, error.c. */
Test(unhandled, the_hook_may_be_changed_meanwhile)
{
    int each = ROUNDS(5000);

    soon_on_unhandled(left.fn, &left);
    run_race(&(struct race){.threads = 4, .rounds = (unsigned)each, .body = set_hook_or_fail});

    cr_assert_eq(left.heard + right.heard, 2 * each);
}

/*
 * callback.c - done callbacks: when, where, in which order, and what they may do.
 */
#include "../../futures/run_callbacks_internal.h"
#include "../support/futures.h"

/* What was called, in order. */
static struct {
    int count, codes[64], values[64];
    const void *data[64];
    pthread_t threads[64];
} seen;

static void note(soon_future *future, void *data)
{
    soon_bytes bytes = {NULL, 0};
    int i = seen.count++;

    cr_assert(soon_future_done(future));
    seen.codes[i] = soon_future_result(future, 0, &bytes);
    seen.values[i] = seen.codes[i] == 0 && bytes.size == sizeof(int) ? *(const int *)bytes.data : -1;
    seen.data[i] = data;
    seen.threads[i] = pthread_self();
}

/* Each of these is the data of one registration. */
static char a, b, c, d;

static void add(soon_future *future, soon_done_fn fn, void *data)
{
    cr_assert_eq(soon_future_add_done_callback(future, fn, data), 0);
}

static void assert_seen(int count, const void *const *data)
{
    cr_assert_eq(seen.count, count, "%d", seen.count);
    for (int i = 0; i < count; i++)
        cr_assert_eq(seen.data[i], data[i], "the call number %d", i);
}
#define ASSERT_SEEN(...) assert_seen(COUNT(((const void *[]){__VA_ARGS__})), (const void *[]){__VA_ARGS__})

/* CPython: test_done_callback_with_result */
Test(callback, sees_the_result)
{
    struct halves both = pending();

    add(both.future, note, &a);
    cr_assert_eq(seen.count, 0);
    set_int(both.promise, 5);

    ASSERT_SEEN(&a);
    cr_assert_eq(seen.values[0], 5);
    release(both);
}

/* CPython: test_done_callback_with_exception */
Test(callback, sees_the_exception)
{
    struct halves both = pending();

    add(both.future, note, &a);
    cr_assert_eq(soon_promise_set_exception(both.promise, EDOM, "test"), 0);

    ASSERT_SEEN(&a);
    cr_assert_eq(seen.codes[0], SOON_ERAISED);
    release(both);
}

/* CPython: test_done_callback_with_cancel */
Test(callback, sees_the_cancellation)
{
    struct halves both = pending();

    add(both.future, note, &a);
    cr_assert(soon_future_cancel(both.future));

    ASSERT_SEEN(&a);
    cr_assert_eq(seen.codes[0], -ECANCELED);
    release(both);
}

/* CPython: test_done_callback_already_successful, _already_failed, _already_cancelled */
Test(callback, added_to_a_done_one_runs_at_once)
{
    static const struct {
        struct halves (*make)(void);
        int code;
    } rows[] = {{successful, 0}, {failed, SOON_ERAISED}, {cancelled, -ECANCELED}};

    for (int i = 0; i < (int)COUNT(rows); i++) {
        struct halves both = rows[i].make();

        add(both.future, note, &a);
        cr_assert_eq(seen.count, i + 1);
        cr_assert_eq(seen.codes[i], rows[i].code);
        cr_assert(pthread_equal(seen.threads[i], pthread_self()));
        release(both);
    }
}

Test(callback, hears_of_a_dropped_promise)
{
    struct halves both = pending();

    add(both.future, note, &a);
    soon_promise_free(both.promise);

    ASSERT_SEEN(&a);
    cr_assert_eq(seen.codes[0], SOON_EABANDONED);
    soon_future_unref(both.future);
}

Test(callback, needs_a_future_and_a_function)
{
    struct halves both = pending();

    cr_assert_eq(soon_future_add_done_callback(NULL, note, NULL), -EINVAL);
    cr_assert_eq(soon_future_add_done_callback(both.future, NULL, NULL), -EINVAL);

    release(both);
}

static void *set_five(void *promise)
{
    set_int(promise, 5);
    return NULL;
}

Test(callback, runs_on_the_completing_thread)
{
    struct halves both = pending();
    pthread_t thread;

    add(both.future, note, &a);
    start_thread(&thread, set_five, both.promise);
    pthread_join(thread, NULL);

    ASSERT_SEEN(&a);
    cr_assert(pthread_equal(seen.threads[0], thread));
    release(both);
}

/*
 * Order
 */

Test(callback, all_run_in_the_order_of_registration)
{
    struct halves both = pending();

    add(both.future, note, &a);
    add(both.future, note, &b);
    add(both.future, note, &a); /* twice is twice */
    add(both.future, note, &c);
    set_int(both.promise, 5);

    ASSERT_SEEN(&a, &b, &a, &c);
    release(both);
}

static void await_the_reader(soon_future *future, void *data)
{
    struct reader *reader = data;

    (void)future;
    test_wait_until(atomic_load(&reader->over));
}

Test(callback, runs_after_waiters_were_woken)
{
    struct halves both = pending();
    struct reader *reader = start_reading(both.future);

    add(both.future, await_the_reader, reader); /* for ever, if it were not */
    set_int(both.promise, 5);

    cr_assert_eq(end_reading(reader), 0);
    release(both);
}

/*
 * What may be done inside
 */

static void add_d_and_note(soon_future *future, void *data)
{
    add(future, note, &d); /* it is done: here and now */
    note(future, data);
}

Test(callback, one_added_inside_runs_at_once)
{
    struct halves both = pending();

    add(both.future, add_d_and_note, &a);
    add(both.future, note, &b);
    set_int(both.promise, 5);

    ASSERT_SEEN(&d, &a, &b);
    release(both);
}

static void remove_c_and_itself(soon_future *future, void *data)
{
    note(future, data);
    cr_assert_not(soon_future_remove_done_callback(future, remove_c_and_itself, data), "it runs");
    cr_assert(soon_future_remove_done_callback(future, note, &c));
    cr_assert_not(soon_future_remove_done_callback(future, note, &c), "there was one");
    cr_assert_not(soon_future_remove_done_callback(future, note, &b), "it has run");
}

Test(callback, a_later_one_may_be_removed_inside)
{
    struct halves both = pending();

    add(both.future, note, &b);
    add(both.future, remove_c_and_itself, &a);
    add(both.future, note, &c);
    add(both.future, note, &d);
    set_int(both.promise, 5);

    ASSERT_SEEN(&b, &a, &d);
    release(both);
}

static void unref(soon_future *future, void *data)
{
    (void)future;
    soon_future_unref(data);
}

Test(callback, the_last_reference_may_be_given_up_inside)
{
    struct halves both = pending();

    add(both.future, unref, both.future);
    add(both.future, note, &b);
    set_int(both.promise, 5);

    ASSERT_SEEN(&b);
    soon_promise_free(both.promise);
}

static void free_promise(soon_future *future, void *data)
{
    (void)future;
    soon_promise_free(data);
}

Test(callback, the_promise_and_the_last_reference_may_go_inside)
{
    struct halves both = pending();

    add(both.future, free_promise, both.promise);
    add(both.future, unref, both.future);
    add(both.future, note, &b);
    set_int(both.promise, 5);

    ASSERT_SEEN(&b);
}

static void keep(soon_future *future, void *data)
{
    *(soon_future **)data = soon_future_ref(future);
}

Test(callback, the_future_may_be_kept)
{
    struct halves both = pending();
    soon_future *kept = NULL;

    add(both.future, keep, &kept);
    set_int(both.promise, 5);
    release(both);

    cr_assert_eq(int_of(kept), 5);
    soon_future_unref(kept);
}

static void cancel(soon_future *future, void *data)
{
    note(future, data);
    cr_assert(soon_future_cancel(data));
}

Test(callback, another_may_be_cancelled_inside)
{
    struct halves first = pending(), second = pending();

    add(first.future, cancel, second.future);
    add(second.future, note, &b);
    set_int(first.promise, 5);

    ASSERT_SEEN(second.future, &b);
    cr_assert_eq(seen.codes[1], -ECANCELED);
    release(first);
    release(second);
}

static void cancel_itself(soon_future *future, void *data)
{
    *(bool *)data = soon_future_cancel(future);
}

Test(callback, its_own_future_is_done_for_a_cancel)
{
    struct halves finished = pending(), given_up = pending();
    bool answers[2] = {true, false};

    add(finished.future, cancel_itself, &answers[0]);
    add(given_up.future, cancel_itself, &answers[1]);
    set_int(finished.promise, 5);
    cr_assert(soon_future_cancel(given_up.future));

    cr_assert(!answers[0] && answers[1]);
    release(finished);
    release(given_up);
}

/* A task, and a callback that submits it. */

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    return 0;
}

struct submitter {
    soon_executor *executor;
    soon_future *submitted;
};

static void submit(soon_future *future, void *data)
{
    struct submitter *submitter = data;

    submitter->submitted = soon_submit(submitter->executor, square, int_of(future));
    cr_assert_eq(int_of(submitter->submitted), 25); /* and wait for it */
}

Test(callback, tasks_may_be_submitted_inside)
{
    struct submitter submitters[2] = {{.executor = make_inline()}, {.executor = NULL}};

    cr_assert_eq(soon_thread_pool_new(&submitters[1].executor, NULL), 0);
    for (size_t i = 0; i < COUNT(submitters); i++) {
        struct halves both = pending();

        add(both.future, submit, &submitters[i]);
        set_int(both.promise, 5);

        cr_assert_eq(int_of(submitters[i].submitted), 25);
        soon_future_unref(submitters[i].submitted);
        release(both);
        cr_assert_eq(soon_executor_free(submitters[i].executor), 0);
    }
}

/*
 * Completing others inside: their callbacks come when this one has returned.
 */

struct link {
    struct halves both;
    struct link *next;
};
static int depth, deepest;

static void complete_next(soon_future *future, void *data)
{
    struct link *link = data;

    (void)future;
    deepest = ++depth > deepest ? depth : deepest;
    if (link->next)
        set_int(link->next->both.promise, 1);
    depth--;
}

/* Guards the check of in_callbacks in soon__future_run_callbacks(). */
Test(callback, a_long_chain_of_them_needs_no_stack)
{
    enum { LENGTH = 200000 };
    struct link *links = calloc(LENGTH, sizeof *links);

    for (int i = 0; i < LENGTH; i++) {
        links[i].both = pending();
        links[i].next = i + 1 < LENGTH ? &links[i + 1] : NULL;
        add(links[i].both.future, complete_next, &links[i]);
    }
    set_int(links[0].both.promise, 1);

    cr_assert_eq(deepest, 1);
    for (int i = 0; i < LENGTH; i++) {
        cr_assert(soon_future_done(links[i].both.future));
        release(links[i].both);
    }
    free(links);
}

static void complete_and_note(soon_future *future, void *data)
{
    set_int(data, 6);
    note(future, data);
}

Test(callback, what_it_completes_calls_back_after_it)
{
    struct halves first = pending(), second = pending();

    add(first.future, complete_and_note, second.promise);
    add(second.future, note, &b);
    set_int(first.promise, 5);

    ASSERT_SEEN(second.promise, &b);
    release(first);
    release(second);
}

/* A task that runs on the stack of a callback completes a promise: that is no matter of the callback's. */

static struct halves inner;

SOON_TASK(complete_inner, int, int)
{
    set_int(inner.promise, 6);
    *result = seen.count; /* how many calls there were by then */
    return 0;
}

static void submit_inner(soon_future *future, void *data)
{
    soon_future *task = complete_inner_submit(data, NULL, NULL);

    (void)future;
    cr_assert_eq(int_of(task), 1);
    soon_future_unref(task);
}

/* Guards the fresh lists of soon__thread_enter(). */
Test(callback, a_task_inside_sees_its_own_completions_called_back)
{
    soon_executor *executor = make_inline();
    struct halves both = pending();

    inner = pending();
    add(inner.future, note, &a);
    add(both.future, submit_inner, executor);
    set_int(both.promise, 5);

    ASSERT_SEEN(&a);
    release(inner);
    release(both);
    cr_assert_eq(soon_executor_free(executor), 0);
}

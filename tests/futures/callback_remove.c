/*
 * callback_remove.c - taking callbacks back, and those that come with a submit.
 */
#include "../support/futures.h"

static int calls[4];

static void count(soon_future *future, void *data)
{
    (void)future;
    calls[(intptr_t)data]++;
}

static void other(soon_future *future, void *data)
{
    (void)future;
    calls[(intptr_t)data] += 100;
}

static void add(soon_future *future, soon_done_fn fn, intptr_t data)
{
    cr_assert_eq(soon_future_add_done_callback(future, fn, (void *)data), 0);
}

static bool take_back(soon_future *future, soon_done_fn fn, intptr_t data)
{
    return soon_future_remove_done_callback(future, fn, (void *)data);
}

Test(remove, takes_back_what_has_not_run)
{
    struct halves both = pending();

    add(both.future, count, 1);
    cr_assert(take_back(both.future, count, 1));
    cr_assert_not(take_back(both.future, count, 1));
    set_int(both.promise, 5);

    cr_assert_eq(calls[1], 0);
    release(both);
}

Test(remove, wants_the_same_function_and_data)
{
    struct halves both = pending();

    add(both.future, count, 1);
    cr_assert_not(take_back(both.future, count, 2));
    cr_assert_not(take_back(both.future, other, 1));
    cr_assert_not(take_back(both.future, NULL, 1));
    set_int(both.promise, 5);

    cr_assert_eq(calls[1], 1);
    release(both);
}

Test(remove, takes_one_registration_of_several)
{
    struct halves both = pending();

    add(both.future, count, 1);
    add(both.future, count, 2);
    add(both.future, count, 1);
    add(both.future, count, 1);
    cr_assert(take_back(both.future, count, 1));
    set_int(both.promise, 5);

    cr_assert_eq(calls[1], 2);
    cr_assert_eq(calls[2], 1);
    release(both);
}

static int order[4], ordered;

static void note_order(soon_future *future, void *data)
{
    (void)future;
    order[ordered++] = (int)(intptr_t)data;
}

/* The first, one in the middle, the last, all of them: the ring must stay whole. */
Test(remove, leaves_the_others_in_order)
{
    static const struct {
        int removed[4], left[4];
    } rows[] = {
        {{1}, {2, 3}}, {{2}, {1, 3}}, {{3}, {1, 2}}, {{1, 2}, {3}}, {{3, 2}, {1}}, {{1, 3}, {2}}, {{2, 3, 1}, {0}},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct halves both = pending();

        ordered = 0;
        for (int data = 1; data <= 3; data++)
            add(both.future, note_order, data);
        for (const int *removed = rows[i].removed; *removed; removed++)
            cr_assert(take_back(both.future, note_order, *removed));
        add(both.future, note_order, 4);
        set_int(both.promise, 5);

        for (int j = 0; j < ordered - 1; j++)
            cr_assert_eq(order[j], rows[i].left[j], "row %zu", i);
        cr_assert_eq(order[ordered - 1], 4, "row %zu", i);
        release(both);
    }
}

Test(remove, comes_too_late_for_a_done_one)
{
    struct halves both = pending();

    add(both.future, count, 1);
    set_int(both.promise, 5);
    cr_assert_not(take_back(both.future, count, 1));
    cr_assert_eq(calls[1], 1);

    release(both);
}

Test(remove, finds_nothing_where_nothing_is)
{
    struct halves rows[] = {pending(), running(), cancelled(), failed(), successful()};

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_assert_not(take_back(rows[i].future, count, 1));
        release(rows[i]);
    }
}

/*
 * One that runs cannot be taken back, also by another thread.
 */

static _Atomic bool inside, leave;

static void stay(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    atomic_store(&inside, true);
    test_wait_until(atomic_load(&leave));
}

static void *complete(void *promise)
{
    set_int(promise, 5);
    return NULL;
}

Test(remove, says_no_for_one_that_runs_and_yes_for_those_behind_it)
{
    struct halves both = pending();
    pthread_t thread;

    add(both.future, stay, 1);
    add(both.future, count, 2);
    start_thread(&thread, complete, both.promise);
    test_wait_until(atomic_load(&inside));

    cr_assert_not(take_back(both.future, stay, 1));
    cr_assert(take_back(both.future, count, 2));
    atomic_store(&leave, true);
    pthread_join(thread, NULL);
    cr_assert_eq(calls[2], 0);
    release(both);
}

/*
 * The submit option on_done.
 */

SOON_TASK(nothing, int, int)
{
    *result = 0;
    return 0;
}

Test(on_done, runs_first_and_once)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_future *future = soon_submit_with(executor, (.on_done = note_order, .on_done_data = (void *)1), nothing, 0);

    add(future, note_order, 2);
    cr_assert_eq(soon_executor_free(executor), 0);

    cr_assert(ordered == 2 && order[0] == 1 && order[1] == 2);
    soon_future_unref(future);
}

Test(on_done, is_taken_back_like_any_other)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_future *future = soon_submit_with(executor, (.on_done = count, .on_done_data = (void *)1), nothing, 0);

    cr_assert(take_back(future, count, 1));
    cr_assert_not(take_back(future, count, 1));
    cr_assert_eq(soon_executor_free(executor), 0);

    cr_assert_eq(calls[1], 0);
    soon_future_unref(future);
}

Test(on_done, runs_when_nobody_holds_the_future)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);

    soon_future_unref(soon_submit_with(executor, (.on_done = count, .on_done_data = (void *)1), nothing, 0));
    cr_assert_eq(soon_executor_free(executor), 0);

    cr_assert_eq(calls[1], 1);
}

Test(on_done, hears_of_a_cancellation)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_future *future = soon_submit_with(executor, (.on_done = count, .on_done_data = (void *)1), nothing, 0);

    cr_assert(soon_future_cancel(future));
    cr_assert_eq(calls[1], 1);
    cr_assert_eq(drawer.count, 0);

    soon_future_unref(future);
    cr_assert_eq(soon_executor_free(executor), 0);
}

Test(on_done, hears_of_a_refusal)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_future *future;

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    future = soon_submit_with(executor, (.on_done = count, .on_done_data = (void *)1), nothing, 0);
    cr_assert_eq(code_of(future), SOON_ESHUTDOWN);
    cr_assert_eq(calls[1], 1);

    soon_future_unref(future);
    cr_assert_eq(soon_executor_free(executor), 0);
}

/*
 * What a bar counts: futures as they end, their failures, the progress of those that run, maps, sets and imaps. It is
 * looked at as the drawer does.
 */
#include "../../progress_bar/members_internal.h"
#include "../support/futures.h"
#include "../support/gate.h"
#include "../support/pools.h"

#include <fcntl.h>
#include <stdio.h>

TestSuite(progress_bar_futures);

/* A bar that counts and is never drawn. */
static soon_progress_bar *new_bar_of(soon_progress_bar_options options)
{
    soon_progress_bar *bar;

    options.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    options.plain_every_ms = SOON_FOREVER;
    cr_assert_eq(soon_progress_bar_new(&bar, &options), 0);
    close(options.fd);
    return bar;
}
#define new_bar(...) new_bar_of((soon_progress_bar_options){__VA_ARGS__})

/* What it would show. The drawer, which has no lines to write, does not look. */
static const struct soon__view *view_of(soon_progress_bar *bar)
{
    soon__members_look(bar, &bar->drawer.view);
    return &bar->drawer.view;
}

Test(progress_bar_futures, each_is_counted_when_it_is_done)
{
    soon_progress_bar *bar = new_bar(.label = NULL);
    struct halves ok = running(), bad = running(), gone = pending();

    cr_assert_eq(soon_progress_bar_add_all(bar, (soon_future *[]){ok.future, bad.future, gone.future}, 3), 0);
    cr_assert_eq(view_of(bar)->total, 3);
    cr_assert_eq(view_of(bar)->done, 0);
    soon_promise_set_result(ok.promise, NULL, 0);
    cr_assert_eq(view_of(bar)->done, 1);
    soon_promise_set_exception(bad.promise, 1, "bad");
    cr_assert(soon_future_cancel(gone.future));

    cr_assert_eq(view_of(bar)->done, 3);
    cr_assert_eq(view_of(bar)->failed, 1);
    cr_assert_eq(view_of(bar)->cancelled, 1);
    release(ok), release(bad), release(gone);
    soon_progress_bar_free(bar);
}

Test(progress_bar_futures, one_that_is_done_already_counts_at_once)
{
    soon_progress_bar *bar = new_bar(.total = 5);
    struct halves done = running();

    soon_promise_set_result(done.promise, NULL, 0);
    cr_assert_eq(soon_progress_bar_add(bar, done.future), 0);
    cr_assert_eq(view_of(bar)->done, 1);
    cr_assert_eq(view_of(bar)->total, 5);
    release(done);
    soon_progress_bar_free(bar);
}

Test(progress_bar_futures, a_future_that_nobody_else_holds_is_counted)
{
    soon_progress_bar *bar = new_bar(.label = NULL);
    struct halves both = running();

    cr_assert_eq(soon_progress_bar_add(bar, both.future), 0);
    soon_future_unref(both.future);
    soon_promise_set_progress(both.promise, 1, 4);
    cr_assert_eq(view_of(bar)->running, 0.25);
    soon_promise_set_result(both.promise, NULL, 0);
    cr_assert_eq(view_of(bar)->done, 1);
    soon_promise_free(both.promise);
    soon_progress_bar_free(bar);
}

Test(progress_bar_futures, a_bar_that_is_freed_first_lets_them_go)
{
    soon_progress_bar *bar = new_bar(.label = NULL);
    struct halves first = running(), second = pending();

    cr_assert_eq(soon_progress_bar_add_all(bar, (soon_future *[]){first.future, second.future, first.future}, 3), 0);
    soon_progress_bar_free(bar);
    cr_assert(soon_future_running(first.future));
    soon_promise_set_result(first.promise, NULL, 0);
    release(first), release(second);
}

Test(progress_bar_futures, a_running_task_is_a_row_with_its_label)
{
    soon_progress_bar *bar = new_bar(.tasks_max = 2);
    struct halves both[3] = {running(), pending(), running()};

    for (int i = 0; i < 3; i++)
        cr_assert_eq(soon_progress_bar_add(bar, both[i].future), 0);
    soon_promise_set_progress(both[2].promise, 3, 4);
    const struct soon__view *view = view_of(bar);
    cr_assert_eq(view->row_count, 2);
    cr_assert_str_eq(view->rows[0].label, "task 1");
    cr_assert_str_eq(view->rows[1].label, "task 3");
    cr_assert_eq(view->rows[1].progress.done, 3);
    cr_assert_eq(view->running, 0.75);
    for (int i = 0; i < 3; i++)
        release(both[i]);
    soon_progress_bar_free(bar);
}

static struct gate held;

static void hold(soon_future *future, void *data)
{
    (void)future, (void)data;
    gate_pass(held, NULL);
}

static void *complete(void *promise)
{
    soon_promise_set_result(promise, NULL, 0);
    return NULL;
}

/* Between the end of a future and its callback the bar must not go back. */
Test(progress_bar_futures, one_that_is_done_and_not_counted_yet_counts_as_done)
{
    soon_progress_bar *bar = new_bar(.tasks_max = 1);
    struct halves both = running();
    pthread_t thread;

    held = gate_new();
    cr_assert_eq(soon_future_add_done_callback(both.future, hold, NULL), 0);
    cr_assert_eq(soon_progress_bar_add(bar, both.future), 0);
    cr_assert_eq(pthread_create(&thread, NULL, complete, both.promise), 0);
    gate_await(held, 1);
    cr_assert_eq(view_of(bar)->done, 1);
    cr_assert_eq(view_of(bar)->row_count, 0);
    gate_open(held, 1);
    pthread_join(thread, NULL);
    cr_assert_eq(view_of(bar)->done, 1);
    gate_free(held);
    release(both);
    soon_progress_bar_free(bar);
}

static void *fail(void *promise)
{
    soon_promise_set_exception(promise, 1, "bad");
    return NULL;
}

/* A bar's last line, too, may be drawn then. */
Test(progress_bar_futures, one_that_has_failed_and_is_not_counted_yet_counts_as_failed)
{
    soon_progress_bar *bar = new_bar(.label = NULL);
    struct halves both = running();
    pthread_t thread;

    held = gate_new();
    cr_assert_eq(soon_future_add_done_callback(both.future, hold, NULL), 0);
    cr_assert_eq(soon_progress_bar_add(bar, both.future), 0);
    cr_assert_eq(pthread_create(&thread, NULL, fail, both.promise), 0);
    gate_await(held, 1);
    cr_assert_eq(view_of(bar)->failed, 1);
    gate_open(held, 1);
    pthread_join(thread, NULL);
    cr_assert_eq(view_of(bar)->failed, 1);
    gate_free(held);
    release(both);
    soon_progress_bar_free(bar);
}

Test(progress_bar_futures, progress_is_added_up)
{
    soon_progress_bar *bar = new_bar(.counts = SOON_PROGRESS_BAR_PROGRESS);
    struct halves one = running(), two = running();

    cr_assert_eq(soon_progress_bar_add_all(bar, (soon_future *[]){one.future, two.future}, 2), 0);
    soon_promise_set_progress(one.promise, 10, 100);
    cr_assert_eq(view_of(bar)->done, 10);
    cr_assert_eq(view_of(bar)->total, 0, "the other one has not said of how much");
    soon_promise_set_progress(two.promise, 5, 50);
    cr_assert_eq(view_of(bar)->total, 150);
    soon_promise_set_progress(one.promise, 100, 100);
    soon_promise_set_result(one.promise, NULL, 0);
    cr_assert_eq(view_of(bar)->done, 105);
    cr_assert_eq(view_of(bar)->total, 150);
    soon_progress_bar_update(bar, 7);
    cr_assert_eq(view_of(bar)->done, 112);
    release(one), release(two);
    soon_progress_bar_free(bar);
}

Test(progress_bar_futures, of_very_many_those_behind_are_counted_too)
{
    enum { MANY = 3000 };
    static struct halves both[MANY];
    soon_progress_bar *bar = new_bar(.tasks_max = 64);

    for (int i = 0; i < MANY; i++) {
        both[i] = running();
        cr_assert_eq(soon_progress_bar_add(bar, both[i].future), 0);
    }
    cr_assert_eq(view_of(bar)->row_count, 64);
    cr_assert_eq(view_of(bar)->total, MANY);
    for (int i = MANY - 1; i >= 0; i--) {
        soon_promise_set_result(both[i].promise, NULL, 0);
        release(both[i]);
    }
    cr_assert_eq(view_of(bar)->done, MANY);
    soon_progress_bar_free(bar);
}

/*
 * Maps, sets, imaps
 */

SOON_TASK(halve, int, int)
{
    if (*arg % 2)
        return soon_raise(task, EDOM, "odd");
    *result = *arg / 2;
    return 0;
}

Test(progress_bar_futures, a_map_counts_as_its_items)
{
    soon_executor *pool = new_pool(.workers = 2);
    soon_progress_bar *bar = new_bar(.label = NULL);
    soon_future *map = soon_map_async_with(pool, (.chunk = 1), halve, ((int[]){2, 4, 5, 6, 7}), 5);

    cr_assert_eq(soon_progress_bar_add(bar, map), 0);
    soon_future_wait(map, SOON_FOREVER);
    test_wait_until(view_of(bar)->done == 5 && view_of(bar)->failed == 2);
    cr_assert_eq(view_of(bar)->total, 5);
    soon_future_unref(map);
    soon_progress_bar_free(bar);
    free_pool(pool);
}

Test(progress_bar_futures, next_counts_what_a_set_hands_out)
{
    soon_executor *pool = new_pool(.workers = 2);
    soon_progress_bar *bar = new_bar(.label = NULL);
    soon_as_completed *set;
    soon_future *f;

    cr_assert_eq(soon_as_completed_new(&set, NULL, 0, SOON_FOREVER), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(soon_as_completed_give(set, soon_submit(pool, halve, i)), 0);
    cr_assert_eq(soon_progress_bar_next(bar, set, &f), 0);
    soon_future_unref(f);
    cr_assert_eq(view_of(bar)->done, 1);
    cr_assert_eq(view_of(bar)->total, 4);
    for (int i = 1; i < 4; i++) {
        cr_assert_eq(soon_progress_bar_next(bar, set, &f), 0);
        soon_future_unref(f);
    }
    cr_assert_eq(soon_progress_bar_next(bar, set, &f), SOON_EEND);
    cr_assert_eq(view_of(bar)->done, 4);
    cr_assert_eq(view_of(bar)->failed, 2);
    soon_as_completed_free(set);
    soon_progress_bar_free(bar);
    free_pool(pool);
}

static int up_to_six(void *arg, void *data)
{
    int *next = data;

    *(int *)arg = *next;
    return (*next)++ < 6;
}

Test(progress_bar_futures, imap_next_counts_what_an_imap_hands_out)
{
    soon_executor *pool = new_pool(.workers = 2);
    soon_progress_bar *bar = new_bar(.label = NULL);
    soon_imap *imap;
    soon_future *f;
    int next = 0;
    uint64_t index, count = 0;

    cr_assert_eq(soon_imap_new(&imap, pool, &halve_task, NULL, up_to_six, &next), 0);
    while (soon_progress_bar_imap_next(bar, imap, SOON_FOREVER, &f, &index) == 0) {
        cr_assert_eq(index, count++);
        soon_future_unref(f);
    }
    cr_assert_eq(view_of(bar)->done, 6);
    cr_assert_eq(view_of(bar)->failed, 3);
    cr_assert_eq(view_of(bar)->total, 0);
    soon_imap_free(imap);
    soon_progress_bar_free(bar);
    free_pool(pool);
}

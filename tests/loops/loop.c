/*
 * loop.c - callbacks on a caller's loop: when they run, what keeps a loop running, and remove.
 */
#include "../support/loop_fixture.h"

#include "../../futures/future_internal.h"

#include <stdlib.h>

TestSuite(loop, .init = open_loop, .fini = close_loop);

/*
 * Posts and callbacks
 */

Test(loop, posts_run_later_in_order)
{
    cr_assert_eq(soon_loop_post(on, say, "a"), 0);
    cr_assert_eq(soon_loop_post(on, say, "b"), 0);
    cr_assert_eq(soon_loop_post(on, say, "c"), 0);
    cr_assert_str_empty(said);

    run_to_the_end();
    cr_assert_str_eq(said, "abc");
}

Test(loop, callbacks_run_later_in_the_order_of_completion)
{
    struct halves first = pending(), second = pending();

    cr_assert_eq(soon_future_add_done_callback_on(first.future, on, say_done, "1"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(second.future, on, say_done, "2"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(first.future, on, say_done, "3"), 0);
    soon_promise_set_result(second.promise, NULL, 0);
    cr_assert_eq(soon_loop_post(on, say, "p"), 0);
    soon_promise_set_result(first.promise, NULL, 0);
    cr_assert_str_empty(said);

    run_to_the_end();
    cr_assert_str_eq(said, "2p13");
    release(first);
    release(second);
}

Test(loop, callback_on_a_done_future_runs_later_too)
{
    struct halves done = successful();

    cr_assert_eq(soon_future_add_done_callback_on(done.future, on, say_done, "x"), 0);
    cr_assert_str_empty(said);

    run_to_the_end();
    cr_assert_str_eq(said, "x");
    release(done);
}

Test(loop, callback_of_a_cancelled_and_of_an_abandoned_future_runs)
{
    struct halves cancelled = pending(), abandoned = pending();

    cr_assert_eq(soon_future_add_done_callback_on(cancelled.future, on, say_done, "c"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(abandoned.future, on, say_done, "a"), 0);
    soon_future_cancel(cancelled.future);
    release(abandoned); /* nobody else holds the future: the delivery does */

    run_to_the_end();
    cr_assert_str_eq(said, "ca");
    release(cancelled);
}

static void post_again(void *data)
{
    say("a");
    cr_assert_eq(soon_loop_post(data, say, "b"), 0);
    say("c");
}

Test(loop, post_within_a_callback_runs_after_it)
{
    cr_assert_eq(soon_loop_post(on, post_again, on), 0);
    run_to_the_end();
    cr_assert_str_eq(said, "acb");
}

/* Those on no loop run when this one has returned, as in any callback; those on loops later. */
Test(loop, future_completed_within_a_callback_has_its_callbacks_after_it)
{
    struct halves first = successful(), next = pending();

    cr_assert_eq(soon_future_add_done_callback(next.future, say_done, "here"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(next.future, on, say_done, "later"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(first.future, on, complete_next, &next), 0);

    run_to_the_end();
    cr_assert_str_eq(said, "()herelater");
    release(first);
    release(next);
}

/* What shutdown goes by. */
Test(loop, callback_counts_as_a_callback_and_a_post_does_not)
{
    struct halves done = successful();
    bool in_callback = false, in_none = false;

    cr_assert_eq(soon_future_add_done_callback_on(done.future, on, note_frame, &in_callback), 0);
    cr_assert_eq(soon_loop_post(on, note_no_frame, &in_none), 0);
    run_to_the_end();
    cr_assert(in_callback);
    cr_assert(in_none);
    cr_assert_not(soon__thread_in_callback());
    release(done);
}

/*
 * What keeps a loop running
 */

Test(loop, with_nothing_outstanding_ends)
{
    run_to_the_end();
    cr_assert_eq(uv_loop_alive(&uv), 0);

    cr_assert_eq(soon_loop_post(on, say, "a"), 0);
    cr_assert_neq(uv_loop_alive(&uv), 0);
    run_to_the_end();
    cr_assert_str_eq(said, "a");
    run_to_the_end();
}

Test(loop, with_a_callback_outstanding_goes_on)
{
    struct halves made = pending();

    run_to_the_end();
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "a"), 0);
    cr_assert_neq(uv_run(&uv, UV_RUN_NOWAIT), 0);
    cr_assert_neq(uv_run(&uv, UV_RUN_NOWAIT), 0);

    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_str_eq(said, "a");
    release(made);
}

static void *complete_when_running(void *data)
{
    struct helper *helper = data;

    test_wait_until(helper->running);
    soon_promise_set_result(helper->made.promise, NULL, 0);
    return NULL;
}

Test(loop, waits_for_a_completion_on_another_thread)
{
    struct helper helper = {.made = pending()};

    cr_assert_eq(soon_future_add_done_callback_on(helper.made.future, on, say_done, "done"), 0);
    cr_assert_eq(soon_loop_post(on, set_flag, &helper.running), 0);
    pthread_create(&helper.thread, NULL, complete_when_running, &helper);

    run_to_the_end();
    cr_assert_str_eq(said, "done");
    pthread_join(helper.thread, NULL);
    release(helper.made);
}

static void *remove_when_running(void *data)
{
    struct helper *helper = data;

    test_wait_until(helper->running);
    cr_assert(soon_future_remove_done_callback(helper->made.future, say_done, "done"));
    return NULL;
}

Test(loop, ends_when_another_thread_removes_the_last_callback)
{
    struct helper helper = {.made = pending()};

    cr_assert_eq(soon_future_add_done_callback_on(helper.made.future, on, say_done, "done"), 0);
    cr_assert_eq(soon_loop_post(on, set_flag, &helper.running), 0);
    pthread_create(&helper.thread, NULL, remove_when_running, &helper);

    run_to_the_end();
    cr_assert_str_empty(said);
    pthread_join(helper.thread, NULL);
    release(helper.made);
}

static void *register_then_complete(void *data)
{
    struct helper *helper = data;

    test_wait_until(helper->running);
    cr_assert_eq(soon_future_add_done_callback_on(helper->made.future, on, say_done, "done"), 0);
    helper->registered = true;
    test_wait_until(!helper->kept);
    soon_promise_set_result(helper->made.promise, NULL, 0);
    return NULL;
}

static void on_keeper_closed(uv_handle_t *handle)
{
    ((struct helper *)handle->data)->kept = false;
}

/* Two turns after the registration the loop has heard of it, and needs nobody else to go on. */
static void keep(uv_timer_t *keeper)
{
    struct helper *helper = keeper->data;

    helper->running = true;
    if (helper->registered && ++helper->ticks == 3)
        uv_close((uv_handle_t *)keeper, on_keeper_closed);
}

Test(loop, goes_on_for_what_another_thread_has_registered)
{
    struct helper helper = {.made = pending(), .kept = true};

    run_to_the_end(); /* from here on nothing of ours is outstanding */
    uv_timer_init(&uv, &helper.keeper);
    helper.keeper.data = &helper;
    uv_timer_start(&helper.keeper, keep, 1, 1);
    pthread_create(&helper.thread, NULL, register_then_complete, &helper);

    run_to_the_end();
    cr_assert_str_eq(said, "done");
    pthread_join(helper.thread, NULL);
    release(helper.made);
}

/* Before the first turn nobody knows who runs it: registrations from any thread keep it running all the same. */
Test(loop, goes_on_for_what_was_registered_before_it_ran)
{
    struct helper helper = {.made = pending(), .running = true};

    pthread_create(&helper.thread, NULL, register_then_complete, &helper);
    test_wait_until(helper.registered);
    run_to_the_end();
    cr_assert_str_eq(said, "done");
    pthread_join(helper.thread, NULL);
    release(helper.made);
}

enum { POSTS = 10000 };
static size_t posts_run, posts_run_before_timer;

static void count_post(void *data)
{
    (void)data;
    posts_run++;
}

static void note_posts(uv_timer_t *timer)
{
    posts_run_before_timer = posts_run;
    uv_close((uv_handle_t *)timer, NULL);
}

Test(loop, lets_a_timer_run_between_many_callbacks)
{
    uv_timer_t timer, another; /* the first may still be closing after its turn */

    uv_timer_init(&uv, &timer);
    uv_timer_start(&timer, note_posts, 0, 0);
    for (size_t i = 0; i < POSTS; i++)
        cr_assert_eq(soon_loop_post(on, count_post, NULL), 0);
    cr_assert_neq(uv_run(&uv, UV_RUN_NOWAIT), 0); /* a turn */
    cr_assert_gt(posts_run, 0);
    cr_assert_leq(posts_run, POSTS / 100);

    uv_timer_init(&uv, &another);
    uv_timer_start(&another, note_posts, 0, 0);
    run_to_the_end();
    cr_assert_lt(posts_run_before_timer, POSTS / 10);
    cr_assert_eq(posts_run, POSTS);
}

/*
 * Remove
 */

Test(loop, callback_that_was_removed_does_not_run)
{
    struct halves made = pending();

    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "a"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "b"), 0);
    cr_assert(soon_future_remove_done_callback(made.future, say_done, "a"));
    cr_assert_not(soon_future_remove_done_callback(made.future, say_done, "a"));
    soon_promise_set_result(made.promise, NULL, 0);

    run_to_the_end();
    cr_assert_str_eq(said, "b");
    cr_assert_not(soon_future_remove_done_callback(made.future, say_done, "b"));
    release(made);
}

Test(loop, with_its_last_callback_removed_ends)
{
    struct halves made = pending();

    run_to_the_end();
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "a"), 0);
    cr_assert(soon_future_remove_done_callback(made.future, say_done, "a"));
    cr_assert_eq(uv_loop_alive(&uv), 0);
    run_to_the_end();
    release(made);
}

/* It is in the loop's list already. What it points to is freed: a late call would be seen by the sanitizer. */
Test(loop, callback_that_was_removed_after_completion_does_not_run)
{
    struct halves made = pending();
    char *word = strdup("gone");

    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, word), 0);
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert(soon_future_remove_done_callback(made.future, say_done, word));
    free(word);

    run_to_the_end();
    cr_assert_str_empty(said);
    release(made);
}

struct pair {
    struct halves made[2];
    char *words[2];
};

/* Both are in the same turn. */
static void remove_the_other(soon_future *future, void *data)
{
    struct pair *pair = data;

    (void)future;
    cr_assert(soon_future_remove_done_callback(pair->made[1].future, say_done, pair->words[1]));
    free(pair->words[1]);
    say("removed");
}

Test(loop, callback_may_remove_the_next_of_its_turn)
{
    struct pair pair = {.made = {pending(), pending()}, .words = {NULL, strdup("gone")}};

    cr_assert_eq(soon_future_add_done_callback_on(pair.made[0].future, on, remove_the_other, &pair), 0);
    cr_assert_eq(soon_future_add_done_callback_on(pair.made[1].future, on, say_done, pair.words[1]), 0);
    soon_promise_set_result(pair.made[0].promise, NULL, 0);
    soon_promise_set_result(pair.made[1].promise, NULL, 0);

    run_to_the_end();
    cr_assert_str_eq(said, "removed");
    release(pair.made[0]);
    release(pair.made[1]);
}

static void remove_itself(soon_future *future, void *data)
{
    cr_assert_not(soon_future_remove_done_callback(future, remove_itself, data));
    say("ran");
}

Test(loop, callback_that_runs_cannot_be_removed)
{
    struct halves done = successful();

    cr_assert_eq(soon_future_add_done_callback_on(done.future, on, remove_itself, NULL), 0);
    run_to_the_end();
    cr_assert_str_eq(said, "ran");
    release(done);
}

Test(loop, remove_takes_the_first_of_equal_registrations)
{
    struct halves made = pending();

    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "a"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "a"), 0);
    cr_assert(soon_future_remove_done_callback(made.future, say_done, "a"));
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_str_eq(said, "a");
    release(made);
}

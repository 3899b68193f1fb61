/*
 * loop_dispatch.c - a loop that is the caller's own poll: when its descriptor is readable, and what a dispatch runs.
 */
#include "../support/dispatch_fixture.h"

#include "../../futures/future_internal.h"

TestSuite(loop_dispatch, .init = open_loop, .fini = close_loop);

/*
 * What is due
 */

Test(loop_dispatch, descriptor_is_readable_while_something_is_due_and_not_otherwise)
{
    struct halves made = pending();

    cr_assert_not(is_due());
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "a"), 0);
    cr_assert_not(is_due());
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert(is_due());
    cr_assert_str_empty(said);

    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "a");
    cr_assert_not(is_due());
    release(made);
}

Test(loop_dispatch, with_nothing_due_runs_nothing)
{
    cr_assert_eq(soon_loop_dispatch(on, 0), 0);
    cr_assert_eq(soon_loop_dispatch(on, 5), 0);
    cr_assert_not(is_due());
}

Test(loop_dispatch, callbacks_and_posts_run_later_in_the_order_of_completion)
{
    struct halves first = pending(), second = pending(), done = successful();

    cr_assert_eq(soon_future_add_done_callback_on(first.future, on, say_done, "1"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(second.future, on, say_done, "2"), 0);
    soon_promise_set_result(second.promise, NULL, 0);
    cr_assert_eq(soon_loop_post(on, say, "p"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(done.future, on, say_done, "d"), 0);
    soon_future_cancel(first.future);
    cr_assert_str_empty(said);

    cr_assert_eq(soon_loop_dispatch(on, 0), 4);
    cr_assert_str_eq(said, "2pd1");
    release(first);
    release(second);
    release(done);
}

static void *register_and_take_back(void *data)
{
    struct halves made = pending();

    (void)data;
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "no"), 0);
    cr_assert(soon_future_remove_done_callback(made.future, say_done, "no"));
    release(made);
    return NULL;
}

/* An attached loop is woken for both, to hold uv_run(). */
Test(loop_dispatch, registration_and_removal_on_another_thread_make_nothing_due)
{
    pthread_t thread;

    cr_assert_eq(soon_loop_dispatch(on, 0), 0);
    pthread_create(&thread, NULL, register_and_take_back, NULL);
    pthread_join(thread, NULL);
    cr_assert_not(is_due());
}

/*
 * How much a dispatch runs
 */

Test(loop_dispatch, runs_at_most_as_many_as_it_is_told_and_the_others_stay_due)
{
    char *words[] = {"1", "2", "3", "4", "5"};

    for (size_t i = 0; i < COUNT(words); i++)
        cr_assert_eq(soon_loop_post(on, say, words[i]), 0);

    cr_assert_eq(soon_loop_dispatch(on, 2), 2);
    cr_assert_str_eq(said, "12");
    cr_assert(is_due());
    cr_assert_eq(soon_loop_post(on, say, "6"), 0);
    cr_assert_eq(soon_loop_dispatch(on, 3), 3);
    cr_assert_str_eq(said, "12345");
    cr_assert(is_due());
    cr_assert_eq(soon_loop_dispatch(on, 100), 1);
    cr_assert_str_eq(said, "123456");
    cr_assert_not(is_due());
}

static bool goes_on = true;

static void post_again(void *data)
{
    if (goes_on)
        cr_assert_eq(soon_loop_post(data, post_again, data), 0);
    say("a");
}

/* So a callback that posts itself for ever leaves the other events of the program their time. */
Test(loop_dispatch, runs_what_was_due_at_the_call_and_not_what_comes_meanwhile)
{
    cr_assert_eq(soon_loop_post(on, post_again, on), 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "a");
    cr_assert(is_due());
    cr_assert_eq(soon_loop_dispatch(on, 10), 1);
    cr_assert_str_eq(said, "aa");
    goes_on = false;
}

Test(loop_dispatch, callback_that_was_taken_back_is_not_run_nor_counted)
{
    struct halves first = pending(), second = pending();

    cr_assert_eq(soon_loop_dispatch(on, 0), 0); /* this is its thread */
    cr_assert_eq(soon_future_add_done_callback_on(first.future, on, say_done, "no"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(second.future, on, say_done, "yes"), 0);
    soon_promise_set_result(first.promise, NULL, 0);
    soon_promise_set_result(second.promise, NULL, 0);
    cr_assert(soon_future_remove_done_callback(first.future, say_done, "no"));

    cr_assert_eq(soon_loop_dispatch(on, 1), 1);
    cr_assert_str_eq(said, "yes");
    cr_assert_not(is_due());
    release(first);
    release(second);
}

/*
 * Wake-ups
 */

/* How often it was rung since the last dispatch. Only a test may read it. */
static uint64_t rings(void)
{
    uint64_t count = 0;
    ssize_t size = read(soon_loop_fd(on), &count, sizeof count);

    cr_assert(size == sizeof count || errno == EAGAIN);
    return count;
}

enum { BURST = 1000 };

static void post_burst(void *data)
{
    (void)data;
    for (int i = 0; i < BURST; i++)
        cr_assert_eq(soon_loop_post(on, say, ""), 0);
}

static void *post_burst_elsewhere(void *data)
{
    post_burst(data);
    return NULL;
}

Test(loop_dispatch, burst_is_one_wake_up)
{
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, post_burst_elsewhere, NULL);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(rings(), 1);
    cr_assert_eq(soon_loop_dispatch(on, 0), COUNT(threads) * BURST);
    cr_assert_eq(rings(), 0);
}

Test(loop_dispatch, burst_within_a_dispatch_is_one_wake_up_at_its_end)
{
    cr_assert_eq(soon_loop_post(on, post_burst, NULL), 0);
    cr_assert_eq(soon_loop_post(on, post_burst, NULL), 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 2);
    cr_assert_eq(rings(), 1);
    cr_assert_eq(soon_loop_dispatch(on, 0), 2 * BURST);
    cr_assert_eq(rings(), 0);
}

/* Each time it is told of once, and dispatched once. */
static void run_with(uint32_t flags)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | flags};

    for (int i = 0; i < 3; i++)
        cr_assert_eq(soon_loop_post(on, say, "a"), 0);
    cr_assert_eq(epoll_ctl(set, EPOLL_CTL_ADD, soon_loop_fd(on), &event), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(epoll_wait(set, &event, 1, -1), 1);
        cr_assert_eq(epoll_wait(set, &event, 1, 0), 0);
        cr_assert_eq(soon_loop_dispatch(on, 1), 1);
        event.events = EPOLLIN | flags;
        if (flags & EPOLLONESHOT)
            cr_assert_eq(epoll_ctl(set, EPOLL_CTL_MOD, soon_loop_fd(on), &event), 0);
    }
    cr_assert_eq(epoll_wait(set, &event, 1, 0), 0);
    cr_assert_eq(soon_loop_post(on, say, "b"), 0);
    cr_assert_eq(epoll_wait(set, &event, 1, -1), 1);
    cr_assert_eq(soon_loop_dispatch(on, 1), 1);
    cr_assert_str_eq(said, "aaab");
    close(set);
}

Test(loop_dispatch, that_leaves_something_makes_an_edge)
{
    run_with(EPOLLET);
}

Test(loop_dispatch, that_leaves_something_is_seen_when_an_event_is_armed_again)
{
    run_with(EPOLLONESHOT);
}

/*
 * In a callback
 */

static void dispatch_here(void *data)
{
    say("(");
    cr_assert_eq(soon_loop_post(on, say, data), 0);
    cr_assert_not(is_due()); /* a main loop in here sleeps */
    cr_assert_eq(soon_loop_dispatch(on, 0), -EBUSY);
    cr_assert_eq(soon_last_error()->code, -EBUSY);
    say(")");
}

Test(loop_dispatch, inside_a_callback_runs_nothing)
{
    cr_assert_eq(soon_loop_post(on, dispatch_here, "later"), 0);
    cr_assert_eq(soon_loop_post(on, say, "next"), 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 2);
    cr_assert_str_eq(said, "()next");
    cr_assert(is_due());
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "()nextlater");
}

static void dispatch_other(void *other)
{
    say("<");
    cr_assert_eq(soon_loop_dispatch(other, 0), 1);
    say(">");
}

Test(loop_dispatch, of_another_loop_may_be_inside_a_callback)
{
    soon_loop *other;

    cr_assert_eq(soon_loop_new(&other), 0);
    cr_assert_eq(soon_loop_post(other, say, "other"), 0);
    cr_assert_eq(soon_loop_post(on, dispatch_other, other), 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "<other>");
    soon_loop_detach(other, NULL, NULL);
    run_to_the_close(other);
}

/* What shutdown goes by. */
Test(loop_dispatch, callback_counts_as_a_callback_and_a_post_does_not)
{
    struct halves done = successful();
    bool in_callback = false, in_none = false;

    cr_assert_eq(soon_future_add_done_callback_on(done.future, on, note_frame, &in_callback), 0);
    cr_assert_eq(soon_loop_post(on, note_no_frame, &in_none), 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 2);
    cr_assert(in_callback);
    cr_assert(in_none);
    cr_assert_not(soon__thread_in_callback());
    release(done);
}

Test(loop_dispatch, future_completed_within_a_callback_has_its_callbacks_after_it)
{
    struct halves first = successful(), next = pending();

    cr_assert_eq(soon_future_add_done_callback(next.future, say_done, "here"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(next.future, on, say_done, "later"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(first.future, on, complete_next, &next), 0);

    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "()here");
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "()herelater");
    release(first);
    release(next);
}

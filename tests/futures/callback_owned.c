/*
 * callback_owned.c - when the data of a callback is not needed any more: each way out of a registration, and each once.
 */
#include "../support/futures.h"
#include "../support/loop_fixture.h"

#include <errno.h>

TestSuite(owned, .init = open_loop, .fini = close_loop);

static atomic_int runs, releases, order_is_right;
static pthread_t released_on;

static void count_run(soon_future *future, void *data)
{
    (void)future;
    cr_assert_eq(data, &runs);
    runs++;
}

static void count_release(void *data)
{
    cr_assert_eq(data, &runs);
    released_on = pthread_self();
    order_is_right = runs == 1;
    releases++;
}

static int add_owned(soon_future *future, soon_loop *loop)
{
    return soon_future_add_done_callback_owned(future, loop, count_run, &runs, count_release);
}

/* What the loop has to do, and no more. */
static void turn(void)
{
    uv_run(&uv, UV_RUN_NOWAIT);
}

Test(owned, released_after_it_has_run)
{
    struct halves made = pending();

    cr_assert_eq(add_owned(made.future, NULL), 0);
    cr_assert_eq(releases, 0);
    soon_promise_set_result(made.promise, NULL, 0);

    cr_assert(runs == 1 && releases == 1 && order_is_right);
    release(made);
    cr_assert_eq(releases, 1);
}

Test(owned, released_at_once_where_the_future_is_done)
{
    struct halves made = successful();

    cr_assert_eq(add_owned(made.future, NULL), 0);
    cr_assert(runs == 1 && releases == 1 && order_is_right);
    release(made);
}

Test(owned, released_after_it_has_run_on_the_loop)
{
    struct halves made = pending();

    cr_assert_eq(add_owned(made.future, on), 0);
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert_eq(releases, 0);
    run_to_the_end();

    cr_assert(runs == 1 && releases == 1 && order_is_right);
    cr_assert(pthread_equal(released_on, pthread_self()));
    release(made);
}

Test(owned, released_after_it_has_run_on_the_loop_for_a_future_that_was_done)
{
    struct halves made = successful();

    cr_assert_eq(add_owned(made.future, on), 0);
    cr_assert_eq(releases, 0);
    run_to_the_end();
    cr_assert(runs == 1 && releases == 1 && order_is_right);
    release(made);
}

static soon_future *waited_for;
static int rc_in_release;

static void wait_in_release(void *data)
{
    (void)data;
    rc_in_release = soon_future_wait(waited_for, SOON_FOREVER);
    releases++;
}

/* It is a part of the callback: another callback of the same future comes later. */
static void note_waited(soon_future *future, void *data)
{
    (void)future, (void)data;
    cr_assert_eq(releases, 1);
    runs++;
}

Test(owned, released_before_the_next_callback_runs)
{
    struct halves made = pending();

    waited_for = made.future;
    cr_assert_eq(soon_future_add_done_callback_owned(made.future, NULL, say_done, "1", wait_in_release), 0);
    cr_assert_eq(soon_future_add_done_callback(made.future, note_waited, NULL), 0);
    soon_promise_set_result(made.promise, NULL, 0);

    cr_assert(runs == 1 && releases == 1 && rc_in_release == 0);
    release(made);
}

Test(owned, released_by_who_takes_it_back)
{
    struct halves made = pending();

    cr_assert_eq(add_owned(made.future, NULL), 0);
    cr_assert(soon_future_remove_done_callback(made.future, count_run, &runs));
    cr_assert(runs == 0 && releases == 1);
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert(runs == 0 && releases == 1);
    release(made);
}

Test(owned, released_by_who_takes_it_back_from_a_loop)
{
    struct halves made = pending();

    cr_assert_eq(add_owned(made.future, on), 0);
    cr_assert(soon_future_remove_done_callback(made.future, count_run, &runs));
    cr_assert(runs == 0 && releases == 1);
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert(runs == 0 && releases == 1);
    release(made);
}

/* It is on its way: the loop's turn finds that it is not wanted any more. */
Test(owned, released_by_who_takes_back_what_was_delivered)
{
    struct halves made = pending();

    cr_assert_eq(add_owned(made.future, on), 0);
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert(soon_future_remove_done_callback(made.future, count_run, &runs));
    cr_assert(runs == 0 && releases == 1);
    run_to_the_end();
    cr_assert(runs == 0 && releases == 1);
    release(made);
}

Test(owned, released_on_the_callback_thread_where_somebody_has_closed_the_loop)
{
    struct halves made = pending();

    cr_assert_eq(add_owned(made.future, on), 0);
    turn();
    uv_walk(&uv, (uv_walk_cb)uv_close, NULL);
    soon_promise_set_result(made.promise, NULL, 0);
    turn();

    soon_loop_detach(on, NULL, NULL);
    on = NULL;
    test_wait_until(releases == 1);
    cr_assert_not(pthread_equal(released_on, pthread_self()));
    cr_assert_eq(runs, 0);
    release(made);
}

Test(owned, not_released_twice_where_it_was_taken_back_before_the_loop_closed)
{
    struct halves made = pending(), other = pending();

    cr_assert_eq(add_owned(made.future, on), 0);
    cr_assert_eq(add_owned(other.future, on), 0);
    turn();
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert(soon_future_remove_done_callback(made.future, count_run, &runs));
    cr_assert_eq(releases, 1);
    uv_walk(&uv, (uv_walk_cb)uv_close, NULL);
    soon_promise_set_result(other.promise, NULL, 0);
    soon_loop_detach(on, NULL, NULL);
    on = NULL;
    turn();

    test_wait_until(releases == 2); /* the second is of the other one: the callback thread takes them in turn */
    cr_assert_eq(runs, 0);
    release(made);
    release(other);
}

Test(owned, released_where_it_cannot_be_registered)
{
    struct halves made = pending(), keeps = pending();
    soon_loop *detached = on;

    cr_assert_eq(soon_future_add_done_callback_owned(NULL, on, count_run, &runs, count_release), -EINVAL);
    cr_assert_eq(releases, 1);
    cr_assert_eq(soon_future_add_done_callback_owned(made.future, NULL, NULL, &runs, count_release), -EINVAL);
    cr_assert_eq(releases, 2);
    cr_assert_str_eq(soon_last_error()->message, "soon_future_add_done_callback_owned: fn is NULL");
    cr_assert_eq(soon_future_add_done_callback_on(keeps.future, on, say_done, "last"), 0);
    detach_saying("closed");
    cr_assert_eq(add_owned(made.future, detached), SOON_ESHUTDOWN);
    cr_assert_eq(releases, 3);
    cr_assert_eq(soon_loop_post_owned(detached, say, &runs, count_release), SOON_ESHUTDOWN);
    cr_assert_eq(releases, 4);

    release(keeps);
    run_to_the_end();
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert(runs == 0 && releases == 4);
    release(made);
}

Test(owned, without_a_release_it_is_as_any_other)
{
    struct halves made = pending();

    cr_assert_eq(soon_future_add_done_callback_owned(made.future, NULL, say_done, "1", NULL), 0);
    cr_assert_eq(soon_future_add_done_callback_owned(made.future, on, say_done, "2", NULL), 0);
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_str_eq(said, "12");
    release(made);
}

/*
 * Posts
 */

static void count_post(void *data)
{
    count_run(NULL, data);
}

Test(owned, posted_data_is_released_after_the_function_has_run)
{
    cr_assert_eq(soon_loop_post_owned(on, count_post, &runs, count_release), 0);
    cr_assert_eq(releases, 0);
    run_to_the_end();
    cr_assert(runs == 1 && releases == 1 && order_is_right);
}

Test(owned, posted_data_is_released_where_somebody_has_closed_the_loop)
{
    turn();
    uv_walk(&uv, (uv_walk_cb)uv_close, NULL);
    cr_assert_eq(soon_loop_post_owned(on, count_post, &runs, count_release), SOON_ESHUTDOWN);
    cr_assert_eq(releases, 1);
    turn();
    soon_loop_detach(on, NULL, NULL);
    cr_assert_eq(soon_loop_attach(&on, &uv), 0);
    turn();
    cr_assert_eq(soon_loop_post_owned(on, count_post, &runs, count_release), 0);
    uv_walk(&uv, (uv_walk_cb)uv_close, NULL);
    soon_loop_detach(on, NULL, NULL);
    on = NULL;
    turn();

    test_wait_until(releases == 2);
    cr_assert_eq(runs, 0);
}

/*
 * The submit option
 */

SOON_TASK(same, int, int)
{
    (void)task;
    *result = *arg;
    return 0;
}

static soon_submit_options owned_on(soon_loop *loop)
{
    return (soon_submit_options){
        .on_done = count_run, .on_done_data = &runs, .on_done_loop = loop, .on_done_release = count_release};
}

static soon_future *submit_owned(soon_executor *executor, soon_loop *loop)
{
    soon_submit_options options = owned_on(loop);

    return soon_submit_bytes(executor, &same_task, NULL, 0, &options);
}

Test(owned, with_a_submit_it_is_released_after_on_done)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);

    soon_future_unref(submit_owned(executor, NULL));
    cr_assert_eq(releases, 0);
    cr_assert_eq(soon_executor_free(executor), 0);
    cr_assert(runs == 1 && releases == 1 && order_is_right);
}

Test(owned, with_a_submit_it_is_released_after_on_done_on_the_loop)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);

    soon_future_unref(submit_owned(executor, on));
    cr_assert_eq(soon_executor_free(executor), 0);
    cr_assert_eq(releases, 0);
    run_to_the_end();
    cr_assert(runs == 1 && releases == 1 && order_is_right);
}

Test(owned, with_a_submit_it_is_released_where_it_was_taken_back)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_future *future = submit_owned(executor, on);

    cr_assert(soon_future_remove_done_callback(future, count_run, &runs));
    cr_assert(runs == 0 && releases == 1);
    soon_future_unref(future);
    cr_assert_eq(soon_executor_free(executor), 0);
    cr_assert_eq(releases, 1);
}

Test(owned, with_a_submit_that_is_refused_it_is_released)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_submit_options no_fn = {.on_done_data = &runs, .on_done_release = count_release}, options = owned_on(NULL);
    soon_future *future = soon_submit_bytes(executor, &same_task, NULL, 0, &no_fn);

    cr_assert_eq(soon_future_error(future)->code, -EINVAL);
    cr_assert(runs == 0 && releases == 1);
    soon_future_unref(future);
    soon_future_unref(soon_submit_bytes(NULL, &same_task, NULL, 0, &options));
    cr_assert(runs == 1 && releases == 2);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    soon_future_unref(submit_owned(executor, NULL));
    cr_assert(runs == 2 && releases == 3);
    soon_future_unref(submit_owned(executor, on));
    run_to_the_end();
    cr_assert(runs == 3 && releases == 4);
    cr_assert_eq(soon_executor_free(executor), 0);
}

Test(owned, with_a_submit_for_a_loop_that_is_detached_it_is_released)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    struct halves keeps = pending();
    soon_loop *detached = on;

    cr_assert_eq(soon_future_add_done_callback_on(keeps.future, on, say_done, "last"), 0);
    detach_saying("closed");
    soon_future_unref(submit_owned(executor, detached));
    cr_assert(runs == 0 && releases == 1);
    release(keeps);
    run_to_the_end();
    cr_assert_eq(soon_executor_free(executor), 0);
    cr_assert_eq(releases, 1);
}

Test(owned, try_submit_that_refuses_leaves_it_to_the_caller)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_submit_options here = owned_on(NULL), there = owned_on(on);
    soon_future *future = NULL;

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_try_submit_bytes(&future, executor, &same_task, NULL, 0, &here), SOON_ESHUTDOWN);
    cr_assert_eq(soon_try_submit_bytes(&future, executor, &same_task, NULL, 0, &there), SOON_ESHUTDOWN);
    run_to_the_end();
    cr_assert(runs == 0 && releases == 0);
    cr_assert_null(future);
    cr_assert_eq(soon_executor_free(executor), 0);
}

Test(owned, each_of_a_map_has_none)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_submit_options each = {.on_done_release = count_release};
    int arg = 1, result;

    cr_assert_eq(soon_map_with(executor, (.each = &each), same, &arg, 1, &result, NULL), -EINVAL);
    cr_assert_eq(releases, 0);
    cr_assert_eq(soon_executor_free(executor), 0);
}

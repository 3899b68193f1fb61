/*
 * loop_walk.c - a loop whose handles are all closed by the program, as at its end: uv_walk() and uv_close(). What was
 * attached counts as detached, its callbacks are dropped, and nothing of the loop is touched any more, also when its
 * memory is gone.
 */
#include "../harness/test.h"

#include <errno.h>
#include <pthread.h>
#include <soon.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

TestSuite(loop_walk);

enum { MANY = 200 };

static uv_loop_t *uv;
static soon_loop *on;
static _Atomic int called, closed;
static soon_promise *promises[MANY];
static soon_future *futures[MANY];

static void open_loop(void)
{
    uv = malloc(sizeof *uv);
    called = closed = 0;
    cr_assert_eq(uv_loop_init(uv), 0);
    cr_assert_eq(soon_loop_attach(&on, uv), 0);
}

static void close_one(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_all(void)
{
    uv_walk(uv, close_one, NULL);
}

/* The usual end of a program. */
static void end_loop(void)
{
    close_all();
    cr_assert_eq(uv_run(uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(uv), 0);
    free(uv);
}

static void count(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    called++;
}

static void count_post(void *data)
{
    (void)data;
    called++;
}

static void count_closed(void *data)
{
    (void)data;
    closed++;
}

static void make_promises(int how_many)
{
    for (int i = 0; i < how_many; i++) {
        cr_assert_eq(soon_promise_new(&promises[i], NULL), 0);
        futures[i] = soon_promise_future(promises[i]);
        cr_assert_eq(soon_future_add_done_callback_on(futures[i], on, count, NULL), 0);
    }
}

static void keep(int from, int to)
{
    for (int i = from; i < to; i++)
        cr_assert_eq(soon_promise_set_result(promises[i], NULL, 0), 0);
}

static void drop_promises(int how_many)
{
    for (int i = 0; i < how_many; i++) {
        soon_promise_free(promises[i]);
        soon_future_unref(futures[i]);
    }
}

static void assert_refuses(void)
{
    cr_assert_eq(soon_loop_post(on, count_post, NULL), SOON_ESHUTDOWN);
    cr_assert_eq(soon_future_add_done_callback_on(futures[0], on, count, NULL), SOON_ESHUTDOWN);
}

Test(loop_walk, with_nothing_outstanding_counts_as_a_detach)
{
    open_loop();
    end_loop();
    soon_loop_detach(on, count_closed, NULL);

    cr_assert_eq(closed, 1); /* at once: no turn will come */
}

Test(loop_walk, drops_what_was_delivered_and_what_comes_later)
{
    open_loop();
    uv_run(uv, UV_RUN_NOWAIT); /* so that it is known on which thread one may look */
    make_promises(MANY);
    cr_assert_eq(soon_loop_post(on, count_post, NULL), 0);
    keep(0, 50);
    end_loop();
    keep(50, 100);
    assert_refuses();
    keep(100, 150);
    soon_loop_detach(on, count_closed, NULL);
    cr_assert_eq(closed, 1);
    keep(150, MANY);

    cr_assert_eq(called, 0);
    drop_promises(MANY);
}

Test(loop_walk, before_the_loop_has_finished_with_the_handle_may_be_followed_by_the_detach)
{
    open_loop();
    make_promises(1);
    close_all();
    soon_loop_detach(on, count_closed, NULL);
    cr_assert_eq(closed, 1);
    drop_promises(1);
    end_loop();

    cr_assert_eq(called, 0);
}

Test(loop_walk, after_the_detach_drops_what_was_outstanding)
{
    open_loop();
    make_promises(2);
    keep(0, 1);
    soon_loop_detach(on, count_closed, NULL);
    end_loop();
    cr_assert(soon_future_remove_done_callback(futures[1], count, NULL));
    drop_promises(2);

    cr_assert_eq(called, 0);
    test_skip_leak_check(); /* one was delivered to a loop that nobody asks any more */
}

static void close_all_here(soon_future *future, void *data)
{
    count(future, data);
    close_all();
}

Test(loop_walk, in_a_callback_drops_those_behind_it)
{
    open_loop();
    make_promises(MANY);
    cr_assert(soon_future_remove_done_callback(futures[1], count, NULL));
    cr_assert_eq(soon_future_add_done_callback_on(futures[1], on, close_all_here, NULL), 0);
    keep(0, MANY);
    cr_assert_eq(uv_run(uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(called, 2);
    assert_refuses();
    end_loop();
    soon_loop_detach(on, count_closed, NULL);

    cr_assert_eq(closed, 1);
    cr_assert_eq(called, 2);
    drop_promises(MANY);
}

static void detach_here(soon_future *future, void *data)
{
    close_all_here(future, data);
    soon_loop_detach(on, count_closed, NULL);
    cr_assert_eq(closed, 1);
}

Test(loop_walk, in_a_callback_may_be_followed_by_the_detach_there)
{
    open_loop();
    make_promises(2);
    cr_assert(soon_future_remove_done_callback(futures[0], count, NULL));
    cr_assert_eq(soon_future_add_done_callback_on(futures[0], on, detach_here, NULL), 0);
    keep(0, 2);
    cr_assert_eq(uv_run(uv, UV_RUN_DEFAULT), 0);
    end_loop();

    cr_assert_eq(called, 1);
    drop_promises(2);
}

Test(loop_walk, wants_the_detach_of_each_attach)
{
    soon_loop *again;

    open_loop();
    cr_assert_eq(soon_loop_attach(&again, uv), 0);
    cr_assert_eq(again, on);
    end_loop();
    soon_loop_detach(on, count_closed, NULL);
    cr_assert_eq(closed, 1);
    soon_loop_detach(on, count_closed, NULL);

    cr_assert_eq(closed, 2);
}

/* The word of a detach that is not the last comes with a turn, or with the drop. */
Test(loop_walk, passes_on_that_a_detach_is_over)
{
    soon_loop *again;

    open_loop();
    cr_assert_eq(soon_loop_attach(&again, uv), 0);
    soon_loop_detach(on, count_closed, NULL);
    cr_assert_eq(closed, 0);
    end_loop();
    soon_loop_detach(on, count_closed, NULL);

    cr_assert_eq(closed, 2);
}

Test(loop_walk, leaves_another_loop_at_the_same_place_alone)
{
    soon_loop *second;

    open_loop();
    make_promises(1);
    close_all();
    cr_assert_eq(uv_run(uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(uv), 0);
    cr_assert_eq(uv_loop_init(uv), 0);
    cr_assert_eq(soon_loop_attach(&second, uv), 0);
    cr_assert_neq(second, on);
    keep(0, 1);
    cr_assert_eq(soon_loop_post(second, count_post, NULL), 0);
    cr_assert_eq(uv_run(uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(called, 1);
    soon_loop_detach(on, count_closed, NULL);
    soon_loop_detach(second, count_closed, NULL);
    cr_assert_eq(uv_run(uv, UV_RUN_DEFAULT), 0);

    cr_assert_eq(closed, 2);
    end_loop();
    drop_promises(1);
}

SOON_TASK(nothing, soon_none, soon_none)
{
    return 0;
}

Test(loop_walk, while_a_pool_works_touches_nothing_that_is_gone)
{
    soon_executor *pool;

    for (int round = 0; round < 20; round++) {
        open_loop();
        cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}), 0);
        for (int i = 0; i < MANY; i++)
            soon_future_unref(soon_submit_with(pool, (.on_done = count, .on_done_loop = on), nothing));
        uv_run(uv, UV_RUN_NOWAIT);
        end_loop();
        cr_assert_eq(soon_executor_free(pool), 0);
        cr_assert_leq(called, MANY);
        soon_loop_detach(on, count_closed, NULL);
        cr_assert_eq(closed, 1);
    }
}

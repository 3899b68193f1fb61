/*
 * loop_kinds.c - all that takes a loop takes one that is the caller's own poll: callbacks of tasks, maps and promises,
 * progress, posts, the end of a pool, on threads and on processes.
 */
#include "../support/dispatch_fixture.h"

TestSuite(loop_kinds, .init = open_loop, .fini = close_loop);

SOON_TASK(twice, int, int)
{
    *result = 2 * *arg;
    return 0;
}

SOON_TASK(go_far, int, int)
{
    for (int i = 1; i <= *arg; i++)
        soon_task_set_progress(task, (uint64_t)i, (uint64_t)*arg);
    *result = *arg;
    return 0;
}

static void dispatch_until(const int *count, int enough)
{
    while (*count < enough) {
        cr_assert(poll_loop(on, -1));
        cr_assert_geq(soon_loop_dispatch(on, 0), 0);
    }
}

/* Some of each kind, on both pools. */
static void on_each_pool(void (*body)(soon_executor *pool))
{
    for (int i = 0; i < (test_has_processes() ? 2 : 1); i++) {
        soon_executor *pool;

        if (i == 0)
            cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}), 0);
        else
            cr_assert_eq(soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = 2}), 0);
        body(pool);
    }
}

static int sum, calls, releases;

static void add_up(soon_future *future, void *data)
{
    int result;

    cr_assert_eq(data, &sum);
    cr_assert_eq(twice_get(future, 0, &result), 0);
    sum += result;
    calls++;
}

static void count_release(void *data)
{
    cr_assert_eq(data, &sum);
    releases++;
}

static void with_on_done(soon_executor *pool)
{
    sum = calls = releases = 0;
    for (int i = 1; i <= 100; i++)
        soon_future_unref(soon_submit_with(
            pool, (.on_done = add_up, .on_done_data = &sum, .on_done_loop = on, .on_done_release = count_release),
            twice, i));
    dispatch_until(&calls, 100);
    cr_assert_eq(sum, 10100);
    cr_assert_eq(releases, 100);
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(loop_kinds, on_done_and_its_release_run_there)
{
    on_each_pool(with_on_done);
}

static soon_progress latest;
static int tellings, is_over;

static void tell(soon_future *future, soon_progress progress, void *data)
{
    (void)future, (void)data;
    cr_assert_not(is_over);
    cr_assert_geq(progress.done, latest.done);
    latest = progress;
    tellings++;
}

static void note_over(soon_future *future, void *data)
{
    (void)future, (void)data;
    is_over = 1;
}

static void begin_telling(void)
{
    latest = (soon_progress){0, 0};
    tellings = is_over = 0;
}

static void with_progress(soon_executor *pool)
{
    soon_future *future;

    begin_telling();
    future = soon_submit_with(pool, (.on_progress = tell, .on_done = note_over, .on_done_loop = on), go_far, 1000);
    dispatch_until(&is_over, 1);
    cr_assert_eq(latest.done, 1000);
    soon_future_unref(future);
    cr_assert_eq(soon_executor_free(pool), 0);
}

/* The last call comes before the future's callbacks. */
Test(loop_kinds, progress_of_a_task_is_told_there)
{
    on_each_pool(with_progress);
}

static void with_map(soon_executor *pool)
{
    const int items[] = {1, 2, 3, 4, 5};
    soon_future *map;

    begin_telling();
    map = soon_map_async_with(pool, (.on_progress = tell, .on_progress_loop = on), twice, items, COUNT(items));
    cr_assert_eq(soon_future_add_done_callback_on(map, on, note_over, NULL), 0);
    dispatch_until(&is_over, 1);
    cr_assert_eq(latest.done, COUNT(items));
    soon_future_unref(map);
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(loop_kinds, progress_and_end_of_a_map_are_told_there)
{
    on_each_pool(with_map);
}

static int ended;

static void note_end(void *data)
{
    (void)data;
    cr_assert_eq(calls, 10); /* they come before it */
    ended = 1;
}

static void with_end(soon_executor *pool)
{
    calls = ended = 0;
    for (int i = 0; i < 10; i++)
        soon_future_unref(
            soon_submit_with(pool, (.on_done = add_up, .on_done_data = &sum, .on_done_loop = on), twice, i));
    cr_assert_eq(soon_executor_end(pool, &(soon_end_options){.loop = on, .on_end = note_end}), 0);
    dispatch_until(&ended, 1);
}

Test(loop_kinds, executor_is_freed_there_and_the_end_told_after_its_callbacks)
{
    on_each_pool(with_end);
}

static void free_here(void *pool)
{
    cr_assert_eq(soon_executor_free(pool), 0);
    ended = 1;
}

static void with_free(soon_executor *pool)
{
    ended = 0;
    soon_future_unref(soon_submit(pool, twice, 1));
    cr_assert_eq(soon_loop_post(on, free_here, pool), 0);
    dispatch_until(&ended, 1);
}

Test(loop_kinds, executor_may_be_freed_in_a_posted_function)
{
    on_each_pool(with_free);
}

static void wait_for_another(soon_future *future, void *pool)
{
    int result;

    (void)future;
    cr_assert_eq(soon_executor_free(pool), SOON_EDEADLK);
    soon_future *another = soon_submit(pool, twice, 21);
    cr_assert_eq(twice_get(another, SOON_FOREVER, &result), 0);
    cr_assert_eq(result, 42);
    soon_future_unref(another);
    is_over = 1;
}

static void with_wait(soon_executor *pool)
{
    is_over = 0;
    soon_future_unref(
        soon_submit_with(pool, (.on_done = wait_for_another, .on_done_data = pool, .on_done_loop = on), twice, 1));
    dispatch_until(&is_over, 1);
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(loop_kinds, callback_may_wait_for_a_task)
{
    on_each_pool(with_wait);
}

/* A dispatch is no part of the pool: so is one in a task. */
struct shared_loop {
    soon_loop *loop;
};

SOON_TASK(dispatch_here, struct shared_loop, int)
{
    *result = soon_loop_dispatch(arg->loop, 0);
    return 0;
}

Test(loop_kinds, task_may_dispatch_a_loop)
{
    soon_executor *pool;
    int ran;

    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1}), 0);
    sum = calls = 0;
    soon_future_unref(soon_submit_with(pool, (.on_done = add_up, .on_done_data = &sum, .on_done_loop = on), twice, 4));
    soon_future *future = soon_submit(pool, dispatch_here, on);
    cr_assert_eq(dispatch_here_get(future, SOON_FOREVER, &ran), 0);
    cr_assert_eq(ran, 1);
    cr_assert_eq(sum, 8);
    soon_future_unref(future);
    cr_assert_eq(soon_executor_free(pool), 0);
}

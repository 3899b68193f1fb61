/*
 * map_kill.c - maps that are killed: the workers that run their items, and nobody else's.
 */
#include "../support/map_fixture.h"

TestSuite(map_kill, .init = close_gate);

/* Waits where the argument is not 0, and does not listen. */
SOON_TASK(deaf, int, int)
{
    *result = *arg + 1;
    runs++;
    common()->arrived += *arg != 0;
    while (*arg && !common()->open)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    return 0;
}

static int code_of_item(soon_future *map, size_t index)
{
    return soon_map_item_error(map, index)->code;
}

Test(map_kill, ends_the_workers_of_what_runs_and_cancels_the_rest)
{
    int args[] = {1, 1, 1, 1, 1, 1}, result;
    soon_executor *pool;
    soon_future *map;

    if (!test_has_processes())
        cr_skip_test("no process pools here");
    common_begin();
    pool = make_processes(2);
    map = soon_map_async_with(pool, (.chunk = 1), deaf, args, 6);
    await_arrivals(2);
    cr_assert_eq(soon_future_kill(map), 0);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);

    cr_assert_eq(soon_future_error(map)->code, SOON_EKILLED, "%s", soon_future_error(map)->message);
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(code_of_item(map, i), i < 2 ? SOON_EKILLED : -ECANCELED, "item %zu", i);
    cr_assert_eq(runs, 2);
    cr_assert_eq(soon_future_kill(map), SOON_EINVALIDSTATE);
    soon_future_unref(map);
    cr_assert_eq(soon_take(soon_submit(pool, deaf, 0), &result), 0, "the pool goes on");
    cr_assert_eq(soon_executor_free(pool), 0);
}

/* What has ended stays; the rest of the chunk of the one that is killed goes to no other worker. */
Test(map_kill, ends_a_chunk_in_the_middle)
{
    int args[] = {0, 0, 1, 0, 0};
    soon_executor *pool;
    soon_future *map;

    if (!test_has_processes())
        cr_skip_test("no process pools here");
    common_begin();
    pool = make_processes(2);
    map = soon_map_async_with(pool, (.chunk = 5), deaf, args, 5);
    await_arrivals(1);
    cr_assert_eq(soon_future_kill(map), 0);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);

    cr_assert_eq(soon_future_error(map)->code, SOON_EKILLED, "%s", soon_future_error(map)->message);
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(code_of_item(map, i), i < 2 ? 0 : i == 2 ? SOON_EKILLED : -ECANCELED, "item %zu", i);
    cr_assert_eq(runs, 3);
    soon_future_unref(map);
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(map_kill, of_one_that_has_not_begun_cancels_it)
{
    int args[] = {1, 1, 1};
    soon_future *map, *other;
    soon_executor *pool;

    if (!test_has_processes())
        cr_skip_test("no process pools here");
    common_begin();
    pool = make_processes(1);
    other = soon_submit(pool, deaf, 1);
    await_arrivals(1);
    map = soon_map_async(pool, deaf, args, 3);
    cr_assert_eq(soon_future_kill(map), 0);
    cr_assert(soon_future_cancelled(map));
    soon_future_unref(map);
    open_gate();

    cr_assert_eq(soon_take(other, &args[0]), 0, "that was another's");
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(map_kill, of_one_on_threads_is_refused_and_does_nothing)
{
    int args[] = {1, 1, 1}, results[3];
    soon_executor *pool = make_four_threads();
    soon_future *map = soon_map_async(pool, deaf, args, 3);
    soon_bytes bytes;

    cr_assert_eq(soon_future_kill(map), -ENOTSUP);
    open_gate();
    cr_assert_eq(soon_future_result(map, SOON_FOREVER, &bytes), 0);
    cr_assert_eq(bytes.size, sizeof results);
    cr_assert_eq(((const int *)bytes.data)[2], 2);
    soon_future_unref(map);
    cr_assert_eq(soon_executor_free(pool), 0);
}

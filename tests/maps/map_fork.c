/*
 * map_fork.c - the map family in a child of fork(): the parent's executors refuse, what is done can be read, nothing
 * hangs.
 */
#include "../support/executors.h"
#include "../support/forked.h"
#include "../support/futures.h"

/* Negative: waits at the gate. */
SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return *arg < 0 ? wait_at_gate(task) : 0;
}

static int count_down(void *arg, void *data)
{
    *(int *)arg = -*(int *)data;
    return (*(int *)data)-- > 0;
}

static soon_executor *pool;
static soon_future *map;
static soon_imap *imap;
static int left;

static void make_all(void)
{
    int args[] = {7, -1, 8};
    soon_future *future;

    close_gate();
    pool = make_threads(2);
    map = soon_map_async_with(pool, (.chunk = 3), at_gate, args, 3);
    left = 20;
    cr_assert_eq(soon_imap_new(&imap, pool, &at_gate_task, &(soon_map_options){.unordered = true}, count_down, &left),
                 0);
    cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
    await_arrivals(2);
}

static void free_all(void)
{
    open_gate();
    soon_future_wait(map, SOON_FOREVER);
    soon_future_unref(map);
    soon_imap_free(imap);
    soon_executor_free(pool);
}

TestSuite(map_fork, .init = make_all, .fini = free_all);

static void new_ones_are_refused(void)
{
    int args[] = {1, 2}, results[] = {99, 99}, errors[] = {99, 99};
    soon_future *future;
    soon_imap *other;

    CHECK(soon_map_with(pool, (.chunk = 1), at_gate, args, 2, results, errors) == SOON_EFORKED);
    CHECK(results[0] == 99 && errors[1] == 99);
    future = soon_map_async(pool, at_gate, args, 2);
    CHECK(soon_future_error(future)->code == SOON_EFORKED);
    soon_future_unref(future);
    CHECK(soon_imap_new(&other, pool, &at_gate_task, NULL, count_down, &left) == SOON_EFORKED);
    future = soon_apply_async(pool, NULL, NULL, NULL, at_gate, 1);
    CHECK(soon_future_error(future)->code == SOON_EFORKED);
    soon_future_unref(future);
}

Test(map_fork, new_ones_on_the_parents_executor_are_refused)
{
    in_child(new_ones_are_refused);
}

static void old_ones_never_end(void)
{
    soon_future *future;
    int result = 0;

    CHECK(soon_map_item(map, 0, 0, &result, sizeof result) == 0);
    CHECK(result == 7);
    CHECK(soon_map_item(map, 1, SOON_FOREVER, &result, sizeof result) == SOON_EFORKED);
    CHECK(soon_future_wait(map, SOON_FOREVER) == SOON_EFORKED);
    CHECK(soon_map_count(map, NULL, NULL) == 3);
    CHECK(!soon_future_cancel(map));
    soon_future_unref(map);
    CHECK(soon_imap_next(imap, SOON_FOREVER, &future, NULL) == SOON_EFORKED);
    soon_imap_free(imap);
}

Test(map_fork, those_of_the_parent_never_end_and_can_be_freed)
{
    in_child(old_ones_never_end);
}

static void the_child_has_its_own(void)
{
    int args[] = {1, 2, 3}, results[3];
    soon_executor *own = make_threads(2);

    CHECK(soon_map(own, at_gate, args, 3, results) == 0);
    CHECK(results[2] == 3);
    CHECK(soon_executor_free(own) == 0);
}

Test(map_fork, the_child_may_make_its_own)
{
    if (UNDER_TSAN)
        cr_skip_test("it starts no threads in a child");
    in_child(the_child_has_its_own);
}

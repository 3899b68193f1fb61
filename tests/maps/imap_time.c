/*
 * imap_time.c - imap with timeouts, with several threads, with a bounded queue.
 */
#include "imap_fixture.h"

TestSuite(imap_time, .init = close_gate);

TestOnEach(imap_time, next_that_timed_out_may_be_repeated)
{
    int list[] = {-5, 1, 2};

    for (int i = 0; i < 4; i++) {
        struct counter counter = {.end = 3, .list = list};
        soon_map_options options = {.chunk = i % 2 ? 3 : 1, .unordered = i > 1, .in_flight_max = 1};
        soon_imap *imap = start(executor, &at_gate_task, &options, &counter);
        soon_future *future = NULL;

        close_gate();
        cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
        cr_assert_eq(soon_imap_next(imap, 15, &future, NULL), -ETIMEDOUT);
        cr_assert_null(future);
        open_gate();
        assert_next(imap, -5, 0);
        assert_next(imap, 1, 1);
        assert_next(imap, 2, 2);
        assert_end(imap);
        soon_imap_free(imap);
    }
}

TestOnEach(imap_time, ends_when_the_whole_time_is_over) /* CPython: test_map_timeout */
{
    int list[] = {1, 2, -3, -4, -5, -6, -7, -8, -9, -10};

    for (int i = 0; i < 4; i++) {
        struct counter counter = {.end = 10, .list = list};
        soon_map_options options = {.chunk = i % 2 ? 2 : 1, .unordered = i > 1, .in_flight_max = 6, .timeout_ms = 60};
        soon_imap *imap = start(executor, &at_gate_task, &options, &counter);
        soon_future *future;
        int handed_out = 0, rc;

        close_gate();
        while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0) {
            cr_assert_lt(handed_out++, 2);
            soon_future_unref(future);
        }
        cr_assert_eq(rc, -ETIMEDOUT);
        assert_end(imap); /* and what runs was asked to end: nobody opens the gate */
        cr_assert_leq(counter.next, 8);
        soon_imap_free(imap);
    }
}

TestOnEach(imap_time, takes_nothing_more_when_the_whole_time_is_over)
{
    struct counter counter = {.end = 0};
    soon_imap *imap = start(executor, &square_task, &(soon_map_options){.timeout_ms = 20}, &counter);
    soon_future *future;
    int taken, rc;

    while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0)
        soon_future_unref(future);
    cr_assert_eq(rc, -ETIMEDOUT);
    taken = counter.next;
    assert_end(imap);
    cr_assert_eq(counter.next, taken);
    soon_imap_free(imap);
}

/*
 * Threads
 */

struct shared {
    soon_imap *imap;
    _Atomic int inside, count;
    _Atomic bool twice;
};

static int never_two_at_once(void *arg, void *data)
{
    struct shared *shared = data;

    if (shared->inside++)
        shared->twice = true;
    *(int *)arg = shared->count;
    sched_yield();
    shared->inside--;
    return shared->count++ < 2000;
}

static void *drain(void *data)
{
    struct shared *shared = data;
    soon_future *future;
    long count = 0;

    while (soon_imap_next(shared->imap, SOON_FOREVER, &future, NULL) == 0) {
        soon_future_unref(future);
        count++;
    }
    return (void *)count;
}

TestOnEach(imap_time, serves_several_threads_one_after_the_other)
{
    for (int i = 0; i < 4; i++) {
        struct shared shared = {.count = 0};
        soon_map_options options = {.chunk = i % 2 ? 5 : 1, .unordered = i > 1};
        pthread_t threads[4];
        long sum = 0;

        cr_assert_eq(soon_imap_new(&shared.imap, executor, &square_task, &options, never_two_at_once, &shared), 0);
        for (int t = 0; t < 4; t++)
            cr_assert_eq(pthread_create(&threads[t], NULL, drain, &shared), 0);
        for (int t = 0; t < 4; t++) {
            void *count;

            pthread_join(threads[t], &count);
            sum += (long)count;
        }
        cr_assert_eq(sum, 2000);
        cr_assert_not(shared.twice);
        soon_imap_free(shared.imap);
    }
}

static void *poll_next(void *data)
{
    soon_future *future;

    return (void *)(long)soon_imap_next(data, 10, &future, NULL);
}

Test(imap_time, waits_for_its_turn_no_longer_than_it_has_time)
{
    soon_executor *executor = make_threads(1);
    int list[] = {-1};
    struct counter counter = {.end = 1, .list = list};
    struct shared shared = {.imap = start(executor, &at_gate_task, NULL, &counter)};
    pthread_t first, second;
    void *code;

    pthread_create(&first, NULL, drain, &shared);
    await_arrivals(1);
    pthread_create(&second, NULL, poll_next, shared.imap);
    pthread_join(second, &code);
    cr_assert_eq((long)code, -ETIMEDOUT);
    open_gate();
    pthread_join(first, &code);
    cr_assert_eq((long)code, 1);
    soon_imap_free(shared.imap);
    soon_executor_free(executor);
}

static int ask_itself(void *arg, void *data)
{
    soon_future *future;

    *(int *)arg = -soon_imap_next(*(soon_imap **)data, SOON_FOREVER, &future, NULL);
    return 1;
}

TestOnEach(imap_time, source_that_asks_its_own_imap_is_told)
{
    soon_imap *imap;
    soon_future *future;
    int value;

    cr_assert_eq(soon_imap_new(&imap, executor, &at_gate_task, NULL, ask_itself, &imap), 0);
    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
    cr_assert_eq(soon_take(future, &value), 0);
    cr_assert_eq(value, -SOON_EDEADLK);
    soon_imap_free(imap);
}

SOON_TASK(sum_up, int, int)
{
    struct counter counter = {.end = 20};
    soon_map_options options = {.chunk = (size_t)(*arg & 3), .unordered = *arg & 4};
    soon_imap *imap;
    soon_future *future;
    int value, rc = soon_imap_new(&imap, soon_task_executor(task), &square_task, &options, count_up, &counter);

    *result = 0;
    while (rc == 0 && (rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0) {
        rc = soon_take(future, &value);
        *result += value;
    }
    soon_imap_free(imap);
    return rc == SOON_EEND ? 0 : rc;
}

TestOnEachHere(imap_time, nested_in_tasks_of_one_executor_does_not_deadlock)
{
    struct counter counter = {.end = 8};
    soon_imap *imap = start(executor, &sum_up_task, NULL, &counter);

    for (int i = 0; i < 8; i++)
        assert_next(imap, 2470, (uint64_t)i);
    soon_imap_free(imap);
}

/*
 * A bounded queue
 */

Test(imap_time, gets_along_with_a_bounded_queue)
{
    for (int i = 0; i < 4; i++) {
        soon_thread_pool_options pool = {
            .workers = 1, .queue_max = 2, .when_full = i & 2 ? SOON_FULL_RUN_HERE : SOON_FULL_BLOCK};
        soon_map_options options = {.chunk = i & 1 ? 3 : 1, .in_flight_max = 20};
        struct counter counter = {.end = 200};
        soon_executor *executor;
        soon_imap *imap;

        cr_assert_eq(soon_thread_pool_new(&executor, &pool), 0);
        imap = start(executor, &square_task, &options, &counter);
        for (int j = 0; j < 200; j++)
            assert_next(imap, j * j, (uint64_t)j);
        assert_end(imap);
        soon_imap_free(imap);
        soon_executor_free(executor);
    }
}

Test(imap_time, with_a_timeout_does_not_wait_for_a_place_in_the_queue)
{
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        soon_thread_pool_options pool = {.workers = 1, .queue_max = 1};
        soon_map_options options = {.chunk = chunk};
        int list[] = {-1, 1, 2, 3, 4, 5, 6, 7};
        struct counter counter = {.end = 8, .list = list};
        soon_future *others[2], *future;
        soon_executor *executor;
        soon_imap *imap;

        close_gate();
        cr_assert_eq(soon_thread_pool_new(&executor, &pool), 0);
        others[0] = soon_submit(executor, at_gate, -1);
        await_arrivals(1);
        others[1] = soon_submit(executor, at_gate, -1);

        imap = start(executor, &at_gate_task, &options, &counter);
        cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
        cr_assert_eq(soon_imap_next(imap, 20, &future, NULL), -ETIMEDOUT);
        cr_assert_eq(counter.next, (int)chunk);
        open_gate();
        for (int i = 0; i < 8; i++)
            assert_next(imap, list[i], (uint64_t)i);
        assert_end(imap);
        soon_imap_free(imap);
        soon_futures_unref(others, 2);
        soon_executor_free(executor);
    }
}

Test(imap_time, hands_out_items_that_found_the_queue_full_where_the_policy_says_so)
{
    for (size_t chunk = 1; chunk < 4; chunk += 2) {
        soon_thread_pool_options pool = {.workers = 1, .queue_max = 1, .when_full = SOON_FULL_FAIL};
        soon_map_options options = {.chunk = chunk, .in_flight_max = 9};
        int list[] = {-1, 1, 2, 3, 4, 5, 6, 7, 8}, failed = 0;
        struct counter counter = {.end = 9, .list = list};
        soon_future *other, *future;
        soon_executor *executor;
        soon_imap *imap;

        close_gate();
        cr_assert_eq(soon_thread_pool_new(&executor, &pool), 0);
        other = soon_submit(executor, at_gate, -1);
        await_arrivals(1);
        imap = start(executor, &at_gate_task, &options, &counter);
        cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
        open_gate();
        for (int i = 0; i < 9; i++) {
            cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
            failed += soon_future_error(future)->code == SOON_EFULL;
            soon_future_unref(future);
        }
        cr_assert_eq(failed, chunk == 1 ? 8 : 6);
        assert_end(imap);
        soon_imap_free(imap);
        soon_future_unref(other);
        soon_executor_free(executor);
    }
}

/*
 * last_error.c - what a failure has to say: which function, which field, which value, and which type.
 */
#include "../harness/test.h"

#include <errno.h>
#include <pthread.h>
#include <soon.h>
#include <string.h>

struct four {
    int number;
};

SOON_TASK(half, double, double)
{
    if (*arg < 0)
        return soon_raise(task, EDOM, "%g is negative", *arg);
    *result = *arg / 2;
    return 0;
}

SOON_TASK(boxed, int, struct four)
{
    result->number = *arg;
    return 0;
}

SOON_TASK(count, int, unsigned)
{
    *result = (unsigned)*arg;
    return 0;
}

static void init(void)
{
    cr_assert_eq(soon_init(0, NULL), 0);
}

TestSuite(last_error, .init = init);

static void assert_says(int code, const char *text)
{
    cr_assert_eq(soon_last_error()->code, code, "%s", soon_errname(soon_last_error()->code));
    cr_assert_str_eq(soon_last_error()->message, text);
}

static soon_executor *new_pool(void)
{
    soon_executor *pool;

    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1}), 0);
    return pool;
}

Test(last_error, is_none_before_something_has_failed)
{
    assert_says(0, "success");
}

Test(last_error, of_a_constructor_names_field_and_value)
{
    soon_executor *pool = (soon_executor *)&pool;

    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = -3}), -EINVAL);
    assert_says(-EINVAL, "soon_thread_pool_new: .workers = -3 is negative");
    cr_assert_null(pool);
    cr_assert_eq(soon_process_pool_new(&pool, &(soon_process_pool_options){.max_restarts = -2}), -EINVAL);
    assert_says(-EINVAL, "soon_process_pool_new: .max_restarts = -2 is less than -1");
    cr_assert_eq(soon_process_pool_new(&pool, &(soon_process_pool_options){.worker_program = "/no/such"}), -ENOENT);
    assert_says(-ENOENT, "soon_process_pool_new: .worker_program: /no/such: No such file or directory");
    cr_assert_eq(soon_process_pool_new(&pool, &(soon_process_pool_options){.directory = "/no/such"}), -ENOENT);
    assert_says(-ENOENT, "soon_process_pool_new: .directory = \"/no/such\": No such file or directory");
}

Test(last_error, of_a_refused_submit_is_that_of_its_future)
{
    soon_executor *pool = new_pool();
    soon_future *f = soon_submit_bytes(pool, &half_task, "x", 1, NULL);

    cr_assert_str_eq(soon_future_error(f)->message,
                     "soon_submit: the argument of half is double, 8 bytes; 1 were given");
    assert_says(-EINVAL, soon_future_error(f)->message);
    soon_future_unref(f);
    f = soon_submit(NULL, half, 1);
    cr_assert_str_eq(soon_future_error(f)->message, "soon_submit: the executor is NULL");
    soon_future_unref(f);
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(last_error, of_a_read_that_asks_for_another_type_names_both)
{
    soon_executor *pool = new_pool();
    soon_future *f = soon_submit(pool, half, 3);
    double right;
    float small;
    int64_t same_size = 7;
    int x;

    cr_assert_eq(soon_result(f, &x), SOON_ETYPE);
    assert_says(SOON_ETYPE, "soon_future_read: the result of half is double, 8 bytes; int, 4 bytes, was asked for");
    cr_assert_eq(soon_result(f, &same_size), SOON_ETYPE);
    cr_assert_eq(same_size, 7);
    assert_says(SOON_ETYPE, "soon_future_read: the result of half is double, 8 bytes; long, 8 bytes, was asked for");
    cr_assert_eq(soon_result_within(f, 0, &small), SOON_ETYPE);
    assert_says(SOON_ETYPE, "soon_future_read: the result of half is double, 8 bytes; float, 4 bytes, was asked for");
    cr_assert_eq(soon_result(f, &right), 0);
    cr_assert_eq(right, 1.5);
    cr_assert_eq(soon_take(f, &same_size), SOON_ETYPE);
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(last_error, comes_where_a_structure_is_read_as_a_number_of_its_size)
{
    soon_executor *pool = new_pool();
    soon_future *f = soon_submit(pool, boxed, 5);
    struct four four;
    int x;

    cr_assert_eq(soon_result(f, &x), SOON_ETYPE);
    assert_says(SOON_ETYPE,
                "soon_future_read: the result of boxed is struct four, 4 bytes; int, 4 bytes, was asked for");
    cr_assert_eq(soon_take(f, &four), 0);
    cr_assert_eq(four.number, 5);
    cr_assert_eq(soon_take(soon_submit(pool, count, 5), &x), 0, "a number may be read with a sign");
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(last_error, of_what_was_taken_outlives_the_future)
{
    soon_executor *pool = new_pool();
    soon_error *kept;
    double x;

    cr_assert_eq(soon_take(soon_submit(pool, half, -2), &x), SOON_ERAISED);
    assert_says(SOON_ERAISED, "-2 is negative");
    cr_assert_eq(soon_last_error()->raised, EDOM);
    cr_assert_str_eq(soon_last_error()->function, "half");
    kept = soon_error_copy(soon_last_error());
    cr_assert_eq(soon_future_wait(NULL, 0), -EINVAL);
    assert_says(-EINVAL, "soon_future_wait: the future is NULL");
    cr_assert_str_eq(kept->message, "-2 is negative");
    cr_assert_str_eq(kept->function, "half");
    cr_assert_eq(kept->raised, EDOM);
    cr_assert(kept->started);
    soon_error_free(kept);
    soon_error_free(NULL);
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(last_error, of_a_read_that_was_too_early_says_so)
{
    soon_promise *promise;
    soon_future *f;
    int x;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    f = soon_promise_future(promise);
    cr_assert_eq(soon_result_within(f, 0, &x), -ETIMEDOUT);
    assert_says(-ETIMEDOUT, "not done in time");
    soon_promise_free(promise);
    cr_assert_eq(soon_result(f, &x), SOON_EABANDONED);
    assert_says(SOON_EABANDONED, "the promise was dropped unresolved");
    soon_future_unref(f);
}

Test(last_error, of_a_map_is_that_of_its_first_failure)
{
    soon_executor *pool = new_pool();
    double in[] = {2, -4, -6}, out[3];
    soon_future *map;

    cr_assert_eq(soon_map(pool, half, in, 3, out), SOON_ERAISED);
    assert_says(SOON_ERAISED, "-4 is negative");
    map = soon_map_async(pool, half, in, 3);
    cr_assert_eq(soon_map_item(map, 2, SOON_FOREVER, out, sizeof *out), SOON_ERAISED);
    assert_says(SOON_ERAISED, "-6 is negative");
    soon_future_unref(map);
    cr_assert_eq(soon_executor_free(pool), 0);
}

static void *fail_and_end(void *data)
{
    cr_assert_eq(soon_last_error()->code, 0);
    cr_assert_eq(soon_buffer_new(NULL, 1), -EINVAL);
    *(bool *)data = strcmp(soon_last_error()->message, "soon_buffer_new: ret is NULL") == 0;
    return NULL;
}

Test(last_error, is_each_threads_own)
{
    pthread_t thread;
    bool said = false;

    cr_assert_eq(soon_future_wait(NULL, 0), -EINVAL);
    cr_assert_eq(pthread_create(&thread, NULL, fail_and_end, &said), 0);
    pthread_join(thread, NULL);
    cr_assert(said);
    assert_says(-EINVAL, "soon_future_wait: the future is NULL");
}

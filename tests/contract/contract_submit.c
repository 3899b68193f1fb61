/*
 * contract_submit.c - the contract of executors: submitting, results, errors, callbacks, options.
 */
#include "contract.h"

#include <stdatomic.h>
#include <string.h>

TestSuite(contract_submit);

/* CPython: ExecutorTest.test_submit; multiprocessing: _TestPool.test_async; pebble: test_process_pool_single_future */
TestOnEach(contract_submit, gives_the_result)
{
    soon_future *f = soon_submit(executor, mul, .x = 2, .y = 8);
    int product;

    cr_assert_eq(mul_get(f, SOON_FOREVER, &product), 0);
    cr_assert_eq(product, 16);
    cr_assert_eq(soon_future_state(f), SOON_FINISHED);
    cr_assert(soon_future_succeeded(f));
    soon_future_unref(f);
}

/* CPython: ExecutorTest.test_submit_keyword */
TestOnEach(contract_submit, takes_the_argument_by_name_by_place_as_a_struct_or_not_at_all)
{
    struct pair pair = {.x = 2, .y = 8};
    soon_future *futures[] = {soon_submit(executor, mul, .y = 8, .x = 2), soon_submit(executor, mul, 2, 8),
                              mul_submit(executor, &pair, NULL),
                              soon_submit_bytes(executor, &mul_task, &pair, sizeof pair, NULL)};
    int product;

    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(soon_take(futures[i], &product), 0);
        cr_assert_eq(product, 16);
    }
    cr_assert_eq(soon_take(mul_submit(executor, NULL, NULL), &product), 0);
    cr_assert_eq(product, 0);
    cr_assert_eq(soon_take(mul_submit(executor, NULL, NULL), &product), 0);
    cr_assert_eq(product, 0);
}

/* multiprocessing: _TestPool.test_apply */
TestOnEach(contract_submit, is_an_apply_when_taken_at_once)
{
    int product;

    cr_assert_eq(soon_take(soon_submit(executor, mul, 5, 5), &product), 0);
    cr_assert_eq(product, 25);
}

/* pebble: test_process_pool_multiple_futures; CPython: the executor of every test */
TestOnEach(contract_submit, runs_each_of_many_tasks_once)
{
    enum { MANY = 3000 };
    static soon_future *futures[MANY];
    int product;

    for (int i = 0; i < MANY; i++)
        futures[i] = soon_submit(executor, mul, i, 3);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(soon_take(futures[i], &product), 0);
        cr_assert_eq(product, i * 3);
    }
}

/* pebble: test_process_pool_error; multiprocessing: _TestPool.test_wrapped_exception */
TestOnEach(contract_submit, passes_on_what_the_task_raises)
{
    soon_future *f = soon_submit_with(executor, (.label = "a label"), divide, .x = 7, .y = 0);
    const soon_error *error;
    int quotient = -1;

    cr_assert_eq(soon_result(f, &quotient), SOON_ERAISED);
    cr_assert_eq(quotient, -1);
    cr_assert_eq(soon_future_exception(f, 0, &error), 0);
    cr_assert_eq(error->code, SOON_ERAISED);
    cr_assert_eq(error->raised, EDOM);
    cr_assert(error->started);
    cr_assert_str_eq(error->message, "division of 7 by zero");
    cr_assert_str_eq(error->function, "divide");
    cr_assert_str_eq(error->label, "a label");
    cr_assert_eq(soon_future_state(f), SOON_FINISHED);
    cr_assert_not(soon_future_succeeded(f));
    soon_future_unref(f);
}

SOON_TASK(raise_nothing, soon_none, int)
{
    return soon_raise(task, 0, NULL);
}

/* CPython: ExecutorTest.test_swallows_falsey_exceptions */
TestOnEach(contract_submit, fails_also_with_an_exception_that_looks_like_none)
{
    soon_future *f = soon_submit(executor, raise_nothing);
    int result;

    cr_assert_eq(soon_result(f, &result), SOON_ERAISED);
    cr_assert_eq(soon_future_error(f)->raised, 0);
    soon_future_unref(f);
}

SOON_TASK(raise_in_silence, soon_none, soon_none)
{
    return soon_raise(task, EDOM, "%s", "");
}

TestOnEach(contract_submit, passes_on_a_message_without_letters)
{
    soon_future *f = soon_submit(executor, raise_in_silence);
    soon_bytes nothing;

    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &nothing), SOON_ERAISED);
    cr_assert_str_eq(soon_future_error(f)->message, "");
    soon_future_unref(f);
}

SOON_TASK(error_as_a_value, soon_none, int)
{
    *result = SOON_ERAISED;
    return 0;
}

/* pebble: test_process_pool_error_returned */
TestOnEach(contract_submit, lets_a_code_of_an_error_be_a_result)
{
    int result;

    cr_assert_eq(soon_take(soon_submit(executor, error_as_a_value), &result), 0);
    cr_assert_eq(result, SOON_ERAISED);
}

/* pebble: test_process_pool_error, test_process_pool_exception_isolated */
TestOnEach(contract_submit, goes_on_after_a_task_has_failed)
{
    int quotient;

    for (int i = 0; i < 20; i++) {
        cr_assert_eq(soon_take(soon_submit(executor, divide, i, 0), &quotient), SOON_ERAISED);
        cr_assert_eq(soon_take(soon_submit(executor, divide, i, 1), &quotient), 0);
        cr_assert_eq(quotient, i);
    }
}

static void count_call(soon_future *future, void *data)
{
    cr_assert(soon_future_done(future));
    atomic_fetch_add((atomic_int *)data, 1);
}

/* pebble: test_process_pool_callback, _error_callback, _cancel_callback */
TestOnEach(contract_submit, calls_back_once_however_it_ends)
{
    struct gate gate = gate_new();
    atomic_int calls = 0;
    soon_submit_options options = {.on_done = count_call, .on_done_data = &calls};
    soon_future *good = mul_submit(executor, NULL, &options), *bad = divide_submit(executor, NULL, &options),
                *cancelled;

    soon_future_wait(good, SOON_FOREVER);
    soon_future_wait(bad, SOON_FOREVER);
    test_wait_until(calls == 2);
    occupy(executor, kind, gate);
    cancelled = mul_submit(executor, NULL, &options);
    cr_assert_eq(soon_future_cancel(cancelled), kind->takes_back);
    gate_open(gate, kind->workers);
    soon_future_wait(cancelled, SOON_FOREVER);

    test_wait_until(calls == 3);
    cr_assert(soon_future_cancelled(cancelled));
    soon_future_unref(good);
    soon_future_unref(bad);
    soon_future_unref(cancelled);
    gate_free(gate);
}

struct chain {
    soon_executor *executor;
    atomic_int left;
};

static void submit_next(soon_future *future, void *data)
{
    struct chain *chain = data;

    cr_assert(soon_future_succeeded(future));
    if (atomic_fetch_sub(&chain->left, 1) > 1)
        soon_future_unref(
            mul_submit(chain->executor, NULL, &(soon_submit_options){.on_done = submit_next, .on_done_data = chain}));
}

/* loky: test_submit_from_callback */
TestOnEach(contract_submit, can_be_done_in_callbacks)
{
    struct chain chains[3] = {{executor, 100}, {executor, 50}, {executor, 60}};

    for (size_t i = 0; i < 3; i++)
        soon_future_unref(
            mul_submit(executor, NULL, &(soon_submit_options){.on_done = submit_next, .on_done_data = &chains[i]}));

    for (size_t i = 0; i < 3; i++)
        test_wait_until(chains[i].left == 0);
}

static void *submit_some(void *executor)
{
    for (int i = 0; i < 200; i++) {
        int product;

        cr_assert_eq(soon_take(soon_submit(executor, mul, i, i), &product), 0);
        cr_assert_eq(product, i * i);
    }
    return NULL;
}

/* loky: test_thread_safety */
TestOnEach(contract_submit, can_be_done_by_many_threads)
{
    pthread_t threads[10];

    for (size_t i = 0; i < 10; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, submit_some, executor), 0);
    for (size_t i = 0; i < 10; i++)
        pthread_join(threads[i], NULL);
}

/* mpi4py: multiple_executors */
TestOnEach(contract_submit, works_beside_another_executor)
{
    soon_executor *other = kind->make();
    int sum = 0, product;

    for (int i = 0; i < 100; i++) {
        cr_assert_eq(soon_take(soon_submit(i % 2 ? executor : other, mul, i, 1), &product), 0);
        sum += product;
    }

    cr_assert_eq(sum, 4950);
    cr_assert_eq(soon_executor_free(other), 0);
}

SOON_TASK_BYTES(reverse)
{
    char *space = soon_task_return_space(task, arg.size);

    for (size_t i = 0; space && i < arg.size; i++)
        space[i] = ((const char *)arg.data)[arg.size - 1 - i];
    return space ? 0 : -ENOMEM;
}

/* pebble: test_process_pool_large_data; CPython: test_crash_big_data has data of this kind; loky:
 * test_no_failure_on_large_data_send */
TestOnEach(contract_submit, carries_bytes_of_any_size_both_ways)
{
    static const size_t sizes[] = {0, 1, 32, 255, 256, 257, 4096, 100000, 16 << 20};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *bytes = calloc(1, sizes[i] + 1);
        soon_bytes back = {NULL, 1};
        soon_future *f;

        if (sizes[i])
            bytes[0] = 'a';
        f = reverse_submit(executor, bytes, sizes[i], NULL);
        memset(bytes, 'x', sizes[i]); /* it was copied */
        cr_assert_eq(soon_future_result(f, SOON_FOREVER, &back), 0);
        cr_assert_eq(back.size, sizes[i]);
        if (sizes[i])
            cr_assert_eq(((const char *)back.data)[sizes[i] - 1], 'a');
        if (sizes[i] > 1)
            cr_assert_eq(((const char *)back.data)[0], 0);
        soon_future_unref(f);
        free(bytes);
    }
}

SOON_TASK(sum_payload, soon_none, long)
{
    soon_buffer *given = soon_task_payload(task), *back;
    const unsigned char *bytes = soon_buffer_data(given);

    for (size_t i = 0; i < soon_buffer_size(given); i++)
        *result += bytes[i];
    if (soon_buffer_new(&back, 5) < 0)
        return -ENOMEM;
    memcpy(soon_buffer_data(back), "reply", 5);
    return soon_task_return_payload(task, back);
}

TestOnEach(contract_submit, carries_payloads_both_ways)
{
    static const size_t sizes[] = {1, 1000, 3 << 20};

    for (size_t i = 0; i < 3; i++) {
        soon_buffer *payload;
        soon_future *f;
        long sum;

        cr_assert_eq(soon_buffer_new(&payload, sizes[i]), 0);
        memset(soon_buffer_data(payload), 1, sizes[i]);
        f = sum_payload_submit(executor, NULL, &(soon_submit_options){.payload = payload});
        cr_assert_eq(soon_result(f, &sum), 0);
        cr_assert_eq(sum, (long)sizes[i]);
        cr_assert_eq(soon_buffer_size(soon_future_payload(f)), 5);
        cr_assert_arr_eq(soon_buffer_data(soon_future_payload(f)), "reply", 5);
        soon_future_unref(f);
    }
}

SOON_TASK(tell_progress, struct gate, int)
{
    soon_task_set_progress(task, 1, 3);
    if (gate_pass(*arg, task) < 0)
        return -ECANCELED;
    soon_task_set_progress(task, 2, 3);
    return 0;
}

TestOnEach(contract_submit, shows_how_far_a_task_is)
{
    struct gate gate = gate_new();
    soon_future *f = tell_progress_submit(executor, &gate, NULL);

    await_running(executor, kind, gate, 1);
    test_wait_until(soon_future_progress(f).done == 1);
    cr_assert_eq(soon_future_progress(f).total, 3);
    cr_assert(soon_future_running(f));
    gate_open(gate, 1);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);

    cr_assert_eq(soon_future_progress(f).done, 2);
    cr_assert_eq(soon_future_progress(f).total, 3);
    soon_future_unref(f);
    gate_free(gate);
}

SOON_TASK(own_label, soon_none, struct gate)
{
    result->pid = (int)strlen(soon_task_label(task));
    return 0;
}

TestOnEach(contract_submit, knows_label_and_data)
{
    int data = 0;
    char label[] = "four";
    soon_future *f = own_label_submit(executor, NULL, &(soon_submit_options){.label = label, .data = &data});
    struct gate told;

    label[0] = 'x'; /* it was copied */
    cr_assert_eq(own_label_get(f, SOON_FOREVER, &told), 0);
    cr_assert_eq(told.pid, 4);
    cr_assert_str_eq(soon_future_label(f), "four");
    cr_assert_eq(soon_future_data(f), &data);
    soon_future_unref(f);

    f = mul_submit(executor, NULL, NULL);
    cr_assert_str_eq(soon_future_label(f), "");
    cr_assert_null(soon_future_data(f));
    soon_future_unref(f);
}

SOON_TASK(time_left, soon_none, long)
{
    *result = (long)soon_task_time_left_ms(task);
    return 0;
}

TestOnEach(contract_submit, counts_the_time_limit_from_the_start)
{
    long left;

    cr_assert_eq(soon_take(soon_submit(executor, time_left), &left), 0);
    cr_assert_eq(left, SOON_FOREVER);
    cr_assert_eq(soon_take(soon_submit_with(executor, (.time_limit_ms = 1000000), time_left), &left), 0);
    cr_assert_gt(left, 0);
    cr_assert_leq(left, 1000000);
}

TestOnEach(contract_submit, takes_more_tasks_while_all_workers_are_busy)
{
    struct gate gate = gate_new();
    soon_future *futures[50];
    int product;

    occupy(executor, kind, gate);
    for (int i = 0; i < 50; i++)
        futures[i] = soon_submit(executor, mul, i, 2);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(soon_future_state(futures[i]), SOON_PENDING);
    gate_open(gate, kind->workers);

    for (int i = 0; i < 50; i++) {
        cr_assert_eq(soon_take(futures[i], &product), 0);
        cr_assert_eq(product, i * 2);
    }
    gate_free(gate);
}

TestOnEach(contract_submit, has_try_submit_that_gives_the_same)
{
    struct pair pair = {6, 7};
    soon_future *f;
    int product;

    cr_assert_eq(soon_try_submit_bytes(&f, executor, &mul_task, &pair, sizeof pair, NULL), 0);
    cr_assert_eq(soon_take(f, &product), 0);
    cr_assert_eq(product, 42);
    cr_assert_eq(mul_try_submit(&f, executor, &pair, NULL), 0);
    cr_assert_eq(soon_take(f, &product), 0);
    cr_assert_eq(product, 42);
}

TestOnEach(contract_submit, has_try_submit_with_the_argument_in_the_call)
{
    soon_future *f, *none = NULL;
    int product = 7, data;

    cr_assert_eq(soon_try_submit(&f, executor, mul, .x = 3, .y = 5), 0);
    cr_assert_eq(soon_take(f, &product), 0);
    cr_assert_eq(product, 15);
    cr_assert_eq(mul_try_submit(&f, executor, NULL, NULL), 0);
    cr_assert_eq(soon_take(f, &product), 0);
    cr_assert_eq(product, 0, "no argument is zeroes");
    cr_assert_eq(soon_try_submit_with(&f, executor, (.label = "six", .data = &data), mul, 2, 3), 0);
    cr_assert_str_eq(soon_future_label(f), "six");
    cr_assert_eq(soon_future_data(f), &data);
    cr_assert_eq(soon_take(f, &product), 0);
    cr_assert_eq(product, 6);
    cr_assert_eq(soon_try_submit_with(&f, executor, (.priority = 1), mul, 0), 0);
    cr_assert_eq(soon_take(f, &product), 0);

    cr_assert_eq(soon_try_submit_with(&none, executor, (.retries = -1), mul, 2, 3), -EINVAL);
    cr_assert_eq(soon_try_submit(&none, NULL, mul, 2, 3), -EINVAL);
    cr_assert_null(none);
}

SOON_TASK(swap, struct pair, struct pair)
{
    *result = (struct pair){arg->y, arg->x};
    return 0;
}

TestOnEach(contract_submit, runs_a_then_on_the_result_of_another)
{
    soon_future *first = soon_submit(executor, swap, 6, 2), *then = soon_then(first, executor, &divide_task);
    soon_future *failed = soon_then(then, executor, &swap_task), *zero = soon_submit(executor, swap, 0, 1);
    soon_future *raised = soon_then(zero, executor, &divide_task);
    int quotient;
    struct pair pair;

    cr_assert_eq(soon_result(then, &quotient), 0);
    cr_assert_eq(quotient, 0);
    cr_assert_eq(soon_result(failed, &pair), SOON_ETYPE);
    cr_assert_eq(soon_result(raised, &quotient), SOON_ERAISED);
    cr_assert_str_eq(soon_future_error(raised)->message, "division of 1 by zero");
    soon_futures_unref((soon_future *[]){first, then, failed, zero, raised}, 5);
}

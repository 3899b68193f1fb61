/*
 * contract_refusal.c - the contract of executors: submissions that cannot be taken. A submit returns a future that is
 * done all the same and takes what it was given; a try_submit takes nothing.
 */
#include "contract.h"

#include <stdatomic.h>

TestSuite(contract_refusal);

static atomic_int released;

static void count_release(void *pointer)
{
    (void)pointer;
    released++;
}

static soon_buffer *counted_payload(void)
{
    static char byte;
    soon_buffer *payload;

    cr_assert_eq(soon_buffer_wrap(&payload, &byte, 1, count_release), 0);
    return payload;
}

static void count_call(soon_future *future, void *data)
{
    cr_assert(soon_future_done(future));
    ++*(int *)data;
}

/* A submit that is refused: done with `code`, payload released. The same by try_submit: nothing taken. */
static void refuses(soon_executor *executor, const soon_function *function, const void *data, size_t size,
                    soon_submit_options options, int code)
{
    soon_future *f, *none = NULL;

    options.payload = counted_payload();
    cr_assert_eq(soon_try_submit_bytes(&none, executor, function, data, size, &options), code);
    cr_assert_null(none);
    cr_assert_eq(released, 0);

    f = soon_submit_bytes(executor, function, data, size, &options);
    cr_assert_not_null(f);
    cr_assert(soon_future_done(f));
    cr_assert_eq(soon_future_result(f, 0, &(soon_bytes){NULL, 0}), code);
    cr_assert_eq(soon_future_error(f)->code, code);
    cr_assert_not(soon_future_error(f)->started);
    cr_assert_str_not_empty(soon_future_error(f)->message);
    cr_assert_eq(released, 1);
    released = 0;
    soon_future_unref(f);
}

TestOnEach(contract_refusal, is_for_what_is_null)
{
    static const soon_function nameless = {.body = NULL, .arg_size = 1, .result_size = 1};
    const soon_submit_options none = {0};
    struct pair pair = {1, 2};

    refuses(NULL, &mul_task, &pair, sizeof pair, none, -EINVAL);
    refuses(executor, NULL, &pair, sizeof pair, none, -EINVAL);
    refuses(executor, &nameless, &pair, sizeof pair, none, -EINVAL);
    refuses(executor, &mul_task, NULL, sizeof pair, none, -EINVAL);
    cr_assert_eq(soon_try_submit_bytes(NULL, executor, &mul_task, &pair, sizeof pair, NULL), -EINVAL);
}

TestOnEach(contract_refusal, is_for_a_function_that_is_not_whole)
{
    static soon_function bodiless, nameless, strange;
    struct pair pair = {1, 2};

    bodiless = nameless = strange = mul_task;
    bodiless.body = NULL;
    nameless.name = NULL;
    strange.flags = 1u << 31;
    refuses(executor, &bodiless, &pair, sizeof pair, (soon_submit_options){0}, -EINVAL);
    refuses(executor, &nameless, &pair, sizeof pair, (soon_submit_options){0}, -EINVAL);
    refuses(executor, &strange, &pair, sizeof pair, (soon_submit_options){0}, -EINVAL);
}

TestOnEach(contract_refusal, is_for_an_argument_of_another_size)
{
    const struct pair pairs[2] = {{1, 2}, {3, 4}};
    static const size_t sizes[] = {0, 1, sizeof(struct pair) - 1, sizeof(struct pair) + 1, 2 * sizeof(struct pair)};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        refuses(executor, &mul_task, pairs, sizes[i], (soon_submit_options){0}, -EINVAL);
    refuses(executor, &mul_task, pairs, SIZE_MAX, (soon_submit_options){0}, -EINVAL);
}

TestOnEach(contract_refusal, is_for_options_that_make_no_sense)
{
    const struct pair pair = {1, 2};
    static const soon_submit_options senseless[] = {
        {.retries = -1},
        {.time_limit_ms = -1},
        {.queue_limit_ms = -1},
        {.when_full = (soon_full)-1},
        {.when_full = (soon_full)4},
        {.time_limit_ms = INT64_MIN},
    };

    for (size_t i = 0; i < sizeof senseless / sizeof *senseless; i++)
        refuses(executor, &mul_task, &pair, sizeof pair, senseless[i], -EINVAL);
}

TestOnEach(contract_refusal, keeps_the_label_and_calls_back)
{
    int calls = 0;
    soon_future *f = mul_submit(
        executor, NULL,
        &(soon_submit_options){.label = "late", .retries = -1, .on_done = count_call, .on_done_data = &calls});

    cr_assert_eq(calls, 1);
    cr_assert_str_eq(soon_future_label(f), "late");
    cr_assert_str_eq(soon_future_error(f)->label, "late");
    cr_assert_str_eq(soon_future_error(f)->function, "mul");
    soon_future_unref(f);
}

/* An option struct of a newer header. */
struct newer_options {
    soon_submit_options known;
    long unknown[4];
};

TestOnEach(contract_refusal, is_for_an_option_that_this_library_does_not_know)
{
    struct newer_options options = {.known = {.label = "new"}};
    struct pair pair = {3, 4};
    soon_future *f;
    int product;

    f = soon_submit_bytes_sized(executor, &mul_task, &pair, sizeof pair, &options.known, sizeof options);
    cr_assert_eq(soon_result(f, &product), 0);
    cr_assert_str_eq(soon_future_label(f), "new");
    soon_future_unref(f);

    options.unknown[3] = 1;
    f = soon_submit_bytes_sized(executor, &mul_task, &pair, sizeof pair, &options.known, sizeof options);
    cr_assert_eq(soon_result(f, &product), -EINVAL);
    soon_future_unref(f);
    f = NULL;
    cr_assert_eq(
        soon_try_submit_bytes_sized(&f, executor, &mul_task, &pair, sizeof pair, &options.known, sizeof options),
        -EINVAL);
    cr_assert_null(f);
}

TestOnEach(contract_refusal, is_not_for_the_options_of_an_older_header)
{
    struct pair pair = {3, 4};
    int data, product;
    soon_submit_options options = {.label = "old", .data = &data, .retries = -1};
    soon_future *f;

    f = soon_submit_bytes_sized(executor, &mul_task, &pair, sizeof pair, &options,
                                offsetof(soon_submit_options, priority));
    cr_assert_eq(soon_result(f, &product), 0);
    cr_assert_str_eq(soon_future_label(f), "old");
    cr_assert_eq(soon_future_data(f), &data);
    soon_future_unref(f);
    f = soon_submit_bytes_sized(executor, &mul_task, &pair, sizeof pair, &options, 0);
    cr_assert_eq(soon_result(f, &product), 0);
    cr_assert_str_eq(soon_future_label(f), "");
    soon_future_unref(f);
}

/* CPython: ExecutorShutdownTest.test_run_after_shutdown; multiprocessing: _TestPool.test_enter, test_context */
TestOnEach(contract_refusal, is_for_everything_after_a_shutdown)
{
    struct pair pair = {1, 2};
    int calls = 0;
    soon_future *f, *then;

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);

    refuses(executor, &mul_task, &pair, sizeof pair, (soon_submit_options){0}, SOON_ESHUTDOWN);
    f = mul_submit(executor, NULL,
                   &(soon_submit_options){.label = "late", .on_done = count_call, .on_done_data = &calls});
    cr_assert_eq(calls, 1);
    cr_assert_str_eq(soon_future_label(f), "late");
    then = soon_then(f, executor, &mul_task);
    cr_assert_eq(soon_future_result(then, 0, &(soon_bytes){NULL, 0}), SOON_ESHUTDOWN);
    soon_future_unref(f);
    soon_future_unref(then);
}

TestOnEach(contract_refusal, of_a_then_is_a_future_that_is_done)
{
    soon_future *first = soon_submit(executor, nothing), *then;

    then = soon_then(NULL, executor, &mul_task);
    cr_assert_eq(soon_future_result(then, 0, &(soon_bytes){NULL, 0}), -EINVAL);
    soon_future_unref(then);
    then = soon_then(first, NULL, &mul_task);
    cr_assert_eq(soon_future_result(then, 0, &(soon_bytes){NULL, 0}), -EINVAL);
    soon_future_unref(then);
    then = soon_then(first, executor, NULL);
    cr_assert_eq(soon_future_result(then, 0, &(soon_bytes){NULL, 0}), -EINVAL);
    soon_future_unref(then);
    soon_future_unref(first);
}

TestOnEach(contract_refusal, of_a_result_read_wrongly_leaves_it_alone)
{
    soon_future *f = soon_submit(executor, mul, 6, 7);
    long long large = -1;
    char small = 'x';
    int quotient = -1, product;

    cr_assert_eq(soon_result(f, &large), SOON_ETYPE);
    cr_assert_eq(soon_result(f, &small), SOON_ETYPE);
    cr_assert_eq(divide_get(f, SOON_FOREVER, &quotient), SOON_ETYPE);
    cr_assert_eq(soon_result_within(f, -2, &product), -EINVAL);
    cr_assert_eq(soon_future_read(f, SOON_FOREVER, NULL, sizeof product), -EINVAL);
    cr_assert_eq(mul_get(f, SOON_FOREVER, NULL), -EINVAL);
    cr_assert_eq(mul_get(NULL, SOON_FOREVER, &product), -EINVAL);
    cr_assert_eq(soon_future_read_as(f, NULL, SOON_FOREVER, &product, sizeof product), -EINVAL);
    cr_assert_eq(large, -1);
    cr_assert_eq(small, 'x');
    cr_assert_eq(quotient, -1);

    cr_assert_eq(mul_get(f, SOON_FOREVER, &product), 0);
    cr_assert_eq(product, 42);
    soon_future_unref(f);
}

/* What fails has no result of any type: the error comes first. */
TestOnEach(contract_refusal, of_a_failed_task_is_its_own_error_whoever_asks)
{
    soon_future *f = soon_submit(executor, divide, 1, 0);
    int product;
    long large;

    cr_assert_eq(mul_get(f, SOON_FOREVER, &product), SOON_ERAISED);
    cr_assert_eq(soon_result(f, &large), SOON_ERAISED);
    soon_future_unref(f);
}

/*
 * contract_after.c - the contract of executors: a task that starts when others are done, and reads their results.
 */
#include "contract.h"

#include <string.h>

TestSuite(contract_after);

/* All inputs are ints: their sum, and the argument's. */
SOON_TASK(add_inputs, int, int)
{
    int x;

    *result = *arg;
    for (size_t i = 0; i < soon_task_input_count(task); i++) {
        int rc = soon_input(task, i, &x);

        if (rc < 0)
            return soon_raise(task, EIO, "input %zu: %s", i, soon_strerror(rc));
        *result += x;
    }
    return 0;
}

static soon_future *after(soon_executor *executor, soon_future *const *futures, size_t count, int arg)
{
    return soon_submit_with(executor, (.label = "join", .after = futures, .after_count = count), add_inputs, arg);
}

static int sum_of(soon_future *future, const struct executor_kind *kind)
{
    int sum = -1, rc = soon_result(future, &sum);

    cr_assert_eq(rc, 0, "on %s: %s", kind->name, soon_future_error(future)->message);
    return sum;
}

TestOnEach(contract_after, reads_the_results_of_others_in_their_order)
{
    soon_future *fs[] = {soon_submit(executor, mul, 2, 3), soon_submit(executor, mul, 10, 10),
                         soon_submit(executor, mul, 1, 1)};
    soon_future *f = after(executor, fs, 3, 1000);

    soon_futures_unref(fs, 3); /* the task holds them */
    cr_assert_eq(sum_of(f, kind), 1107);
    cr_assert_str_eq(soon_future_label(f), "join");
    soon_future_unref(f);
}

SOON_TASK(tell_order, soon_none, int)
{
    int x;

    for (size_t i = 0; i < soon_task_input_count(task); i++) {
        if (soon_input(task, i, &x) < 0 || x != (int)i)
            return soon_raise(task, EIO, "input %zu is %d", i, x);
    }
    *result = (int)soon_task_input_count(task);
    return 0;
}

TestOnEach(contract_after, may_have_many_inputs)
{
    enum { MANY = 2000 };
    static soon_future *fs[MANY];
    soon_future *f;

    for (int i = 0; i < MANY; i++)
        fs[i] = soon_submit(executor, mul, i, 1);
    f = soon_submit_with(executor, (.after = fs, .after_count = MANY), tell_order);
    soon_futures_unref(fs, MANY);
    cr_assert_eq(sum_of(f, kind), MANY);
    soon_future_unref(f);
}

SOON_TASK(read_wrongly, soon_none, int)
{
    double wrong = 5;
    int x = 7;

    if (soon_input(task, 0, &wrong) != SOON_ETYPE || wrong != 5)
        return soon_raise(task, EIO, "another size is read");
    if (soon_input(task, 1, &x) != -EINVAL || x != 7 || soon_task_input(task, 1).size ||
        soon_task_input_payload(task, 1))
        return soon_raise(task, EIO, "an input that is not there is read");
    if (soon_task_read_input(task, 0, NULL, 4) != -EINVAL || soon_task_input_payload(task, 0))
        return soon_raise(task, EIO, "nowhere");
    return soon_input(task, 0, result);
}

TestOnEach(contract_after, reads_what_is_there)
{
    soon_future *first = soon_submit(executor, mul, 6, 7);
    soon_future *f = soon_submit_with(executor, (.after = &first, .after_count = 1), read_wrongly);

    cr_assert_eq(sum_of(f, kind), 42);
    soon_future_unref(f);
    soon_future_unref(first);
    f = soon_submit_with(executor, (.after = NULL, .after_count = 0), add_inputs, 5);
    cr_assert_eq(sum_of(f, kind), 5);
    soon_future_unref(f);
}

SOON_TASK(wait_then_tell, struct gate, int)
{
    *result = 3;
    return gate_pass(*arg, task);
}

TestOnEach(contract_after, starts_when_all_are_done_and_not_before)
{
    struct gate gate = gate_new();
    soon_future *fs[] = {soon_submit(executor, mul, 2, 3), wait_then_tell_submit(executor, &gate, NULL)};
    soon_future *f = after(executor, fs, 2, 0);

    await_running(executor, kind, gate, 1);
    cr_assert_eq(soon_future_wait(f, 1), -ETIMEDOUT);
    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    gate_open(gate, 1);
    cr_assert_eq(sum_of(f, kind), 9);
    soon_futures_unref(fs, 2);
    soon_future_unref(f);
    gate_free(gate);
}

TestOnEach(contract_after, fails_as_the_first_that_failed_and_does_not_run)
{
    soon_future *fs[] = {soon_submit(executor, mul, 2, 3), soon_submit(executor, divide, 8, 0),
                         soon_submit(executor, divide, 9, 0)};
    soon_future *f = after(executor, fs, 3, 0);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->raised, EDOM);
    cr_assert_str_eq(soon_future_error(f)->message, "division of 8 by zero");
    cr_assert_not(soon_future_cancelled(f));
    soon_futures_unref(fs, 3);
    soon_future_unref(f);
}

TestOnEach(contract_after, is_cancelled_with_one_that_is)
{
    struct gate gate = gate_new();
    soon_future *fs[2], *f;

    occupy(executor, kind, gate);
    fs[0] = soon_submit(executor, mul, 2, 3);
    fs[1] = soon_submit(executor, mul, 2, 3);
    f = after(executor, fs, 2, 0);
    cr_assert_eq(soon_future_cancel(fs[1]), kind->takes_back);
    gate_open(gate, kind->workers);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(f)); /* one that cannot be taken back is cancelled when its turn comes */
    soon_futures_unref(fs, 2);
    soon_future_unref(f);
    gate_free(gate);
}

/* A tree that nobody wants: what is below it ends, however deep. */
TestOnEach(contract_after, that_is_cancelled_cancels_what_it_waits_for)
{
    enum { LEAVES = 8 };
    struct gate gate = gate_new();
    soon_future *level[LEAVES], *all[2 * LEAVES], *root;
    int count = 0;

    occupy(executor, kind, gate);
    for (int i = 0; i < LEAVES; i++)
        all[count++] = level[i] = soon_submit(executor, mul, i, 1);
    for (int n = LEAVES; n > 1; n /= 2) {
        for (int i = 0; i < n / 2; i++)
            all[count++] = level[i] = after(executor, (soon_future *[]){level[2 * i], level[2 * i + 1]}, 2, 0);
    }
    root = level[0];
    cr_assert(soon_future_cancel(root));
    for (int i = 0; i < count; i++)
        cr_assert_eq(soon_future_cancelled(all[i]), i >= LEAVES || kind->takes_back, "on %s: %d", kind->name, i);
    gate_open(gate, kind->workers);
    soon_futures_unref(all, (size_t)count);
    gate_free(gate);
}

static void run_on_another(soon_executor *executor, const struct executor_kind *kind, soon_executor *other)
{
    soon_future *fs[] = {soon_submit(other, mul, 2, 3), soon_submit(executor, mul, 3, 3)}, *f, *g;

    f = after(executor, fs, 2, 1);
    g = after(other, (soon_future *[]){f, fs[0]}, 2, 100);
    cr_assert_eq(sum_of(f, kind), 16);
    cr_assert_eq(sum_of(g, kind), 122);
    soon_futures_unref(fs, 2);
    soon_future_unref(f);
    soon_future_unref(g);
}

TestOnEach(contract_after, may_wait_for_tasks_of_other_executors)
{
    for (size_t i = 0; i < sizeof executors / sizeof *executors; i++) {
        soon_executor *other;

        if (executors[i].is_elsewhere && !test_has_processes())
            continue;
        other = executors[i].make();
        run_on_another(executor, kind, other);
        cr_assert_eq(soon_executor_free(other), 0);
    }
}

TestOnEach(contract_after, may_wait_for_promises_gathers_and_anys)
{
    soon_promise *promise;
    soon_future *fs[3], *f;
    soon_bytes none;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    fs[0] = soon_promise_future(promise);
    fs[1] = soon_gather(fs, 1);
    fs[2] = soon_any(fs, 1);
    f = soon_submit_with(executor, (.after = (soon_future *[]){fs[0], fs[2]}, .after_count = 2), add_inputs, 1);
    cr_assert_eq(soon_promise_set_result(promise, &(int){20}, sizeof(int)), 0);
    cr_assert_eq(sum_of(f, kind), 41);
    soon_future_unref(f);
    f = soon_submit_with(executor, (.after = &fs[1], .after_count = 1), add_inputs, 1);
    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &none), SOON_ERAISED); /* a gather has no bytes */
    soon_future_unref(f);
    soon_futures_unref(fs, 3);
    soon_promise_free(promise);
}

/*
 * What they bring
 */

struct bulk {
    size_t bytes, payload;
    char letter;
};

SOON_TASK_BYTES(make_bulk)
{
    const struct bulk *bulk = arg.data;
    soon_buffer *buffer;
    char *space = soon_task_return_space(task, bulk->bytes);

    if (!space || soon_buffer_new(&buffer, bulk->payload) < 0)
        return -ENOMEM;
    memset(space, bulk->letter, bulk->bytes);
    memset(soon_buffer_data(buffer), bulk->letter, bulk->payload);
    return soon_task_return_payload(task, buffer);
}

static bool is_full_of(const void *data, size_t size, char letter)
{
    const char *bytes = data;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != letter)
            return false;
    }
    return true;
}

SOON_TASK_BYTES(check_bulk)
{
    const struct bulk *bulks = arg.data;

    if (soon_task_input_count(task) != arg.size / sizeof *bulks || strcmp(soon_task_extra(task).data, "extra") != 0 ||
        soon_task_payload_count(task) != 2)
        return soon_raise(task, EIO, "%zu inputs", soon_task_input_count(task));
    for (size_t i = 0; i < arg.size / sizeof *bulks; i++) {
        soon_bytes input = soon_task_input(task, i);
        soon_buffer *payload = soon_task_input_payload(task, i);

        if (input.size != bulks[i].bytes || !is_full_of(input.data, input.size, bulks[i].letter) ||
            (uintptr_t)input.data % test_alignment(input.size))
            return soon_raise(task, EIO, "input %zu is another", i);
        if (!payload || soon_buffer_size(payload) != bulks[i].payload ||
            !is_full_of(soon_buffer_data(payload), bulks[i].payload, bulks[i].letter))
            return soon_raise(task, EIO, "the payload of %zu is another", i);
    }
    return 0;
}

/* In a request, in the area, by a descriptor, by that of all; beside what else a task may bring. */
TestOnEach(contract_after, brings_results_and_payloads_of_all_sizes)
{
    static const struct bulk bulks[] = {{10, 0, 'a'},         {0, 10, 'b'},         {5 << 20, 1 << 20, 'c'},
                                        {3 << 20, 1000, 'd'}, {1000, 3 << 20, 'e'}, {3 << 20, 1 << 19, 'f'}};
    enum { COUNT = sizeof bulks / sizeof *bulks };
    soon_future *fs[COUNT], *f;
    soon_buffer *payloads[2];
    int rc;

    for (int i = 0; i < COUNT; i++)
        fs[i] = make_bulk_submit(executor, &bulks[i], sizeof *bulks, NULL);
    cr_assert_eq(soon_buffer_new(&payloads[0], 10), 0);
    cr_assert_eq(soon_buffer_new(&payloads[1], 2 << 20), 0);
    f = check_bulk_submit(executor, bulks, sizeof bulks,
                          &(soon_submit_options){.extra = soon_string("extra"),
                                                 .payloads = payloads,
                                                 .payload_count = 2,
                                                 .after = fs,
                                                 .after_count = COUNT});
    soon_futures_unref(fs, COUNT);
    rc = soon_future_wait(f, SOON_FOREVER);
    cr_assert_eq(soon_future_error(f)->code, 0, "on %s: %d: %s", kind->name, rc, soon_future_error(f)->message);
    soon_future_unref(f);
}

/*
 * Shutdown and refusals
 */

TestOnEach(contract_after, is_waited_for_by_a_drain)
{
    soon_promise *promise;
    soon_future *first, *f;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    first = soon_promise_future(promise);
    f = after(executor, &first, 1, 1);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_not(soon_future_done(f));
    cr_assert_eq(soon_promise_set_result(promise, &(int){1}, sizeof(int)), 0);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(sum_of(f, kind), 2);
    soon_future_unref(f);
    soon_future_unref(first);
    soon_promise_free(promise);
}

TestOnEach(contract_after, is_cancelled_by_other_shutdowns)
{
    soon_promise *promise;
    soon_future *first, *f, *late;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    first = soon_promise_future(promise);
    f = after(executor, &first, 1, 1);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(f));
    cr_assert_not(soon_future_done(first));
    late = after(executor, &first, 1, 1);
    cr_assert_eq(soon_future_error(late)->code, SOON_ESHUTDOWN);
    soon_future_unref(late);
    cr_assert_eq(soon_try_submit_with(&late, executor, (.after = &first, .after_count = 1), add_inputs, 1),
                 SOON_ESHUTDOWN);
    soon_future_unref(f);
    soon_future_unref(first);
    soon_promise_free(promise);
}

TestOnEach(contract_after, that_makes_no_sense_is_refused)
{
    soon_future *first = soon_submit(executor, mul, 1, 2), *hole[2] = {first, NULL};
    soon_submit_options senseless[] = {
        {.after_count = 1}, {.after = hole, .after_count = 2}, {.after = hole, .after_count = SIZE_MAX}};
    soon_submit_options each = {.after = &first, .after_count = 1};
    struct pair pair = {1, 2};
    int product;

    for (int i = 0; i < 3; i++) {
        soon_future *f = add_inputs_submit(executor, &(int){1}, &senseless[i]);

        cr_assert_eq(soon_future_error(f)->code, -EINVAL);
        soon_future_unref(f);
        cr_assert_eq(add_inputs_try_submit(&f, executor, &(int){1}, &senseless[i]), -EINVAL);
    }
    cr_assert_eq(soon_map_with(executor, (.each = &each), mul, &pair, 1, &product, NULL), -EINVAL);
    soon_future_unref(first);
}

/*
 * tracer.c - what a trace has of calls, their items and their workers, on each kind of executor. traces.sh holds a whole
 * storm against its log.
 */
#include "../support/executors.h"
#include "../support/futures.h"
#include "../support/json.h"

TestSuite(tracer, .init = close_gate);

static char path[40];
static char *text;

static void begin(void)
{
    strcpy(path, "/tmp/soon-trace-XXXXXX");
    close(mkstemp(path));
    cr_assert_eq(soon_trace_start(path, NULL), 0);
}

/* Reads what was written. */
static void end(void)
{
    cr_assert_eq(soon_trace_stop(), 0);
    text = text_of_file(path);
    unlink(path);
    cr_assert_gt(json_array(text), 0, "%s", text);
    cr_assert_eq(dropped_in(text), 0);
}

static void assert_count(const char *part, size_t count)
{
    cr_assert_eq(count_in(text, part), count, "%s: %zu, not %zu, in\n%s", part, count_in(text, part), count, text);
}

/* The value behind `key` in the last line that has `part`. */
static long last_value(const char *part, const char *key)
{
    const char *last = NULL;

    for (const char *at = text; (at = strstr(at, part)); at++)
        last = at;
    cr_assert(last, "%s", part);
    last = strstr(last, key);
    cr_assert(last, "%s", key);
    return strtol(last + strlen(key), NULL, 10);
}

SOON_TASK(twice, int, int)
{
    *result = 2 * *arg;
    return *arg < 0 ? soon_raise(task, 1, "%d is negative", *arg) : 0;
}

SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return wait_at_gate(task);
}

static soon_future *submit_twice(soon_executor *executor, int arg, const char *label)
{
    return soon_submit_bytes(executor, &twice_task, &arg, sizeof arg, &(soon_submit_options){.label = label});
}

static void finish_one(soon_future *future)
{
    soon_wait(&future, 1, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
    soon_future_unref(future);
}

TestOnEach(tracer, has_a_slice_a_wait_and_an_arrow_for_each_task)
{
    begin();
    for (int i = 0; i < 10; i++)
        finish_one(submit_twice(executor, i, "good"));
    finish_one(submit_twice(executor, -1, "bad"));
    end();

    assert_count("\"cat\":\"task\",\"name\":\"twice\"", 11);
    assert_count("\"label\":\"good\",\"executor\":", 3 * 10);
    assert_count("\"outcome\":\"succeeded\"", 10);
    assert_count("\"outcome\":\"raised\"", 1);
    assert_count("\"ph\":\"X\",\"cat\":\"submit\"", 11);
    assert_count("\"ph\":\"b\"", 11);
    assert_count("\"ph\":\"e\"", 11);
    assert_count("\"ph\":\"s\"", 11);
    assert_count("\"ph\":\"f\"", 11);
    cr_assert_eq(last_value(" tasks\"", "\"waiting\":"), 0);
    cr_assert_eq(last_value(" tasks\"", "\"running\":"), 0);
    free(text);
}

TestOnEach(tracer, has_an_arrow_from_each_task_that_another_has_waited_for)
{
    soon_future *first[2], *then, *after;
    int arg = 3;

    begin();
    first[0] = submit_twice(executor, 1, "first");
    first[1] = submit_twice(executor, 2, "first");
    then = soon_then(first[0], executor, &twice_task);
    after = soon_submit_bytes(executor, &twice_task, &arg, sizeof arg,
                              &(soon_submit_options){.after = first, .after_count = 2});
    finish_one(then);
    finish_one(after);
    finish_one(first[0]);
    finish_one(first[1]);
    end();

    assert_count("\"cat\":\"task\",\"name\":\"twice\"", 4);
    assert_count("\"ph\":\"s\",\"cat\":\"flow\",\"name\":\"then\"", 3);
    assert_count("\"ph\":\"f\",\"cat\":\"flow\",\"name\":\"then\"", 3);
    free(text);
}

TestOnEach(tracer, has_a_slice_for_each_item_in_that_of_its_chunk)
{
    enum { ITEMS = 20 };
    int args[ITEMS], results[ITEMS], errors[ITEMS];

    begin();
    for (int i = 0; i < ITEMS; i++)
        args[i] = i == 7 ? -1 : i;
    (void)soon_map_with(executor, (.chunk = 5), twice, args, ITEMS, results, errors);
    for (int i = 0; i < ITEMS; i++)
        cr_assert_eq(errors[i], i == 7 ? SOON_ERAISED : 0);
    end();

    assert_count("\"cat\":\"item\",\"name\":\"twice\"", ITEMS);
    assert_count("\"outcome\":\"raised\"", 1);
    for (int i = 0; i < ITEMS; i++)
        cr_assert(i == 7 || results[i] == 2 * i);
    free(text);
}

Test(tracer, has_the_end_of_a_wait_for_a_task_that_was_cancelled_before_it_began)
{
    soon_executor *executor = make_one_thread();
    soon_future *blocker, *late;

    begin();
    blocker = soon_submit(executor, at_gate, 1);
    late = submit_twice(executor, 1, "late");
    cr_assert(soon_future_cancel(late));
    open_gate();
    finish_one(blocker);
    finish_one(late);
    end();

    assert_count("\"name\":\"twice\"", 0);
    assert_count("\"ph\":\"i\",\"cat\":\"wait\",\"name\":\"cancelled\"", 1);
    assert_count("\"ph\":\"b\"", 2);
    assert_count("\"ph\":\"e\"", 2);
    cr_assert_eq(last_value(" tasks\"", "\"waiting\":"), 0);
    free(text);
    cr_assert_eq(soon_executor_free(executor), 0);
}

/* The counts of a trace are of its own calls. */
Test(tracer, has_nothing_of_a_task_that_was_submitted_before_it_began)
{
    soon_executor *executor = make_one_thread();
    soon_future *early = soon_submit(executor, at_gate, 1), *earlier_trace;

    begin();
    earlier_trace = submit_twice(executor, 1, "of the first");
    end();
    free(text);
    begin();
    open_gate();
    finish_one(early);
    finish_one(earlier_trace);
    finish_one(submit_twice(executor, 1, "mine"));
    end();

    assert_count("\"cat\":\"task\"", 1);
    assert_count("\"label\":\"mine\",\"executor\":", 3);
    cr_assert_eq(last_value(" tasks\"", "\"waiting\":"), 0);
    cr_assert_eq(last_value(" tasks\"", "\"running\":"), 0);
    free(text);
    cr_assert_eq(soon_executor_free(executor), 0);
}

SOON_TASK(die, int, int)
{
    (void)task;
    (void)result;
    _exit(*arg);
}

Test(tracer, has_a_slice_for_each_try_and_a_mark_for_each_death)
{
    soon_executor *executor = make_one_process();
    int arg = 3;

    begin();
    finish_one(soon_submit_bytes(executor, &die_task, &arg, sizeof arg, &(soon_submit_options){.retries = 2}));
    cr_assert_eq(soon_executor_free(executor), 0);
    end();

    assert_count("\"cat\":\"task\",\"name\":\"die\"", 3);
    assert_count("\"outcome\":\"worker died\"", 3);
    assert_count("\"again\":true", 2);
    assert_count("\"ph\":\"b\"", 3);
    assert_count("\"cat\":\"worker\",\"name\":\"died\"", 3);
    assert_count("\"cat\":\"worker\",\"name\":\"restarted\"", 2);
    assert_count("\"name\":\"process_name\"", 4);
    cr_assert_eq(last_value(" workers\"", "\"workers\":"), 0);
    free(text);
}

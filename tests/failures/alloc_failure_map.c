/*
 * alloc_failure_map.c - the map family when any one allocation fails, or that one and all that follow: every item is
 * accounted for, every argument and result released, nothing hangs.
 */
#include "../harness/fail.h"
#include "../support/executors.h"

#include <string.h>

static _Atomic int alive;

static void free_number(void *data)
{
    alive--;
    fail_pause();
    free(*(int **)data);
    fail_resume();
}

static int *box(int value)
{
    int *number;

    fail_pause();
    number = malloc(sizeof *number);
    fail_resume();
    *number = value;
    alive++;
    return number;
}

/* Negative: fails. */
SOON_TASK_LOCAL(add_one, int *, int *, free_number, free_number)
{
    if (**arg < 0)
        return soon_raise(task, EDOM, "%d is negative", **arg);
    *result = box(**arg + 1);
    return 0;
}

enum { ITEMS = 12 };

static void fill(int **args)
{
    for (int i = 0; i < ITEMS; i++)
        args[i] = box(i % 4 == 1 ? -i : i);
}

static bool is_allowed(int code, int i)
{
    return code == -ENOMEM || (i % 4 == 1 ? code == SOON_ERAISED : code == 0);
}

static void take_result(int *number, int code, int i)
{
    if (code) {
        cr_assert_null(number);
    } else {
        cr_assert_eq(*number, i + 1);
        free_number(&number);
    }
}

static void map(soon_executor *executor, size_t chunk, int64_t timeout_ms)
{
    int *args[ITEMS], *results[ITEMS], errors[ITEMS], rc;

    fill(args);
    memset(results, 0xee, sizeof results);
    errors[0] = 99;
    rc = soon_map_with(executor, (.chunk = chunk, .timeout_ms = timeout_ms), add_one, args, ITEMS, results, errors);
    cr_assert(rc == SOON_ERAISED || rc == -ENOMEM);
    for (int i = 0; errors[0] != 99 && i < ITEMS; i++) {
        cr_assert(is_allowed(errors[i], i), "item %d: %d", i, errors[i]);
        take_result(results[i], errors[i], i);
    }
}

static void map_async(soon_executor *executor, size_t chunk)
{
    int *args[ITEMS], *number;
    soon_future *future;

    fill(args);
    future = soon_map_async_with(executor, (.chunk = chunk), add_one, args, ITEMS);
    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    for (int i = 0; i < ITEMS && soon_map_count(future, NULL, NULL); i++) {
        int rc = soon_map_item(future, (size_t)i, SOON_FOREVER, &number, sizeof number);

        cr_assert(is_allowed(rc, i));
        cr_assert_eq(soon_map_item_error(future, (size_t)i)->code, rc);
    }
    cr_assert_neq(soon_future_error(future)->code, 0);
    soon_future_unref(future);
}

static int next_number(void *arg, void *data)
{
    int *next = data;

    if (*next == ITEMS)
        return 0;
    *(int **)arg = box(*next % 4 == 1 ? -*next : *next);
    ++*next;
    return 1;
}

static void imap(soon_executor *executor, size_t chunk, bool unordered, bool to_the_end)
{
    soon_map_options options = {.chunk = chunk, .unordered = unordered, .in_flight_max = 5};
    int next = 0, handed_out = 0, rc;
    soon_future *future;
    soon_imap *imap;

    rc = soon_imap_new(&imap, executor, &add_one_task, &options, next_number, &next);
    cr_assert(rc == 0 || rc == -ENOMEM);
    for (int failures = 0; rc == 0 && failures < 3 && (to_the_end || handed_out < 3);) {
        uint64_t index;

        rc = soon_imap_next(imap, SOON_FOREVER, &future, &index);
        if (rc == 0) {
            cr_assert(is_allowed(soon_future_error(future)->code, (int)index));
            soon_future_unref(future);
            handed_out++;
        } else if (rc == -ENOMEM) {
            failures++;
            rc = 0; /* it may be repeated */
        } else {
            cr_assert_eq(rc, SOON_EEND);
            cr_assert_eq(handed_out, ITEMS);
        }
    }
    if (rc != -ENOMEM)
        soon_imap_free(imap);
}

static void count(soon_bytes result, void *data)
{
    (void)result;
    ++*(_Atomic int *)data;
}

static void count_error(const soon_error *error, void *data)
{
    cr_assert_eq(error->code, -ENOMEM);
    ++*(_Atomic int *)data;
}

static void apply(soon_executor *executor)
{
    _Atomic int calls = 0;
    int *number = box(5);
    soon_future *future =
        soon_apply_async_bytes(executor, &add_one_task, &number, sizeof number, count, count_error, &calls);

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    cr_assert_eq(calls, 1);
    soon_future_unref(future);
}

/*
 * Items of any size, each with a payload
 */

static void free_payload(void *data)
{
    (void)data;
    alive--;
}

static soon_buffer *payload(void)
{
    static char bytes[1];
    soon_buffer *buffer = NULL;

    fail_pause();
    cr_assert_eq(soon_buffer_wrap(&buffer, bytes, 1, free_payload), 0);
    fail_resume();
    alive++;
    return buffer;
}

SOON_TASK_STRING(echo)
{
    if (strcmp(arg, "bad") == 0)
        return soon_raise(task, EDOM, "it is bad");
    return soon_task_return_text(task, "%s", arg);
}

static int give_item(soon_item *item, void *data)
{
    int *next = data;

    if (*next == ITEMS)
        return 0;
    *item = soon_item_of_string(*next % 4 == 1 ? "bad" : "good");
    item->payload = payload();
    item->label = "an item";
    ++*next;
    return 1;
}

/* -ENOMEM may also be what the task itself raises of. */
static bool may_be(int code, int i)
{
    return code == SOON_ERAISED || is_allowed(code, i);
}

static void fill_items(soon_item *items)
{
    for (int i = 0, next = 0; next < ITEMS; i++)
        (void)give_item(&items[i], &next);
}

static void map_items(soon_executor *executor, size_t chunk)
{
    int errors[ITEMS];
    soon_item items[ITEMS];
    soon_future *future;

    fill_items(items);
    errors[0] = 99;
    cr_assert_lt(soon_map_items_with(executor, (.chunk = chunk), echo, items, ITEMS, NULL, errors), 0);
    for (int i = 0; errors[0] != 99 && i < ITEMS; i++)
        cr_assert(may_be(errors[i], i), "item %d: %d", i, errors[i]);

    fill_items(items);
    future = soon_map_items_async_with(executor, (.chunk = chunk), echo, items, ITEMS);
    for (int i = 0; i < ITEMS && soon_map_count(future, NULL, NULL); i++) {
        soon_bytes text = {"good", 5};
        int rc = soon_map_item_result(future, (size_t)i, SOON_FOREVER, &text);

        cr_assert(may_be(rc, i));
        cr_assert_str_eq(text.data, "good");
    }
    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    soon_future_unref(future);
}

static void imap_items(soon_executor *executor, size_t chunk)
{
    soon_map_options options = {.chunk = chunk, .in_flight_max = 5};
    int next = 0, handed_out = 0, rc;
    soon_future *future;
    soon_imap *imap;

    rc = soon_imap_items_new(&imap, executor, &echo_task, &options, give_item, &next);
    for (int failures = 0; rc == 0 && failures < 3;) {
        rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL);
        if (rc == 0) {
            cr_assert(may_be(soon_future_error(future)->code, handed_out));
            soon_future_unref(future);
            handed_out++;
        } else if (rc == -ENOMEM) {
            failures++;
            rc = 0; /* it may be repeated */
        } else {
            cr_assert_eq(rc, SOON_EEND);
            cr_assert_eq(handed_out, ITEMS); /* none of them was lost */
        }
    }
    if (rc != -ENOMEM)
        soon_imap_free(imap);
}

static void session(soon_executor *executor)
{
    map(executor, 1, 0);
    map(executor, 5, 0);
    map(executor, 5, 3600000);
    map_async(executor, 1);
    map_async(executor, 4);
    for (int i = 0; i < 8; i++)
        imap(executor, i & 1 ? 2 : 1, i & 2, i & 4);
    apply(executor);
    for (size_t chunk = 1; chunk < 6; chunk += 4) {
        map_items(executor, chunk);
        imap_items(executor, chunk);
    }
}

static void each_allocation_fails(void (*fail)(size_t nth))
{
    for (size_t e = 0; e < sizeof executors / sizeof *executors && !executors[e].is_elsewhere; e++) {
        size_t nth = 0, calls = 1;

        while (nth < calls) {
            soon_executor *executor;

            fail_pause();
            executor = executors[e].make();
            cr_assert_eq(soon_executor_boot(executor, SOON_FOREVER),
                         0); /* what cannot start is another test's matter */
            fail_resume();
            fail(++nth);
            session(executor);
            cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
            calls = fail_stop();
            soon_executor_free(executor);
            test_wait_until(alive == 0);
        }
        cr_assert_gt(nth, 50);
    }
}

Test(alloc_failure_map, of_one_is_told)
{
    each_allocation_fails(fail_nth);
}

Test(alloc_failure_map, of_all_that_follow_is_told)
{
    each_allocation_fails(fail_from);
}

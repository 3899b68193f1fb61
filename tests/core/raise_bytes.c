/*
 * raise_bytes.c - errors that carry bytes beside their message, on every executor.
 */
#include "../support/executors.h"

#include <string.h>

TestSuite(raise_bytes);

enum { MOST = 65535 };

struct wish {
    int code;
    size_t message, data; /* how long */
};

static char *text_of(size_t length)
{
    char *text = malloc(length + 1);

    cr_assert_not_null(text);
    memset(text, 'x', length);
    text[length] = '\0';
    return text;
}

/* Its bytes are 0, 1, 2 ... */
static unsigned char *bytes_of(size_t size)
{
    unsigned char *bytes = malloc(size + 1);

    cr_assert_not_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)i;
    return bytes;
}

SOON_TASK(fail, struct wish, int)
{
    char *text = text_of(arg->message);
    unsigned char *bytes = bytes_of(arg->data);
    int rc = soon_raise_bytes(task, arg->code, arg->message ? text : NULL, bytes, arg->data);

    free(text);
    free(bytes);
    return rc;
}

static void assert_carries(const soon_error *error, const struct wish *wish)
{
    unsigned char *bytes = bytes_of(wish->data);

    cr_assert_eq(error->code, SOON_ERAISED);
    cr_assert_eq(error->raised, wish->code);
    cr_assert_str_eq(error->function, "fail");
    if (wish->message)
        cr_assert_eq(strlen(error->message), wish->message);
    else
        cr_assert_str_eq(error->message, soon_strerror(wish->code));
    cr_assert_eq(error->data_size, wish->data);
    if (wish->data)
        cr_assert_arr_eq(error->data, bytes, wish->data);
    else
        cr_assert_null(error->data);
    free(bytes);
}

TestOnEach(raise_bytes, brings_them_to_the_reader)
{
    static const struct wish wishes[] = {{5, 0, 0},         {5, 3, 0},    {5, 0, 1},   {EDOM, 7, 300}, {5, 1, 2},
                                         {-7, 3, MOST - 3}, {7, MOST, 0}, {7, 100, 0}, {7, 1, 4096}};

    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        soon_future *f = fail_submit(executor, &wishes[i], NULL);
        soon_error *kept;

        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        assert_carries(soon_future_error(f), &wishes[i]);
        kept = soon_error_copy(soon_future_error(f));
        soon_future_unref(f);
        assert_carries(kept, &wishes[i]);
        soon_error_free(kept);
    }
}

TestOnEach(raise_bytes, refuses_more_than_a_reply_has_room_for)
{
    static const struct wish wishes[] = {{5, 3, MOST - 2}, {5, 0, MOST + 1}, {5, MOST + 1, 0}};

    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        soon_future *f = fail_submit(executor, &wishes[i], NULL);

        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_error(f)->raised, -EMSGSIZE);
        cr_assert_not_null(strstr(soon_future_error(f)->message, "are more than 65535"));
        cr_assert_null(soon_future_error(f)->data);
        soon_future_unref(f);
    }
}

TestOnEach(raise_bytes, are_each_items_own_in_a_map)
{
    static const struct wish wishes[] = {{1, 1, 10}, {2, 0, 0}, {3, 5, 1000}, {4, 2, 1}};
    soon_future *map = soon_map_async_with(executor, (.chunk = 2), fail, wishes, 4);

    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    for (size_t i = 0; i < 4; i++)
        assert_carries(soon_map_item_error(map, i), &wishes[i]);
    assert_carries(soon_future_error(map), &wishes[0]);
    soon_future_unref(map);
}

SOON_TASK_LOCAL(pass_on, soon_future *, int, NULL, NULL)
{
    cr_assert_eq(soon_future_wait(*arg, SOON_FOREVER), 0);
    return soon_raise_from(task, *arg);
}

TestOnEach(raise_bytes, are_passed_on)
{
    static const struct wish wish = {9, 2, 77};
    soon_future *f = fail_submit(executor, &wish, NULL), *then = soon_then(f, executor, &fail_task), *outer;
    soon_executor *threads = make_threads(1);
    soon_promise *promise;

    cr_assert_eq(soon_future_wait(then, SOON_FOREVER), 0);
    assert_carries(soon_future_error(then), &wish);
    outer = soon_submit(threads, pass_on, f);
    cr_assert_eq(soon_future_wait(outer, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(outer)->data_size, 77);
    soon_future_unref(outer);

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    outer = soon_promise_future(promise);
    cr_assert_eq(soon_promise_set_error(promise, soon_future_error(f)), 0);
    assert_carries(soon_future_error(outer), &wish);
    soon_future_unref(outer);
    soon_promise_free(promise);
    soon_future_unref(then);
    soon_future_unref(f);
    cr_assert_eq(soon_executor_free(threads), 0);
}

SOON_TASK(fail_badly, int, int)
{
    return soon_raise_bytes(task, 5, "text", NULL, 1);
}

TestOnEach(raise_bytes, that_are_not_there_fail_the_task_all_the_same)
{
    int x;

    cr_assert_eq(soon_take(soon_submit(executor, fail_badly, 0), &x), SOON_ERAISED);
    cr_assert_eq(soon_last_error()->raised, -EINVAL);
}

/* Its last byte is not 0, as that of a text is. */
SOON_TASK(begin_badly, soon_none, soon_none)
{
    return soon_raise_bytes(task, 5, "no model", "\1\2", 2);
}

Test(raise_bytes, of_an_initializer_leave_its_message_whole)
{
    for (int kind = SOON_THREADS; kind <= SOON_PROCESSES; kind++) {
        soon_executor *pool;
        soon_pool_options options = {.workers = 1, .initializer = &begin_badly_task};

        cr_assert_eq(soon_pool_new(&pool, (soon_pool_kind)kind, &options), 0);
        cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), SOON_EBROKEN);
        cr_assert_str_eq(soon_executor_error(pool)->message, "the initializer failed: no model");
        cr_assert_eq(soon_executor_free(pool), 0);
    }
}

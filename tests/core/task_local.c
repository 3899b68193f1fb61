/*
 * task_local.c - what LOCAL arguments and results point to, and payloads: released exactly once, however a task ends.
 */
#include "../support/pools.h"

/* Counts what is alive: each block is made by the test and freed by a release function. */
static atomic_int arguments, results, payloads;

struct text {
    char *bytes;
    struct gate *gate;
};

static struct text new_text(struct gate *gate)
{
    arguments++;
    return (struct text){strdup("text"), gate};
}

static void free_argument(void *arg)
{
    free(((struct text *)arg)->bytes);
    arguments--;
}

static void free_result(void *result)
{
    free(*(char **)result);
    results--;
}

/* Upper case; with a gate it waits there first; without bytes it raises. */
SOON_TASK_LOCAL(shout, struct text, char *, free_argument, free_result)
{
    if (arg->gate && gate_pass(*arg->gate, task) < 0)
        return -ECANCELED;
    if (!arg->bytes)
        return soon_raise(task, EINVAL, "no text");
    *result = strdup("TEXT");
    results++;
    return 0;
}

static soon_future *submit_shout(soon_executor *pool, struct gate *gate, const soon_submit_options *options)
{
    struct text text = new_text(gate);

    return shout_submit(pool, &text, options);
}

static void assert_all_released(void)
{
    test_wait_until(arguments == 0 && results == 0 && payloads == 0);
}

TestSuite(task_local, .fini = assert_all_released);

/* CPython: ExecutorTest.test_no_stale_references; multiprocessing: _TestPool.test_release_task_refs */
Test(task_local, argument_is_released_when_the_task_has_ended)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f = submit_shout(pool, NULL, NULL);
    char *text;

    cr_assert_eq(shout_get(f, SOON_FOREVER, &text), 0);
    test_wait_until(arguments == 0); /* while the future lives */
    cr_assert_str_eq(text, "TEXT");  /* lent */
    cr_assert_eq(results, 1);
    soon_future_unref(f);

    test_wait_until(results == 0); /* the worker may hold the last reference for a moment */
    free_pool(pool);
}

/* CPython: ExecutorTest.test_free_reference */
Test(task_local, result_belongs_to_who_takes_it)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f = submit_shout(pool, NULL, NULL);
    char *text;

    soon_future_ref(f);
    cr_assert_eq(soon_take(f, &text), 0);
    soon_future_unref(f);
    cr_assert_eq(results, 1);
    cr_assert_str_eq(text, "TEXT");
    free_result(&text);
    free_pool(pool);
}

Test(task_local, result_stays_the_futures_when_the_take_fails)
{
    soon_executor *pool = new_pool(.workers = 1);
    char small;

    cr_assert_eq(soon_take(submit_shout(pool, NULL, NULL), &small), SOON_ETYPE);
    test_wait_until(results == 0); /* the worker may hold the last reference for a moment */
    free_pool(pool);
}

Test(task_local, both_are_released_when_nobody_holds_the_future)
{
    soon_executor *pool = new_pool(.workers = 2);

    for (int i = 0; i < 100; i++)
        soon_future_unref(submit_shout(pool, NULL, NULL));
    free_pool(pool);
}

Test(task_local, argument_is_released_when_the_task_raises)
{
    soon_executor *pool = new_pool(.workers = 1);
    struct text none = {NULL, NULL};

    arguments++;
    cr_assert_eq(outcome_of(shout_submit(pool, &none, NULL)), SOON_ERAISED);
    free_pool(pool);
}

/* The task left a result before it failed: nobody releases what it points to but the task itself. */
SOON_TASK_LOCAL(change_its_mind, soon_none, char *, NULL, free_result)
{
    static char text[] = "static";

    *result = text;
    return -EIO;
}

Test(task_local, result_of_a_failed_task_is_nobodys)
{
    soon_executor *pool = new_pool(.workers = 1);

    cr_assert_eq(outcome_of(soon_submit(pool, change_its_mind)), SOON_ERAISED);
    test_wait_until(results == 0); /* the worker may hold the last reference for a moment */
    free_pool(pool);
}

/* One worker at a gate; what is behind it is pending. */
static struct {
    soon_executor *pool;
    struct gate gate;
    soon_future *first;
} busy;

static void make_busy_pool(void)
{
    busy.gate = gate_new();
    busy.pool = new_pool(.workers = 1, .queue_max = 10);
    busy.first = occupy_one(busy.pool, busy.gate);
}
static void drop_busy_pool(void)
{
    gate_open(busy.gate, 1);
    soon_future_unref(busy.first);
    free_pool(busy.pool);
    gate_free(busy.gate);
    assert_all_released();
}

Test(task_local, argument_is_released_by_who_cancels, .init = make_busy_pool, .fini = drop_busy_pool)
{
    soon_future *f = submit_shout(busy.pool, NULL, NULL);

    cr_assert_eq(arguments, 1);
    cr_assert(soon_future_cancel(f));
    cr_assert_eq(arguments, 0);
    soon_future_unref(f);
}

Test(task_local, argument_is_released_when_a_running_task_gives_in)
{
    soon_executor *pool = new_pool(.workers = 1);
    struct gate gate = gate_new();
    soon_future *f = submit_shout(pool, &gate, NULL);

    gate_await(gate, 1);
    cr_assert(test_is_asked_to_end(f));
    cr_assert_eq(outcome_of(f), -ECANCELED);
    free_pool(pool);
    gate_free(gate);
}

Test(task_local, argument_is_released_when_it_expires, .init = make_busy_pool, .fini = drop_busy_pool)
{
    soon_future *f = submit_shout(busy.pool, NULL, &(soon_submit_options){.queue_limit_ms = 1});

    cr_assert_eq(outcome_of(f), SOON_EEXPIRED);
    test_wait_until(arguments == 0);
}

Test(task_local, argument_is_released_by_a_shutdown)
{
    for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        make_busy_pool();
        for (int i = 0; i < 5; i++)
            soon_future_unref(submit_shout(busy.pool, NULL, NULL));
        cr_assert(begins_shutdown(busy.pool, (soon_shutdown)mode));
        cr_assert_eq(arguments, mode == SOON_DRAIN ? 5 : 0);
        drop_busy_pool();
    }
}

Test(task_local, argument_is_released_when_it_is_refused, .init = make_busy_pool, .fini = drop_busy_pool)
{
    soon_submit_options fail = {.when_full = SOON_FULL_FAIL}, senseless = {.retries = -1};

    cr_assert_eq(outcome_of(submit_shout(NULL, NULL, NULL)), -EINVAL);
    cr_assert_eq(outcome_of(submit_shout(busy.pool, NULL, &senseless)), -EINVAL);
    cr_assert_eq(arguments, 0);
    for (int i = 0; i < 10; i++)
        soon_future_unref(submit_shout(busy.pool, NULL, NULL));
    cr_assert_eq(outcome_of(submit_shout(busy.pool, NULL, &fail)), SOON_EFULL);
    cr_assert_eq(arguments, 10);
    cr_assert_eq(soon_executor_shutdown(busy.pool, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
    cr_assert_eq(outcome_of(submit_shout(busy.pool, NULL, NULL)), SOON_ESHUTDOWN);
    cr_assert_eq(arguments, 0);
}

Test(task_local, argument_stays_the_callers_when_a_try_submit_is_refused, .init = make_busy_pool,
     .fini = drop_busy_pool)
{
    struct text text = new_text(NULL);
    soon_submit_options senseless = {.retries = -1};
    soon_future *f;

    cr_assert_eq(soon_try_submit_bytes(&f, busy.pool, &shout_task, &text, sizeof text, &senseless), -EINVAL);
    for (int i = 0; i < 10; i++)
        soon_future_unref(soon_submit(busy.pool, nothing));
    cr_assert_eq(soon_try_submit_bytes(&f, busy.pool, &shout_task, &text, sizeof text, NULL), SOON_EFULL);
    cr_assert_eq(soon_executor_shutdown(busy.pool, SOON_DRAIN, 0), -ETIMEDOUT);
    cr_assert_eq(soon_try_submit_bytes(&f, busy.pool, &shout_task, &text, sizeof text, NULL), SOON_ESHUTDOWN);

    cr_assert_eq(arguments, 1);
    free_argument(&text);
}

Test(task_local, argument_is_released_where_the_task_ran_on_its_submitter, .init = make_busy_pool,
     .fini = drop_busy_pool)
{
    soon_submit_options here = {.when_full = SOON_FULL_RUN_HERE};
    soon_future *f;

    for (int i = 0; i < 10; i++)
        soon_future_unref(soon_submit(busy.pool, nothing));
    f = submit_shout(busy.pool, NULL, &here);
    cr_assert_eq(arguments, 0);
    cr_assert_eq(results, 1);
    soon_future_unref(f);
}

SOON_TASK(fail, struct gate, soon_none)
{
    gate_pass(*arg, NULL);
    return -EIO;
}

Test(task_local, argument_is_released_when_the_pool_breaks)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_pool(.workers = 1, .initializer = &fail_task, .initializer_arg = &gate);
    soon_future *f = submit_shout(pool, NULL, NULL);

    gate_open(gate, 1);
    cr_assert_eq(outcome_of(f), SOON_EBROKEN);
    cr_assert_eq(outcome_of(submit_shout(pool, NULL, NULL)), SOON_EBROKEN);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK_LOCAL(give_text, soon_none, struct text, NULL, free_argument)
{
    *result = new_text(NULL);
    return 0;
}

/* A then's argument is the first one's result, lent: it is released once, by the first one. */
Test(task_local, argument_of_a_then_stays_its_firsts)
{
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *first = soon_submit(pool, give_text), *then = soon_then(first, pool, &shout_task);
    char *text;

    cr_assert_eq(shout_get(then, SOON_FOREVER, &text), 0);
    cr_assert_str_eq(text, "TEXT");
    soon_future_unref(then);
    cr_assert_eq(arguments, 1);
    soon_future_unref(first);
    free_pool(pool);
}

/*
 * Payloads
 */

static void free_payload(void *data)
{
    free(data);
    payloads--;
}

static soon_buffer *new_payload(const char *text)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_wrap(&buffer, strdup(text), strlen(text), free_payload), 0);
    payloads++;
    return buffer;
}

/* Answers with a payload; in between it had another. With true it fails nevertheless. */
SOON_TASK(answer, bool, size_t)
{
    soon_buffer *given = soon_task_payload(task);

    *result = given ? soon_buffer_size(given) : 0;
    cr_assert_eq(soon_task_return_payload(task, NULL), -EINVAL);
    cr_assert_eq(soon_task_return_payload(task, new_payload("first thought")), 0);
    cr_assert_eq(soon_task_return_payload(task, new_payload("answer")), 0);
    return *arg ? -EIO : 0;
}

Test(task_local, payload_of_the_argument_goes_with_the_task_that_of_the_result_with_the_future)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_buffer *payload = new_payload("question"), *mine = soon_buffer_ref(payload);
    soon_future *f = answer_submit(pool, NULL, &(soon_submit_options){.payload = payload});
    size_t size;

    cr_assert_eq(soon_result(f, &size), 0);
    cr_assert_eq(size, 8);
    soon_buffer_unref(mine);
    test_wait_until(payloads == 1);
    cr_assert_eq(soon_buffer_size(soon_future_payload(f)), 6);
    soon_future_unref(f);
    test_wait_until(payloads == 0); /* the worker may hold the last reference for a moment */
    free_pool(pool);
}

SOON_TASK(where_is_it, soon_none, uintptr_t)
{
    *result = (uintptr_t)soon_buffer_data(soon_task_payload(task));
    return soon_task_return_payload(task, soon_buffer_ref(soon_task_payload(task)));
}

Test(task_local, payload_is_handed_over_without_a_copy)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_buffer *payload = new_payload("as it is"), *mine = soon_buffer_ref(payload);
    soon_future *f = where_is_it_submit(pool, NULL, &(soon_submit_options){.payload = payload});
    uintptr_t where;

    cr_assert_eq(soon_result(f, &where), 0);
    cr_assert_eq(where, (uintptr_t)soon_buffer_data(mine));
    cr_assert_eq(soon_future_payload(f), mine);
    soon_buffer_unref(mine);
    soon_future_unref(f);
    free_pool(pool);
}

Test(task_local, payload_of_a_failed_task_is_dropped)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f = soon_submit(pool, answer, true);

    cr_assert_eq(soon_result(f, &(size_t){0}), SOON_ERAISED);
    cr_assert_null(soon_future_payload(f));
    test_wait_until(payloads == 0);
    soon_future_unref(f);
    free_pool(pool);
}

Test(task_local, payload_is_released_when_its_task_never_starts, .init = make_busy_pool, .fini = drop_busy_pool)
{
    soon_future *cancelled = answer_submit(busy.pool, NULL, &(soon_submit_options){.payload = new_payload("a")});
    soon_future *expired =
        answer_submit(busy.pool, NULL, &(soon_submit_options){.payload = new_payload("b"), .queue_limit_ms = 1});

    cr_assert(soon_future_cancel(cancelled));
    soon_future_unref(cancelled);
    cr_assert_eq(outcome_of(expired), SOON_EEXPIRED);
    test_wait_until(payloads == 0);
}

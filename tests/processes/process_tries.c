/*
 * process_tries.c - calls that come back after they have begun: for another try after their worker's death, or for the rest
 * of their items. Whatever ends them then says that they had begun, and nobody changes that by looking at them.
 */
#include "tries_fixture.h"

#include <time.h>

TestSuite(process_tries);

enum { ITEMS = 6 };

/* Until its second try, of which it has as many as it may: passes the gate and dies. */
SOON_TASK(die_at_first, struct gate, int)
{
    struct memory *memory = soon_task_shared(task);

    *result = ++memory->tries;
    soon_task_set_progress(task, 3, 7);
    if (*result > 1)
        return gate_pass(*arg, task);
    gate_pass(*arg, NULL);
    die(BY_SIGKILL);
    return 0;
}

/* One that waits for its second try. Whether anybody has looked at it while it ran makes no difference. */
static soon_future *lose(struct setup setup, bool look, const soon_submit_options *options)
{
    soon_future *future = die_at_first_submit(setup.pool, &setup.tasks, options);

    gate_await(setup.tasks, 1);
    cr_assert(!look || soon_future_running(future));
    gate_open(setup.tasks, 1);
    gate_await(setup.starts, 1); /* the next worker starts: the loop has seen to the death of the first */
    return future;
}

static const soon_submit_options again = {.retries = 5};

static void assert_ended(soon_future *future, int code)
{
    const soon_error *error;

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    error = soon_future_error(future);
    cr_assert_eq(error->code, code, "%s", error->message);
    cr_assert(error->started);
}

Test(process_tries, are_of_a_task_that_runs_also_in_between)
{
    for (int look = 0; look < 2; look++) {
        struct setup setup = set_up();
        soon_future *future = lose(setup, look, &again);
        int result;

        cr_assert(soon_future_running(future));
        gate_open(setup.starts, 1);
        gate_open(setup.tasks, 1);
        cr_assert_eq(soon_result(future, &result), 0);
        cr_assert_eq(result, 2);
        soon_future_unref(future);
        tear_down(setup);
    }
}

Test(process_tries, are_counted_for_whoever_asks)
{
    struct setup setup = set_up();
    soon_future *future = lose(setup, false, &(soon_submit_options){.retries = 1});

    cr_assert_eq(soon_future_attempt(future), 2, "it waits for its second try");
    gate_open(setup.starts, 1);
    gate_await(setup.tasks, 1);
    cr_assert_eq(soon_future_attempt(future), 2);
    cr_assert_eq(soon_future_kill(future), 0);
    assert_ended(future, SOON_EKILLED);
    cr_assert_eq(soon_future_error(future)->attempt, 2);
    cr_assert_eq(soon_future_attempt(future), 2, "it stays");
    soon_future_unref(future);
    tear_down(setup);
}

Test(process_tries, end_with_a_cancel)
{
    for (int look = 0; look < 2; look++) {
        struct setup setup = set_up();
        soon_future *future = lose(setup, look, &again);

        cr_assert(soon_future_cancel(future));
        cr_assert(soon_future_cancelled(future));
        assert_ended(future, -ECANCELED);
        soon_future_unref(future);
        tear_down(setup);
    }
}

Test(process_tries, end_with_a_kill)
{
    for (int look = 0; look < 2; look++) {
        struct setup setup = set_up();
        soon_future *future = lose(setup, look, &again);

        cr_assert_eq(soon_future_kill(future), 0);
        assert_ended(future, SOON_EKILLED);
        cr_assert_eq(soon_future_kill(future), SOON_EINVALIDSTATE);
        soon_future_unref(future);
        tear_down(setup);
    }
}

/* It was asked while it ran. */
Test(process_tries, are_no_more_after_a_request_to_end)
{
    struct setup setup = set_up();
    soon_future *future = die_at_first_submit(setup.pool, &setup.tasks, &again);

    gate_await(setup.tasks, 1);
    cr_assert_not(soon_future_cancel(future));
    gate_open(setup.tasks, 1);
    assert_ended(future, -ECANCELED);
    soon_future_unref(future);
    tear_down(setup);
}

Test(process_tries, end_with_a_shutdown_that_cancels)
{
    for (soon_shutdown mode = SOON_CANCEL_PENDING; mode <= SOON_KILL; mode++) {
        struct setup setup = set_up();
        soon_future *future = lose(setup, false, &again);

        (void)soon_executor_shutdown(setup.pool, mode, 0);
        assert_ended(future, -ECANCELED);
        soon_future_unref(future);
        tear_down(setup);
    }
}

Test(process_tries, end_with_their_pool)
{
    struct setup setup = set_up();
    soon_future *future = lose(setup, false, &again);

    setup.memory->fails = true;
    gate_open(setup.starts, 1);
    assert_ended(future, SOON_EBROKEN);
    cr_assert_not_null(strstr(soon_future_error(future)->message, "initializer"), "%s",
                       soon_future_error(future)->message);
    soon_future_unref(future);
    tear_down(setup);
}

/* Kills its worker at first; then what was submitted with it is all there. */
SOON_TASK(die_with_much, soon_none, int)
{
    struct memory *memory = soon_task_shared(task);
    size_t count = soon_task_payload_count(task);

    if (++memory->tries == 1)
        die(BY_SIGKILL);
    for (size_t i = 0; i < count; i++)
        *result += *(const char *)soon_buffer_data(soon_task_payload_at(task, i)) == (char)i;
    return strcmp(soon_task_extra(task).data, "and a string") == 0 ? 0 : soon_raise(task, EIO, NULL);
}

Test(process_tries, have_the_same_payloads_and_extra_bytes)
{
    struct setup setup = set_up();
    soon_buffer *payloads[20];
    soon_future *future;
    int result;

    gate_open(setup.starts, 1);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(soon_buffer_new(&payloads[i], i < 17 ? 1 << 20 : 1000), 0);
        *(char *)soon_buffer_data(payloads[i]) = (char)i;
    }
    future = soon_submit_with(
        setup.pool, (.retries = 1, .payloads = payloads, .payload_count = 20, .extra = soon_string("and a string")),
        die_with_much);
    cr_assert_eq(soon_take(future, &result), 0);
    cr_assert_eq(result, 20);
    cr_assert_eq(setup.memory->tries, 2);
    tear_down(setup);
}

/* Its payload finds no descriptor in the second worker: not started there, but in the first. */
Test(process_tries, that_cannot_start_fail_a_task_that_had_begun)
{
    struct setup setup = set_up();
    soon_submit_options with_payload = again;
    soon_future *future;

    cr_assert_eq(soon_buffer_new(&with_payload.payload, 1 << 20), 0);
    future = lose(setup, false, &with_payload);
    setup.memory->has_no_descriptors = true;
    gate_open(setup.starts, 1);
    assert_ended(future, -EMFILE);
    cr_assert_eq(setup.memory->tries, 1);
    soon_future_unref(future);
    tear_down(setup);
}

/*
 * Limits
 */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Submits with a queue limit until it has begun within that; returns when that is over. */
static soon_future *begin_in_time(struct setup setup, soon_submit_options options,
                                  soon_future *(*submit)(struct setup, const soon_submit_options *))
{
    soon_future *future;
    int64_t begun;

    for (options.queue_limit_ms = 50;; options.queue_limit_ms *= 2) {
        future = submit(setup, &options);
        while (!soon_future_done(future) && !gate_arrived(setup.tasks))
            sched_yield();
        if (gate_arrived(setup.tasks))
            break;
        soon_future_unref(future); /* the machine is slow */
    }
    begun = now_ms();
    gate_await(setup.tasks, 1);
    gate_open(setup.tasks, 1);
    gate_await(setup.starts, 1);
    test_wait_until(now_ms() > begun + options.queue_limit_ms);
    return future;
}

static soon_future *submit_one(struct setup setup, const soon_submit_options *options)
{
    return die_at_first_submit(setup.pool, &setup.tasks, options);
}

Test(process_tries, have_kept_the_queue_limit_once)
{
    struct setup setup = set_up();
    soon_future *future = begin_in_time(setup, again, submit_one);

    cr_assert(soon_future_running(future));
    gate_open(setup.starts, 1);
    gate_open(setup.tasks, 1);
    cr_assert_eq(outcome_of(future), 0);
    tear_down(setup);
}

/*
 * Chunks: their first item dies, the others are innocent
 */

struct item {
    int number;
    struct gate gate;
};

SOON_TASK(first_dies, struct item, int)
{
    struct memory *memory = soon_task_shared(task);

    *result = arg->number;
    if (arg->number > 0 || ++memory->tries > 1)
        return 0;
    gate_pass(arg->gate, NULL);
    die(BY_SIGKILL);
    return 0;
}

static soon_future *submit_chunk(struct setup setup, const soon_submit_options *each)
{
    struct item items[ITEMS];

    for (int i = 0; i < ITEMS; i++)
        items[i] = (struct item){i, setup.tasks};
    return soon_map_async_with(setup.pool, (.chunk = ITEMS, .each = each), first_dies, items, ITEMS);
}

static soon_future *lose_chunk(struct setup setup, bool look, const soon_submit_options *each)
{
    soon_future *map = submit_chunk(setup, each);

    gate_await(setup.tasks, 1);
    cr_assert(!look || soon_future_running(map));
    gate_open(setup.tasks, 1);
    gate_await(setup.starts, 1);
    return map;
}

static void assert_items(soon_future *map, int first, int rest)
{
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    for (size_t i = 0; i < ITEMS; i++) {
        const soon_error *error = soon_map_item_error(map, i);

        cr_assert_eq(error->code, i ? rest : first, "item %zu: %s", i, error->message);
        cr_assert(error->started == (i == 0 && first != 0), "item %zu: %s", i, error->message);
    }
}

Test(process_tries, of_a_chunk_are_not_waited_for_when_its_map_is_cancelled)
{
    for (int look = 0; look < 2; look++) {
        struct setup setup = set_up();
        soon_future *map = lose_chunk(setup, look, NULL);

        (void)soon_future_cancel(map);
        assert_items(map, SOON_EWORKERDIED, -ECANCELED);
        soon_future_unref(map);
        tear_down(setup);
    }
}

/* The first item had begun, and was to be tried again; the others had not. */
Test(process_tries, of_a_chunk_tell_which_item_had_begun)
{
    struct setup setup = set_up();
    soon_future *map = lose_chunk(setup, false, &again);

    (void)soon_future_cancel(map);
    assert_items(map, -ECANCELED, -ECANCELED);
    soon_future_unref(map);
    tear_down(setup);

    setup = set_up();
    map = lose_chunk(setup, false, &again);
    setup.memory->fails = true;
    gate_open(setup.starts, 1);
    assert_items(map, SOON_EBROKEN, SOON_EBROKEN);
    soon_future_unref(map);
    tear_down(setup);
}

Test(process_tries, of_a_chunk_have_kept_the_queue_limit_once)
{
    struct setup setup = set_up();
    soon_future *map = begin_in_time(setup, (soon_submit_options){0}, submit_chunk);

    gate_open(setup.starts, 1);
    assert_items(map, SOON_EWORKERDIED, 0);
    soon_future_unref(map);
    tear_down(setup);
}

/* False: the time was over before the rest waited for a worker. */
static bool rest_ends_after(int timeout_ms)
{
    struct setup setup = set_up();
    struct item items[ITEMS];
    soon_future *map;
    bool waits;

    for (int i = 0; i < ITEMS; i++)
        items[i] = (struct item){i, setup.tasks};
    map = soon_map_async_with(setup.pool, (.chunk = ITEMS, .timeout_ms = timeout_ms), first_dies, items, ITEMS);
    gate_open(setup.tasks, 1);
    while (!soon_future_done(map) && !gate_arrived(setup.starts))
        sched_yield();
    waits = gate_arrived(setup.starts);
    if (waits) {
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        cr_assert_eq(soon_map_item_error(map, ITEMS - 1)->code, -ETIMEDOUT);
        cr_assert_not(soon_map_item_error(map, ITEMS - 1)->started);
    }
    soon_future_unref(map);
    tear_down(setup);
    return waits;
}

/* There is no worker to tell that it is over. */
Test(process_tries, of_a_chunk_end_with_the_time_of_its_map)
{
    int timeout_ms = 50;

    while (!rest_ends_after(timeout_ms))
        timeout_ms *= 2; /* the machine is slow */
}

static int take_items(void *arg, void *data)
{
    struct item *next = data;

    if (next->number == ITEMS)
        return 0;
    *(struct item *)arg = *next;
    next->number++;
    return 1;
}

Test(process_tries, of_an_imap_tell_which_item_had_begun)
{
    struct setup setup = set_up();
    struct item next = {0, setup.tasks};
    soon_imap *imap = NULL;
    soon_future *future;

    cr_assert_eq(soon_imap_new(&imap, setup.pool, &first_dies_task, &(soon_map_options){.chunk = ITEMS, .each = &again},
                               take_items, &next),
                 0);
    cr_assert_eq(soon_imap_next(imap, 0, &future, NULL), -ETIMEDOUT);
    gate_await(setup.tasks, 1);
    gate_open(setup.tasks, 1);
    gate_await(setup.starts, 1);
    (void)soon_executor_shutdown(setup.pool, SOON_CANCEL_PENDING, 0);
    for (int i = 0; i < ITEMS; i++) {
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
        cr_assert_eq(soon_future_error(future)->code, -ECANCELED, "item %d: %s", i, soon_future_error(future)->message);
        cr_assert(soon_future_error(future)->started == (i == 0), "item %d", i);
        soon_future_unref(future);
    }
    soon_imap_free(imap);
    tear_down(setup);
}

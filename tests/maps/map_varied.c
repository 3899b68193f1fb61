/*
 * map_varied.c - maps over items of any size: their payloads, labels and results, released once whatever becomes of them; and
 * workers that die among them.
 */
#include "varied_fixture.h"

#include "../../executor/loops/library_loop_internal.h"

TestSuite(map_varied, .init = close_gate);

static _Atomic int alive; /* payloads */

static void release(void *data)
{
    cr_assert_not(soon__library_is_quiet()); /* it is user code */
    free(data);
    alive--;
}

static soon_buffer *counted_buffer(const char *text)
{
    soon_buffer *buffer;

    alive++;
    cr_assert_eq(soon_buffer_wrap(&buffer, strdup(text), strlen(text), release), 0);
    return buffer;
}

enum { ITEMS = 20 };

/* "0", "1" ...; every second one has a label and a payload. */
static void fill(soon_item items[ITEMS])
{
    static char texts[ITEMS][8], labels[ITEMS][8];

    for (int i = 0; i < ITEMS; i++) {
        snprintf(texts[i], sizeof texts[i], "%d", i);
        snprintf(labels[i], sizeof labels[i], "item %d", i);
        items[i] = (soon_item){.data = texts[i], .size = strlen(texts[i])};
        if (i % 2)
            items[i].label = labels[i];
        if (i % 2)
            items[i].payload = counted_buffer(labels[i] + 1);
    }
}

static void assert_shown(soon_future *map, const char *label_of_all)
{
    for (int i = 0; i < ITEMS; i++) {
        soon_bytes result;
        char text[64];
        int rc = soon_map_item_result(map, (size_t)i, SOON_FOREVER, &result);

        cr_assert_eq(rc, 0, "%d: %s", i, soon_map_item_error(map, (size_t)i)->message);
        if (i % 2)
            snprintf(text, sizeof text, "item %d|%d|tem %d", i, i, i);
        else
            snprintf(text, sizeof text, "%s|%d|", label_of_all, i);
        cr_assert_str_eq(result.data, text);
        cr_assert_eq(result.size, strlen(text) + 1);
        cr_assert_eq(soon_map_item_payload(map, (size_t)i) != NULL, i % 2);
        if (i % 2)
            cr_assert_eq(soon_buffer_size(soon_map_item_payload(map, (size_t)i)), 2 * (i < 10 ? 5u : 6u));
        snprintf(text, sizeof text, "item %d", i);
        cr_assert_str_eq(soon_map_item_label(map, (size_t)i), i % 2 ? text : label_of_all);
    }
}

TestOnEach(map_varied, gives_each_task_its_own_label_and_payload)
{
    for (size_t chunk = 1; chunk <= ITEMS; chunk += 3) {
        soon_submit_options each = {.label = "all"};
        soon_item items[ITEMS];
        soon_future *map;

        fill(items);
        map = soon_map_items_async_with(executor, (.chunk = chunk, .each = &each), shown, items, ITEMS);
        memset(items, 0xee, sizeof items); /* they were copied */
        assert_shown(map, "all");
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        soon_future_unref(map);
        test_wait_until(alive == 0);
    }
}

TestOnEach(map_varied, gives_results_of_fixed_size_into_an_array)
{
    unsigned char bytes[300];
    soon_item items[300];
    unsigned sums[300];

    for (size_t i = 0; i < 300; i++) {
        bytes[i] = (unsigned char)i;
        items[i] = (soon_item){.data = bytes + i / 2, .size = i - i / 2};
    }
    for (size_t chunk = 1; chunk < 400; chunk += 133) {
        cr_assert_eq(soon_map_items_with(executor, (.chunk = chunk), sum_of, items, 300, sums, NULL), 0);
        for (size_t i = 0; i < 300; i++) {
            unsigned sum = 0;

            for (size_t j = i / 2; j < i; j++)
                sum += bytes[j];
            cr_assert_eq(sums[i], sum);
        }
    }
}

SOON_TASK(twice, int, int)
{
    *result = 2 * *arg;
    return strcmp(soon_task_label(task), "bad") == 0 ? -EDOM : 0;
}

TestOnEach(map_varied, is_for_functions_of_a_fixed_argument_too)
{
    int one = 1, seven = 7, results[3], errors[3];
    soon_item items[] = {{&one, sizeof one, NULL, NULL}, {NULL, 0, NULL, NULL}, {&seven, sizeof seven, NULL, "bad"}};

    for (size_t chunk = 1; chunk < 4; chunk++) {
        cr_assert_eq(soon_map_items_with(executor, (.chunk = chunk), twice, items, 3, results, errors), SOON_ERAISED);
        cr_assert_eq(results[0], 2);
        cr_assert_eq(results[1], 0);
        cr_assert_eq(results[2], 0);
        cr_assert_eq(errors[2], SOON_ERAISED);
    }
}

TestOnEach(map_varied, takes_payloads_of_any_size)
{
    static const size_t sizes[] = {0, 10, 1 << 20, 100, 5 << 20, 3 << 20, 1};

    for (size_t chunk = 1; chunk <= COUNT(sizes); chunk += 3) {
        soon_item items[COUNT(sizes)];
        soon_future *map;

        for (size_t i = 0; i < COUNT(sizes); i++)
            items[i] = (soon_item){.data = "a", .size = 1, .payload = buffer_of("", sizes[i]), .label = "x"};
        map = soon_map_items_async_with(executor, (.chunk = chunk), shown, items, COUNT(sizes));
        for (size_t i = 0; i < COUNT(sizes); i++) {
            soon_bytes result;

            cr_assert_eq(soon_map_item_result(map, i, SOON_FOREVER, &result), 0);
            cr_assert_eq(soon_buffer_size(soon_map_item_payload(map, i)), 2 * sizes[i]);
        }
        soon_future_unref(map);
    }
}

/*
 * Payloads of items that do not run
 */

static void fill_alike(soon_item *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        items[i] = (soon_item){.data = text, .size = strlen(text) + 1, .payload = counted_buffer("payload")};
}

TestOnEach(map_varied, releases_what_is_cancelled)
{
    soon_item items[6];
    soon_future *map;

    for (size_t chunk = 1; chunk < 7; chunk += 5) {
        close_gate();
        fill_alike(items, 6, "wait");
        map = soon_map_items_async_with(executor, (.chunk = chunk), doubled, items, 6);
        await_arrivals(1);
        soon_future_cancel(map);
        open_gate();
        cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
        soon_future_unref(map);
        test_wait_until(alive == 0);
    }
}

TestOnEach(map_varied, releases_before_it_returns)
{
    soon_item items[6];
    int errors[6];

    for (size_t chunk = 1; chunk < 7; chunk += 5) {
        fill_alike(items, 6, "bad");
        cr_assert_eq(
            soon_map_items_with(executor, (.chunk = chunk, .stop_at_error = true), doubled, items, 6, NULL, errors),
            SOON_ERAISED);
        cr_assert_eq(alive, 0);
        fill_alike(items, 6, "good");
        cr_assert_eq(soon_map_items_with(executor, (.chunk = chunk), doubled, items, 6, NULL, errors), 0);
        cr_assert_eq(alive, 0);
    }
}

TestOnEach(map_varied, releases_what_comes_after_the_time)
{
    soon_item items[6];

    fill_alike(items, 6, "wait");
    cr_assert_eq(soon_map_items_with(executor, (.chunk = 3, .timeout_ms = 1), doubled, items, 6, NULL, NULL),
                 -ETIMEDOUT);
    open_gate();
    test_wait_until(alive == 0);
}

TestOnEach(map_varied, releases_what_a_shut_down_executor_refuses)
{
    soon_item items[6];
    soon_future *map;

    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    fill_alike(items, 6, "a");
    cr_assert_eq(soon_map_items(executor, doubled, items, 6, NULL), SOON_ESHUTDOWN);
    cr_assert_eq(alive, 0);
    fill_alike(items, 6, "a");
    map = soon_map_items_async(executor, doubled, items, 6);
    cr_assert_eq(soon_map_item_result(map, 0, SOON_FOREVER, &(soon_bytes){NULL, 0}), SOON_ESHUTDOWN);
    soon_future_unref(map);
    cr_assert_eq(alive, 0);
}

TestOnEach(map_varied, takes_nothing_of_what_is_wrong)
{
    soon_item items[2];
    soon_future *map;

    fill_alike(items, 2, "four");
    items[1].size = 3;
    cr_assert_eq(soon_map_items(executor, twice, items, 2, NULL), -EINVAL); /* an int, and not */
    items[0].size = 4;
    cr_assert_eq(soon_map_items(executor, twice, items, 2, NULL), -EINVAL);
    cr_assert_not_null(strstr(soon_last_error()->message, "the size of item 1 is 3"), "%s", soon_last_error()->message);
    items[1].data = NULL;
    cr_assert_eq(soon_map_items(executor, doubled, items, 2, NULL), -EINVAL);
    map = soon_map_items_async(executor, doubled, items, 2);
    cr_assert_eq(soon_future_error(map)->code, -EINVAL);
    soon_future_unref(map);
    cr_assert_eq(alive, 2);
    soon_buffer_unref(items[0].payload);
    soon_buffer_unref(items[1].payload);
    cr_assert_eq(soon_map_items(executor, doubled, (soon_item *)NULL, 2, NULL), -EINVAL);
}

/*
 * LOCAL ones: bytes that hold pointers, of any size
 */

static _Atomic int local_alive;

static void free_strings_in(void *data)
{
    free(*(char **)data);
    local_alive--;
}

static int first_length(soon_task *task, const void *arg, void *result)
{
    (void)result;
    return soon_task_return_text(task, "%s", *(char *const *)arg);
}

static const soon_function local_task = {.name = "local",
                                         .body = first_length,
                                         .arg_type = "",
                                         .result_type = "",
                                         .flags = SOON_FUNCTION_LOCAL,
                                         .free_arg = free_strings_in};

TestOnEachHere(map_varied, releases_local_arguments)
{
    char *boxes[4][3] = {{NULL}};
    soon_item items[4];
    soon_bytes result;
    soon_future *map;

    for (size_t chunk = 1; chunk < 5; chunk += 3) {
        for (size_t i = 0; i < 4; i++) {
            boxes[i][0] = strdup("text");
            local_alive++;
            items[i] = (soon_item){.data = boxes[i], .size = (1 + i % 3) * sizeof(char *)};
        }
        map = soon_map_items_async_bytes(executor, &local_task, items, 4, &(soon_map_options){.chunk = chunk},
                                         sizeof(soon_map_options));
        for (size_t i = 0; i < 4; i++) {
            cr_assert_eq(soon_map_item_result(map, i, SOON_FOREVER, &result), 0);
            cr_assert_str_eq(result.data, "text");
        }
        soon_future_unref(map);
        cr_assert_eq(local_alive, 0);
    }
}

/*
 * Time limits, and workers that die
 */

TestOnEach(map_varied, has_a_time_limit_for_each_item)
{
    const char *strings[] = {"good", "wait", "good", "wait", "good"};
    soon_submit_options each = {.time_limit_ms = 30};
    size_t lengths[5];
    int errors[5];

    for (size_t chunk = 1; chunk < 6; chunk += 4) {
        cr_assert_eq(
            soon_map_strings_with(executor, (.chunk = chunk, .each = &each), length_of, strings, 5, lengths, errors),
            SOON_ETIMELIMIT);
        for (int i = 0; i < 5; i++) {
            cr_assert(i % 2 ? errors[i] == SOON_ETIMELIMIT : errors[i] == 0 || errors[i] == SOON_ETIMELIMIT);
            cr_assert_eq(lengths[i], errors[i] ? 0 : 4u);
        }
    }
}

Test(map_varied, loses_only_the_item_that_its_worker_died_of)
{
    const char *strings[ITEMS];
    size_t lengths[ITEMS];
    int errors[ITEMS];
    soon_executor *pool;
    soon_future *map;

    if (!test_has_processes())
        return;
    common_begin();
    pool = make_processes(2);
    for (int i = 0; i < ITEMS; i++)
        strings[i] = i % 7 == 3 ? "die here" : "good";
    for (size_t chunk = 1; chunk <= ITEMS; chunk += 4) {
        runs = 0;
        cr_assert_eq(soon_map_strings_with(pool, (.chunk = chunk), length_of, strings, ITEMS, lengths, errors),
                     SOON_EWORKERDIED);
        cr_assert_eq(runs, ITEMS); /* none of them twice */
        map = soon_map_strings_async_with(pool, (.chunk = chunk), doubled, strings, ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            soon_bytes result;
            int rc = soon_map_item_result(map, (size_t)i, SOON_FOREVER, &result);

            cr_assert_eq(rc, i % 7 == 3 ? SOON_EWORKERDIED : 0);
            cr_assert_eq(errors[i], rc);
            cr_assert_eq(lengths[i], i % 7 == 3 ? 0 : 4u);
            cr_assert_str_eq(rc ? soon_map_item_error(map, (size_t)i)->label : result.data,
                             rc ? "die here" : "goodgood");
        }
        soon_future_unref(map);
        cr_assert_eq(runs, 2 * ITEMS);
    }
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(map_varied, tries_again_what_its_worker_died_of)
{
    const char *strings[] = {"good", "die here", "good"};
    soon_submit_options each = {.retries = 2};
    size_t lengths[3];
    int errors[3];
    soon_executor *pool;

    if (!test_has_processes())
        return;
    common_begin();
    pool = make_processes(1);
    runs = 0;
    cr_assert_eq(soon_map_strings_with(pool, (.chunk = 3, .each = &each), length_of, strings, 3, lengths, errors),
                 SOON_EWORKERDIED);
    cr_assert_eq(errors[0], 0);
    cr_assert_eq(errors[2], 0);
    cr_assert_eq(runs, 5);
    cr_assert_eq(soon_executor_free(pool), 0);
}

/*
 * An executor of the user's own that runs things elsewhere
 */

struct seen {
    char text[200];
};

/* Resolves each call at once with its argument twice, and notes what it was given. */
static int resolve(void *self, soon_call *call, bool may_block)
{
    struct seen *seen = self;
    soon_bytes arg = soon_call_arg(call);
    soon_buffer *payload = soon_call_payload(call);
    char bytes[100];
    size_t used = strlen(seen->text);

    (void)may_block;
    memcpy(bytes, arg.data, arg.size);
    memcpy(bytes + arg.size, arg.data, arg.size);
    snprintf(seen->text + used, sizeof seen->text - used, "%s=%.*s/%zu ", soon_call_options(call)->label, (int)arg.size,
             (const char *)arg.data, payload ? soon_buffer_size(payload) : 0);
    if (payload)
        cr_assert_eq(soon_promise_set_payload(soon_call_promise(call), soon_buffer_ref(payload)), 0);
    cr_assert_eq(soon_promise_set_result(soon_call_promise(call), bytes, 2 * arg.size), 0);
    soon_call_free(call);
    return 0;
}

static int shut_down(void *self, soon_shutdown mode, soon_promise *down)
{
    (void)self;
    (void)mode;
    return soon_promise_set_result(down, NULL, 0);
}

Test(map_varied, is_seen_by_an_executor_that_resolves_by_itself)
{
    soon_executor_class klass = {.size = sizeof klass, .submit = resolve, .shutdown = shut_down};
    struct seen seen = {""};
    soon_item items[] = {{"abc", 3, counted_buffer("pay"), "first"}, {"d", 1, NULL, "second"}};
    soon_executor *executor;
    soon_future *map;
    soon_bytes result;

    cr_assert_eq(soon_executor_new(&executor, &klass, &seen), 0);
    map = soon_map_items_async_with(executor, (.chunk = 2), shown, items, 2);
    cr_assert_str_eq(seen.text, "first=abc/3 second=d/0 ");
    cr_assert_eq(soon_map_item_result(map, 0, SOON_FOREVER, &result), 0);
    cr_assert_eq(result.size, 6u);
    cr_assert_eq(memcmp(result.data, "abcabc", 6), 0);
    cr_assert_eq(soon_buffer_size(soon_map_item_payload(map, 0)), 3u);
    cr_assert_null(soon_map_item_payload(map, 1));
    soon_future_unref(map);
    cr_assert_eq(soon_executor_free(executor), 0);
    cr_assert_eq(alive, 0);
}

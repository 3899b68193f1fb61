/*
 * bad_input_executor.c - every public function of executor/ with NULLs, negative numbers, timeouts below -1, sizes that
 * do not fit, and executors that are shut down.
 */
#include "bad_input.h"

#include <uv.h>

static soon_executor *pool, *closed;
static soon_promise *promise;
static soon_future *pending;

SOON_TASK(add_one, int, int)
{
    *result = *arg + 1;
    return 0;
}

SOON_TASK_BYTES(any_size)
{
    return soon_task_return_bytes(task, arg.data, arg.size);
}

static void nothing(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

static void set_up(void)
{
    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1}), 0);
    cr_assert_eq(soon_thread_pool_new(&closed, &(soon_thread_pool_options){.workers = 1}), 0);
    cr_assert_eq(soon_executor_shutdown(closed, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    pending = soon_promise_future(promise);
}

static void tear_down(void)
{
    soon_promise_free(promise);
    soon_future_unref(pending);
    cr_assert_eq(soon_executor_free(closed), 0);
    cr_assert_eq(soon_executor_free(pool), 0);
}

TestSuite(bad_input_executor, .init = set_up, .fini = tear_down);

Test(bad_input_executor, of_pools)
{
    static const soon_function no_body = {.name = "no body"};
    struct {
        soon_thread_pool_options known;
        long unknown;
    } newer = {{0}, 1};
    soon_executor *made = pool;
    soon_stats stats;
    int x;

#define POOL(...) soon_thread_pool_new(&made, &(soon_thread_pool_options){__VA_ARGS__})
    REFUSED(-EINVAL, soon_thread_pool_new(NULL, NULL));
    REFUSED(-EINVAL, POOL(.workers = -1));
    REFUSED(-EINVAL, POOL(.workers = INT_MIN));
    REFUSED(-EINVAL, POOL(.idle_timeout_ms = -1));
    REFUSED(-EINVAL, POOL(.when_full = (soon_full)4));
    REFUSED(-EINVAL, POOL(.when_full = (soon_full)-1));
    REFUSED(-EINVAL, POOL(.initializer = &no_body));
    REFUSED(-EINVAL, POOL(.initializer_arg = &made));
    REFUSED(-EINVAL, POOL(.initializer = &any_size_task, .initializer_arg = &made)); /* of how many bytes? */
    REFUSED(-EINVAL, POOL(.initializer = &add_one_task, .when_full = SOON_FULL_RUN_HERE));
    REFUSED(-EINVAL, POOL(.stack_size = 1));
    REFUSED(-EINVAL, soon_thread_pool_new_sized(&made, &newer.known, sizeof newer));
    cr_assert_null(made);

    REFUSED(-EINVAL, soon_executor_boot(NULL, 0));
    REFUSED(-EINVAL, soon_executor_boot(pool, -2));
    REFUSED(SOON_ESHUTDOWN, soon_executor_boot(closed, SOON_FOREVER));
    REFUSED(-EINVAL, soon_executor_shutdown(NULL, SOON_DRAIN, 0));
    REFUSED(-EINVAL, soon_executor_shutdown(pool, (soon_shutdown)-1, 0));
    REFUSED(-EINVAL, soon_executor_shutdown(pool, (soon_shutdown)4, 0));
    REFUSED(-EINVAL, soon_executor_shutdown(pool, SOON_KILL, -2));
    REFUSED(0, soon_executor_shutdown(closed, SOON_KILL, 0));
    REFUSED_FUTURE(-EINVAL, soon_executor_down(NULL));
    REFUSED(0, soon_executor_free(NULL));
    memset(&stats, 1, sizeof stats);
    IGNORED(soon_executor_stats(NULL, &stats));
    cr_assert(stats.workers == 0 && stats.wakeups == 0);
    ASSERTED_VOID(soon_executor_stats(pool, NULL));
    REFUSED(-EINVAL, soon_init(-1, NULL));
    REFUSED(-EINVAL, soon_init(1, NULL));
    REFUSED(0, soon_init(0, NULL));
    cr_assert_eq(soon_take(soon_submit(pool, add_one, 1), &x), 0); /* it still works */
}

/* What a submit cannot take, in both its forms. The payload is taken all the same by the one, not by the other. */
static void refuses(soon_executor *executor, const soon_function *function, const void *data, size_t size,
                    soon_submit_options options, int code, int line)
{
    soon_future *untouched = pending;
    soon_buffer *payload;

    cr_assert_eq(soon_buffer_new(&payload, 1), 0);
    options.payload = soon_buffer_ref(payload);
    refused_future(soon_submit_bytes(executor, function, data, size, &options), code, "submit", line);
    refused(soon_buffer_resize(payload, 2), 0, "only one reference is left", line);
    options.payload = payload;
    refused(soon_try_submit_bytes(&untouched, executor, function, data, size, &options), code, "try_submit", line);
    refused(soon_buffer_size(payload), 2, "the payload is still here", line);
    soon_buffer_unref(payload);
    cr_assert_eq(untouched, pending);
}
#define REFUSES(code, executor, function, data, size, ...)                                                             \
    refuses(executor, function, data, size, (soon_submit_options){__VA_ARGS__}, code, __LINE__)

Test(bad_input_executor, of_submits)
{
    static const soon_function no_body = {.name = "f"}, no_name = {.body = any_size_call},
                               odd_flags = {.name = "f", .body = any_size_call, .flags = 64};
    struct {
        soon_submit_options known;
        long unknown;
    } newer = {{0}, 1};
    int x = 1;
    soon_loop *loop = (soon_loop *)&x;

    REFUSES(-EINVAL, NULL, &add_one_task, &x, sizeof x, 0);
    REFUSES(-EINVAL, pool, NULL, &x, sizeof x, 0);
    REFUSES(-EINVAL, pool, &no_body, NULL, 0, 0);
    REFUSES(-EINVAL, pool, &no_name, NULL, 0, 0);
    REFUSES(-EINVAL, pool, &odd_flags, NULL, 0, 0);
    REFUSES(-EINVAL, pool, &add_one_task, &x, 1, 0);
    REFUSES(-EINVAL, pool, &add_one_task, &x, 0, 0);
    REFUSES(-EINVAL, pool, &add_one_task, &x, SIZE_MAX, 0);
    REFUSES(-EINVAL, pool, &add_one_task, NULL, sizeof x, 0);
    REFUSES(-EINVAL, pool, &any_size_task, NULL, 1, 0);
    REFUSES(-EINVAL, pool, &any_size_task, &x, SIZE_MAX, 0);
    if (sizeof(size_t) > 4) /* with 32 bits there may be room for so much */
        REFUSES(-ENOMEM, pool, &any_size_task, &x, PTRDIFF_MAX, 0);
    REFUSES(-EINVAL, pool, &add_one_task, &x, sizeof x, .retries = -1);
    REFUSES(-EINVAL, pool, &add_one_task, &x, sizeof x, .time_limit_ms = -1);
    REFUSES(-EINVAL, pool, &add_one_task, &x, sizeof x, .queue_limit_ms = -1);
    REFUSES(-EINVAL, pool, &add_one_task, &x, sizeof x, .when_full = (soon_full)4);
    REFUSES(-EINVAL, pool, &add_one_task, &x, sizeof x, .when_full = (soon_full)-1);
    REFUSES(-EINVAL, pool, &add_one_task, &x, sizeof x, .on_done_loop = loop); /* for nothing to call */
    REFUSES(SOON_ESHUTDOWN, closed, &add_one_task, &x, sizeof x, 0);
    REFUSED_FUTURE(-EINVAL, soon_submit_bytes_sized(pool, &add_one_task, &x, sizeof x, &newer.known, sizeof newer));
    REFUSED(-EINVAL, soon_try_submit_bytes(NULL, pool, &add_one_task, &x, sizeof x, NULL));

    REFUSED_FUTURE(-EINVAL, soon_then(NULL, pool, &add_one_task));
    REFUSED_FUTURE(-EINVAL, soon_then(pending, NULL, &add_one_task));
    REFUSED_FUTURE(-EINVAL, soon_then(pending, pool, NULL));
    REFUSED_FUTURE(-EINVAL, soon_then(pending, pool, &no_body));
    REFUSED_FUTURE(SOON_ESHUTDOWN, soon_then(pending, closed, &add_one_task));
}

Test(bad_input_executor, of_functions)
{
    soon_function nameless = add_one_task, bodiless = add_one_task;

    nameless.name = NULL;
    bodiless.body = NULL;
    REFUSED(-EINVAL, soon_function_register(NULL));
    REFUSED(-EINVAL, soon_function_register(&nameless));
    REFUSED(-EINVAL, soon_function_register(&bodiless));
    REFUSED(-EINVAL, soon_function_register(&add_one_task)); /* it is already */
    IGNORED(soon_function_unregister(NULL));
    IGNORED(soon_function_unregister(&nameless));
}

/* The first line that was not so, in a task; 0: none. Its thread is not the test's. */
SOON_TASK(misuse, int, int)
{
    soon_buffer *buffer;

#define SO(condition) *result = *result || (condition) ? *result : __LINE__
    SO(soon_raise_from(task, NULL) == -EINVAL);
    SO(soon_task_return_bytes(task, NULL, 4) == -EINVAL);
    SO(soon_task_return_bytes(task, arg, 1) == SOON_ETYPE);
    SO(soon_task_return_bytes(task, arg, SIZE_MAX) == SOON_ETYPE);
    SO(soon_task_return_space(task, 99) == NULL);
    SO(soon_task_return_payload(task, NULL) == -EINVAL);
    SO(soon_buffer_new(&buffer, 1) == 0 && soon_task_return_payload(NULL, buffer) == -EINVAL);
    SO(soon_task_payload(task) == NULL);
    SO(soon_task_local(task) == NULL);
    return 0;
}

Test(bad_input_executor, of_tasks)
{
    soon_task *none = NULL;
    int line;

    cr_assert_eq(soon_take(misuse_submit(pool, NULL, NULL), &line), 0);
    cr_assert_eq(line, 0, "line %d", line);

    ASSERTED(SOON_ERAISED, soon_raise(none, EIO, "x"));
    REFUSED(-EINVAL, soon_raise_from(none, pending));
    ASSERTED(false, soon_task_cancel_requested(none));
    ASSERTED(SOON_FOREVER, soon_task_time_left_ms(none));
    ASSERTED_VOID(soon_task_set_progress(none, 1, 1));
    ASSERTED(NULL, soon_task_executor(none));
    ASSERTED(NULL, soon_task_local(none));
    ASSERTED_VOID(soon_task_set_local(none, none, NULL));
    ASSERTED('\0', *soon_task_label(none));
    ASSERTED(0, soon_task_arg(none).size);
    ASSERTED(NULL, soon_task_payload(none));
    ASSERTED(NULL, soon_task_return_space(none, 1));
    REFUSED(-EINVAL, soon_task_return_bytes(none, none, 0));
    REFUSED(-EINVAL, soon_task_return_payload(none, NULL));
}

Test(bad_input_executor, of_maps)
{
    soon_submit_options each = {.data = &pool}, negative = {.time_limit_ms = -1};
    int numbers[2] = {1, 2}, results[2] = {7, 7}, errors[2] = {7, 7}, x = 7;
    soon_future *map = soon_map_async(pool, add_one, numbers, 2);
    size_t done = 9;

#define MAP(executor, function, args, count) soon_map_bytes(executor, function, args, count, results, errors, NULL, 0)
#define MAP_WITH(...) soon_map_with(pool, (__VA_ARGS__), add_one, numbers, 2, results, errors)
    REFUSED(-EINVAL, MAP(NULL, &add_one_task, numbers, 2));
    REFUSED(-EINVAL, MAP(pool, NULL, numbers, 2));
    REFUSED(-EINVAL, MAP(pool, &any_size_task, numbers, 2));
    REFUSED(-EINVAL, soon_map_bytes(pool, &add_one_task, NULL, SIZE_MAX / 2, NULL, NULL, NULL, 0));
    REFUSED(-EINVAL, MAP_WITH(.timeout_ms = -1));
    REFUSED(-EINVAL, MAP_WITH(.each = &each));
    REFUSED(-EINVAL, MAP_WITH(.each = &negative));
    cr_assert(results[0] == 7 && results[1] == 7 && errors[0] == 7 && errors[1] == 7);
    REFUSED(SOON_ESHUTDOWN, MAP(closed, &add_one_task, numbers, 2));
    cr_assert(results[0] == 0 && errors[0] == SOON_ESHUTDOWN);
    REFUSED(0, MAP(pool, &add_one_task, numbers, 0));
    REFUSED_FUTURE(-EINVAL, soon_map_async_bytes(NULL, &add_one_task, numbers, 2, NULL, 0));
    REFUSED_FUTURE(-EINVAL, soon_map_async_bytes(pool, NULL, numbers, 2, NULL, 0));
    REFUSED_FUTURE(-EINVAL, soon_map_async_with(pool, (.timeout_ms = -1), add_one, numbers, 2));
    REFUSED_FUTURE(-EINVAL, soon_map_async_bytes(pool, &add_one_task, numbers, SIZE_MAX / 2, NULL, 0));

    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
    ASSERTED(0, soon_map_count(NULL, NULL, NULL));
    REFUSED(0, (int)soon_map_count(pending, &done, NULL));
    cr_assert_eq(done, 0);
    REFUSED(-EINVAL, soon_map_item(NULL, 0, 0, &x, sizeof x));
    REFUSED(-EINVAL, soon_map_item(pending, 0, 0, &x, sizeof x));
    REFUSED(-EINVAL, soon_map_item(map, 2, 0, &x, sizeof x));
    REFUSED(-EINVAL, soon_map_item(map, 0, 0, NULL, sizeof x));
    REFUSED(-EINVAL, soon_map_item(map, 0, -2, &x, sizeof x));
    REFUSED(SOON_ETYPE, soon_map_item(map, 0, 0, &x, 1));
    ANSWERS(-EINVAL, soon_map_item_error(NULL, 0)->code);
    ANSWERS(-EINVAL, soon_map_item_error(pending, 0)->code);
    ANSWERS(-EINVAL, soon_map_item_error(map, SIZE_MAX)->code);
    cr_assert_eq(x, 7);
    soon_future_unref(map);
}

SOON_TASK(next_letter, char, char)
{
    *result = (char)(*arg + 1);
    return 0;
}

/* The number of chunks, and the size of each array, are sums and products of what the caller says. */
Test(bad_input_executor, of_maps_over_more_than_there_can_be)
{
    static const size_t counts[] = {SIZE_MAX, SIZE_MAX - 1, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX / 2};
    static const size_t chunks[] = {0, 1, 2, 1000, SIZE_MAX / 2, SIZE_MAX};
    char letters[8] = "abcdefg", results[8] = "";
    int errors[8] = {7};

    for (size_t i = 0; i < sizeof counts / sizeof *counts * (sizeof chunks / sizeof *chunks); i++) {
        soon_map_options options = {.chunk = chunks[i / (sizeof counts / sizeof *counts)]};
        size_t count = counts[i % (sizeof counts / sizeof *counts)];

        REFUSED(-EINVAL,
                soon_map_bytes(pool, &next_letter_task, letters, count, results, errors, &options, sizeof options));
        if (count > PTRDIFF_MAX) /* else it is only the errors of which there can be no array */
            REFUSED_FUTURE(-EINVAL,
                           soon_map_async_bytes(pool, &next_letter_task, letters, count, &options, sizeof options));
    }
    cr_assert_str_empty(results);
    cr_assert_eq(errors[0], 7);
}

/* soon_map() of nothing, and what remains of it if there is no room, is as good as any. */
Test(bad_input_executor, of_maps_that_no_memory_holds)
{
    for (size_t chunk = 0; chunk < 3; chunk++) {
        REFUSED(-ENOMEM, soon_map_with(pool, (.chunk = chunk), next_letter, NULL, PTRDIFF_MAX, NULL, NULL));
        REFUSED_FUTURE(-ENOMEM, soon_map_async_with(pool, (.chunk = chunk), next_letter, NULL, PTRDIFF_MAX));
    }
}

static int source(void *arg, void *data)
{
    (void)arg;
    (void)data;
    return 0;
}

Test(bad_input_executor, of_imaps)
{
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / sizeof(int) + 1, SIZE_MAX / 16 + 1};
    soon_map_options negative = {.timeout_ms = -1}, each = {.each = &(soon_submit_options){.on_done = nothing}};
    soon_future *future = pending;
    soon_imap *made = NULL;

    REFUSED(-EINVAL, soon_imap_new(NULL, pool, &add_one_task, NULL, source, NULL));
    REFUSED(-EINVAL, soon_imap_new(&made, NULL, &add_one_task, NULL, source, NULL));
    REFUSED(-EINVAL, soon_imap_new(&made, pool, NULL, NULL, source, NULL));
    REFUSED(-EINVAL, soon_imap_new(&made, pool, &any_size_task, NULL, source, NULL));
    REFUSED(-EINVAL, soon_imap_new(&made, pool, &add_one_task, NULL, NULL, NULL));
    REFUSED(-EINVAL, soon_imap_new(&made, pool, &add_one_task, &negative, source, NULL));
    REFUSED(-EINVAL, soon_imap_new(&made, pool, &add_one_task, &each, source, NULL));
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        soon_map_options chunks = {.chunk = huge[i]};

        REFUSED(-EINVAL, soon_imap_new(&made, pool, &add_one_task, &chunks, source, NULL));
    }
    cr_assert_null(made);
    REFUSED(-EINVAL, soon_imap_next(NULL, 0, &future, NULL));
    cr_assert_eq(soon_imap_new(&made, pool, &add_one_task, NULL, source, NULL), 0);
    REFUSED(-EINVAL, soon_imap_next(made, -2, &future, NULL));
    REFUSED(-EINVAL, soon_imap_next(made, 0, NULL, NULL));
    REFUSED(SOON_EEND, soon_imap_next(made, 0, &future, NULL));
    cr_assert_eq(future, pending);
    soon_imap_free(made);
    ASSERTED(-EINVAL, soon_imap_error(NULL)->code);
    IGNORED(soon_imap_free(NULL));
}

static void tell(const soon_error *error, void *data)
{
    *(int *)data = error->code;
}

Test(bad_input_executor, of_apply_async)
{
    int x = 1, code = 0;

    REFUSED_FUTURE(-EINVAL, soon_apply_async_bytes(NULL, &add_one_task, &x, sizeof x, NULL, tell, &code));
    ANSWERS(-EINVAL, code);
    code = 0;
    REFUSED_FUTURE(-EINVAL, soon_apply_async_bytes(pool, NULL, &x, sizeof x, NULL, tell, &code));
    ANSWERS(-EINVAL, code);
    REFUSED_FUTURE(-EINVAL, soon_apply_async_bytes(pool, &add_one_task, &x, 1, NULL, tell, &code));
    REFUSED_FUTURE(SOON_ESHUTDOWN, soon_apply_async(closed, NULL, tell, &code, add_one, 1));
    ANSWERS(SOON_ESHUTDOWN, code);
    REFUSED_FUTURE(SOON_ESHUTDOWN, soon_apply_async(closed, NULL, NULL, NULL, add_one, 1));
}

static void post(void *data)
{
    (void)data;
}

Test(bad_input_executor, of_loops)
{
    soon_loop *loop = NULL;
    uv_loop_t uv;

    cr_assert_eq(uv_loop_init(&uv), 0);
    REFUSED(-EINVAL, soon_loop_attach(NULL, &uv));
    REFUSED(-EINVAL, soon_loop_attach(&loop, NULL));
    cr_assert_null(loop);
    IGNORED(soon_loop_detach(NULL, NULL, NULL));
    REFUSED(-EINVAL, soon_loop_post(NULL, post, NULL));
    REFUSED(-EINVAL, soon_future_add_done_callback_on(pending, NULL, nothing, NULL));

    cr_assert_eq(soon_loop_attach(&loop, &uv), 0);
    REFUSED(-EINVAL, soon_loop_post(loop, NULL, NULL));
    REFUSED(-EINVAL, soon_future_add_done_callback_on(NULL, loop, nothing, NULL));
    REFUSED(-EINVAL, soon_future_add_done_callback_on(pending, loop, NULL, NULL));
    soon_loop_detach(loop, NULL, NULL);
    REFUSED(SOON_ESHUTDOWN, soon_loop_post(loop, post, NULL));
    REFUSED(SOON_ESHUTDOWN, soon_future_add_done_callback_on(pending, loop, nothing, NULL));
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&uv), 0);
}

/*
 * Executors of the user's own
 */

static int take(void *self, soon_call *call, bool may_block)
{
    (void)may_block;
    *(soon_call **)self = call;
    return 0;
}

static int finish(void *self, soon_shutdown mode, soon_promise *down)
{
    (void)self;
    (void)mode;
    return soon_promise_set_result(down, NULL, 0);
}

Test(bad_input_executor, of_executors_of_ones_own)
{
    soon_executor_class klass = {.size = sizeof klass, .submit = take, .shutdown = finish}, bad;
    soon_executor *made = NULL;
    soon_call *call = NULL;

    REFUSED(-EINVAL, soon_executor_new(NULL, &klass, &call));
    REFUSED(-EINVAL, soon_executor_new(&made, NULL, &call));
    bad = klass;
    bad.size = 3;
    REFUSED(-EINVAL, soon_executor_new(&made, &bad, &call));
    bad = klass;
    bad.submit = NULL;
    REFUSED(-EINVAL, soon_executor_new(&made, &bad, &call));
    bad = klass;
    bad.shutdown = NULL;
    REFUSED(-EINVAL, soon_executor_new(&made, &bad, &call));
    cr_assert_null(made);

    ASSERTED(NULL, soon_call_function(NULL));
    ASSERTED(0, soon_call_arg(NULL).size);
    ASSERTED(NULL, soon_call_payload(NULL));
    ASSERTED(0, soon_call_options(NULL)->priority);
    ASSERTED(NULL, soon_call_promise(NULL));
    ASSERTED_VOID(soon_call_run(NULL));
    IGNORED(soon_call_free(NULL));

    cr_assert_eq(soon_executor_new(&made, &klass, &call), 0);
    soon_future *future = soon_submit(made, add_one, 1);
    ASSERTED_VOID(soon_promise_free(soon_call_promise(call))); /* that of a call is not the holder's to free */
    soon_call_run(call);
    cr_assert(soon_future_succeeded(future));
    soon_future_unref(future);
    cr_assert_eq(soon_executor_free(made), 0);
}

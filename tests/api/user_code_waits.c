/*
 * user_code_waits.c - the program's own code that the library runs inside of its calls and on its threads, by all the ways to block
 * that there are: each of them comes back. Where it could never be served the answer is SOON_EDEADLK.
 *
 *     place: where the code runs       x       way: how it blocks there
 */
#include "../support/executors.h"
#include "../support/pools.h"

#include <uv.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

TestSuite(user_code_waits, .init = close_gate, .timeout = 1500); /* a test is all of the pairs */

SOON_TASK(answer, soon_none, int)
{
    *result = 42;
    return 0;
}

SOON_TASK(pass_on, int, int)
{
    *result = *arg;
    return 0;
}

SOON_TASK(at_gate, soon_none, int)
{
    *result = 1;
    return wait_at_gate(task);
}

/*
 * Ways to block
 */

static void ignore_value(soon_bytes result, void *data)
{
    (void)result;
    (void)data;
}

static soon_future *apply(soon_executor *pool)
{
    return soon_apply_async(pool, ignore_value, NULL, NULL, answer);
}

static int wait_and_drop(soon_future *future)
{
    int rc = soon_future_wait(future, SOON_FOREVER);

    soon_future_unref(future);
    return rc;
}

static int for_a_task(soon_executor *pool)
{
    return wait_and_drop(soon_submit(pool, answer));
}

static int for_apply(soon_executor *pool)
{
    return wait_and_drop(apply(pool));
}

static int for_apply_with_a_limit(soon_executor *pool)
{
    soon_future *future = apply(pool);
    int rc = soon_future_wait(future, INT64_MAX);

    soon_future_unref(future);
    return rc;
}

static int for_a_then_of_apply(soon_executor *pool)
{
    soon_future *first = apply(pool), *then = soon_then(first, pool, &pass_on_task);

    soon_future_unref(first);
    return wait_and_drop(then);
}

static int for_a_group_of_groups(soon_executor *pool)
{
    soon_future *members[2] = {apply(pool), soon_submit(pool, answer)};
    soon_future *group = soon_gather(members, 2), *outer = soon_gather(&group, 1);

    soon_futures_unref(members, 2);
    soon_future_unref(group);
    return wait_and_drop(outer);
}

static int for_any(soon_executor *pool)
{
    soon_future *members[2] = {apply(pool), apply(pool)}, *any = soon_any(members, 2);

    soon_futures_unref(members, 2);
    return wait_and_drop(any);
}

/* On an executor of the program's own: what is done hands it over in a callback. */
static soon_executor *elsewhere;

static int for_a_then_elsewhere(soon_executor *pool)
{
    soon_future *first = soon_submit(pool, answer), *then = soon_then(first, elsewhere, &pass_on_task);

    soon_future_unref(first);
    return wait_and_drop(then);
}

static int for_a_then_of_a_map_elsewhere(soon_executor *pool)
{
    int args[1] = {1};
    soon_future *map = soon_map_async(pool, pass_on, args, 1), *then = soon_then(map, elsewhere, &pass_on_task);

    soon_future_unref(map);
    return wait_and_drop(then);
}

static void ignore(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

/* The callback of the first has yet to run on this thread, which the group does not need. */
static int for_a_group_of_one_with_a_callback(soon_executor *pool)
{
    soon_future *members[2] = {soon_submit_with(pool, (.on_done = ignore), answer)}, *group;
    int rc = soon_future_wait(members[0], SOON_FOREVER);

    members[1] = soon_submit(pool, answer);
    group = soon_gather(members, 2);
    soon_futures_unref(members, 2);
    return rc < 0 ? rc : wait_and_drop(group);
}

static int with_soon_wait(soon_executor *pool, soon_when when)
{
    soon_future *future = apply(pool);
    int64_t rc = soon_wait(&future, 1, when, SOON_FOREVER, NULL);

    soon_future_unref(future);
    return rc < 0 ? (int)rc : 0;
}

static int for_all_of_a_set(soon_executor *pool)
{
    return with_soon_wait(pool, SOON_ALL_COMPLETED);
}

static int for_the_first_of_a_set(soon_executor *pool)
{
    return with_soon_wait(pool, SOON_FIRST_COMPLETED);
}

static int for_the_next_completed(soon_executor *pool)
{
    soon_future *future = apply(pool), *given;
    soon_as_completed *set;
    int rc;

    cr_assert_eq(soon_as_completed_new(&set, &future, 1, SOON_FOREVER), 0);
    rc = soon_as_completed_next(set, &given);
    if (rc == 0)
        soon_future_unref(given);
    soon_as_completed_free(set);
    soon_future_unref(future);
    return rc;
}

static int for_a_map(soon_executor *pool)
{
    int args[3] = {1, 2, 3}, results[3];

    return soon_map(pool, pass_on, args, 3, results);
}

static int for_an_item_of_a_map(soon_executor *pool)
{
    int args[3] = {1, 2, 3}, value, rc;
    soon_future *map = soon_map_async(pool, pass_on, args, 3);

    rc = soon_map_item(map, 1, SOON_FOREVER, &value, sizeof value);
    soon_future_unref(map);
    return rc;
}

static int three(void *arg, void *data)
{
    int *left = data;

    *(int *)arg = *left;
    return (*left)-- > 0;
}

static int for_an_imap(soon_executor *pool, bool unordered)
{
    soon_map_options options = {.unordered = unordered, .chunk = 2};
    soon_future *item = NULL;
    soon_imap *imap;
    int left = 3, rc;

    cr_assert_eq(soon_imap_new(&imap, pool, &pass_on_task, &options, three, &left), 0);
    while ((rc = soon_imap_next(imap, SOON_FOREVER, &item, NULL)) == 0)
        soon_future_unref(item);
    soon_imap_free(imap);
    return rc == SOON_EEND ? 0 : rc;
}

static int for_an_imap_in_order(soon_executor *pool)
{
    return for_an_imap(pool, false);
}

static int for_an_imap_out_of_order(soon_executor *pool)
{
    return for_an_imap(pool, true);
}

static int for_a_shutdown(soon_executor *pool)
{
    return soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER);
}

static int for_a_shutdown_by_force(soon_executor *pool)
{
    return soon_executor_shutdown(pool, SOON_KILL, INT64_MAX);
}

static int for_the_end(soon_executor *pool)
{
    int begun = soon_executor_shutdown(pool, SOON_DRAIN, 0);

    return begun == 0 ? 0 : wait_and_drop(soon_executor_down(pool));
}

static int for_a_group_with_the_end(soon_executor *pool)
{
    soon_future *down = soon_executor_down(pool), *group = soon_gather(&down, 1);

    (void)soon_executor_shutdown(pool, SOON_DRAIN, 0);
    soon_future_unref(down);
    return wait_and_drop(group);
}

static int for_all_ready(soon_executor *pool)
{
    return soon_executor_boot(pool, SOON_FOREVER);
}

static const struct way {
    const char *name;
    int (*block)(soon_executor *pool);
    enum { SERVED, MAY_BE_REFUSED, SHUTDOWN } kind; /* SERVED: it needs nothing of this thread */
} ways[] = {
    {"a task", for_a_task, SERVED},
    {"soon_apply_async()", for_apply, MAY_BE_REFUSED},
    {"soon_apply_async(), with a limit", for_apply_with_a_limit, MAY_BE_REFUSED},
    {"a then of soon_apply_async()", for_a_then_of_apply, MAY_BE_REFUSED},
    {"a group of groups", for_a_group_of_groups, MAY_BE_REFUSED},
    {"soon_any()", for_any, MAY_BE_REFUSED},
    {"a then elsewhere", for_a_then_elsewhere, MAY_BE_REFUSED},
    {"a then of a map elsewhere", for_a_then_of_a_map_elsewhere, MAY_BE_REFUSED},
    {"a group of one with a callback", for_a_group_of_one_with_a_callback, SERVED},
    {"all of a set", for_all_of_a_set, MAY_BE_REFUSED},
    {"the first of a set", for_the_first_of_a_set, MAY_BE_REFUSED},
    {"the next that completes", for_the_next_completed, MAY_BE_REFUSED},
    {"a map", for_a_map, SERVED},
    {"an item of a map", for_an_item_of_a_map, SERVED},
    {"an imap in order", for_an_imap_in_order, SERVED},
    {"an imap out of order", for_an_imap_out_of_order, SERVED},
    {"a boot", for_all_ready, MAY_BE_REFUSED},
    {"the end", for_the_end, SHUTDOWN},
    {"a group with the end", for_a_group_with_the_end, SHUTDOWN},
    {"a shutdown", for_a_shutdown, SHUTDOWN},
    {"a shutdown by force", for_a_shutdown_by_force, SHUTDOWN},
};

/* What runs in a place: one way to block, once. */
static struct {
    soon_executor *pool;
    const struct way *way;
    int code;
    _Atomic bool begun, done;
} now;

static void block_here(void)
{
    if (atomic_exchange(&now.begun, true))
        return;
    now.code = now.way->block(now.pool);
    now.done = true;
}

/*
 * Places
 */

static void block_in_callback(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    open_gate(); /* as in a release */
    block_here();
}

static void block_in_value(soon_bytes result, void *data)
{
    (void)result;
    (void)data;
    block_here();
}

static void block_in_error(const soon_error *error, void *data)
{
    (void)error;
    (void)data;
    block_here();
}

static void block_in_release(void *data)
{
    (void)data;
    open_gate(); /* what runs ends: nothing else is left of the pool */
    block_here();
}

static void in_a_callback(soon_executor *pool)
{
    soon_future_unref(soon_submit_with(pool, (.on_done = block_in_callback), answer));
}

static void in_a_callback_of_apply(soon_executor *pool)
{
    soon_future_unref(soon_apply_async(pool, block_in_value, NULL, NULL, answer));
}

SOON_TASK(fails, soon_none, int)
{
    *result = 0;
    return -EIO;
}

static void in_the_hook_for_errors(soon_executor *pool)
{
    soon_on_unhandled(block_in_error, NULL);
    soon_future_unref(soon_submit(pool, fails));
    test_wait_until(now.done);
    soon_on_unhandled(NULL, NULL);
}

static void in_the_release_of_a_payload(soon_executor *pool)
{
    static char bytes[8];
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_wrap(&buffer, bytes, sizeof bytes, block_in_release), 0);
    soon_future_unref(soon_submit_with(pool, (.payload = buffer), answer));
}

struct owner {
    int any;
};
SOON_TASK_LOCAL(use_owner, struct owner, int, block_in_release, NULL)
{
    *result = arg->any;
    return 0;
}

static soon_future *occupy(soon_executor *pool)
{
    soon_future *running = soon_submit(pool, at_gate);

    await_arrivals(1);
    return running;
}

static void in_a_release_in_a_shutdown(soon_executor *pool)
{
    soon_future *running = occupy(pool);

    soon_future_unref(soon_submit(pool, use_owner, .any = 1));
    cr_assert_eq(soon_executor_shutdown(pool, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
    soon_future_unref(running);
}

static void in_a_callback_in_a_shutdown(soon_executor *pool)
{
    soon_future *running = occupy(pool);

    soon_future_unref(soon_submit_with(pool, (.on_done = block_in_callback), answer));
    (void)soon_executor_shutdown(pool, SOON_CANCEL_PENDING, 0);
    soon_future_unref(running);
}

static void in_a_release_in_a_cancel(soon_executor *pool)
{
    static const struct owner owners[2];
    soon_future *running = occupy(pool);
    soon_future *map = soon_map_async_with(pool, (.chunk = 2), use_owner, owners, 2);

    cr_assert(soon_future_cancel(map));
    soon_futures_unref((soon_future *[]){running, map}, 2);
}

static void in_an_error_callback_in_a_cancel(soon_executor *pool)
{
    soon_future *running = occupy(pool), *future = soon_apply_async(pool, NULL, block_in_error, NULL, answer);

    open_gate();
    if (!soon_future_cancel(future)) /* it has begun, and succeeds */
        block_here();
    soon_futures_unref((soon_future *[]){running, future}, 2);
}

static void in_a_cancel_hook(soon_promise *promise, void *data)
{
    (void)data;
    block_here();
    soon_promise_set_cancelled(promise);
}

static void in_a_hook_of_a_promise(SOON_UNUSED soon_executor *pool)
{
    soon_promise_hooks hooks = {.on_cancel = in_a_cancel_hook};
    soon_promise *promise;
    soon_future *future;

    cr_assert_eq(soon_promise_new(&promise, &hooks), 0);
    future = soon_promise_future(promise);
    cr_assert_eq(soon_promise_set_running(promise), 0);
    (void)soon_future_cancel(future);
    soon_promise_free(promise);
    soon_future_unref(future);
}

static int block_in_source(void *arg, void *data)
{
    (void)data;
    *(int *)arg = 1;
    block_here();
    return 0;
}

static void in_a_source(soon_executor *pool)
{
    soon_future *item;
    soon_imap *imap;

    cr_assert_eq(soon_imap_new(&imap, pool, &pass_on_task, NULL, block_in_source, NULL), 0);
    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &item, NULL), SOON_EEND);
    soon_imap_free(imap);
}

static void block_on_loop(void *data)
{
    (void)data;
    block_here();
}

static void in_a_callback_on_a_loop(soon_executor *pool)
{
    uv_loop_t uv;
    soon_loop *on;

    cr_assert_eq(uv_loop_init(&uv), 0);
    cr_assert_eq(soon_loop_attach(&on, &uv), 0);
    soon_future_unref(soon_submit_with(pool, (.on_done = block_in_callback, .on_done_loop = on), answer));
    soon_loop_detach(on, NULL, NULL);
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&uv), 0);
}

static void in_a_post_to_a_loop(SOON_UNUSED soon_executor *pool)
{
    uv_loop_t uv;
    soon_loop *on;

    cr_assert_eq(uv_loop_init(&uv), 0);
    cr_assert_eq(soon_loop_attach(&on, &uv), 0);
    cr_assert_eq(soon_loop_post(on, block_on_loop, NULL), 0);
    soon_loop_detach(on, NULL, NULL);
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&uv), 0);
}

SOON_TASK(block_in_task, soon_none, int)
{
    *result = 1;
    open_gate();
    block_here();
    return 0;
}

static void in_a_task(soon_executor *pool)
{
    soon_future_unref(soon_submit(pool, block_in_task));
}

/* On a pool of its own. */
static void in_a_task_that_its_submitter_runs(SOON_UNUSED soon_executor *pool)
{
    soon_executor *full = new_pool(.workers = 1, .queue_max = 1, .when_full = SOON_FULL_RUN_HERE);
    soon_future *running = occupy(full);

    soon_future_unref(soon_submit(full, answer)); /* its place in the queue */
    now.pool = full;
    soon_future_unref(soon_submit(full, block_in_task));
    open_gate();
    soon_future_unref(running);
    cr_assert_eq(soon_executor_free(full), 0);
    now.pool = pool;
}

static int block_in_initializer(soon_task *task, const void *arg, void *result)
{
    (void)arg;
    (void)result;
    now.pool = soon_task_executor(task);
    block_here();
    return 0;
}

static void in_an_initializer(SOON_UNUSED soon_executor *pool)
{
    static const soon_function initializer = {.name = "block_in_initializer", .body = block_in_initializer};
    soon_executor *own = new_pool(.workers = 1, .initializer = &initializer);

    soon_future_unref(soon_submit(own, answer));
    test_wait_until(now.done);
    cr_assert_eq(soon_executor_free(own), 0);
    now.pool = pool;
}

static const struct place {
    const char *name;
    void (*run)(soon_executor *pool);
    bool holds_up; /* the pool cannot end meanwhile: a shutdown is refused there, always */
    bool here;     /* with a pool of threads only */
} places[] = {
    {"a callback", in_a_callback, false, false},
    {"a callback of soon_apply_async()", in_a_callback_of_apply, true, false},
    {"the hook for errors", in_the_hook_for_errors, false, false},
    {"the release of a payload", in_the_release_of_a_payload, false, false},
    {"a task", in_a_task, true, true},
    {"a task that its submitter runs", in_a_task_that_its_submitter_runs, true, true},
    {"an initializer", in_an_initializer, true, true},
    {"a release in a shutdown", in_a_release_in_a_shutdown, true, true},
    {"a callback in a shutdown", in_a_callback_in_a_shutdown, false, true},
    {"a release in a cancel", in_a_release_in_a_cancel, true, true},
    {"an error callback in a cancel", in_an_error_callback_in_a_cancel, false, true},
    {"a hook of a promise", in_a_hook_of_a_promise, false, false},
    {"a source", in_a_source, false, false},
    {"a callback on a loop", in_a_callback_on_a_loop, false, false},
    {"a post to a loop", in_a_post_to_a_loop, false, false},
};

static bool is_allowed(int code)
{
    return code == 0 || code == SOON_EDEADLK || code == SOON_ESHUTDOWN || code == -ECANCELED;
}

static void try_way_in_place(soon_executor *(*make)(void), const struct place *place, const struct way *way)
{
    close_gate();
    now.pool = make();
    now.way = way;
    now.begun = now.done = false;
    place->run(now.pool);
    test_wait_until(now.done);

    cr_assert(is_allowed(now.code), "%s for %s: %s", place->name, way->name, soon_errname(now.code));
    if (way->kind == SERVED)
        cr_assert_neq(now.code, SOON_EDEADLK, "%s for %s", place->name, way->name);
    if (way->kind == SHUTDOWN && place->holds_up)
        cr_assert_eq(now.code, SOON_EDEADLK, "%s in %s: %s", way->name, place->name, soon_errname(now.code));
    cr_assert_eq(soon_executor_free(now.pool), 0);
}

static void try_all(soon_executor *(*make)(void), bool in_processes)
{
    common_begin();
    elsewhere = make_own();
    for (size_t i = 0; i < COUNT(places); i++) {
        for (size_t j = 0; j < COUNT(ways) && !(in_processes && places[i].here); j++)
            try_way_in_place(make, &places[i], &ways[j]);
    }
    cr_assert_eq(soon_executor_free(elsewhere), 0);
}

Test(user_code_waits, every_wait_comes_back_with_a_pool_of_one_thread)
{
    try_all(make_one_thread, false);
}

Test(user_code_waits, every_wait_comes_back_with_a_pool_of_a_process)
{
    if (test_has_processes())
        try_all(make_one_process, true);
}

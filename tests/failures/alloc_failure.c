/*
 * alloc_failure.c - a session with everything but the map family and loops, which have files of their own, in which one
 * allocation fails, or that one and all that follow; for each one that there is.
 *
 * Whatever cannot be done says so, whatever was given away is released once, whoever asked to be called is called or
 * was told, and no future stays unresolved.
 */
#include "../harness/fail.h"
#include "../support/executors.h"

#include "../../futures/block_internal.h"
#include "../../futures/future_internal.h"

#include <signal.h>
#include <string.h>

enum { LARGE = 5000, MAPPABLE = 1 << 20 };

/* What was given to the library and has not been released; callbacks that are owed. */
static _Atomic int alive, owed;
static size_t nth; /* for messages */

#define told(rc) told_as(rc, #rc, __LINE__)

/* What a failed allocation, or a worker that could not start for it, may lead to. */
static bool is_told(int code)
{
    return code == -ENOMEM || code == SOON_EBROKEN;
}

static bool told_as(int rc, const char *what, int line)
{
    cr_assert(rc == 0 || is_told(rc), "allocation %zu: line %d: %s: %s", nth, line, what, soon_errname(rc));
    return rc == 0;
}

static void release(void *data)
{
    alive--;
    fail_pause();
    free(data);
    fail_resume();
}

static void *give(size_t size)
{
    void *data;

    fail_pause();
    data = calloc(1, size);
    fail_resume();
    alive++;
    return data;
}

static void pay(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    owed--;
}

/* Done, whatever happened: by then or soon its callbacks have run. */
static void settle(soon_future *future, int allowed)
{
    int code;

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    code = soon_future_error(future)->code;
    cr_assert(code == 0 || code == allowed || is_told(code), "allocation %zu: %s", nth, soon_errname(code));
    cr_assert_str_not_empty(soon_future_error(future)->message);
    soon_future_unref(future);
}

static void call_back(soon_future *future)
{
    owed++;
    if (soon_future_add_done_callback(future, pay, NULL) < 0)
        owed--;
}

/*
 * Futures
 */

static soon_promise *promise(soon_future **ret)
{
    soon_promise *made;

    if (!told(soon_promise_new(&made, NULL)))
        return NULL;
    *ret = soon_promise_future(made);
    return made;
}

static void resolve_with_bytes(soon_promise *made)
{
    char bytes[LARGE] = {0};
    soon_buffer *buffer;

    if (told(soon_buffer_new(&buffer, MAPPABLE)))
        (void)told(soon_promise_set_payload(made, buffer));
    if (!told(soon_promise_set_result(made, bytes, sizeof bytes)))
        cr_assert_eq(soon_promise_set_exception(made, 7, "no memory for %d bytes", LARGE), 0);
}

static void resolve(soon_promise *made, int how)
{
    soon_error error = {.code = SOON_EWORKERDIED, .message = "it is gone", .function = "f", .label = "l"};

    switch (how) {
    case 0:
        resolve_with_bytes(made);
        break;
    case 1:
        cr_assert_eq(soon_promise_set_exception(made, EDOM, "%0*d", 300, 1), 0);
        break;
    case 2:
        cr_assert_eq(soon_promise_set_error(made, &error), 0);
        break;
    case 3:
        cr_assert_eq(soon_promise_set_cancelled(made), 0);
        break;
    }
    soon_promise_free(made); /* 4: abandoned */
}

static void iterate(soon_future **futures, size_t count)
{
    soon_as_completed *set;
    soon_future *future;

    if (!told(soon_as_completed_new(&set, futures, count / 2, SOON_FOREVER)))
        return;
    for (size_t i = count / 2; i < count; i++) {
        if (i % 2)
            (void)told(soon_as_completed_add(set, futures[i]));
        else
            (void)told(soon_as_completed_give(set, soon_future_ref(futures[i])));
    }
    while (soon_as_completed_next(set, &future) == 0)
        soon_future_unref(future);
    cr_assert_eq(soon_as_completed_left(set, NULL), 0);
    soon_as_completed_free(set);
}

static void many(soon_future **futures, size_t count)
{
    bool done[8];
    int64_t rc = soon_wait(futures, count, SOON_ALL_COMPLETED, SOON_FOREVER, done);

    cr_assert(rc == (int64_t)count || rc == -ENOMEM);
    rc = soon_wait(futures, count, SOON_FIRST_EXCEPTION, 0, NULL);
    cr_assert(rc == (int64_t)count || rc == -ENOMEM);
    iterate(futures, count);
}

static void promises(SOON_UNUSED soon_executor *executor)
{
    enum { COUNT = 5 };
    soon_promise *made[COUNT];
    soon_future *futures[COUNT], *groups[4];
    size_t count = 0;

    for (int i = 0; i < COUNT; i++) {
        made[count] = promise(&futures[count]);
        count += made[count] != NULL;
    }
    for (size_t i = 0; i < count; i++)
        call_back(futures[i]);
    groups[0] = soon_gather(futures, count);
    groups[1] = soon_any(futures, count);
    groups[2] = soon_gather(groups, 2);
    groups[3] = soon_any(NULL, 0);
    for (size_t i = 0; i < count; i++)
        resolve(made[i], (int)i);
    if (count)
        many(futures, count);
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(soon_future_wait(groups[i], SOON_FOREVER), 0);
        soon_future_unref(groups[i]);
    }
    soon_futures_unref(futures, count);
}

static void buffers(SOON_UNUSED soon_executor *executor)
{
    soon_buffer *buffer;
    void *data = give(10);

    if (told(soon_buffer_wrap(&buffer, data, 10, release))) {
        (void)told(soon_buffer_resize(buffer, 20));
        (void)told(soon_buffer_resize(buffer, 2 * MAPPABLE));
        soon_buffer_unref(buffer);
    } else {
        release(data);
    }
    if (!told(soon_buffer_new(&buffer, MAPPABLE)))
        return;
    (void)told(soon_buffer_resize(buffer, 3 * MAPPABLE));
    soon_buffer_unref(buffer);
}

/*
 * Tasks
 */

SOON_TASK(add_one, int, int)
{
    *result = *arg + 1;
    return 0;
}

typedef char *text;
static void free_text(void *arg)
{
    release(*(text *)arg);
}

/* Its argument and its result are on the heap. */
SOON_TASK_LOCAL(copy, text, text, free_text, free_text)
{
    *result = give(strlen(*arg) + 1);
    strcpy(*result, *arg);
    return 0;
}

typedef struct large {
    char bytes[LARGE];
} large;

SOON_TASK(pass, large, large)
{
    *result = *arg;
    return 0;
}

SOON_TASK_BYTES(echo)
{
    void *space = soon_task_return_space(task, arg.size);
    soon_buffer *buffer;

    if (!space || soon_task_return_bytes(task, arg.data, arg.size) < 0)
        return -ENOMEM;
    return soon_buffer_new(&buffer, MAPPABLE) < 0 ? -ENOMEM : soon_task_return_payload(task, buffer);
}

SOON_TASK(complain, int, int)
{
    return soon_raise(task, *arg, "%0*d", 400, 7);
}

/* Waits for tasks of its own executor in every way there is. */
SOON_TASK(nest, int, int)
{
    soon_executor *executor = soon_task_executor(task);
    soon_future *first = soon_submit(executor, add_one, *arg), *second = soon_submit(executor, complain, 3);
    soon_future *both[] = {first, second}, *all = soon_gather(both, 2);
    int rc = soon_future_wait(all, SOON_FOREVER);

    if (rc == 0 && soon_wait(both, 2, SOON_ALL_COMPLETED, SOON_FOREVER, NULL) < 0)
        rc = -ENOMEM;
    if (rc == 0 && soon_future_wait(second, SOON_FOREVER) == 0)
        rc = soon_raise_from(task, second);
    soon_futures_unref(both, 2);
    soon_future_unref(all);
    return rc;
}

/* A task that ends in the code of a failed allocation has "raised" it. */
#define settle_task(future) settle(future, SOON_ERAISED)

static void submits(soon_executor *executor)
{
    char bytes[LARGE] = {0};
    text given = give(6);
    large *some = give(sizeof *some);
    soon_future *futures[] = {
        soon_submit(executor, add_one, 1),     pass_submit(executor, some, NULL),
        copy_submit(executor, &given, NULL),   echo_submit(executor, bytes, sizeof bytes, NULL),
        soon_submit(executor, complain, EDOM), soon_submit(executor, nest, 4),
    };

    for (size_t i = 0; i < sizeof futures / sizeof *futures; i++)
        settle_task(futures[i]);
    release(some);
}

/* Everything that a submit can carry. The future for "no memory" calls nobody. */
static void options(soon_executor *executor)
{
    soon_buffer *payload = NULL;
    void *data = give(100);
    soon_future *future;

    if (!told(soon_buffer_wrap(&payload, data, 100, release)))
        release(data);
    owed++;
    future = soon_submit_with(executor,
                              (.label = "labelled", .data = &owed, .priority = 3, .time_limit_ms = 1000000,
                               .queue_limit_ms = 1000000, .payload = payload, .on_done = pay, .on_done_data = NULL),
                              add_one, 5);
    owed -= soon_future_data(future) != &owed;
    cr_assert(!*soon_future_label(future) || strcmp(soon_future_label(future), "labelled") == 0);
    settle_task(future);
}

/* A refusal takes nothing. */
static void try_submits(soon_executor *executor)
{
    text given = give(3);
    soon_future *future;

    if (told(soon_try_submit_bytes(&future, executor, &copy_task, &given, sizeof given, NULL)))
        settle_task(future);
    else
        release(given);
}

static void thens(soon_executor *executor)
{
    soon_future *first = soon_submit(executor, add_one, 1), *last = soon_future_ref(first), *cancelled;

    for (int i = 0; i < 3; i++) {
        soon_future *next = soon_then(last, executor, &add_one_task);

        soon_future_unref(last);
        last = next;
    }
    settle_task(last);
    soon_future_unref(first);

    soon_promise *made = promise(&first);
    if (!made)
        return;
    last = soon_then(first, executor, &add_one_task);
    cancelled = soon_then(first, executor, &add_one_task);
    (void)soon_future_cancel(cancelled); /* and with it the promise, else that is abandoned */
    soon_promise_free(made);
    settle(last, soon_future_error(first)->code);
    settle(cancelled, -ECANCELED);
    soon_future_unref(first);
}

/* With all that a task may bring. */
static void joins(soon_executor *executor)
{
    soon_future *both[] = {soon_submit(executor, add_one, 1), soon_submit(executor, add_one, 2)}, *future;
    soon_buffer *payloads[3];
    size_t count = 0;

    for (int i = 0; i < 3; i++) {
        void *data = give(100);

        if (told(soon_buffer_wrap(&payloads[count], data, 100, release)))
            count++;
        else
            release(data);
    }
    future = soon_submit_with(
        executor,
        (.extra = soon_string("extra"), .payloads = payloads, .payload_count = count, .after = both, .after_count = 2),
        add_one, 5);
    settle_task(future);
    soon_futures_unref(both, 2);
}

static void count_value(soon_bytes result, void *data)
{
    (void)result;
    --*(_Atomic int *)data;
}

static void count_error(const soon_error *error, void *data)
{
    (void)error;
    --*(_Atomic int *)data;
}

static int next_number(void *arg, void *data)
{
    *(int *)arg = ++*(int *)data;
    return *(int *)data <= 3;
}

/* In brief: the map family has a session of its own. */
static void maps(soon_executor *executor)
{
    int numbers[] = {1, 2, 3, 4, 5}, results[5], rc, next = 0;
    soon_future *future;
    soon_imap *imap;

    (void)told(soon_map(executor, add_one, numbers, 5, results));
    settle_task(soon_map_async(executor, add_one, numbers, 5));
    owed++;
    settle_task(soon_apply_async(executor, count_value, count_error, &owed, add_one, 1));
    if (!told(soon_imap_new(&imap, executor, &add_one_task, NULL, next_number, &next)))
        return;
    for (int failures = 0; failures < 2;) {
        rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL);
        if (rc == 0)
            settle_task(future);
        failures += rc < 0;
    }
    soon_imap_free(imap);
}

/*
 * Executors
 */

static int submit_here(void *self, soon_call *call, bool may_block)
{
    (void)may_block;
    if (*(bool *)self)
        return SOON_ESHUTDOWN;
    soon_call_run(call);
    return 0;
}

static int shut_down_here(void *self, soon_shutdown mode, soon_promise *down)
{
    (void)mode;
    *(bool *)self = true;
    soon_promise_set_result(down, NULL, 0);
    return 0;
}

static void own(SOON_UNUSED soon_executor *executor)
{
    static const soon_executor_class klass = {.size = sizeof klass, .submit = submit_here, .shutdown = shut_down_here};
    bool closed = false;
    soon_executor *here;

    if (!told(soon_executor_new(&here, &klass, &closed)))
        return;
    submits(here);
    options(here);
    try_submits(here);
    thens(here);
    if (soon_executor_free(here) == 0)
        return;
    cr_assert_eq(soon_executor_free(here), 0); /* there was no memory to shut it down */
}

/* Leaves its argument to the worker's other tasks. */
SOON_TASK(set_up, int, soon_none)
{
    soon_task_set_local(task, give((size_t)*arg), release);
    return 0;
}

/* Options that need memory, and every way to shut down. */
static void pools(SOON_UNUSED soon_executor *executor)
{
    soon_thread_pool_options with = {
        .workers = 2, .name = "mine", .initializer = &set_up_task, .initializer_arg = &(int){64}, .queue_max = 2};
    soon_future *futures[6], *down;
    soon_executor *pool;

    for (soon_shutdown mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        if (!told(soon_thread_pool_new(&pool, &with)))
            continue;
        int rc = soon_executor_boot(pool, SOON_FOREVER);
        cr_assert(rc == 0 || rc == -EAGAIN || is_told(rc));
        down = soon_executor_down(pool);
        for (int i = 0; i < 6; i++)
            futures[i] = soon_submit_with(pool, (.when_full = i < 3 ? SOON_FULL_FAIL : SOON_FULL_BLOCK), add_one, i);
        while (soon_executor_shutdown(pool, mode, SOON_FOREVER) < 0)
            ;
        for (int i = 0; i < 6; i++)
            cr_assert(soon_future_done(futures[i]), "allocation %zu, mode %d: unresolved after a shutdown", nth, mode);
        soon_futures_unref(futures, 6);
        while (soon_executor_free(pool) < 0)
            ;
        settle(down, 0);
    }
}

/*
 * The session
 */

static void (*const scenes[])(soon_executor *executor) = {promises, buffers, submits, options, try_submits,
                                                          thens,    joins,   maps,    own,     pools};

/* The pool is new each time, so that the start of its workers can fail too. */
static void play(void)
{
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        soon_executor *pool = NULL;

        if (!told(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2})))
            continue;
        scenes[i](pool);
        while (soon_executor_free(pool) < 0)
            ;
    }
}

static void each_allocation_fails(void (*fail)(size_t nth))
{
    size_t calls = 1;

    for (nth = 0; nth < calls;) {
        fail(++nth);
        play();
        calls = fail_stop();
        test_wait_until(alive == 0 && owed == 0 && soon__blocks_alive() == 0);
    }
    cr_assert_gt(nth, 150);
}

TestSuite(alloc_failure);

Test(alloc_failure, of_one_is_told_and_nothing_is_lost)
{
    each_allocation_fails(fail_nth);
}

Test(alloc_failure, of_all_that_follow_is_told_and_nothing_is_lost)
{
    each_allocation_fails(fail_from);
}

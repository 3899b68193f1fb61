/*
 * process_failure.c - a session with a process pool in which one call that can run out of something fails, or that one
 * and all that follow; for each one that there is: memory, descriptors, processes, mappings, messages.
 *
 * Whatever cannot be done says so, no future stays unresolved, nothing is left behind, and afterwards it works.
 */
#include "../harness/fail.h"
#include "../support/process_fixture.h"

enum { MEDIUM = 3000, LARGE = 5 << 20, TASKS = 6 };

static size_t nth;        /* for messages */
static bool never_broken; /* one start that fails would break it */

/* What want of something may lead to. */
static bool is_told(int code)
{
    return code == -ENOMEM || code == -EMFILE || code == -EAGAIN || code == -ENOBUFS || code == -ENOSPC ||
           (code == SOON_EBROKEN && !never_broken);
}

SOON_TASK_BYTES(echo_all)
{
    soon_buffer *payload = soon_task_payload(task), *copy;

    if (soon_task_return_bytes(task, arg.data, arg.size) < 0)
        return ENOMEM;
    if (!payload)
        return 0;
    if (soon_buffer_new(&copy, soon_buffer_size(payload)) < 0)
        return ENOMEM;
    memcpy(soon_buffer_data(copy), soon_buffer_data(payload), soon_buffer_size(copy));
    return soon_task_return_payload(task, copy);
}

SOON_TASK(complain, int, int)
{
    return soon_raise(task, *arg, "%0*d", 1000, 7);
}

static soon_future *submit_echo(soon_executor *pool, size_t size, size_t payload_size)
{
    static char bytes[LARGE];
    soon_buffer *payload = NULL;

    for (size_t i = 0; i < LARGE; i += 61)
        bytes[i] = (char)i;
    fail_pause();
    if (payload_size)
        cr_assert_eq(soon_buffer_new(&payload, payload_size), 0);
    fail_resume();
    return echo_all_submit(pool, bytes, size, &(soon_submit_options){.payload = payload, .label = "labelled"});
}

/* It succeeds, or says why not; gives it up. True: it has succeeded. */
static bool settle(soon_future *future, int allowed)
{
    const soon_error *error;
    int code;

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    error = soon_future_error(future);
    code = error->code;
    cr_assert(code == 0 || code == allowed || is_told(code), "call %zu: %s", nth, error->message);
    soon_future_unref(future);
    return code == 0;
}

static void submit_all(soon_executor *pool)
{
    int numbers[] = {1, 2, 3, 4, 5};
    soon_future *first, *then, *map;
    soon_future *tasks[TASKS] = {
        soon_submit_with(pool, (.time_limit_ms = 100000, .queue_limit_ms = 100000, .priority = 1), twice, 4),
        submit_echo(pool, MEDIUM, 0),
        submit_echo(pool, LARGE, 100),
        submit_echo(pool, 10, LARGE),
        soon_submit(pool, complain, 3),
        soon_submit(pool, die_by, BY_SIGKILL),
    };

    for (int i = 0; i < TASKS; i++)
        settle(tasks[i], i == 4 ? SOON_ERAISED : i == 5 ? SOON_EWORKERDIED : 0);
    first = soon_submit(pool, twice, 1);
    then = soon_then(first, pool, &twice_task);
    map = soon_map_async_with(pool, (.chunk = 2), twice, numbers, 5);
    settle(map, 0);
    settle(then, 0);
    settle(first, 0);
}

/* When nothing fails any more; unless it has given up. */
static void assert_works(soon_executor *pool)
{
    soon_future *future = submit_echo(pool, LARGE, LARGE);
    int code;

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    code = soon_future_error(future)->code;
    cr_assert(code == 0 || (code == SOON_EBROKEN && !never_broken), "after call %zu: %s", nth,
              soon_future_error(future)->message);
    soon_future_unref(future);
}

/* The pool is new each time, so that everything at its start can fail too. Returns how many calls there were. */
static size_t play(void (*fail)(size_t nth), const soon_process_pool_options *options)
{
    soon_executor *pool = NULL;
    size_t calls;
    int rc;

    fail(nth);
    rc = soon_process_pool_new(&pool, options);
    cr_assert(rc == 0 || is_told(rc), "call %zu: %s", nth, soon_strerror(rc));
    if (rc == 0)
        submit_all(pool);
    calls = fail_stop();
    if (rc == 0)
        assert_works(pool);
    free_pool(pool);
    return calls;
}

static void each_call_fails(void (*fail)(size_t nth), const soon_process_pool_options *options)
{
    size_t most = 200, calls; /* how many there are varies with who is faster; the first of them end it all */
    size_t step = (size_t)(60 / test_rounds(60)); /* behind those that happen at the start, each of them */

    for (nth = 1; nth <= most; nth += nth < 60 ? 1 : step) {
        calls = play(fail, options);
        most = calls > most ? calls : most;
        assert_no_leaks();
    }
}

TestSuite(process_failure);

Test(process_failure, of_one_call_is_told_and_nothing_is_lost)
{
    each_call_fails(fail_nth, &(soon_process_pool_options){.workers = 2});
}

Test(process_failure, of_all_that_follow_is_told_and_nothing_is_lost)
{
    each_call_fails(fail_from, &(soon_process_pool_options){
                                   .workers = 1, .max_restarts = 1, .start_timeout_ms = 50 * test_slowness()});
}

typedef struct much {
    char bytes[LARGE];
} much;

SOON_TASK(prepare_much, much, soon_none)
{
    return arg->bytes[LARGE - 1] == 5 ? 0 : EILSEQ;
}

/* An argument that needs a descriptor of its own. */
Test(process_failure, of_what_a_start_needs_is_made_up_for)
{
    much *arg = calloc(1, sizeof *arg);

    arg->bytes[LARGE - 1] = 5;
    never_broken = true;
    each_call_fails(fail_nth, &(soon_process_pool_options){.workers = 1,
                                                           .initializer = &prepare_much_task,
                                                           .initializer_arg = arg,
                                                           .max_restarts = 1,
                                                           .start_timeout_ms = 1000000});
    free(arg);
}

/*
 * No descriptors
 */

Test(process_failure, without_descriptors_is_told_and_passes)
{
    for (int left = 0; left < 40; left++) {
        soon_executor *pool = NULL;
        struct rlimit before;
        int rc;

        before = leave_descriptors(left);
        rc = soon_process_pool_new(
            &pool,
            &(soon_process_pool_options){.workers = 2, .max_restarts = 2, .start_timeout_ms = 50 * test_slowness()});
        cr_assert(rc == 0 || rc == -EMFILE, "%d left: %s", left, soon_strerror(rc));
        if (rc == 0)
            submit_all(pool);
        allow_descriptors(before);
        if (rc == 0)
            assert_works(pool);
        free_pool(pool);
        assert_no_leaks();
    }
}

/* The workers are there; what large values need is not. */
Test(process_failure, without_descriptors_later_fails_what_needs_them_alone)
{
    soon_executor *pool = new_processes(.workers = 2);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    for (int left = 0; left < 6; left++) {
        soon_future *small, *large[4];
        struct rlimit before;

        before = leave_descriptors(left);
        small = soon_submit(pool, twice, 4);
        for (int i = 0; i < 4; i++)
            large[i] = submit_echo(pool, i % 2 ? LARGE : 10, i < 2 ? 0 : LARGE);
        cr_assert(settle(small, 0), "%d left", left);
        for (int i = 0; i < 4; i++)
            cr_assert(settle(large[i], 0) || i > 0, "%d left", left);
        allow_descriptors(before);
        assert_works(pool);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
}

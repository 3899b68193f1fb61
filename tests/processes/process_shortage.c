/*
 * process_shortage.c - want of what a start needs: descriptors, memory. It passes, so it breaks no pool, and those
 * workers who are there go on.
 */
#include "../support/process_fixture.h"

TestSuite(process_shortage);

/* Each boot hears of one start that failed. */
static void await_failed_starts(soon_executor *pool, int count, int code)
{
    for (int i = 0; i < count; i++) {
        int rc = soon_executor_boot(pool, SOON_FOREVER);

        cr_assert_eq(rc, code, "%d: %s", i, soon_strerror(rc));
    }
}

/* No worker is left when it comes. */
Test(process_shortage, of_descriptors_for_a_while_breaks_nothing)
{
    soon_executor *pool = new_processes(.workers = 2, .idle_timeout_ms = 1, .max_restarts = 3);
    struct rlimit before;
    soon_future *future;

    (void)pid_of_one(pool);
    test_wait_until(workers_of(pool) == 0);
    before = leave_descriptors(0);
    future = soon_submit(pool, nothing);
    await_failed_starts(pool, 5, -EMFILE);
    cr_assert_not(soon_future_done(future));

    allow_descriptors(before);
    cr_assert_eq(outcome_of(future), 0);
    (void)pid_of_one(pool);
    free_pool(pool);
}

Test(process_shortage, of_descriptors_for_all_lets_some_work)
{
    soon_executor *pool = new_processes(.workers = 50);
    struct rlimit before = leave_descriptors(60);
    struct gate gate = gate_new();
    soon_future *futures[200];

    for (int i = 0; i < 200; i++)
        futures[i] = submit_pass(pool, gate);
    gate_await(gate, 5);
    gate_open(gate, 200);
    for (int i = 0; i < 200; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
    allow_descriptors(before);
    gate_free(gate);
}

static void assert_says_why(soon_future *future)
{
    const soon_error *error = soon_future_error(future);

    cr_assert_eq(error->code, -EMFILE, "%s", error->message);
    cr_assert_not(error->started);
    cr_assert_not_null(strstr(error->message, "RLIMIT_NOFILE"), "%s", error->message);
    soon_future_unref(future);
}

/* Who waits hears of it after a time; who comes when it is over does not. */
Test(process_shortage, of_descriptors_for_long_fails_what_waits_and_says_why)
{
    soon_executor *pool = new_processes(.workers = 2, .max_restarts = 1, .start_timeout_ms = 1000);
    struct rlimit before = leave_descriptors(0);
    soon_future *futures[2];

    for (int i = 0; i < 2; i++) { /* the second one comes in a back-off in which nobody waited */
        futures[i] = soon_submit(pool, nothing);
        cr_assert_eq(soon_future_wait(futures[i], SOON_FOREVER), 0);
    }
    allow_descriptors(before); /* else what is wrong could not be told */
    for (int i = 0; i < 2; i++)
        assert_says_why(futures[i]);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
}

Test(process_shortage, of_descriptors_for_long_does_not_hold_up_a_drain)
{
    soon_executor *pool = new_processes(.workers = 2, .max_restarts = 1, .start_timeout_ms = 500);
    struct rlimit before = leave_descriptors(0);
    soon_future *future = soon_submit(pool, nothing);

    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
    allow_descriptors(before);
    assert_says_why(future);
    free_pool(pool);
}

/*
 * In the worker
 */

/* A program that says that it had no memory while there is this file; then it is this one. */
static const char script[] = "if [ -e \"$1\" ]; then exit 83; fi\nshift\nexec \"$0\" \"$@\"\n";

static void assert_memory_passes(soon_on_death on_death)
{
    char self[256] = "", file[] = "/tmp/soon-test-XXXXXX";
    const char *arguments[] = {"-c", script, self, file, NULL};
    soon_executor *pool;
    soon_future *future;

    close(mkstemp(file));
    cr_assert_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    pool = new_processes(.workers = 1, .worker_program = "/bin/sh", .worker_args = arguments, .max_restarts = 2,
                         .on_worker_death = on_death);
    future = soon_submit(pool, nothing);
    await_failed_starts(pool, 4, -ENOMEM);
    cr_assert_not(soon_future_done(future));

    unlink(file);
    cr_assert_eq(outcome_of(future), 0);
    free_pool(pool);
}

Test(process_shortage, of_memory_in_workers_breaks_nothing)
{
    assert_memory_passes(SOON_REPLACE);
}

Test(process_shortage, of_memory_in_workers_is_no_death_that_breaks_a_pool)
{
    assert_memory_passes(SOON_BREAK);
}

struct much {
    char bytes[5 << 20]; /* too much for the shared memory: it comes with a descriptor */
};
SOON_TASK(begin_with_much, struct gate, struct much)
{
    result->bytes[0] = 1;
    return gate_pass(*arg, NULL);
}

/* The result of an initializer is of no use here, so it does not matter that there is no room for it. */
Test(process_shortage, of_descriptors_while_an_initializer_ends_breaks_nothing)
{
    struct gate gate = gate_new();
    soon_executor *pool = new_processes(.workers = 1, .initializer = &begin_with_much_task, .initializer_arg = &gate);
    soon_future *future = soon_submit(pool, nothing);
    struct rlimit before;

    gate_await(gate, 1);
    before = leave_descriptors(0);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(future), 0);

    allow_descriptors(before);
    free_pool(pool);
    gate_free(gate);
}

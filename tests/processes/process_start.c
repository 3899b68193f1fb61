/*
 * process_start.c - the program that workers run: what becomes of a pool whose workers never begin.
 */
#include "../../executor/processes/both/wire_internal.h"
#include "../support/process_fixture.h"

#include <sched.h>
#include <stdio.h>
#include <time.h>

TestSuite(process_start);

/* What a task's future says when no worker can be had. */
static void fails_with(const soon_process_pool_options *options, const char *text)
{
    soon_executor *pool = new_processes_of(options);
    soon_future *first = soon_submit(pool, nothing), *second = soon_submit(pool, nothing);

    cr_assert_eq(soon_future_wait(first, SOON_FOREVER), 0);
    cr_assert_not(soon_future_error(first)->started);
    cr_assert_not_null(strstr(soon_future_error(first)->message, text), "%s", soon_future_error(first)->message);
    cr_assert_eq(outcome_of(first), SOON_EBROKEN);
    cr_assert_eq(outcome_of(second), SOON_EBROKEN);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), SOON_EBROKEN);
    free_pool(pool);
}
#define fails(text, ...) fails_with(&(soon_process_pool_options){__VA_ARGS__}, text)

Test(process_start, of_a_program_that_exits_at_once)
{
    fails("exited with status 1", .workers = 2, .worker_program = "/bin/false");
    fails("exited with status 0, and had not come to soon_init()", .workers = 1, .worker_program = "true",
          .max_restarts = 1); /* found in PATH */
}

/* It reads nothing and does not know the marker. */
Test(process_start, of_a_program_that_is_no_worker)
{
    fails("exited with status 1", .workers = 1, .worker_program = "/bin/cat");
}

static const char *const for_ever[] = {"-c", "sleep 1000", NULL};

Test(process_start, of_a_program_that_hangs)
{
    fails("was not ready in 30 ms", .workers = 1, .worker_program = "/bin/sh", .worker_args = for_ever,
          .start_timeout_ms = 30, .max_restarts = 2);
}

/* It writes what nobody expects into the descriptors that it finds. */
static const char *const writes_nonsense[] = {"-c", "echo nonsense >&3; echo nonsense >&4; sleep 1000", NULL};

Test(process_start, of_a_program_that_says_what_no_worker_says)
{
    fails("said what no worker says", .workers = 1, .worker_program = "/bin/sh", .worker_args = writes_nonsense,
          .max_restarts = 1);
}

/* At once, or when the first worker is to start: either way it says so. */
Test(process_start, of_a_program_that_does_not_exist)
{
    soon_executor *pool = NULL;
    int rc =
        soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = 1, .worker_program = "/nowhere/at/all"});

    if (rc == 0) {
        soon_future *f = soon_submit(pool, nothing);

        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        cr_assert_not_null(strstr(soon_future_error(f)->message, "could not be started"), "%s",
                           soon_future_error(f)->message);
        cr_assert_eq(outcome_of(f), SOON_EBROKEN);
    } else {
        cr_assert_eq(rc, -ENOENT);
    }
    free_pool(pool);
}

/* CPython: test_failed_worker_replacement_breaks_pool; multiprocessing: test_release_unused_processes */
Test(process_start, of_a_program_that_cannot_be_executed_makes_boot_say_why)
{
    soon_executor *pool = new_processes(.workers = 2, .worker_program = "/etc/passwd", .max_restarts = -1);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), -EACCES);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_KILL, SOON_FOREVER), 0);
    free_pool(pool);
}

/* It tries for as long as it lives. */
Test(process_start, is_tried_for_ever_if_asked_to)
{
    soon_executor *pool = new_processes(.workers = 1, .worker_program = "/bin/false", .max_restarts = -1);
    int64_t started_ns = soon__clock_ns();
    soon_future *f = soon_submit(pool, nothing);

    test_wait_until(stats_of(pool).worker_deaths >= 7);
    cr_assert_geq(soon__clock_ns() - started_ns, 310 * INT64_C(1000000)); /* it backs off: 10 ms, then twice that ... */
    cr_assert_not(soon_future_done(f));
    cr_assert(soon_future_cancel(f));
    soon_future_unref(f);
    free_pool(pool);
}

/* A drain waits for what is pending; a program that fails for a while fails nothing. */
Test(process_start, works_once_the_program_does)
{
    char path[] = "/tmp/soon-test-XXXXXX", script[600], self[256] = "";
    const char *arguments[] = {path, NULL};
    soon_executor *pool;
    soon_future *f;
    int fd = mkstemp(path), result;

    close(fd);
    cr_assert_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    pool = new_processes(.workers = 1, .worker_program = "/bin/sh", .worker_args = arguments, .max_restarts = -1);
    f = soon_submit(pool, twice, 4);
    test_wait_until(stats_of(pool).worker_deaths > 2);
    snprintf(script, sizeof script, "exec %s \"$@\"\n", self);
    fd = open(path, O_WRONLY);
    cr_assert_eq(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);

    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 8);
    free_pool(pool);
    unlink(path);
}

/* The file of this program may be replaced while it runs: the old one is what its workers run. */
Test(process_start, takes_a_program_by_its_path)
{
    char self[256] = "";
    soon_executor *pool;
    int result;

    cr_assert_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    pool = new_processes(.workers = 2, .worker_program = self);

    cr_assert_eq(soon_take(soon_submit(pool, twice, 8), &result), 0);
    cr_assert_eq(result, 16);
    free_pool(pool);
}

/* mpi4py: test_bootup */
Test(process_start, of_all_is_what_boot_waits_for)
{
    soon_executor *pool = new_processes(.workers = 3, .idle_timeout_ms = 1000000);
    int result;

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(workers_of(pool), 3);
    cr_assert_eq(stats_of(pool).idle, 3);
    cr_assert_eq(soon_executor_boot(pool, 0), 0);
    cr_assert_eq(soon_take(soon_submit(pool, twice, 8), &result), 0);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), SOON_ESHUTDOWN);
    free_pool(pool);
}

static bool parent_stands_still(void)
{
    char path[32], state = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)getppid());
    file = fopen(path, "r");
    if (!file)
        _exit(4);
    if (fscanf(file, "%*d %*s %c", &state) != 1)
        state = 0;
    fclose(file);
    return state == 'T';
}

/* What a worker does when it starts: it works so long, by its CPU's clock, or ends; or says hello while its parent stands
 * still, for so long. */
void soon__process_point(enum soon__point point)
{
    const char *work = getenv("SOON_TEST_WORK_MS"), *end = getenv("SOON_TEST_END"), *stop = getenv("SOON_TEST_STOP_MS");

    if (point == SOON__POINT_AFTER_HELLO && stop) {
        usleep((unsigned)atoi(stop) * 1000);
        kill(getppid(), SIGCONT);
    }
    if (point != SOON__POINT_BEFORE_HELLO)
        return;
    while (work && clock() < atoi(work) * (CLOCKS_PER_SEC / 1000))
        continue;
    if (stop)
        kill(getppid(), SIGSTOP);
    while (stop && !parent_stands_still())
        sched_yield();
    if (end && strcmp(end, "killed") == 0)
        raise(SIGKILL);
    else if (end)
        _exit(3);
}

/* It is ready in time; its parent, which had no CPU meanwhile, hears of it when the time is over. */
Test(process_start, in_time_counts_also_where_the_parent_is_late)
{
    static const char *const environment[] = {"SOON_TEST_STOP_MS=2500", NULL};
    soon_executor *pool =
        new_processes(.workers = 1, .environment = environment, .start_timeout_ms = 1500, .max_restarts = 1);

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
}

/* Twelve that have to wait for each other on one CPU: each has less than it may take, and more than that has passed. */
Test(process_start, of_many_at_once_is_not_cut_short_by_the_others)
{
    static const char *const environment[] = {"SOON_TEST_WORK_MS=300", NULL};
    soon_executor *pool;

    test_stay_on_one_cpu();
    pool = new_processes(.workers = 12, .environment = environment, .start_timeout_ms = 2000, .max_restarts = 1);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
}

/* CPython: test_killed_child, which kills one that has just been started */
Test(process_start, that_is_ended_breaks_the_pool_if_that_was_asked_for)
{
    static const char *const killed[] = {"SOON_TEST_END=killed", NULL}, *const exits[] = {"SOON_TEST_END=exit", NULL};

    for (int i = 0; i < 2; i++) {
        soon_executor *pool = new_processes(.workers = 1, .environment = i ? killed : exits,
                                            .on_worker_death = SOON_BREAK, .max_restarts = -1);
        soon_future *future = soon_submit(pool, nothing);

        cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
        cr_assert_not_null(
            strstr(soon_future_error(future)->message, i ? "killed by signal 9" : "exited with status 3"), "%s",
            soon_future_error(future)->message);
        cr_assert_eq(outcome_of(future), SOON_EBROKEN);
        cr_assert_eq(stats_of(pool).worker_deaths, 1);
        free_pool(pool);
    }
}

Test(process_start, is_not_waited_for_longer_than_asked)
{
    soon_executor *pool =
        new_processes(.workers = 1, .worker_program = "/bin/sh", .worker_args = for_ever, .max_restarts = -1);

    cr_assert_eq(soon_executor_boot(pool, 5), -ETIMEDOUT);
    test_wait_until(workers_of(pool) == 1);
    free_pool(pool); /* nobody waits for it, so it need not become ready */
}

/* Until soon_init() has taken over in a worker, it makes no pools: a program that does not call it would start workers
 * without end. */
Test(process_start, is_refused_in_a_worker_that_has_not_taken_over)
{
    setenv(SOON__WORKER_VARIABLE, "1", 1);
    cr_assert_eq(try_processes(.workers = 1), SOON_ENOINIT);
    unsetenv(SOON__WORKER_VARIABLE);
    cr_assert_eq(try_processes(.workers = 1), 0);
}

struct nest {
    int depth;
};

SOON_TASK(nest, int, int)
{
    soon_executor *pool;
    int one_less = *arg - 1, rc;

    if (*arg == 0)
        return 0;
    rc = soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = 1});
    if (rc < 0) {
        *result = rc == SOON_EDEPTH ? 0 : rc;
        return 0;
    }
    rc = soon_take(nest_submit(pool, &one_less, NULL), result);
    *result += 1;
    soon_executor_free(pool);
    return rc;
}

/* pebble: test_process_pool_child_pebble, _child_process, _child_pool; loky: test_nested */
Test(process_start, of_pools_in_workers_of_pools)
{
    soon_executor *pool = new_processes(.workers = 1);
    int levels;

    cr_assert_eq(soon_take(soon_submit(pool, nest, 3), &levels), 0);
    cr_assert_eq(levels, 3);
    free_pool(pool);
}

/* loky: test_max_depth */
Test(process_start, ends_ten_workers_deep)
{
    soon_executor *pool = new_processes(.workers = 1);
    int levels;

    cr_assert_eq(soon_take(soon_submit(pool, nest, 100), &levels), 0);
    cr_assert_eq(levels, 9); /* in the tenth worker no pool can be made */
    free_pool(pool);
}

static void *use_one(void *unused)
{
    for (int i = 0; i < 5; i++) {
        soon_executor *pool = new_processes(.workers = 1);
        int result;

        cr_assert_eq(soon_take(soon_submit(pool, twice, i), &result), 0);
        cr_assert_eq(result, 2 * i);
        free_pool(pool);
    }
    return unused;
}

/* loky: test_thread_safety; mpi4py: test_multiple_executors */
Test(process_start, of_many_pools_at_once)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, use_one, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

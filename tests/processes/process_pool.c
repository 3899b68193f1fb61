/*
 * process_pool.c - the process pool as such: who its workers are, how many, and what they see.
 */
#include "../../executor/processes/both/channel_internal.h"
#include "../support/process_fixture.h"

TestSuite(process_pool);

/* pebble: test_process_pool_different_process */
Test(process_pool, runs_its_tasks_in_a_process_of_its_own)
{
    soon_executor *pool = new_processes(.workers = 1);
    int pid = pid_of_one(pool);

    cr_assert_neq(pid, getpid());
    cr_assert_eq(getpgid(pid), pid); /* what is meant for our group, from a terminal, is not for it */
    free_pool(pool);
    cr_assert_not(is_alive(pid));
}

/* CPython: test_default_workers, test_max_workers_too_large; multiprocessing: test_make_pool */
Test(process_pool, has_a_worker_per_cpu_by_default)
{
    soon_executor *pool = NULL;

    cr_assert_eq(soon_process_pool_new(&pool, NULL), 0);
    cr_assert_eq(workers_of(pool), 0);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_gt(workers_of(pool), 0);
    cr_assert_leq(workers_of(pool), (size_t)sysconf(_SC_NPROCESSORS_ONLN));
    free_pool(pool);
}

SOON_TASK_LOCAL(local, soon_none, soon_none, NULL, NULL)
{
    return 0;
}

/* CPython: test_max_workers_negative; multiprocessing: _TestPoolWorkerLifetime.test_pool_maxtasksperchild_invalid; loky:
 * test_invalid_process_number */
Test(process_pool, refuses_options_that_make_no_sense)
{
    static const char *const list[] = {"x", NULL};
    static const soon_function nameless = {.body = NULL};
    const soon_process_pool_options senseless[] = {
        {.workers = -1},
        {.idle_timeout_ms = -1},
        {.when_full = (soon_full)-1},
        {.when_full = (soon_full)4},
        {.max_tasks_per_worker = -1},
        {.max_restarts = -2},
        {.start_timeout_ms = -1},
        {.grace_ms = -2},
        {.on_worker_death = (soon_on_death)2},
        {.on_worker_death = (soon_on_death)-1},
        {.initializer = &nameless},
        {.initializer = &nothing_task, .when_full = SOON_FULL_RUN_HERE},
        {.initializer_arg = list},
        {.load = list, .worker_program = "/bin/cat"},
        {.load = list, .worker_args = list},
    };

    for (size_t i = 0; i < sizeof senseless / sizeof *senseless; i++)
        cr_assert_eq(try_processes_of(&senseless[i]), -EINVAL, "%zu", i);
    cr_assert_eq(soon_process_pool_new(NULL, NULL), -EINVAL);
    cr_assert_eq(try_processes(.initializer = &local_task), SOON_ELOCAL);
}

/* CPython: ProcessPoolExecutorTest.test_saturation */
Test(process_pool, never_has_more_workers_than_it_may)
{
    enum { WORKERS = 3, TASKS = 15 * WORKERS };
    soon_executor *pool = new_processes(.workers = WORKERS);
    struct gate gate = gate_new();
    soon_future *futures[TASKS];

    for (int i = 0; i < TASKS; i++)
        futures[i] = submit_pass(pool, gate);
    gate_await(gate, WORKERS);
    cr_assert_eq(workers_of(pool), WORKERS);
    cr_assert_eq(gate_arrived(gate), 0);
    gate_open(gate, TASKS);

    for (int i = 0; i < TASKS; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    free_pool(pool);
    gate_free(gate);
}

/* Each the number, all over. */
SOON_TASK_BYTES(make_large)
{
    int number = *(const int *)arg.data, size = ((const int *)arg.data)[1];
    unsigned char *bytes = soon_task_return_space(task, (size_t)size);

    if (!bytes)
        return -ENOMEM;
    memset(bytes, number, (size_t)size);
    return 0;
}

static soon_future *submit_large(soon_executor *pool, int number, int size)
{
    return make_large_submit(pool, (int[]){number, size}, 2 * sizeof(int), NULL);
}

static void assert_large(soon_future *future, int number, int size)
{
    soon_bytes result;

    cr_assert_eq(soon_future_result(future, SOON_FOREVER, &result), 0);
    cr_assert_eq(result.size, (size_t)size);
    for (int i = 0; i < size; i += 4096)
        cr_assert_eq(((const unsigned char *)result.data)[i], number);
    soon_future_unref(future);
}

/* Of those that lie in the worker's area, and of those that travel as descriptors: each next one needs the room of one
 * before it. */
Test(process_pool, goes_on_with_large_results)
{
    static const int sizes[] = {256 << 10, SOON__BODY_MAX, SOON__BODY_MAX + 1};
    soon_executor *pool = new_processes(.workers = 1);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        soon_future *futures[25];

        for (int k = 0; k < 25; k++)
            futures[k] = submit_large(pool, k, sizes[i]);
        for (int k = 0; k < 25; k++)
            assert_large(futures[k], k, sizes[i]);
    }
    free_pool(pool);
}

/* Their places among the replies come round again while their bytes have long been given back. */
Test(process_pool, goes_on_with_large_results_among_small_ones)
{
    enum { LARGE_ONES = 60, SMALL_ONES = 300, SIZE = 256 << 10 };
    soon_executor *pool = new_processes(.workers = 1);

    for (int i = 0; i < LARGE_ONES; i++) {
        soon_future *small[SMALL_ONES], *large = submit_large(pool, i, SIZE);
        int pid;

        for (int k = 0; k < SMALL_ONES; k++)
            small[k] = soon_submit(pool, own_pid);
        assert_large(large, i, SIZE);
        for (int k = 0; k < SMALL_ONES; k++)
            cr_assert_eq(soon_take(small[k], &pid), 0);
    }
    free_pool(pool);
}

/* CPython: test_idle_process_reuse_one */
Test(process_pool, uses_an_idle_worker_before_it_starts_another)
{
    soon_executor *pool = new_processes(.workers = 4);
    int pid = pid_of_one(pool);

    for (int i = 0; i < 20; i++)
        cr_assert_eq(pid_of_one(pool), pid);
    cr_assert_eq(workers_of(pool), 1);
    free_pool(pool);
}

/* CPython: test_idle_process_reuse_multiple */
Test(process_pool, uses_idle_workers_before_it_starts_others)
{
    soon_executor *pool = new_processes(.workers = 4);

    for (int round = 0; round < 10; round++) {
        soon_future *futures[] = {soon_submit(pool, own_pid), soon_submit(pool, own_pid)};

        soon_future_wait(futures[0], SOON_FOREVER);
        soon_future_wait(futures[1], SOON_FOREVER);
        soon_futures_unref(futures, 2);
    }
    cr_assert_leq(workers_of(pool), 2);
    free_pool(pool);
}

/* multiprocessing: MiscTestCase.test_large_pool */
Test(process_pool, may_be_large)
{
    soon_executor *pool = new_processes(.workers = 60, .start_timeout_ms = 1000000);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(workers_of(pool), 60);
    cr_assert_eq(stats_of(pool).idle, 60);
    free_pool(pool);
}

/* CPython: the executor of every test; the work is shared out also when the first worker got all of it. */
Test(process_pool, gives_work_to_those_that_become_ready_later)
{
    soon_executor *pool = new_processes(.workers = 2);
    struct gate gate = gate_new();
    soon_future *first, *second;
    int a, b;

    (void)pid_of_one(pool);
    first = own_pid_at_gate_submit(pool, &gate, NULL);
    second = own_pid_at_gate_submit(pool, &gate, NULL);
    gate_await(gate, 2); /* at once, so in two processes */
    gate_open(gate, 2);

    cr_assert_eq(soon_take(first, &a), 0);
    cr_assert_eq(soon_take(second, &b), 0);
    cr_assert_neq(a, b);
    free_pool(pool);
    gate_free(gate);
}

/* After so long: as which one it did so. */
SOON_TASK(number_after_us, int, int)
{
    _Atomic int *count = soon_task_shared(task);

    usleep((unsigned)*arg);
    *result = ++*count;
    return 0;
}

/* What was given to a worker ahead of time does not wait for the long task there while others get later ones. */
Test(process_pool, lets_no_task_wait_behind_a_long_one)
{
    enum { EARLY = 30, LATE = 300 };
    struct gate gate = gate_new(), other = gate_new();
    soon_future *early[EARLY], *late[LATE], *running[2];
    int early_at[EARLY], late_at;
    soon_executor *pool;
    soon_shared *shared;

    cr_assert_eq(soon_shared_new(&shared, sizeof(int)), 0);
    pool = new_processes(.workers = 2, .shared = shared);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    running[0] = submit_pass(pool, gate);
    running[1] = submit_pass(pool, other);
    for (int i = 0; i < EARLY; i++)
        early[i] = soon_submit(pool, number_after_us, 0);
    for (int i = 0; i < LATE; i++)
        late[i] = soon_submit(pool, number_after_us, 1000);
    gate_open(other, 1);

    for (int i = 0; i < EARLY; i++)
        cr_assert_eq(soon_take(early[i], &early_at[i]), 0);
    for (int i = 0; i < LATE; i++)
        cr_assert_eq(soon_take(late[i], &late_at), 0);
    for (int i = 0; i < EARLY; i++)
        cr_assert_lt(early_at[i], late_at, "%d: %d", i, early_at[i]);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(running[0]), 0);
    cr_assert_eq(outcome_of(running[1]), 0);
    free_pool(pool);
    gate_free(gate);
    gate_free(other);
    soon_shared_unref(shared);
}

/* The second worker is ready later than the first: it takes the oldest task that waits. */
Test(process_pool, begins_tasks_in_order_also_while_workers_start)
{
    for (int round = 0; round < 10; round++) {
        soon_executor *pool = new_processes(.workers = 2);
        struct gate first = gate_new(), others = gate_new();
        soon_future *one = submit_pass(pool, first), *two = submit_pass(pool, first), *rest[40];

        for (int i = 0; i < 40; i++)
            rest[i] = submit_pass(pool, others);
        gate_await(first, 2); /* they could wait for each other */
        cr_assert_eq(gate_arrived(others), 0);
        gate_open(first, 2);
        gate_open(others, 40);

        cr_assert_eq(outcome_of(one), 0);
        cr_assert_eq(outcome_of(two), 0);
        for (int i = 0; i < 40; i++)
            cr_assert_eq(outcome_of(rest[i]), 0);
        free_pool(pool);
        gate_free(first);
        gate_free(others);
    }
}

SOON_TASK(refuse_if_local, soon_none, soon_none)
{
    return soon_task_executor(task) ? soon_raise(task, 1, "the pool is not in this process") : 0;
}

Test(process_pool, refuses_functions_that_share_memory_with_their_caller)
{
    soon_executor *pool = new_processes(.workers = 1);

    cr_assert_eq(outcome_of(soon_submit(pool, local)), SOON_ELOCAL);
    cr_assert_eq(outcome_of(soon_submit(pool, refuse_if_local)), 0);
    free_pool(pool);
}

static int not_there_body(soon_task *task, const void *arg, void *result)
{
    (void)task;
    (void)arg;
    (void)result;
    return 0;
}

/* CPython: test_error_at_task_pickle; pebble: test_process_pool_pickling_error_task; mpi4py: test_bad_pickle. What
 * cannot get there fails alone. */
Test(process_pool, fails_a_task_whose_function_the_worker_does_not_have)
{
    static const soon_function not_there = {.name = "not_there", .body = not_there_body};
    soon_function other_type = twice_task, other_size = twice_task;
    soon_executor *pool = new_processes(.workers = 1);
    int four = 4, eight;
    soon_future *f;

    other_type.result_type = "unsigned";
    other_size.arg_size = 8;
    f = soon_submit_bytes(pool, &not_there, NULL, 0, NULL);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_not(soon_future_error(f)->started);
    cr_assert_str_eq(soon_future_error(f)->function, "not_there");
    cr_assert_eq(outcome_of(f), SOON_ENOFUNCTION);
    cr_assert_eq(outcome_of(soon_submit_bytes(pool, &other_type, &four, sizeof four, NULL)), SOON_ENOFUNCTION);
    cr_assert_eq(outcome_of(soon_submit_bytes(pool, &other_size, (char[8]){0}, 8, NULL)), SOON_ENOFUNCTION);
    cr_assert_eq(soon_take(soon_submit(pool, twice, four), &eight), 0);
    cr_assert_eq(eight, 8);
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
}

static int counter;

SOON_TASK(count, soon_none, int)
{
    *result = ++counter;
    return 0;
}

/* interpreter pool: test_submit_func_globals */
Test(process_pool, has_globals_of_its_own_in_each_worker)
{
    soon_executor *pool = new_processes(.workers = 1);
    int value;

    counter = 100;
    for (int i = 1; i <= 3; i++) {
        cr_assert_eq(soon_take(soon_submit(pool, count), &value), 0);
        cr_assert_eq(value, i);
    }
    cr_assert_eq(counter, 100);
    free_pool(pool);
}

typedef struct {
    char text[256];
} text;

SOON_TASK(get_variable, text, text)
{
    const char *value = getenv(arg->text);

    strcpy(result->text, value ? value : "(none)");
    return 0;
}

SOON_TASK(get_directory, soon_none, text)
{
    return getcwd(result->text, sizeof result->text) ? 0 : -errno;
}

SOON_TASK(get_name, soon_none, text)
{
    return pthread_getname_np(pthread_self(), result->text, sizeof result->text);
}

static text variable(soon_executor *pool, const char *name)
{
    text value, asked = {""};

    strcpy(asked.text, name);
    cr_assert_eq(soon_take(get_variable_submit(pool, &asked, NULL), &value), 0);
    return value;
}

/* loky: test_child_env_executor */
Test(process_pool, gives_workers_an_environment)
{
    static const char *const added[] = {"SOON_TEST_ADDED=1", "SOON_TEST_CHANGED=new=er", NULL};
    soon_executor *pool;

    setenv("SOON_TEST_KEPT", "kept", 1);
    setenv("SOON_TEST_CHANGED", "old", 1);
    pool = new_processes(.workers = 1, .environment = added);
    setenv("SOON_TEST_KEPT", "too late", 1);

    cr_assert_str_eq(variable(pool, "SOON_TEST_ADDED").text, "1");
    cr_assert_str_eq(variable(pool, "SOON_TEST_CHANGED").text, "new=er");
    cr_assert_str_eq(variable(pool, "SOON_TEST_KEPT").text, "kept");
    cr_assert_str_eq(variable(pool, "SOON_TEST_NEVER").text, "(none)");
    cr_assert_str_eq(getenv("SOON_TEST_CHANGED"), "old");
    free_pool(pool);
}

Test(process_pool, gives_workers_a_directory)
{
    soon_executor *here = new_processes(.workers = 1), *there = new_processes(.workers = 1, .directory = "/proc");
    char cwd[256];
    text told;

    cr_assert_eq(soon_take(soon_submit(here, get_directory), &told), 0);
    cr_assert_str_eq(told.text, getcwd(cwd, sizeof cwd));
    cr_assert_eq(soon_take(soon_submit(there, get_directory), &told), 0);
    cr_assert_str_eq(told.text, "/proc");
    free_pool(here);
    free_pool(there);
}

/* CPython: test_thread_names_assigned, for processes */
Test(process_pool, names_its_workers)
{
    soon_executor *pool = new_processes(.workers = 1, .name = "press");
    text name;

    cr_assert_eq(soon_take(soon_submit(pool, get_name), &name), 0);
    cr_assert_str_eq(name.text, "press_1");
    free_pool(pool);
}

/* CPython: ThenTest has no such thing: what one pool gives, another takes. */
Test(process_pool, hands_on_from_threads_to_processes_and_back)
{
    soon_executor *processes = new_processes(.workers = 2), *threads = new_pool(.workers = 2);
    soon_future *first = soon_submit(threads, twice, 5), *second = soon_then(first, processes, &twice_task),
                *third = soon_then(second, threads, &twice_task);
    int value;

    cr_assert_eq(soon_result(third, &value), 0);
    cr_assert_eq(value, 40);
    soon_futures_unref((soon_future *[]){first, second, third}, 3);
    free_pool(processes);
    free_pool(threads);
}

Test(process_pool, counts_what_it_does)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new();
    soon_future *running, *pending;

    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    cr_assert_eq(outcome_of(soon_submit(pool, die_by, BY_ABORT)), SOON_EWORKERDIED);
    running = occupy_one(pool, gate);
    pending = submit_pass(pool, gate);
    cr_assert_eq(stats_of(pool).running, 1);
    cr_assert_eq(stats_of(pool).pending, 1);
    cr_assert_eq(stats_of(pool).idle, 0);
    cr_assert(soon_future_cancel(pending));
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(running), 0);
    soon_future_unref(pending);

    cr_assert_eq(stats_of(pool).submitted, 4);
    cr_assert_eq(stats_of(pool).succeeded, 2);
    cr_assert_eq(stats_of(pool).failed, 1);
    cr_assert_eq(stats_of(pool).cancelled, 1);
    cr_assert_eq(stats_of(pool).worker_deaths, 1);
    cr_assert_eq(stats_of(pool).spares, 0);
    free_pool(pool);
    gate_free(gate);
}

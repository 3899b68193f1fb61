/*
 * process_crash.c - workers that die: what becomes of their task, of the others, and of the pool.
 */
#include "../support/process_fixture.h"
#include "../support/tracer.h"

TestSuite(process_crash);

/* What is told of each way to die. */
static const struct {
    int signal, status;
    const char *text;
} told[DEATHS] = {
    [BY_EXIT_0] = {0, 0, "exited with status 0"},
    [BY_EXIT_3] = {0, 3, "exited with status 3"},
    [BY_EXIT_AT_ONCE] = {0, 99, "exited with status 99"},
    [BY_ABORT] = {SIGABRT, 0, "SIGABRT"},
    [BY_SEGFAULT] = {SIGSEGV, 0, "SIGSEGV"},
    [BY_SIGKILL] = {SIGKILL, 0, "SIGKILL"},
    [BY_SIGTERM] = {SIGTERM, 0, "SIGTERM"},
    [BY_EXECUTING_ANOTHER_PROGRAM] = {0, 7, "exited with status 7"},
    [BY_EXIT_OF_A_THREAD] = {0, 5, "exited with status 5"},
    [BY_STACK_OVERFLOW] = {SIGSEGV, 0, "SIGSEGV"},
};

static void assert_died(soon_future *f, enum death how, int pid)
{
    const soon_error *error;

    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0}), SOON_EWORKERDIED);
    error = soon_future_error(f);
    cr_assert_eq(error->code, SOON_EWORKERDIED);
    cr_assert(error->started);
    cr_assert_eq(error->worker_pid, pid);
    cr_assert_eq(error->worker_signal, told[how].signal);
    cr_assert_eq(error->worker_status, told[how].status);
    cr_assert_not_null(strstr(error->message, told[how].text), "%s", error->message);
    cr_assert_str_eq(error->function, "die_by");
    cr_assert_str_eq(error->label, "the end");
}

/* loky: test_crashes (the matrix of 16); CPython: test_killed_child, test_crash_during_func_exec_on_worker,
 * test_exit_during_func_exec_on_worker, test_traceback_when_child_process_terminates_abruptly; pebble:
 * test_process_pool_expired_worker */
Test(process_crash, fails_its_own_task_and_says_how)
{
    soon_executor *pool = new_processes(.workers = 1);

    for (enum death how = 0; how < DEATHS; how++) {
        int pid = pid_of_one(pool);
        soon_future *f = soon_submit_with(pool, (.label = "the end"), die_by, how);

        assert_died(f, how, pid);
        soon_future_unref(f);
        cr_assert_neq(pid_of_one(pool), pid);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, DEATHS);
    free_pool(pool);
}

/* A debugger holds it; nobody else of the pool waits for that, and the corpse is reaped all the same (assert_no_leaks()). */
Test(process_crash, of_a_worker_that_is_traced_is_told_at_once_and_holds_nothing_up)
{
    soon_executor *pool = new_processes(.workers = 1);
    int pid = pid_of_one(pool);
    struct tracer tracer = start_tracer(pid);
    soon_future *f = soon_submit_with(pool, (.label = "the end"), die_by, BY_SIGKILL);

    assert_died(f, BY_SIGKILL, pid);
    soon_future_unref(f);
    cr_assert_neq(pid_of_one(pool), pid);
    free_pool(pool);
    cr_assert(is_alive(pid)); /* still to be reaped */
    end_tracer(&tracer);
    test_wait_until(!is_alive(pid));
}

/* CPython: test_broken_process_pool_traceback (an error for each); here the others do not fail at all */
Test(process_crash, leaves_the_tasks_that_had_not_started_to_others)
{
    soon_executor *pool = new_processes(.workers = 2);
    soon_future *futures[200];
    int result;

    for (int i = 0; i < 200; i++)
        futures[i] = i % 10 ? soon_submit(pool, twice, i) : soon_submit(pool, die_by, BY_SEGFAULT);

    for (int i = 0; i < 200; i++) {
        cr_assert_eq(soon_take(futures[i], &result), i % 10 ? 0 : SOON_EWORKERDIED);
        cr_assert(i % 10 == 0 || result == 2 * i);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, 20);
    free_pool(pool);
}

/* CPython: test_killed_child, BrokenProcessPool: with on_worker_death it is as there */
Test(process_crash, breaks_the_pool_if_asked_to)
{
    soon_executor *pool = new_processes(.workers = 2, .on_worker_death = SOON_BREAK, .grace_ms = 50);
    struct gate gate = gate_new();
    soon_future *running, *dying, *pending[20], *late;

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    running = occupy_one(pool, gate);
    dying = soon_submit(pool, die_by, BY_EXIT_3);
    for (int i = 0; i < 20; i++)
        pending[i] = submit_pass(pool, gate);

    cr_assert_eq(outcome_of(dying), SOON_EWORKERDIED);
    cr_assert_eq(soon_future_wait(running, SOON_FOREVER), 0);
    cr_assert(soon_future_error(running)->started);
    cr_assert_eq(outcome_of(running), SOON_EBROKEN);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(outcome_of(pending[i]), SOON_EBROKEN);
    late = soon_submit(pool, nothing);
    cr_assert(soon_future_done(late));
    cr_assert_not_null(strstr(soon_future_error(late)->message, "exited with status 3"), "%s",
                       soon_future_error(late)->message);
    cr_assert_not(soon_future_error(late)->started);
    cr_assert_eq(outcome_of(late), SOON_EBROKEN);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), SOON_EBROKEN);
    free_pool(pool);
    gate_free(gate);
}

/* CPython: test_force_shutdown_workers_dead_workers */
Test(process_crash, leaves_a_broken_pool_that_can_be_shut_down_in_any_mode)
{
    for (soon_shutdown mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        soon_executor *pool = new_processes(.workers = 2, .on_worker_death = SOON_BREAK);

        cr_assert_eq(outcome_of(soon_submit(pool, die_by, BY_ABORT)), SOON_EWORKERDIED);
        cr_assert_eq(soon_executor_shutdown(pool, mode, SOON_FOREVER), 0);
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), SOON_ESHUTDOWN);
        free_pool(pool);
    }
}

/* Dies until the file is gone that tells how often it was tried. */
SOON_TASK(die_unless_third, struct gate, int)
{
    struct gate_state *state = gate__enter(*arg);
    int tries;

    sem_post(&state->arrived);
    sem_getvalue(&state->arrived, &tries);
    gate__leave(*arg, state);
    if (tries < 3)
        raise(SIGKILL);
    *result = tries;
    return 0;
}

Test(process_crash, lets_a_task_be_tried_again_as_often_as_it_may)
{
    soon_executor *pool = new_processes(.workers = 2);
    struct gate two = gate_new(), one = gate_new();
    soon_future *f;
    int tries;

    cr_assert_eq(soon_take(die_unless_third_submit(pool, &two, &(soon_submit_options){.retries = 2}), &tries), 0);
    cr_assert_eq(tries, 3);
    f = die_unless_third_submit(pool, &one, &(soon_submit_options){.retries = 1});
    cr_assert_eq(outcome_of(f), SOON_EWORKERDIED);
    cr_assert_eq(gate_arrived(one), 2);
    free_pool(pool);
    gate_free(one);
    gate_free(two);
}

static void submit_again(soon_future *future, void *data)
{
    struct {
        soon_executor *pool;
        soon_future *again;
    } *context = data;

    (void)future;
    __atomic_store_n(&context->again, soon_submit(context->pool, twice, 21), __ATOMIC_RELEASE);
}

/* loky: test_in_callback_submit_with_crash, test_callback_crash_on_submit */
Test(process_crash, lets_the_callback_of_the_dead_submit_another)
{
    struct {
        soon_executor *pool;
        soon_future *again;
    } context = {new_processes(.workers = 1), NULL};
    int result;

    for (int i = 0; i < 5; i++) {
        enum death how = i;

        context.again = NULL;
        soon_future_unref(die_by_submit(context.pool, &how,
                                        &(soon_submit_options){.on_done = submit_again, .on_done_data = &context}));
        test_wait_until(__atomic_load_n(&context.again, __ATOMIC_ACQUIRE));
        cr_assert_eq(soon_take(context.again, &result), 0);
        cr_assert_eq(result, 42);
    }
    free_pool(context.pool);
}

/* loky: test_deadlock_kill, test_sigkill_shutdown_leaks_workers */
Test(process_crash, of_idle_workers_is_not_noticed_by_the_next_tasks)
{
    soon_executor *pool = new_processes(.workers = 2);

    for (int round = 0; round < 10; round++) {
        struct gate gate = gate_new();
        soon_future *futures[2];
        int pids[2];

        for (int i = 0; i < 2; i++)
            futures[i] = own_pid_at_gate_submit(pool, &gate, NULL);
        gate_await(gate, 2);
        gate_open(gate, 2);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(soon_take(futures[i], &pids[i]), 0);
        }
        for (int i = 0; i < 2; i++)
            kill(pids[i], SIGKILL);
        gate_free(gate);
        test_wait_until(stats_of(pool).worker_deaths == 2 * (size_t)(round + 1)); /* else a task may be claimed yet */
    }
    free_pool(pool);
}

/* A long argument, and the one that reads it dies at once. */
SOON_TASK_BYTES(die_with_bytes)
{
    return arg.size ? raise(SIGKILL) : 0;
}

SOON_TASK_BYTES(die_while_answering)
{
    char *space = soon_task_return_space(task, 16 << 20);

    space[0] = 1;
    raise(SIGKILL);
    (void)arg;
    return 0;
}

/* CPython: test_crash_big_data, test_crash_during_result_pickle_on_worker */
Test(process_crash, in_the_middle_of_large_data_loses_only_the_one)
{
    soon_executor *pool = new_processes(.workers = 2);
    size_t size = 8 << 20;
    char *bytes = calloc(1, size);
    soon_future *futures[40];

    for (int i = 0; i < 40; i++)
        futures[i] = i % 3 ? die_with_bytes_submit(pool, bytes, i % 3 == 1 ? size : 300000, NULL)
                           : die_while_answering_submit(pool, bytes, size, NULL);
    free(bytes);

    for (int i = 0; i < 40; i++)
        cr_assert_eq(outcome_of(futures[i]), SOON_EWORKERDIED);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    free_pool(pool);
}

/* CPython: ExecutorDeadlockTest.test_shutdown_deadlock; loky: test_shutdown_deadlock */
Test(process_crash, after_the_shutdown_began_does_not_hang_it)
{
    for (soon_shutdown mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        soon_executor *pool = new_processes(.workers = 2);
        soon_future *futures[10];

        for (int i = 0; i < 10; i++)
            futures[i] = soon_submit(pool, die_by, (enum death)i);
        cr_assert_eq(soon_executor_shutdown(pool, mode, SOON_FOREVER), 0);
        for (int i = 0; i < 10; i++) {
            cr_assert(soon_future_done(futures[i]));
            cr_assert(mode != SOON_DRAIN || soon_future_error(futures[i])->code == SOON_EWORKERDIED);
        }
        soon_futures_unref(futures, 10);
        free_pool(pool);
    }
}

struct victims {
    int pids[4], seed;
};

SOON_TASK(kill_one_of, struct victims, int)
{
    nanosleep(&(struct timespec){.tv_nsec = arg->seed * 7919L % 3000000}, NULL);
    kill(arg->pids[arg->seed % 4], SIGKILL);
    return 0;
}

/* loky: test_crash_races */
Test(process_crash, of_many_at_random_times_loses_no_future)
{
    soon_executor *pool = new_processes(.workers = 4);

    for (int round = 0; round < 15; round++) {
        struct victims victims = {.seed = round};
        struct gate gate = gate_new();
        soon_future *futures[24], *pids[4];
        int result;

        for (int i = 0; i < 4; i++)
            pids[i] = own_pid_at_gate_submit(pool, &gate, NULL);
        gate_await(gate, 4);
        gate_open(gate, 4);
        for (int i = 0; i < 4; i++)
            cr_assert_eq(soon_take(pids[i], &victims.pids[i]), 0);
        for (int i = 0; i < 24; i++) {
            victims.seed++;
            futures[i] = kill_one_of_submit(pool, &victims, NULL);
        }
        for (int i = 0; i < 24; i++) {
            int rc = soon_take(futures[i], &result);

            cr_assert(rc == 0 || rc == SOON_EWORKERDIED);
        }
        gate_free(gate);
        while (soon_take(soon_submit(pool, nothing), &(soon_none){0}) < 0) /* the last shots hit late */
            ;
        cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    }
    free_pool(pool);
}

static soon_buffer *payload_of(size_t size)
{
    soon_buffer *payload;

    cr_assert_eq(soon_buffer_new(&payload, size), 0);
    return payload;
}

Test(process_crash, releases_payloads_and_labels_too)
{
    soon_executor *pool = new_processes(.workers = 1);
    enum death how = BY_SIGKILL;

    for (int i = 0; i < 4; i++) {
        soon_submit_options options = {
            .payload = payload_of(i % 2 ? 100 : 3 << 20), .label = "with a payload", .retries = i / 2};
        soon_future *f = die_by_submit(pool, &how, &options);

        cr_assert_eq(outcome_of(f), SOON_EWORKERDIED);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, 6);
    free_pool(pool);
}

/* A map whose items die. */
SOON_TASK(die_if_seventh, int, int)
{
    if (*arg % 7 == 0)
        die(BY_EXIT_0);
    *result = *arg * 2;
    return 0;
}

/* A chunk loses the item under way and no other. */
Test(process_crash, in_a_chunk_loses_the_item_that_was_under_way)
{
    enum { ITEMS = 100 };
    static const size_t chunks[] = {0, 1, 10, 100};
    soon_executor *pool = new_processes(.workers = 2);
    int args[ITEMS], results[ITEMS], errors[ITEMS];

    for (int i = 0; i < ITEMS; i++)
        args[i] = i;
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
        memset(results, 0x55, sizeof results);
        (void)soon_map_with(pool, (.chunk = chunks[c]), die_if_seventh, args, ITEMS, results, errors);
        for (int i = 0; i < ITEMS; i++) {
            cr_assert_eq(errors[i], i % 7 ? 0 : SOON_EWORKERDIED, "%d of chunks of %zu: %d", i, chunks[c], errors[i]);
            cr_assert_eq(results[i], i % 7 ? 2 * i : 0);
        }
    }
    free_pool(pool);
}

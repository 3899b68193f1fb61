/*
 * process_limits.c - what a process pool keeps to: time limits, the queue's bound, priorities, kills of one task.
 */
#include "../support/process_fixture.h"

TestSuite(process_limits);

/* pebble: test_process_pool_timeout, test_process_pool_stop_timeout, test_process_pool_ignoring_sigterm */
Test(process_limits, of_time_end_a_task_that_does_not_listen)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = 1000000);
    int pid = pid_of_one(pool);
    soon_future *f = soon_submit_with(pool, (.time_limit_ms = 20, .label = "too long"), hang);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->worker_signal, SIGTERM);
    cr_assert_eq(soon_future_error(f)->worker_pid, pid);
    cr_assert(soon_future_error(f)->started);
    cr_assert_str_eq(soon_future_error(f)->label, "too long");
    cr_assert_eq(outcome_of(f), SOON_ETIMELIMIT);
    cr_assert_neq(pid_of_one(pool), pid);
    cr_assert_eq(stats_of(pool).worker_deaths, 0); /* it was our doing */
    free_pool(pool);
}

SOON_TASK(hang_without_signals, soon_none, soon_none)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (; arg->none == 0;)
        pause();
    return 0;
}

Test(process_limits, of_time_end_a_task_that_cannot_be_terminated)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = 20),
                  *hard = new_processes(.workers = 1, .grace_ms = -1);
    soon_future *f, *g = soon_submit_with(hard, (.time_limit_ms = 5), hang);
    int signal = SIGTERM;

    for (int limit_ms = 5; signal == SIGTERM; limit_ms *= 2) { /* it came before the task could hold it back */
        f = soon_submit_with(pool, (.time_limit_ms = limit_ms), hang_without_signals);
        cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
        signal = soon_future_error(f)->worker_signal;
        cr_assert_eq(outcome_of(f), SOON_ETIMELIMIT);
    }
    cr_assert_eq(signal, SIGKILL);
    cr_assert_eq(soon_future_wait(g, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(g)->worker_signal, SIGKILL);
    cr_assert_eq(outcome_of(g), SOON_ETIMELIMIT);
    free_pool(pool);
    free_pool(hard);
}

/* They count from the start of the task, not from its submission; others are not touched. */
Test(process_limits, of_time_are_each_tasks_own)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = 20);
    struct gate gate = gate_new();
    soon_future *first = occupy_one(pool, gate), *slow = soon_submit_with(pool, (.time_limit_ms = 30), hang),
                *quick = soon_submit_with(pool, (.time_limit_ms = 1000000), nothing),
                *last = soon_submit(pool, nothing);

    nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
    cr_assert_not(soon_future_done(slow));
    gate_open(gate, 1);

    cr_assert_eq(outcome_of(first), 0);
    cr_assert_eq(outcome_of(slow), SOON_ETIMELIMIT);
    cr_assert_eq(outcome_of(quick), 0);
    cr_assert_eq(outcome_of(last), 0);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(hang_if_odd, int, int)
{
    while (*arg % 2)
        pause();
    *result = *arg;
    return 0;
}

/* pebble: test_process_pool_map_timeout, _map_timeout_chunks */
Test(process_limits, of_time_are_each_items_own)
{
    static const size_t chunks[] = {1, 4, 16};
    soon_submit_options each = {.time_limit_ms = 20};
    soon_executor *pool = new_processes(.workers = 2, .grace_ms = 20);
    int args[16], results[16], errors[16];
    bool in_time;

    for (int i = 0; i < 16; i++)
        args[i] = i % 5 == 3 ? 1 : 2 * i;
    for (size_t c = 0; c < 3; c++) {
        do { /* those that do not hang end in time: on a busy machine that is more */
            memset(results, 0x55, sizeof results);
            cr_assert_eq(
                soon_map_with(pool, (.chunk = chunks[c], .each = &each), hang_if_odd, args, 16, results, errors),
                SOON_ETIMELIMIT);
            in_time = true;
            for (int i = 0; i < 16; i++) {
                cr_assert(errors[i] == SOON_ETIMELIMIT || (errors[i] == 0 && i % 5 != 3), "%d of %zu: %d", i, chunks[c],
                          errors[i]);
                cr_assert_eq(results[i], errors[i] ? 0 : 2 * i, "%d of %zu: %d", i, chunks[c], results[i]);
                in_time &= errors[i] == 0 || i % 5 == 3;
            }
            each.time_limit_ms *= 2;
        } while (!in_time);
    }
    free_pool(pool);
}

/* pebble: test_process_pool_cancel, test_process_pool_stop_cancel */
Test(process_limits, do_not_hinder_a_kill)
{
    soon_executor *pool = new_processes(.workers = 1, .grace_ms = 50);
    struct gate gate = gate_new(), never = gate_new();
    int pid = pid_of_one(pool), rc;
    soon_future *f = stay_submit(pool, &gate, NULL), *pending = stay_submit(pool, &never, NULL);

    gate_await(gate, 1);
    cr_assert_eq(soon_future_kill(pending), 0);
    cr_assert_eq(soon_future_state(pending), SOON_CANCELLED);
    cr_assert_eq(soon_future_kill(f), 0);
    rc = soon_future_kill(f);
    cr_assert(rc == 0 || rc == SOON_EINVALIDSTATE, "%d", rc); /* it may be dead by now */
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->worker_pid, pid);
    cr_assert(soon_future_error(f)->started);
    cr_assert_eq(soon_future_kill(f), SOON_EINVALIDSTATE);

    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    cr_assert_eq(outcome_of(pending), -ECANCELED);
    cr_assert_neq(pid_of_one(pool), pid);
    cr_assert_eq(gate_arrived(never), 0);
    free_pool(pool);
    gate_free(gate);
    gate_free(never);
}

/* Whatever the moment: it ends, killed or not, and no other task is hit. */
Test(process_limits, let_a_kill_come_at_any_time)
{
    soon_executor *pool = new_processes(.workers = 2, .grace_ms = 50);

    for (int i = 0; i < 100; i++) {
        int us = 100, rc;
        soon_future *victim = pause_for_us_submit(pool, &us, NULL), *other = soon_submit(pool, nothing);

        nanosleep(&(struct timespec){.tv_nsec = i * 3000L}, NULL);
        (void)soon_future_kill(victim);
        rc = outcome_of(victim);
        cr_assert(rc == 0 || rc == SOON_EKILLED || rc == -ECANCELED, "%s", soon_strerror(rc));
        cr_assert_eq(outcome_of(other), 0);
    }
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    free_pool(pool);
}

/*
 * The queue
 */

/* loky: test_queue_full_deadlock */
Test(process_limits, of_the_queue_fail_a_submit_if_asked_to)
{
    soon_executor *pool = new_processes(.workers = 1, .queue_max = 3, .when_full = SOON_FULL_FAIL);
    struct gate gate = gate_new();
    soon_future *running = occupy_one(pool, gate), *pending[3], *late, *none = NULL;

    for (int i = 0; i < 3; i++)
        pending[i] = submit_pass(pool, gate);
    late = submit_pass(pool, gate);
    cr_assert(soon_future_done(late));
    cr_assert_eq(outcome_of(late), SOON_EFULL);
    cr_assert_eq(soon_try_submit_bytes(&none, pool, &nothing_task, NULL, 0, NULL), SOON_EFULL);
    cr_assert(soon_future_cancel(pending[1]));
    late = soon_submit(pool, nothing);
    gate_open(gate, 3);

    cr_assert_eq(outcome_of(late), 0);
    cr_assert_eq(outcome_of(running), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(outcome_of(pending[i]), i == 1 ? -ECANCELED : 0);
    free_pool(pool);
    gate_free(gate);
}

Test(process_limits, of_the_queue_run_a_task_here_if_asked_to)
{
    soon_executor *pool = new_processes(.workers = 1, .queue_max = 1, .when_full = SOON_FULL_RUN_HERE);
    struct gate gate = gate_new();
    soon_future *running = occupy_one(pool, gate), *pending = submit_pass(pool, gate);
    int pid;

    cr_assert_eq(pid_of_one(pool), getpid());
    gate_open(gate, 2);
    cr_assert_eq(outcome_of(running), 0);
    cr_assert_eq(outcome_of(pending), 0);
    cr_assert_eq(soon_take(soon_submit(pool, own_pid), &pid), 0);
    cr_assert_neq(pid, getpid());
    free_pool(pool);
    gate_free(gate);
}

struct submitter {
    soon_executor *pool;
    int done;
};

static void *submit_many(void *data)
{
    struct submitter *submitter = data;

    for (int i = 0; i < 500; i++) {
        soon_future_unref(soon_submit(submitter->pool, nothing));
        __atomic_fetch_add(&submitter->done, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

Test(process_limits, of_the_queue_make_submitters_wait)
{
    soon_executor *pool = new_processes(.workers = 2, .queue_max = 4);
    struct submitter submitter = {pool, 0};
    struct gate gate = gate_new();
    soon_future *running[2];
    pthread_t threads[3];

    for (int i = 0; i < 2; i++)
        running[i] = submit_pass(pool, gate);
    gate_await(gate, 2);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, submit_many, &submitter), 0);
    test_wait_until(__atomic_load_n(&submitter.done, __ATOMIC_ACQUIRE) == 4);
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    cr_assert_eq(__atomic_load_n(&submitter.done, __ATOMIC_ACQUIRE), 4);
    gate_open(gate, 2);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);

    for (int i = 0; i < 2; i++)
        cr_assert_eq(outcome_of(running[i]), 0);
    cr_assert_eq(submitter.done, 1500);
    free_pool(pool);
    gate_free(gate);
}

Test(process_limits, of_the_queue_end_with_the_pool_for_those_that_wait)
{
    soon_executor *pool = new_processes(.workers = 1, .queue_max = 1, .grace_ms = 20);
    struct gate gate = gate_new();
    soon_future *running = occupy_one(pool, gate);
    struct submitter submitter = {pool, 0};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, submit_many, &submitter), 0);
    test_wait_until(__atomic_load_n(&submitter.done, __ATOMIC_ACQUIRE) == 1);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_KILL, SOON_FOREVER), 0);
    pthread_join(thread, NULL);

    cr_assert_eq(submitter.done, 500);
    soon_future_unref(running);
    free_pool(pool);
    gate_free(gate);
}

Test(process_limits, of_waiting_end_a_task_that_is_posted_but_not_begun)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new();
    soon_future *running = occupy_one(pool, gate), *futures[40];

    for (int i = 0; i < 40; i++)
        futures[i] = soon_submit_with(pool, (.queue_limit_ms = i % 2 ? 10 : 1000000), nothing);
    for (int i = 1; i < 40; i += 2)
        cr_assert_eq(outcome_of(futures[i]), SOON_EEXPIRED);
    gate_open(gate, 1);
    for (int i = 0; i < 40; i += 2)
        cr_assert_eq(outcome_of(futures[i]), 0);
    cr_assert_eq(outcome_of(running), 0);
    free_pool(pool);
    gate_free(gate);
}

static struct {
    int count, order[100];
} ended;

static void note_order(soon_future *future, void *data)
{
    int count = __atomic_load_n(&ended.count, __ATOMIC_RELAXED); /* the library's callback thread alone changes it */

    (void)future;
    ended.order[count] = (int)(intptr_t)data;
    __atomic_store_n(&ended.count, count + 1, __ATOMIC_RELEASE);
}

Test(process_limits, of_slots_do_not_hold_back_what_is_urgent)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new();
    soon_future *running = occupy_one(pool, gate), *futures[100];

    for (int i = 0; i < 100; i++)
        futures[i] = nothing_submit(
            pool, NULL,
            &(soon_submit_options){.priority = i / 20, .on_done = note_order, .on_done_data = (void *)(intptr_t)i});
    gate_open(gate, 1);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    test_wait_until(__atomic_load_n(&ended.count, __ATOMIC_ACQUIRE) == 100);

    for (int i = 0; i < 100; i++)
        cr_assert_eq(ended.order[i], (4 - i / 20) * 20 + i % 20, "%d: %d", i, ended.order[i]);
    cr_assert_eq(outcome_of(running), 0);
    free_pool(pool);
    gate_free(gate);
}

/*
 * Large data
 */

SOON_TASK_BYTES(increment)
{
    unsigned char *space = soon_task_return_space(task, arg.size);
    const unsigned char *bytes = arg.data;

    for (size_t i = 0; space && i < arg.size; i += 4096)
        space[i] = (unsigned char)(bytes[i] + 1);
    return space ? 0 : -ENOMEM;
}

static void carry(soon_executor *pool, size_t size)
{
    unsigned char *bytes = calloc(1, size);
    const unsigned char *back;
    soon_bytes result;
    soon_future *f;

    for (size_t i = 0; i < size; i += 4096)
        bytes[i] = (unsigned char)(i / 4096);
    f = increment_submit(pool, bytes, size, NULL);
    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &result), 0);
    cr_assert_eq(result.size, size);
    back = result.data;
    for (size_t i = 0; i < size; i += 4096)
        cr_assert(back[i] == (unsigned char)(i / 4096 + 1));
    soon_future_unref(f);
    free(bytes);
}

/* loky: test_no_failure_on_large_data_send (2.2 GB); pebble: test_process_pool_large_data (100 MB). SOON_TEST_BYTES in the
 * environment: another size. */
Test(process_limits, are_not_reached_by_large_data)
{
    soon_executor *pool = new_processes(.workers = 1);
    const char *asked = getenv("SOON_TEST_BYTES");

    carry(pool, asked ? strtoull(asked, NULL, 0) : 100 << 20);
    free_pool(pool);
}

/* As which one in its process. */
SOON_TASK_BYTES(count_in)
{
    static int count;
    int *space = soon_task_return_space(task, sizeof count);

    (void)arg;
    if (!space)
        return -ENOMEM;
    *space = ++count;
    return 0;
}

static int place_of(soon_future *future)
{
    soon_bytes bytes;
    int place;

    cr_assert_eq(soon_future_result(future, SOON_FOREVER, &bytes), 0);
    place = *(const int *)bytes.data;
    soon_future_unref(future);
    return place;
}

/* What fits waits behind what does not fit yet. */
Test(process_limits, of_the_areas_change_no_order)
{
    enum { LARGE = 4 << 20, COUNT = 8 };
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new();
    soon_future *first = submit_pass(pool, gate), *futures[COUNT];
    char *large = calloc(1, LARGE);

    gate_await(gate, 1);
    for (int i = 0; i < COUNT; i++)
        futures[i] = count_in_submit(pool, large, i < COUNT - 1 ? LARGE : 1, NULL);
    gate_open(gate, 1);

    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(place_of(futures[i]), i + 1);
    cr_assert_eq(outcome_of(first), 0);
    free(large);
    free_pool(pool);
    gate_free(gate);
}

/* The last one goes into a slot before that of the one before it. */
Test(process_limits, of_slots_change_no_order)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new(), next = gate_new();
    soon_future *first = submit_pass(pool, gate), *second = submit_pass(pool, next), *third, *fourth;

    third = count_in_submit(pool, "", 1, NULL);
    gate_open(gate, 1);
    cr_assert_eq(outcome_of(first), 0);
    fourth = count_in_submit(pool, "", 1, NULL);
    gate_open(next, 1);

    cr_assert_eq(place_of(third), 1);
    cr_assert_eq(place_of(fourth), 2);
    cr_assert_eq(outcome_of(second), 0);
    free_pool(pool);
    gate_free(gate);
    gate_free(next);
}

/* Around the size from which data travels as a descriptor, and the size of the areas. */
Test(process_limits, of_the_areas_are_not_seen)
{
    static const size_t sizes[] = {(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (4 << 20) - 64, 4 << 20, (4 << 20) + 1};
    soon_executor *pool = new_processes(.workers = 1);
    soon_future *futures[60];
    char *bytes = calloc(1, 5 << 20);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        carry(pool, sizes[i]);
    for (int i = 0; i < 60; i++)
        futures[i] = increment_submit(pool, bytes, sizes[i % 6] / (i % 7 + 1), NULL);
    for (int i = 0; i < 60; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    free(bytes);
    free_pool(pool);
}

/*
 * map_chunk.c - what each item of a chunk may rely on, though it may run right behind the one before it.
 */
#include "../support/map_fixture.h"

#include <sys/wait.h>

TestSuite(map_chunk, .init = close_gate);

enum { MANY = 1000 }; /* in one chunk, or in two */

struct halves_of {
    int set, left_alone;
};

SOON_TASK(set_half, int, struct halves_of)
{
    result->set = *arg;
    return 0;
}

TestOnEach(map_chunk, each_finds_zeroes_where_its_result_goes)
{
    int args[MANY];
    struct halves_of *results = malloc(MANY * sizeof *results);

    count_up(args, MANY);
    memset(results, 0xee, MANY * sizeof *results);
    cr_assert_eq(soon_map_with(executor, (.chunk = MANY), set_half, args, MANY, results, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(results[i].set, i);
        cr_assert_eq(results[i].left_alone, 0);
    }
    free(results);
}

TestOnEach(map_chunk, each_fails_or_succeeds_by_itself)
{
    int args[MANY], results[MANY], errors[MANY];

    for (int i = 0; i < MANY; i++)
        args[i] = i % 7 == 3 ? -i : i * i;
    cr_assert_eq(soon_map_with(executor, (.chunk = MANY), root, args, MANY, results, errors), SOON_ERAISED);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(errors[i], i % 7 == 3 ? SOON_ERAISED : 0);
        cr_assert_eq(results[i], i % 7 == 3 ? 0 : i);
    }
}

/* 0: begins with the first half, and ends when that is to be cancelled. 1: fails then. 2: another of the first half. */
SOON_TASK(fail_at_the_gate, int, int)
{
    *result = *arg;
    runs += *arg == 2;
    if (*arg == 1) {
        test_wait_until(common()->arrived == 1);
        return -EDOM;
    }
    if (*arg == 0) {
        common()->arrived++;
        test_wait_until(soon_task_cancel_requested(task));
    }
    return 0;
}

/* `first`: what becomes of the first item. */
static void stop_in_the_first_item(soon_executor *executor, int first)
{
    enum { HALF = MANY / 2 };
    int args[MANY], errors[MANY];

    for (int i = 0; i < MANY; i++)
        args[i] = i < HALF ? 2 : 3;
    args[0] = 0;
    args[HALF] = 1;
    cr_assert_eq(
        soon_map_with(executor, (.chunk = HALF, .stop_at_error = true), fail_at_the_gate, args, MANY, NULL, errors),
        SOON_ERAISED);
    cr_assert_eq(runs, 0);
    for (int i = 0; i < HALF; i++)
        cr_assert_eq(errors[i], i == 0 ? first : -ECANCELED);
    cr_assert_eq(errors[HALF], SOON_ERAISED);
    soon_executor_free(executor);
}

Test(map_chunk, none_begins_after_the_map_has_stopped)
{
    stop_in_the_first_item(make_threads(2), 0);
}

Test(map_chunk, none_begins_in_another_process_after_the_map_has_stopped)
{
    if (!test_has_processes())
        cr_skip_test("no worker processes here");
    common_begin();
    stop_in_the_first_item(make_processes(2), -ECANCELED); /* its result comes too late */
}

SOON_TASK(die_at_777, int, int)
{
    runs++;
    *result = *arg + 1;
    if (*arg == 777)
        _exit(3);
    return 0;
}

Test(map_chunk, a_death_loses_the_one_that_ran_and_no_other)
{
    soon_executor *executor;
    int args[MANY], results[MANY], errors[MANY];

    if (!test_has_processes())
        cr_skip_test("no worker processes here");
    common_begin();
    executor = make_processes(1);
    count_up(args, MANY);
    cr_assert_eq(soon_map_with(executor, (.chunk = MANY), die_at_777, args, MANY, results, errors), SOON_EWORKERDIED);
    cr_assert_eq(runs, MANY);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(errors[i], i == 777 ? SOON_EWORKERDIED : 0);
        cr_assert_eq(results[i], i == 777 ? 0 : i + 1);
    }
    soon_executor_free(executor);
}

static _Atomic int dropped;

static void drop(void *data)
{
    (void)data;
    dropped++;
}

SOON_TASK(give_a_payload, int, int)
{
    soon_buffer *buffer;

    *result = *arg;
    cr_assert_eq(dropped, *arg, "those of the items before");
    cr_assert_eq(soon_buffer_wrap(&buffer, &dropped, sizeof dropped, drop), 0);
    cr_assert_eq(soon_task_return_payload(task, buffer), 0);
    return 0;
}

Test(map_chunk, nothing_of_one_is_left_when_the_next_begins)
{
    soon_executor *executor = make_threads(1);
    int args[MANY], results[MANY];

    count_up(args, MANY);
    cr_assert_eq(soon_map_with(executor, (.chunk = MANY), give_a_payload, args, MANY, results, NULL), 0);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(results[i], i);
    soon_executor_free(executor);
}

SOON_TASK(fork_once, int, soon_none)
{
    int status;
    pid_t child;

    runs++;
    if (*arg != 3)
        return 0;
    child = test_fork();
    if (child == 0)
        return 0; /* as a body does that has forgotten that it is the child */
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? 0 : -ECHILD;
}

Test(map_chunk, those_behind_one_that_forks_run_in_the_parent_alone)
{
    soon_executor *executor = make_threads(1);
    int args[MANY];

    test_skip_leak_check();
    count_up(args, MANY);
    cr_assert_eq(soon_map_with(executor, (.chunk = MANY), fork_once, args, MANY, NULL, NULL), 0);
    cr_assert_eq(runs, MANY);
    soon_executor_free(executor);
}

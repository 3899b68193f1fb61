/*
 * process_number.c - how many workers a process pool has: never more than it may, whatever ends one. What a worker holds
 * (a port, a lock, a device) the next one can have.
 */
#include "../support/process_fixture.h"

#include <sys/file.h>

TestSuite(process_number, .timeout = 1500); /* hundreds of processes, one after the other */

enum { MUCH = 64 << 20 };

/* The gate's file is what only one can hold: until its process is gone. */
static bool hold(struct gate gate)
{
    static int fd = -1;
    char path[64];

    if (fd >= 0)
        return true;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", gate.pid, gate.fd);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

SOON_TASK(hold_it, struct gate, bool)
{
    *result = hold(*arg);
    return 0;
}

SOON_TASK(hold_it_and_stay, struct gate, bool)
{
    signal(SIGTERM, SIG_IGN);
    *result = hold(*arg);
    return gate_pass(*arg, NULL);
}

/* So that there is a time in which two could meet. */
static void end_slowly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

SOON_TASK(hold_it_and_end_slowly, struct gate, bool)
{
    *result = hold(*arg);
    atexit(end_slowly);
    return 0;
}

SOON_TASK(hold_it_and_grow, struct gate, bool)
{
    memset(malloc(MUCH), 1, MUCH);
    return hold_it_and_end_slowly(task, arg, result);
}

static void assert_holds(soon_future *future)
{
    bool holds = false;
    int rc = soon_take(future, &holds);

    cr_assert_eq(rc, 0, "%s", soon_strerror(rc));
    cr_assert(holds);
}

static void assert_one_after_the_other_when_ended(soon_executor *pool, int64_t time_limit_ms)
{
    struct gate gate = gate_new();
    soon_submit_options options = {.time_limit_ms = time_limit_ms};
    soon_future *stays = hold_it_and_stay_submit(pool, &gate, &options), *next;

    while (!gate_arrived(gate)) { /* on a slow machine its time is over before it ignores what it is told then */
        if (soon_future_done(stays) && !gate_arrived(gate)) {
            soon_future_unref(stays);
            options.time_limit_ms *= 2;
            stays = hold_it_and_stay_submit(pool, &gate, &options);
        }
        sched_yield();
    }
    next = hold_it_submit(pool, &gate, NULL);
    if (!time_limit_ms)
        cr_assert_eq(soon_future_kill(stays), 0);
    assert_holds(next);
    cr_assert_eq(outcome_of(stays), time_limit_ms ? SOON_ETIMELIMIT : SOON_EKILLED);
    free_pool(pool);
    gate_free(gate);
}

Test(process_number, is_one_while_one_is_killed)
{
    assert_one_after_the_other_when_ended(new_processes(.workers = 1, .grace_ms = 100), 0);
}

Test(process_number, is_one_while_the_time_of_one_is_over)
{
    assert_one_after_the_other_when_ended(new_processes(.workers = 1, .grace_ms = 100), 1);
}

static void assert_one_after_the_other(soon_executor *pool, bool grow, bool wait_for_its_end)
{
    struct gate gate = gate_new();

    for (int i = 0; i < 5; i++) {
        assert_holds(grow ? hold_it_and_grow_submit(pool, &gate, NULL)
                          : hold_it_and_end_slowly_submit(pool, &gate, NULL));
        if (wait_for_its_end)
            test_wait_until(stats_of(pool).idle == 0);
    }
    free_pool(pool);
    gate_free(gate);
}

Test(process_number, is_one_while_one_has_had_its_tasks)
{
    assert_one_after_the_other(new_processes(.workers = 1, .max_tasks_per_worker = 1), false, false);
}

Test(process_number, is_one_while_one_has_had_nothing_to_do)
{
    assert_one_after_the_other(new_processes(.workers = 1, .idle_timeout_ms = 1), false, true);
}

Test(process_number, is_one_while_one_has_grown_too_large)
{
    assert_one_after_the_other(new_processes(.workers = 1, .memory_limit = MUCH / 2), true, true);
}

/* Tasks that end just when their time is over: each may be condemned, and then be let live. */
Test(process_number, is_kept_when_workers_are_let_live)
{
    soon_executor *pool = new_processes(.workers = 1);
    soon_future *futures[100];

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 100; i++)
            futures[i] = soon_submit_with(pool, (.time_limit_ms = 1), pause_for_us, 700 + i * 6);
        for (int i = 0; i < 100; i++) {
            (void)outcome_of(futures[i]);
            cr_assert_leq(workers_of(pool), 1);
        }
    }
    free_pool(pool);
}

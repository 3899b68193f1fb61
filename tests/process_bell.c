/*
 * process_bell.c - whether a worker is to ring for its next reply. A bell that is off although there is something to
 * answer is found out ten times a second; so what happens without it is slow, and nothing else: these tests look at the wish.
 */
#include "mad_fixture.h"

enum { ROUNDS_OF_EACH = 20, MOST_OF_THEM = 15, YIELDS = 100 };

TestSuite(process_bell);

/* Of a pool with one worker, which has done a task. */
static soon_executor *pool_with_a_bell(const struct soon__orders **ret)
{
    soon_executor *pool = new_processes(.workers = 1);

    (void)pid_of_one(pool);
    *ret = find_mapping(sizeof **ret);
    cr_assert_not_null(*ret);
    return pool;
}

/* Now or soon: who looks at the desk turns it off meanwhile. */
static bool is_on(const struct soon__orders *of)
{
    for (int i = 0; i < YIELDS && !atomic_load(&of->bell_wanted); i++)
        sched_yield();
    return atomic_load(&of->bell_wanted) != 0;
}

Test(process_bell, is_on_when_a_task_is_submitted)
{
    const struct soon__orders *of;
    soon_executor *pool = pool_with_a_bell(&of);
    struct gate gate = gate_new();
    int on = 0, result;

    for (int i = 0; i < ROUNDS_OF_EACH; i++) {
        soon_future *stays = stay_submit(pool, &gate, NULL);

        on += is_on(of);
        gate_open(gate, 1);
        cr_assert_eq(soon_take(stays, &result), 0);
    }
    cr_assert_geq(on, MOST_OF_THEM);
    free_pool(pool);
    gate_free(gate);
}

Test(process_bell, is_on_when_one_of_two_tasks_has_ended)
{
    const struct soon__orders *of;
    soon_executor *pool = pool_with_a_bell(&of);
    struct gate gate = gate_new();
    int on = 0, result;

    for (int i = 0; i < ROUNDS_OF_EACH; i++) {
        soon_future *first = soon_submit(pool, own_pid), *stays = stay_submit(pool, &gate, NULL);

        cr_assert_eq(soon_take(first, &result), 0);
        on += is_on(of);
        gate_open(gate, 1);
        cr_assert_eq(soon_take(stays, &result), 0);
    }
    cr_assert_geq(on, MOST_OF_THEM);
    free_pool(pool);
    gate_free(gate);
}

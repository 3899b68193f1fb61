/*
 * callback_many.c - futures with many callbacks: which one is taken back, and that none of the others need be looked at for it.
 */
#include "../support/futures.h"

#include <uv.h>

enum { MANY = UNDER_TSAN ? 20000 : 200000 };

TestSuite(callback_many);

static intptr_t *ran;
static size_t ran_count;

static void note(soon_future *future, void *data)
{
    (void)future;
    ran[ran_count++] = (intptr_t)data;
}

static void note_other(soon_future *future, void *data)
{
    (void)future;
    ran[ran_count++] = -1 - (intptr_t)data;
}

static void add(soon_future *future, soon_done_fn fn, intptr_t data)
{
    cr_assert_eq(soon_future_add_done_callback(future, fn, (void *)data), 0);
}

static bool take_back(soon_future *future, soon_done_fn fn, intptr_t data)
{
    return soon_future_remove_done_callback(future, fn, (void *)data);
}

static void expect_runs(size_t most)
{
    ran = calloc(most, sizeof *ran);
    ran_count = 0;
}

/* Against a plain list: few different ones, so that many are equal; added and taken back at random, up to the end. */
Test(callback_many, are_taken_back_as_from_a_list)
{
    enum { STEPS = 20000, ROUNDS_OF_IT = 6 };
    intptr_t *list = calloc(STEPS, sizeof *list);

    for (unsigned round = 0; round < ROUNDS_OF_IT; round++) {
        struct halves both = pending();
        unsigned seed = round + 1, different = round < 3 ? 20 : 2000;
        size_t count = 0, at;

        expect_runs(STEPS);
        for (int step = 0; step < STEPS; step++) {
            intptr_t data = (intptr_t)dice(&seed, different);
            bool other = dice(&seed, 2), there;

            if (dice(&seed, 100) < (count < 3000 ? 60u : 40u)) {
                add(both.future, other ? note_other : note, data);
                list[count++] = other ? -1 - data : data;
                continue;
            }
            for (at = 0; at < count && list[at] != (other ? -1 - data : data); at++)
                continue;
            there = at < count;
            cr_assert_eq(take_back(both.future, other ? note_other : note, data), there);
            if (there)
                memmove(&list[at], &list[at + 1], (--count - at) * sizeof *list);
        }
        set_int(both.promise, 1);
        cr_assert_eq(ran_count, count);
        cr_assert_arr_eq(ran, list, count * sizeof *list);
        free(ran);
        release(both);
    }
    free(list);
}

/* In the order that suits a list least, beside many continuations that are nobody's: else it is a square of a large number. */
Test(callback_many, are_taken_back_without_a_look_at_the_others)
{
    struct halves both = pending();
    soon_future **members = calloc(MANY, sizeof *members), *gather;

    for (int i = 0; i < MANY; i++)
        members[i] = both.future;
    gather = soon_gather(members, MANY);
    expect_runs(2 * MANY);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            add(both.future, note, i);
        for (int i = 0; i < MANY; i++)
            cr_assert(take_back(both.future, note, round == 0 ? i : round == 1 ? MANY - 1 - i : (i + MANY / 2) % MANY));
        cr_assert_not(take_back(both.future, note, 0));
    }
    for (int i = 0; i < MANY; i++)
        add(both.future, note, 7); /* all of them equal */
    for (int i = 0; i < MANY - 1; i++)
        cr_assert(take_back(both.future, note, 7));
    add(both.future, note, 8);
    set_int(both.promise, 1);

    cr_assert(ran_count == 2 && ran[0] == 7 && ran[1] == 8);
    soon_future_unref(gather);
    release(both);
    free(members);
    free(ran);
}

/* Each is claimed by its loop when it is about to run. */
Test(callback_many, of_one_loop_run_without_a_look_at_the_others)
{
    struct halves both = pending();
    uv_loop_t uv;
    soon_loop *loop;

    cr_assert_eq(uv_loop_init(&uv), 0);
    cr_assert_eq(soon_loop_attach(&loop, &uv), 0);
    expect_runs(MANY);
    for (intptr_t i = 0; i < MANY; i++)
        cr_assert_eq(soon_future_add_done_callback_on(both.future, loop, note, (void *)i), 0);
    set_int(both.promise, 1);
    for (intptr_t i = 1; i < MANY; i += 2)
        cr_assert(take_back(both.future, note, i));
    soon_loop_detach(loop, NULL, NULL);
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);

    cr_assert_eq(ran_count, (size_t)MANY / 2);
    for (intptr_t i = 0; i < MANY / 2; i++)
        cr_assert_eq(ran[i], 2 * i);
    cr_assert_eq(uv_loop_close(&uv), 0);
    release(both);
    free(ran);
}

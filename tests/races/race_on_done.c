/*
 * race_on_done.c - callbacks on a loop that came with the submit, while their tasks end: removed, beside readers that sleep,
 * waiters and other callbacks.
 */
#include "../support/loop_fixture.h"

#include <stdlib.h>

enum { ALL = 50, ROUNDS = 400 };

static soon_executor *pool;

static void open_both(void)
{
    open_loop();
    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}), 0);
}

static void close_both(void)
{
    cr_assert_eq(soon_executor_free(pool), 0);
    close_loop();
}

TestSuite(race_on_done, .init = open_both, .fini = close_both);

SOON_TASK(same, size_t, size_t)
{
    *result = *arg;
    return 0;
}

static struct one {
    soon_future *future;
    atomic_bool ran, removed;
    atomic_int others; /* other callbacks that ran */
} batch[ALL];

static void note(soon_future *future, void *data)
{
    struct one *one = data;

    cr_assert(soon_future_done(future));
    cr_assert_not(atomic_exchange(&one->ran, true), "ran twice");
}

static void note_other(soon_future *future, void *data)
{
    (void)future;
    ((struct one *)data)->others++;
}

/* On the loop's thread. */
static void submit_batch(void)
{
    for (size_t i = 0; i < ALL; i++) {
        batch[i] = (struct one){.ran = false};
        batch[i].future =
            soon_submit_with(pool, (.on_done = note, .on_done_data = &batch[i], .on_done_loop = on), same, i);
    }
}

static void *remove_each(void *data)
{
    (void)data;
    for (size_t i = 0; i < ALL; i++)
        batch[i].removed = soon_future_remove_done_callback(batch[i].future, note, &batch[i]);
    return NULL;
}

static void *read_each(void *data)
{
    size_t value;

    (void)data;
    for (size_t i = ALL; i-- > 0;) {
        cr_assert_eq(soon_result(batch[i].future, &value), 0);
        cr_assert_eq(value, i);
    }
    return NULL;
}

static void *wait_for_each(void *data)
{
    (void)data;
    for (size_t i = ALL; i-- > 0;)
        cr_assert_eq(soon_wait(&batch[i].future, 1, SOON_FIRST_COMPLETED, SOON_FOREVER, NULL), 1);
    return NULL;
}

static void *add_to_each(void *data)
{
    (void)data;
    for (size_t i = ALL; i-- > 0;)
        cr_assert_eq(soon_future_add_done_callback(batch[i].future, note_other, &batch[i]), 0);
    return NULL;
}

static void run_rounds(void *(*beside)(void *data), void (*check)(const struct one *one))
{
    for (int round = 0; round < test_rounds(ROUNDS); round++) {
        pthread_t thread;

        submit_batch();
        cr_assert_eq(pthread_create(&thread, NULL, beside, NULL), 0);
        run_to_the_end();
        pthread_join(thread, NULL);
        run_to_the_end();
        for (size_t i = 0; i < ALL; i++) {
            soon_future_unref(batch[i].future);
            check(&batch[i]);
        }
    }
}

static void ran_or_was_removed(const struct one *one)
{
    cr_assert_neq(one->ran, one->removed);
}

static void ran(const struct one *one)
{
    cr_assert(one->ran);
}

static void ran_and_the_other_too(const struct one *one)
{
    cr_assert(one->ran);
    test_wait_until(one->others == 1);
}

Test(race_on_done, runs_once_or_was_removed)
{
    run_rounds(remove_each, ran_or_was_removed);
}

Test(race_on_done, leaves_nobody_asleep_who_reads_the_same_future)
{
    run_rounds(read_each, ran);
}

Test(race_on_done, leaves_no_waiter_of_the_same_future_untold)
{
    run_rounds(wait_for_each, ran);
}

Test(race_on_done, leaves_out_no_other_callback)
{
    run_rounds(add_to_each, ran_and_the_other_too);
}

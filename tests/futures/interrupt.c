/*
 * interrupt.c - soon_thread_set_interrupt(): waits without end that a program's own signals end.
 */
#include "../harness/test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <soon.h>
#include <stdatomic.h>

static soon_promise *promise;
static soon_future *pending;

static void init(void)
{
    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    pending = soon_promise_future(promise);
}

static void fini(void)
{
    soon_thread_set_interrupt(NULL, NULL);
    soon_promise_free(promise);
    soon_future_unref(pending);
}

TestSuite(interrupt, .init = init, .fini = fini);

/* The third look ends the wait. */
static bool third(void *looks)
{
    return ++*(int *)looks == 3;
}

/* What was waited for comes with the third look. */
static bool resolve_at_third(void *looks)
{
    if (++*(int *)looks == 3)
        cr_assert_eq(soon_promise_set_result(promise, looks, sizeof(int)), 0);
    return false;
}

#define ENDS_AT_THIRD_LOOK(call)                                                                                       \
    do {                                                                                                               \
        int looks = 0;                                                                                                 \
        soon_thread_set_interrupt(third, &looks);                                                                      \
        cr_expect_eq((call), -EINTR, #call);                                                                           \
        cr_expect_eq(looks, 3, #call);                                                                                 \
        cr_expect_eq(soon_last_error()->code, -EINTR, #call);                                                          \
    } while (0)

Test(interrupt, ends_each_kind_of_wait_for_futures)
{
    soon_as_completed *set;
    soon_future *given;
    soon_bytes bytes;
    const soon_error *error;
    int x;

    ENDS_AT_THIRD_LOOK(soon_future_wait(pending, SOON_FOREVER));
    ENDS_AT_THIRD_LOOK(soon_future_wait(pending, 1000000));
    ENDS_AT_THIRD_LOOK(soon_result(pending, &x));
    ENDS_AT_THIRD_LOOK(soon_future_result(pending, SOON_FOREVER, &bytes));
    ENDS_AT_THIRD_LOOK(soon_future_exception(pending, SOON_FOREVER, &error));
    ENDS_AT_THIRD_LOOK(soon_wait(&pending, 1, SOON_ALL_COMPLETED, SOON_FOREVER, NULL));
    ENDS_AT_THIRD_LOOK(soon_wait(&pending, 1, SOON_FIRST_COMPLETED, SOON_FOREVER, NULL));
    cr_assert_eq(soon_as_completed_new(&set, &pending, 1, SOON_FOREVER), 0);
    ENDS_AT_THIRD_LOOK(soon_as_completed_next(set, &given));
    soon_as_completed_free(set);
}

SOON_TASK(wait_for_it, int, int)
{
    *result = *arg;
    return soon_future_wait(pending, SOON_FOREVER);
}

static int one_item(void *arg, void *left)
{
    *(int *)arg = 1;
    return (*(int *)left)-- > 0;
}

Test(interrupt, ends_waits_for_maps_and_executors)
{
    soon_executor *pool;
    soon_future *map, *given;
    soon_imap *imap;
    int in[2] = {1, 2}, out[2], left = 1;

    cr_assert_eq(soon_thread_pool_new(&pool, NULL), 0);
    ENDS_AT_THIRD_LOOK(soon_map(pool, wait_for_it, in, 2, out));
    map = soon_map_async(pool, wait_for_it, in, 2);
    ENDS_AT_THIRD_LOOK(soon_map_item(map, 1, SOON_FOREVER, out, sizeof *out));
    cr_assert_eq(soon_imap_new(&imap, pool, &wait_for_it_task, NULL, one_item, &left), 0);
    ENDS_AT_THIRD_LOOK(soon_imap_next(imap, SOON_FOREVER, &given, NULL));
    ENDS_AT_THIRD_LOOK(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER));
    ENDS_AT_THIRD_LOOK(soon_executor_free(pool));

    soon_thread_set_interrupt(NULL, NULL);
    cr_assert_eq(soon_promise_set_result(promise, NULL, 0), 0);
    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &given, NULL), 0, "it may be repeated");
    cr_assert_eq(soon_take(given, out), 0);
    cr_assert_eq(soon_map_item(map, 1, SOON_FOREVER, out, sizeof *out), 0);
    cr_assert_eq(out[0], 2);
    soon_imap_free(imap);
    soon_future_unref(map);
    cr_assert_eq(soon_executor_free(pool), 0);
}

SOON_TASK(copy_when_it_comes, int, int)
{
    int rc = soon_future_wait(pending, SOON_FOREVER);

    *result = *arg;
    return rc;
}

/* What runs goes on, and has arguments and results of its own. */
Test(interrupt, of_a_map_leaves_nothing_that_writes_to_its_results)
{
    soon_executor *pool;
    int in[2] = {1, 2}, out[2];

    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}), 0);
    ENDS_AT_THIRD_LOOK(soon_map(pool, copy_when_it_comes, in, 2, out));
    soon_thread_set_interrupt(NULL, NULL);
    in[0] = in[1] = 9;
    out[0] = out[1] = -1;
    cr_assert_eq(soon_promise_set_result(promise, NULL, 0), 0);
    cr_assert_eq(soon_executor_free(pool), 0);
    cr_assert(out[0] == -1 && out[1] == -1);
}

Test(interrupt, that_says_no_lets_the_wait_go_on)
{
    int looks = 0, x = 0;

    soon_thread_set_interrupt(resolve_at_third, &looks);
    cr_assert_eq(soon_result(pending, &x), 0);
    cr_assert_eq(x, 3);
}

Test(interrupt, is_not_asked_by_what_does_not_wait)
{
    int looks = 0, x;

    soon_thread_set_interrupt(third, &looks);
    cr_assert_eq(soon_result_within(pending, 0, &x), -ETIMEDOUT);
    cr_assert_eq(soon_promise_set_result(promise, &looks, sizeof looks), 0);
    cr_assert_eq(soon_result(pending, &x), 0);
    cr_assert_eq(looks, 0);
}

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static bool was_interrupted(void *asked)
{
    atomic_store((atomic_int *)asked, 1);
    return interrupted;
}

struct waiter {
    pthread_t thread;
    atomic_int asked;
};

static void *signal_when_it_waits(void *data)
{
    struct waiter *waiter = data;

    while (!atomic_load(&waiter->asked))
        ;
    cr_assert_eq(pthread_kill(waiter->thread, SIGUSR1), 0);
    return NULL;
}

Test(interrupt, of_a_signal_ends_a_wait_whenever_it_comes)
{
    struct sigaction action = {.sa_handler = note_signal};
    struct waiter waiter = {.thread = pthread_self()};
    pthread_t thread;

    cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
    soon_thread_set_interrupt(was_interrupted, &waiter.asked);
    for (int i = 0; i < 20; i++) {
        interrupted = 0;
        atomic_store(&waiter.asked, 0);
        cr_assert_eq(pthread_create(&thread, NULL, signal_when_it_waits, &waiter), 0);
        cr_assert_eq(soon_future_wait(pending, SOON_FOREVER), -EINTR);
        pthread_join(thread, NULL);
    }
}

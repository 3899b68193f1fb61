/*
 * race_on_signal.c - signals that come at any moment of an executor's life, from its making to its end, while others live theirs.
 */
#include "../support/pools.h"

#include <sys/wait.h>

enum { TASKS = 3, THREADS = 2 };

TestSuite(race_on_signal);

static const int mine[] = {SIGUSR1, 0};
static _Atomic bool over;
static _Atomic int own_calls;

static void own_handler(int signal)
{
    (void)signal;
    own_calls++;
}

static void *send_without_end(void *unused)
{
    while (!over) {
        kill(getpid(), SIGUSR1);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    return unused;
}

/* Its tasks run, or they do not. */
static void live(void)
{
    const soon_signal_options options = {.signals = mine, .again = SOON_TERMINATE};
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *futures[TASKS], *signalled;
    int rc, signal = SIGUSR1;

    cr_assert_eq(soon_executor_shutdown_on_signal_with(pool, SOON_CANCEL_PENDING, &options), 0);
    signalled = soon_executor_signalled(pool);
    for (int i = 0; i < TASKS; i++)
        futures[i] = soon_submit(pool, nothing);
    free_pool(pool);
    for (int i = 0; i < TASKS; i++) {
        rc = outcome_of(futures[i]);
        cr_assert(rc == 0 || rc == -ECANCELED || rc == SOON_ESHUTDOWN, "%s", soon_strerror(rc));
    }
    rc = soon_take(signalled, &signal);
    cr_assert((rc == 0 && signal == SIGUSR1) || rc == -ECANCELED, "%s", soon_strerror(rc));
}

static void *live_until_over(void *unused)
{
    while (!over)
        live();
    return unused;
}

static void *live_often(void *unused)
{
    for (int i = 0, rounds = test_rounds(1000); i < rounds; i++)
        live();
    return unused;
}

/* The program's own handler is there in between: without it a signal that comes then would end the test. */
static void begin(pthread_t *ret_sender)
{
    signal(SIGUSR1, own_handler);
    cr_assert_eq(pthread_create(ret_sender, NULL, send_without_end, NULL), 0);
}

static void end(pthread_t sender)
{
    struct sigaction now;

    over = true;
    pthread_join(sender, NULL);
    cr_assert_eq(sigaction(SIGUSR1, NULL, &now), 0);
    cr_assert_eq(now.sa_handler, own_handler);
    cr_assert_gt(own_calls, 0);
}

Test(race_on_signal, finds_executors_that_come_and_go)
{
    pthread_t sender, threads[THREADS];

    begin(&sender);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, live_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end(sender);
}

/* It has what was there before, whatever the parent's handler is about to do. Not under sanitizers: AddressSanitizer's allocator
 * does not survive a fork from among busy threads, ThreadSanitizer takes signals that it holds back into the child. */
Test(race_on_signal, leaves_forked_children_alone, .disabled = UNDER_TSAN || UNDER_ASAN)
{
    pthread_t sender, threads[THREADS];

    begin(&sender);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, live_until_over, NULL), 0);
    for (int i = 0, rounds = test_rounds(3000); i < rounds; i++) {
        struct sigaction now;
        int status;
        pid_t child = test_fork();

        if (child == 0)
            _exit(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == own_handler ? 0 : 1);
        while (waitpid(child, &status, 0) < 0)
            cr_assert_eq(errno, EINTR);
        cr_assert_eq(status, 0, "%x", (unsigned)status);
    }
    over = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end(sender);
}

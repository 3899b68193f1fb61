/*
 * selftest.c - tests of the runner itself, some of which must fail. selftest.sh runs them and knows how each must end.
 */
#include "fail.h"
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <soon.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int order;

static void init_suite(void)
{
    cr_assert_eq(order++, 0);
}

static void init_own(void)
{
    cr_assert_eq(order++, 1);
}

static void fini_own(void)
{
    cr_assert_eq(order++, 3);
}

static void fini_suite(void)
{
    cr_assert_eq(order++, 4);
}

static void fini_that_fails(void)
{
    cr_assert(false, "in the fini");
}

static void fini_that_tells(void)
{
    fputs("the fini ran\n", stderr);
}

/*
 * Tests that must pass
 */

TestSuite(passes, .init = init_suite, .fini = fini_suite);

Test(passes, phases_come_in_order, .init = init_own, .fini = fini_own)
{
    cr_assert_eq(order++, 2);
}

Test(good, assertions_that_hold, .fini = assert_no_leaks)
{
    const int same[] = {1, 2}, other[] = {1, 2};

    cr_assert(true);
    cr_assert(1 < 2, "with a message");
    cr_assert_not(false);
    cr_assert_eq(2, 2, "%d", 2);
    cr_assert_neq(2, 3);
    cr_assert_lt(2, 3);
    cr_assert_leq(3, 3);
    cr_assert_gt(3, 2);
    cr_assert_geq(3, 3);
    cr_assert_null(NULL);
    cr_assert_not_null(same);
    cr_assert_str_eq("a", "a");
    cr_assert_str_neq("a", "b");
    cr_assert_float_eq(1.0, 1.01, 0.1);
    cr_assert_arr_eq(same, other, sizeof same);
    cr_expect(true);
    cr_expect_eq(2, 2);
}

Test(good, dies_of_the_expected_signal, .signal = SIGABRT)
{
    abort();
}

Test(good, exits_with_the_expected_status, .exit_code = 7)
{
    exit(7);
}

Test(good, a_future_released_by_another_thread_is_no_leak)
{
    soon_promise *promise;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
    soon_promise_free(promise);
}

Test(good, may_leak_when_it_says_so)
{
    soon_promise *promise;

    test_skip_leak_check();
    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
}

Test(good, bare_tests_may_open_descriptors, .bare = true)
{
    cr_assert_geq(open("/dev/null", O_RDONLY), 0);
}

static bool can_allocate(void)
{
    void *volatile block = malloc(10);
    bool there = block != NULL;

    free(block);
    return there;
}

Test(good, the_nth_allocation_fails)
{
    fail_nth(2);
    bool outcomes[] = {can_allocate(), can_allocate(), can_allocate()};
    size_t calls = fail_stop();

    cr_assert(outcomes[0] && !outcomes[1] && outcomes[2]);
    cr_assert_eq(calls, 3);
    cr_assert(can_allocate());
}

Test(good, all_allocations_fail_from_the_nth)
{
    fail_from(2);
    bool outcomes[] = {can_allocate(), can_allocate(), can_allocate()};
    size_t calls = fail_stop();

    cr_assert(outcomes[0] && !outcomes[1] && !outcomes[2]);
    cr_assert_eq(calls, 3);
}

Test(good, paused_failures_neither_count_nor_fail)
{
    fail_from(1);
    fail_pause();
    bool paused = can_allocate();
    fail_resume();
    bool resumed = can_allocate();
    size_t calls = fail_stop();

    cr_assert(paused && !resumed);
    cr_assert_eq(calls, 1);
}

Test(skipped, is_disabled, .disabled = true)
{
    cr_assert(false);
}

/*
 * Tests that must fail
 */

Test(bad, assertion)
{
    cr_assert_eq(1, 2, "one is %s", "not two");
}

Test(bad, expectation)
{
    cr_expect_eq(1, 2);
}

Test(bad, assertion_in_fini, .fini = fini_that_fails)
{
}

Test(bad, assertion_runs_the_fini_too, .fini = fini_that_tells)
{
    cr_assert(false);
}

Test(bad, assertion_in_init, .init = fini_that_fails)
{
    fputs("the body ran\n", stderr);
}

static void *assert_in_thread(void *unused)
{
    cr_assert(false, "in a thread");
    return unused;
}

Test(bad, assertion_in_a_thread)
{
    pthread_t thread;

    pthread_create(&thread, NULL, assert_in_thread, NULL);
    pthread_join(thread, NULL);
}

Test(bad, assertion_in_a_forked_child)
{
    int status;
    pid_t child = fork();

    cr_assert(child > 0, "in a child");
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0);
}

Test(bad, crash)
{
    raise(SIGSEGV);
}

Test(bad, survives_the_expected_signal, .signal = SIGABRT)
{
}

Test(bad, leaks_a_future, .timeout = 4)
{
    soon_promise *promise;

    cr_assert_eq(soon_promise_new(&promise, NULL), 0);
}

Test(bad, leaks_a_descriptor, .timeout = 4)
{
    cr_assert_geq(open("/dev/null", O_RDONLY), 0);
}

Test(bad, leaks_memory)
{
    static void *volatile lost;

    for (int i = 0; i < 16;
         i++) { /* a pointer to the last one may still lie on the stack, so one would not be enough */
        lost = malloc(100);
        cr_assert_not_null(lost);
    }
    lost = NULL;
}

Test(bad, hangs, .timeout = 1)
{
    for (;;)
        pause();
}

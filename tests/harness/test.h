/*
 * test.h - what every test file includes: Test, TestSuite, the cr_ assertions, and the check that nothing leaked.
 *
 * The same test files run under two runners. Criterion is the normal one. With SOON_TEST_INPROCESS the runner is
 * inprocess.c, which forks a process for each test. It is for ThreadSanitizer, under which Criterion cannot run, and
 * for valgrind.
 *
 *     Test(suite, name, .init = f, .fini = f, .timeout = s, .signal = n, .exit_code = n, .disabled = b, .bare = b)
 *     TestMisuse(suite, name, the same options)             must abort by an assertion, where there are any
 *     TestSuite(suite, the same options)                    stands before the suite's tests, and is for all of them
 *
 * A test runs the suite's init, its own init, the body, its own fini and the suite's fini, and then assert_no_leaks(),
 * which no test has to ask for. After an assertion that failed the fini functions still run, but the check for leaks
 * does not.
 */
#ifndef SOON_TESTS_HARNESS_TEST_H
#define SOON_TESTS_HARNESS_TEST_H

#include "sanitized.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(SOON_TEST_TASKS)
#include "tasks_only.h"
#elif defined(SOON_TEST_INPROCESS)
#include "inprocess.h"
#else
#include <criterion/criterion.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct test_options {
    void (*init)(void);
    void (*fini)(void);
    double timeout; /* in seconds; 0: that of the suite, and if it has none, TEST_TIMEOUT */
    int signal;     /* the test must die of this signal */
    int exit_code;  /* the test must exit with this status */
    bool disabled;
    bool bare; /* none of the library's threads is started before the test, and its descriptors are not checked */
    const char *description;
    int sentinel;
};

#define TEST_TIMEOUT 300.0

/*
 * Waits until no future is alive, no descriptor is open that was not open when the test began, and no child process is
 * left. Then it asks LeakSanitizer. It waits because a thread of the library may release the last future a moment after
 * the test's body has returned. After a second it prints what is left; if that stays, the test's timeout ends the wait.
 * It runs at the end of every test, and a test may call it earlier, too.
 */
void assert_no_leaks(void);

/* How memory must be aligned for any type of `size` bytes. */
static inline size_t test_alignment(size_t size)
{
    return size <= sizeof(uint64_t) ? __alignof__(uint64_t) : __alignof__(max_align_t);
}

/* Descriptors that are open now no longer count as leaks. */
void test_accept_open_descriptors(void);

/* As fork(), at a moment when no other thread is likely to hold a lock of AddressSanitizer's allocator: the child would
 * inherit the lock as it is. So it waits until they all sleep; not for ever, since some may be busy all the time. */
pid_t test_fork(void);

/* From now on this thread runs on one CPU, as do the threads and processes that it starts. */
void test_stay_on_one_cpu(void);

/* Switches assert_no_leaks() off, for a test that leaks on purpose, such as one that ends in a forked child. */
void test_skip_leak_check(void);

/* False under valgrind, which lacks what process pools need. */
bool test_has_processes(void);

/* How many times slower than usual everything is allowed to be: under valgrind or a sanitizer TEST_TIMEOUT_FACTOR in
 * the environment says so, else 1. */
unsigned test_slowness(void);

/* How many rounds a test that would run `count` runs here: a part of them if TEST_ROUNDS_PART in the environment says
 * so, where 4 means a quarter, but at least one. */
int test_rounds(int count);

/* Waits until the condition holds, if need be until the test's timeout. For what cannot be waited for in any other
 * way. */
#define test_wait_until(...)                                                                                           \
    while (!(__VA_ARGS__))                                                                                             \
    sched_yield()

/* Cancels a running task that listens for that. True if it was asked to end, or had ended before soon_future_cancel()
 * returned. */
#define test_is_asked_to_end(future) (!soon_future_cancel(future) || soon_future_done(future))

/* What the macros below define. */
struct test_case {
    const char *suite, *name, *file;
    unsigned line;
    void (*body)(void);
    struct test_options options;
    struct test_case *next;
};
struct test_suite {
    const char *name;
    struct test_options options;
    struct test_suite *next;
};
void test__register_suite(struct test_suite *suite);
void test__register(struct test_case *test);            /* fills in the options of the suite where the test sets none */
const struct test_suite *test__suite(const char *name); /* NULL: there is none */
const struct test_case *test__cases(void);              /* a list, in the order of the file */

/* For the runners. */
void test__use_usual_signals(void); /* undoes what nohup, or a shell's background job, has set to be ignored */
void test__run(const struct test_case *test); /* the whole test */
void test__clean_up(void);       /* the fini functions that have not run yet, after an assertion that failed */
bool test__in_its_process(void); /* false in a child that the test has forked */
bool test__on_its_thread(void);  /* false there, and on any other thread */

#ifdef __cplusplus
}
#pragma GCC diagnostic ignored "-Wpedantic" /* designated initialisers */
#pragma GCC diagnostic ignored "-Wc++20-extensions"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

#if defined(SOON_TEST_TASKS)
/* See tasks_only.h. */
#elif defined(SOON_TEST_INPROCESS)
#define TEST__ADAPT(suite_, name_)                                                                                     \
    __attribute__((constructor)) static void suite_##_##name_##_register(void)                                         \
    {                                                                                                                  \
        test__register(&suite_##_##name_##_case);                                                                      \
    }
#else
/* Criterion calls test__run(), which goes through the phases itself: Criterion 2.4 ignores assertions that fail in a
 * .fini. */
#define TEST__ADAPT(suite_, name_)                                                                                     \
    CR_TEST_BASE(suite_, name_, .sentinel_ = 0)                                                                        \
    {                                                                                                                  \
        test__run(&suite_##_##name_##_case);                                                                           \
    }                                                                                                                  \
    __attribute__((constructor)) static void suite_##_##name_##_register(void)                                         \
    {                                                                                                                  \
        struct test_case *test = &suite_##_##name_##_case;                                                             \
        test__register(test);                                                                                          \
        suite_##_##name_##_extra.fini = test__clean_up;                                                                \
        suite_##_##name_##_extra.signal = test->options.signal;                                                        \
        suite_##_##name_##_extra.exit_code = test->options.exit_code;                                                  \
        suite_##_##name_##_extra.disabled = test->options.disabled;                                                    \
        suite_##_##name_##_extra.description = test->options.description;                                              \
        suite_##_##name_##_extra.timeout = test->options.timeout;                                                      \
    }
#endif

#undef Test
#define Test(...) TEST__CASE(__VA_ARGS__, .sentinel = 0)
#ifndef SOON_TEST_TASKS
#define TEST__CASE(suite_, name_, ...)                                                                                 \
    static void suite_##_##name_##_body(void);                                                                         \
    static struct test_case suite_##_##name_##_case = {                                                                \
        #suite_, #name_, __FILE__, __LINE__, suite_##_##name_##_body, {__VA_ARGS__}, NULL};                            \
    TEST__ADAPT(suite_, name_)                                                                                         \
    static void suite_##_##name_##_body(void)
#endif

#undef TestSuite
#define TestSuite(...) TEST__SUITE(__VA_ARGS__, .sentinel = 0)
#ifndef SOON_TEST_TASKS
#define TEST__SUITE(suite_, ...)                                                                                       \
    static struct test_suite suite_##_suite = {#suite_, {__VA_ARGS__}, NULL};                                          \
    __attribute__((constructor)) static void suite_##_suite_register(void)                                             \
    {                                                                                                                  \
        test__register_suite(&suite_##_suite);                                                                         \
    }                                                                                                                  \
    struct test__semicolon
#endif

/* A test of a misuse that the library asserts against: with asserts the test must abort; without, the misuse is
 * harmless and what the body asserts must hold. */
#ifdef NDEBUG
#define TestMisuse(...) Test(__VA_ARGS__)
#else
#define TestMisuse(...) Test(__VA_ARGS__, .signal = SIGABRT)
#endif

#endif

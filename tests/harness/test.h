/*
 * test.h - what every test file includes: Test, TestSuite, the cr_ assertions, and the check that nothing leaked.
 *
 * Two runners serve the same files. Criterion is the normal one. With SOON_TEST_INPROCESS it is inprocess.c, which
 * forks a process per test: for ThreadSanitizer, under which Criterion cannot run, and for valgrind.
 *
 *     Test(suite, name, .init = f, .fini = f, .timeout = s, .signal = n, .exit_code = n, .disabled = b, .bare = b)
 *     TestMisuse(suite, name, the same options)             must abort by an assertion, where there are any
 *     TestSuite(suite, the same options)                    before its tests, for all of them
 *
 * A test is: the suite's init, its own, the body, its own fini, the suite's; then assert_no_leaks(), which nobody has
 * to ask for. The init and fini of a test that failed run all the same, its check for leaks does not.
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

#ifdef SOON_TEST_INPROCESS
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
    double timeout; /* seconds; 0: the suite's, else TEST_TIMEOUT */
    int signal;     /* the test must die of it */
    int exit_code;  /* the test must exit with it */
    bool disabled;
    bool bare; /* starts with nothing of the library running, and descriptors are not checked */
    const char *description;
    int sentinel;
};

#define TEST_TIMEOUT 300.0

/*
 * Waits until no future is alive, no descriptor is open that was not open when the test began, and no child process is
 * left, then asks LeakSanitizer. It waits for ever: library threads may release the last a moment later; what is missing is told on
 * standard error, and the test's timeout ends it. Runs at the end of every test, and may be called in between.
 */
void assert_no_leaks(void);

/* What memory for any type of `size` bytes must be aligned to. */
static inline size_t test_alignment(size_t size)
{
    return size <= sizeof(uint64_t) ? __alignof__(uint64_t) : __alignof__(max_align_t);
}

/* From here on what is open now counts as no leak. */
void test_accept_open_descriptors(void);

/* fork(). AddressSanitizer's allocator has locks that the child gets as they are: threads that have just started, and the
 * runner's, get time to give them back. */
pid_t test_fork(void);

/* From now on this thread, and those and the processes that it starts, run on one CPU. */
void test_stay_on_one_cpu(void);

/* For a test that leaks on purpose, such as one that ends in a forked child. */
void test_skip_leak_check(void);

/* Whether worker processes can be had: valgrind does not know how to watch one, so its setup says no. */
bool test_has_processes(void);

/* How many times as long all takes, under valgrind or a sanitizer: TEST_TIMEOUT_FACTOR in the environment, else 1. */
unsigned test_slowness(void);

/* How many rounds a race, or another test of many, runs that wants `count`: fewer where TEST_ROUNDS_PART in the
 * environment says so, 4 for a quarter of them. At least one. */
int test_rounds(int count);

/* Waits for ever, the test's timeout ends it. Not for what can be waited for by other means. */
#define test_wait_until(...)                                                                                           \
    while (!(__VA_ARGS__))                                                                                             \
    sched_yield()

/* Of the future of a running task that listens: it was asked to end, or had done so before the caller was told. */
#define test_is_asked_to_end(future) (!soon_future_cancel(future) || soon_future_done(future))

/* What the macros below make. */
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
void test__register(struct test_case *test);            /* takes over what the suite has set */
const struct test_suite *test__suite(const char *name); /* NULL: none */
const struct test_case *test__cases(void);              /* in the order of the file */

/* The runner calls these: the whole test; what of its clean-up is left, when that was cut short. */
void test__use_usual_signals(void); /* whoever starts the tests may ignore some: nohup, a shell's background job */
void test__run(const struct test_case *test);
void test__clean_up(void);
bool test__in_its_process(void); /* false in forked children */
bool test__on_its_thread(void);  /* in other threads too */

#ifdef __cplusplus
}
#pragma GCC diagnostic ignored "-Wpedantic" /* designated initialisers */
#pragma GCC diagnostic ignored "-Wc++20-extensions"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

#ifdef SOON_TEST_INPROCESS
#define TEST__ADAPT(suite_, name_)                                                                                     \
    __attribute__((constructor)) static void suite_##_##name_##_register(void)                                         \
    {                                                                                                                  \
        test__register(&suite_##_##name_##_case);                                                                      \
    }
#else
/* Criterion runs it; the phases are ours, since to Criterion 2.4 an assertion that fails in a .fini is no failure. */
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
#define TEST__CASE(suite_, name_, ...)                                                                                 \
    static void suite_##_##name_##_body(void);                                                                         \
    static struct test_case suite_##_##name_##_case = {                                                                \
        #suite_, #name_, __FILE__, __LINE__, suite_##_##name_##_body, {__VA_ARGS__}, NULL};                            \
    TEST__ADAPT(suite_, name_)                                                                                         \
    static void suite_##_##name_##_body(void)

#undef TestSuite
#define TestSuite(...) TEST__SUITE(__VA_ARGS__, .sentinel = 0)
#define TEST__SUITE(suite_, ...)                                                                                       \
    static struct test_suite suite_##_suite = {#suite_, {__VA_ARGS__}, NULL};                                          \
    __attribute__((constructor)) static void suite_##_suite_register(void)                                             \
    {                                                                                                                  \
        test__register_suite(&suite_##_suite);                                                                         \
    }                                                                                                                  \
    struct test__semicolon

/* A test of a misuse that the library asserts against: with asserts the test must abort; without, the misuse is harmless and what the
 * body asserts must hold. */
#ifdef NDEBUG
#define TestMisuse(...) Test(__VA_ARGS__)
#else
#define TestMisuse(...) Test(__VA_ARGS__, .signal = SIGABRT)
#endif

#endif

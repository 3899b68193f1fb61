/*
 * inprocess.c - runs the tests of a program one after another, each in a process forked from this one.
 *
 *     usage: PROGRAM [--list] [--filter SUITE/NAME] [--verbose]      the filter may hold * and ?
 *
 * This process never starts a thread, so that it can fork safely, under ThreadSanitizer too. How a test has ended is
 * told by the status of its process and by a page of memory that both processes share: a test that leaves early, by
 * exit(0), has not passed.
 */
#include "test.h"

#include <errno.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <signal.h>
#include <soon.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum outcome { PASSED, FAILED, SKIPPED };

/* The test's process writes it, and the runner reads it when that process is gone. */
struct report {
    atomic_bool failed, skipped, finished;
};

static struct report *report;
static const struct test_case *current;
static jmp_buf leave;

/*
 * In the test's process
 */

static void end_test(void)
{
    if (test__on_its_thread())
        longjmp(leave, 1);
    _exit(1);
}

void test__fail(bool fatal, const char *file, int line, const char *expression, const char *format, ...)
{
    atomic_store(&report->failed, true);
    flockfile(stderr);
    fprintf(stderr, "%s/%s: %s:%d: assertion failed: %s\n", current->suite, current->name, file, line, expression);
    if (format && *format) {
        va_list args;
        va_start(args, format);
        fputs("    ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
    }
    funlockfile(stderr);
    if (fatal)
        end_test();
}

void test__skip(void)
{
    atomic_store(&report->skipped, true);
    end_test();
    abort();
}

static void run_here(const struct test_case *test)
{
    if (setjmp(leave) == 0)
        test__run(test);
    if (setjmp(leave) == 0)
        test__clean_up();
    atomic_store(&report->finished, true);
    exit(0); /* not _exit(): ThreadSanitizer sets the exit status if it has found something */
}

/*
 * In the runner's process
 */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Returns false if the child did not end in time; then it was killed. SIGCHLD is blocked in this process. */
static bool await_child(pid_t child, double seconds, int *ret_status)
{
    int64_t deadline = now_ns() + (int64_t)(seconds * 1e9);
    sigset_t set;
    bool in_time = true;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    while (waitpid(child, ret_status, WNOHANG) == 0) {
        int64_t left = deadline - now_ns();
        if (left <= 0) {
            in_time = false;
            kill(-child, SIGKILL);
            waitpid(child, ret_status, 0);
            break;
        }
        struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        sigtimedwait(&set, NULL, &wait);
    }
    kill(-child, SIGKILL); /* processes that it has started and left running */
    return in_time;
}

static enum outcome fail(const struct test_case *test, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "[FAIL] %s/%s (%s:%u): ", test->suite, test->name, test->file, test->line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return FAILED;
}

static enum outcome judge(const struct test_case *test, bool in_time, int status)
{
    const struct test_options *expected = &test->options;

    if (!in_time)
        return fail(test, "timed out after %g s", expected->timeout);
    if (atomic_load(&report->failed))
        return fail(test, "an assertion failed");
    if (atomic_load(&report->skipped))
        return SKIPPED;
    if (WIFSIGNALED(status) && WTERMSIG(status) != expected->signal)
        return fail(test, "died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WIFSIGNALED(status))
        return PASSED;
    if (expected->signal != 0)
        return fail(test, "should have died of signal %d", expected->signal);
    if (WEXITSTATUS(status) != expected->exit_code)
        return fail(test, "exit status %d, expected %d", WEXITSTATUS(status), expected->exit_code);
    if (expected->exit_code == 0 && !atomic_load(&report->finished))
        return fail(test, "left before its end");
    return PASSED;
}

static enum outcome run(const struct test_case *test)
{
    if (test->options.disabled)
        return SKIPPED;

    memset(report, 0, sizeof *report);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return fail(test, "no process: %s", strerror(errno));
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test must not outlive the runner */
        current = test;
        run_here(test);
    }
    setpgid(child, child); /* both processes call it, so that it is done whichever runs first */

    int status = 0;
    bool in_time = await_child(child, test->options.timeout, &status);
    return judge(test, in_time, status);
}

static bool wanted(const struct test_case *test, const char *filter)
{
    char name[512];

    snprintf(name, sizeof name, "%s/%s", test->suite, test->name);
    return !filter || fnmatch(filter, name, 0) == 0;
}

static int run_all(const char *filter, bool verbose)
{
    static const char *const words[] = {"PASS", "FAIL", "SKIP"};
    unsigned counts[3] = {0};

    for (const struct test_case *test = test__cases(); test; test = test->next) {
        if (!wanted(test, filter))
            continue;
        enum outcome outcome = run(test);
        counts[outcome]++;
        if (verbose)
            fprintf(stderr, "[%s] %s/%s\n", words[outcome], test->suite, test->name);
    }
    fflush(NULL);
    printf("%u passed, %u failed", counts[PASSED], counts[FAILED]);
    if (counts[SKIPPED])
        printf(", %u skipped", counts[SKIPPED]);
    putchar('\n');
    return counts[FAILED] > 0 || counts[PASSED] + counts[SKIPPED] == 0;
}

static int list(const char *filter)
{
    for (const struct test_case *test = test__cases(); test; test = test->next) {
        if (wanted(test, filter))
            printf("%s/%s\n", test->suite, test->name);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *filter = NULL;
    bool verbose = false, only_list = false;
    sigset_t set;

    if (soon_init(argc, argv) < 0)
        return 1;
    test__use_usual_signals();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            filter = argv[++i];
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            i++; /* taken for Criterion's sake; here tests always run one at a time */
        else if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--list") == 0)
            only_list = true;
        else
            return fprintf(stderr, "%s: unknown option %s\n", argv[0], argv[i]), 2;
    }
    if (only_list)
        return list(filter);

    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        return perror("mmap"), 2;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return run_all(filter, verbose);
}

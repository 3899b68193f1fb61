/*
 * test.c - the life of one test, under either runner.
 *
 *     begin --> suite's init --> own init --> body --> own fini --> suite's fini --> assert_no_leaks
 *
 * An assertion that fails jumps out of the test or ends its process. After a jump the runner calls test__clean_up(),
 * which calls the fini that belongs to each init that has returned.
 */
#include "test.h"
#include "leaks_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct test_suite *suites;
static struct test_case *cases, **last_case = &cases;
static const struct test_case *current;
static pid_t its_process; /* also the number of the thread that runs the test */
static enum { NOTHING_DUE, SUITE_FINI_DUE, OWN_FINI_DUE } due;

void test__register_suite(struct test_suite *suite)
{
    suite->next = suites;
    suites = suite;
}

void test_stay_on_one_cpu(void)
{
    cpu_set_t all, one;
    int cpu = 0;

    if (sched_getaffinity(0, sizeof all, &all) < 0)
        abort();
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        abort();
}

/* Whether all other threads of this process sleep: behind the name in its status there is an S then. */
static bool others_sleep(void)
{
    DIR *folder = opendir("/proc/self/task");
    struct dirent *entry;
    bool sleep = folder;

    while (folder && (entry = readdir(folder))) {
        char path[300], status[512] = "", *state;
        int fd;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == gettid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        state = fd >= 0 && read(fd, status, sizeof status - 1) > 0 ? strrchr(status, ')') : NULL;
        sleep &= !state || state[2] == 'S';
        close(fd);
    }
    if (folder)
        closedir(folder);
    return sleep;
}

pid_t test_fork(void)
{
    for (int polls = 0; UNDER_ASAN && polls < 100 && !others_sleep(); polls++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return fork();
}

const struct test_suite *test__suite(const char *name)
{
    for (const struct test_suite *suite = suites; suite; suite = suite->next) {
        if (strcmp(suite->name, name) == 0)
            return suite;
    }
    return NULL;
}

/* A number of the environment, at least 1. */
static int number_of(const char *name)
{
    const char *value = getenv(name);

    return value && atoi(value) > 1 ? atoi(value) : 1;
}

unsigned test_slowness(void)
{
    return (unsigned)number_of("TEST_TIMEOUT_FACTOR");
}

int test_rounds(int count)
{
    int rounds = count / number_of("TEST_ROUNDS_PART");

    return rounds ? rounds : 1;
}

void test__register(struct test_case *test)
{
    static const struct test_options none;
    const struct test_suite *suite = test__suite(test->suite);
    const struct test_options *shared = suite ? &suite->options : &none;
    struct test_options *own = &test->options;

    if (own->timeout == 0)
        own->timeout = shared->timeout > 0 ? shared->timeout : TEST_TIMEOUT;
    own->timeout *= test_slowness();
    own->signal = own->signal ? own->signal : shared->signal;
    own->exit_code = own->exit_code ? own->exit_code : shared->exit_code;
    own->disabled = own->disabled || shared->disabled;
    own->bare = own->bare || shared->bare;

    *last_case = test;
    last_case = &test->next;
}

const struct test_case *test__cases(void)
{
    return cases;
}

static void call(void (*fn)(void))
{
    if (fn && fn != assert_no_leaks)
        fn(); /* test__run() calls assert_no_leaks() itself, when the suite's fini has run, too */
}

void test__clean_up(void)
{
    const struct test_suite *suite = current ? test__suite(current->suite) : NULL;

    if (due == OWN_FINI_DUE) {
        due = SUITE_FINI_DUE;
        call(current->options.fini);
    }
    if (due == SUITE_FINI_DUE) {
        due = NOTHING_DUE;
        call(suite ? suite->options.fini : NULL);
    }
}

bool test__in_its_process(void)
{
    return getpid() == its_process;
}

bool test__on_its_thread(void)
{
    return gettid() == its_process;
}

void test__use_usual_signals(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGTERM};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
}

void test__run(const struct test_case *test)
{
    const struct test_suite *suite = test__suite(test->suite);

    current = test;
    its_process = getpid();
    unsetenv(
        "BXFI_MAP"); /* Criterion's: with it this program, if a test starts it again, would act as Criterion's child */
    test__leaks_begin(test->options.bare);
    call(suite ? suite->options.init : NULL);
    due = SUITE_FINI_DUE;
    call(test->options.init);
    due = OWN_FINI_DUE;
    test->body();

    test__clean_up();
    assert_no_leaks();
}

bool test_has_processes(void)
{
    return !getenv("TEST_NO_PROCESSES");
}

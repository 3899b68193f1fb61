/*
 * leaks.c - a test must leave nothing behind: no live future, no open descriptor, no child process, no lost memory.
 */
#include "leaks_internal.h"
#include "test.h"

#include "../../executor/loops/library_loop_internal.h"
#include "../../futures/block_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <soon.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_DESCRIPTORS = 4096, POLL_NS = 1000000, TELL_AFTER_S = 1 };

/* Defined only where the program is built with AddressSanitizer. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static bool was_open[MAX_DESCRIPTORS];
static bool skipped, descriptors_unchecked;

/* Calls `visit` for each open descriptor, but for the one by which it lists them. */
static void each_descriptor(void (*visit)(int descriptor, void *data), void *data)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;

    cr_assert_not_null(directory, "/proc/self/fd cannot be read");
    while ((entry = readdir(directory))) {
        int descriptor = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && descriptor != dirfd(directory) && descriptor < MAX_DESCRIPTORS)
            visit(descriptor, data);
    }
    closedir(directory);
}

static void mark_open(int descriptor, void *data)
{
    (void)data;
    was_open[descriptor] = true;
}

enum { TARGET_SIZE = 256 };

static void read_target(int descriptor, char target[TARGET_SIZE])
{
    char link[64];

    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, target, TARGET_SIZE - 1);
    target[length > 0 ? length : 0] = '\0';
}

/* With the first socket of a loop libuv opens /dev/null, which it keeps as long as the loop: the library's for ever. */
static bool may_be_of_libuv(int descriptor)
{
    char target[TARGET_SIZE];

    read_target(descriptor, target);
    return strcmp(target, "/dev/null") == 0 && fcntl(descriptor, F_GETFD) == FD_CLOEXEC;
}

struct left_open {
    size_t count, may_be_of_libuv;
};

static void count_new(int descriptor, void *data)
{
    struct left_open *left = data;

    left->count += !was_open[descriptor];
    left->may_be_of_libuv += !was_open[descriptor] && may_be_of_libuv(descriptor);
}

static void tell_new(int descriptor, void *data)
{
    char target[TARGET_SIZE];

    if (was_open[descriptor])
        return;
    read_target(descriptor, target);
    fprintf(data, "  descriptor %d is still open: %s\n", descriptor, target);
}

void test_accept_open_descriptors(void)
{
    each_descriptor(mark_open, NULL);
}

void test_skip_leak_check(void)
{
    skipped = true;
}

void test__leaks_begin(bool bare)
{
    cr_assert_eq(soon_init(0, NULL), 0);
    skipped = false;
    descriptors_unchecked = bare;
    if (bare)
        return;
    cr_assert_eq(soon__library_start(), 0);
    test_accept_open_descriptors();
}

static size_t new_descriptors(void)
{
    struct left_open left = {0};

    if (!descriptors_unchecked)
        each_descriptor(count_new, &left);
    return left.count - (left.may_be_of_libuv > 0);
}

/* Whether a child process is running, or is dead and was not waited for. */
static bool has_children(void)
{
    siginfo_t child;

    return waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void tell_what_is_left(void)
{
    fprintf(stderr, "waiting for what is left behind:\n");
    if (soon__blocks_alive() > 0)
        fprintf(stderr, "  %zu futures are alive\n", soon__blocks_alive());
    if (!descriptors_unchecked)
        each_descriptor(tell_new, stderr);
    if (has_children())
        fprintf(stderr, "  a child process is there\n");
}

void assert_no_leaks(void)
{
    int64_t tell_at = soon__clock_ns() + TELL_AFTER_S * INT64_C(1000000000);

    if (skipped)
        return;
    while (soon__blocks_alive() > 0 || new_descriptors() > 0 || has_children()) {
        if (soon__clock_ns() >= tell_at) {
            tell_what_is_left();
            tell_at = INT64_MAX;
        }
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
    if (__lsan_do_recoverable_leak_check)
        cr_assert_eq(__lsan_do_recoverable_leak_check(), 0, "memory was lost, see the report");
}

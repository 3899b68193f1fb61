/*
 * system_fixture.h - children of a test: shells, and the test's own program. One at a time.
 */
#ifndef SOON_TESTS_SYSTEM_FIXTURE_H
#define SOON_TESTS_SYSTEM_FIXTURE_H

#include "../support/futures.h"

#include "../../executor/system/ipc_internal.h"
#include "../../executor/system/process_internal.h"
#include "../../executor/system/spawn_internal.h"
#include "../../executor/system/system_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

static char *no_environment[] = {NULL};
static pid_t pid;
static int watch = -1;

static inline void start(const struct soon__process_start *how)
{
    cr_assert_eq(soon__process_start(how, &pid), 0);
    watch = soon__process_watch(pid);
    cr_assert_geq(watch, 0);
}

/* A shell with descriptors. */
static inline struct soon__process_start shell(char **arguments, char *script, const int *descriptors, int count)
{
    arguments[0] = "sh";
    arguments[1] = "-c";
    arguments[2] = script;
    arguments[3] = NULL;
    return (struct soon__process_start){.path = "/bin/sh",
                                        .executable = -1,
                                        .arguments = arguments,
                                        .directory = -1,
                                        .null = -1,
                                        .environment = no_environment,
                                        .descriptors = descriptors,
                                        .descriptor_count = count};
}

static inline void start_shell(char *script, const int *descriptors, int count)
{
    char *arguments[4];
    struct soon__process_start how = shell(arguments, script, descriptors, count);

    start(&how);
}

static inline void await_death(void)
{
    struct pollfd wanted = {.fd = watch, .events = POLLIN};

    while (poll(&wanted, 1, -1) != 1)
        continue;
}

static inline struct soon__exit reap(void)
{
    struct soon__exit how;

    await_death();
    cr_assert(soon__process_reap(watch, pid, &how));
    close(watch);
    watch = -1;
    return how;
}

static inline int status_of(char *script)
{
    struct soon__exit how;

    start_shell(script, NULL, 0);
    how = reap();
    cr_assert(how.known && !how.killed);
    return how.number;
}

static inline void kill_and_reap(void)
{
    struct soon__exit how;

    cr_assert_eq(soon__process_signal(watch, pid, SIGKILL), 0);
    how = reap();
    cr_assert(how.known && how.killed && how.number == SIGKILL);
}

/* Runs until it is stopped: by then it has what it will have. */
static inline void await_stop(void)
{
    siginfo_t info;

    cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
}

/* As this program: `what` is its environment, which a constructor of the test looks at. */
static inline void start_own_program(char *what, int descriptor)
{
    char *arguments[] = {"child", NULL}, *environment[] = {what, NULL};
    int program = soon__own_program();
    struct soon__process_start how = {.executable = program,
                                      .arguments = arguments,
                                      .directory = -1,
                                      .null = -1,
                                      .environment = environment,
                                      .descriptors = &descriptor,
                                      .descriptor_count = 1};

    cr_assert_geq(program, 0);
    start(&how);
    close(program);
}

#endif

/*
 * tracer.h - a process that traces another one, as a debugger does. When the traced process dies its parent cannot reap
 * it before the tracer has let it go.
 */
#ifndef SOON_TESTS_TRACER_H
#define SOON_TESTS_TRACER_H

#include "../harness/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

struct tracer {
    pid_t pid;
    int let_go; /* the tracer ends when this is closed */
};

static inline void tracer__main(pid_t traced, int ready, int let_go)
{
    char byte = ptrace(PTRACE_SEIZE, traced, 0, 0) == 0 ? 'y' : 'n';

    if (write(ready, &byte, 1) == 1)
        (void)!read(let_go, &byte, 1);
    _exit(0);
}

/* Traces the process `traced`. Where that is not permitted the test is skipped, and says so. */
static inline struct tracer start_tracer(pid_t traced)
{
    struct tracer tracer;
    int ready[2], let_go[2];
    char byte;

    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(let_go, O_CLOEXEC), 0);
    tracer.pid = test_fork();
    if (tracer.pid == 0) {
        close(let_go[1]);
        tracer__main(traced, ready[1], let_go[0]);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    if (byte != 'y') {
        fputs("SKIPPED: this process may not trace another\n", stderr);
        test_skip_leak_check();
        cr_skip_test("this process may not trace another");
    }
    close(ready[0]);
    close(ready[1]);
    close(let_go[0]);
    tracer.let_go = let_go[1];
    return tracer;
}

/* Ends the tracer. On return the traced process can be reaped. */
static inline void end_tracer(struct tracer *tracer)
{
    close(tracer->let_go);
    cr_assert_eq(waitpid(tracer->pid, NULL, 0), tracer->pid);
}

#endif

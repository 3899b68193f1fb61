/*
 * forked.h - what a test does in a child of fork(). The runner's assertions do not work there; CHECK() does.
 */
#ifndef SOON_TESTS_SUPPORT_FORKED_H
#define SOON_TESTS_SUPPORT_FORKED_H

#include "../harness/test.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: ends it, with a status that is not 0, unless `condition` holds. */
#define CHECK(condition) ((condition) ? (void)0 : forked__leave(__FILE__, __LINE__, #condition))

static inline void forked__leave(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold in the child: %s\n", file, line, condition);
    _exit(1);
}

/* Runs `body` in a child. Returns the child's exit status, 0 if the body returned; -1 if a signal killed the child. */
static inline int status_of_child(void (*body)(void))
{
    pid_t child = test_fork();
    int status;

    cr_assert_geq(child, 0);
    if (child == 0) {
        alarm(60); /* a child that hangs must not outlive the test */
        body();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Every CHECK() of `body` holds in a child. */
static inline void in_child(void (*body)(void))
{
    cr_assert_eq(status_of_child(body), 0);
}

#endif

/*
 * fork.c - futures in a child of fork(): what is done can be read; what is not done never will be, and says so.
 */
#include "support_futures.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child no assertion of the runner works: it leaves with the line that failed. */
static _Noreturn void leave(int line)
{
    if (line)
        fprintf(stderr, "fork.c:%d: does not hold in the child\n", line);
    _exit(line != 0);
}
#define CHECK(condition) ((condition) ? (void)0 : leave(__LINE__))

static void assert_child(pid_t child)
{
    int status;

    cr_assert_gt(child, 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

#define IN_CHILD                                                                                                       \
    for (pid_t child = fork();; child == 0 ? leave(0) : assert_child(child))                                         \
        if (child != 0) {                                                                                              \
            assert_child(child);                                                                                       \
            break;                                                                                                     \
        } else

static void never(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    leave(__LINE__);
}

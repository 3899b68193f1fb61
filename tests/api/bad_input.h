/*
 * bad_input.h - a table of calls with arguments that cannot be, one line each.
 *
 *     REFUSED(-EINVAL, soon_future_wait(NULL, 0));        the answer is this code, and the thread's last error says why
 *     ANSWERS(-EINVAL, soon_map_item_error(NULL, 0)->code);   the answer alone
 *     ASSERTED(false, soon_future_done(NULL));            with asserts it aborts with a text; without, this is the
 * answer
 *     IGNORED(soon_future_unref(NULL));                   nothing happens
 */
#ifndef SOON_TESTS_BAD_INPUT_H
#define SOON_TESTS_BAD_INPUT_H

#include "../harness/test.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <soon.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef NDEBUG
enum { ASSERTS = 0 };
#else
enum { ASSERTS = 1 };
#endif

#define REFUSED(code, call) refused((call), (code), #call, __LINE__)
#define ANSWERS(code, call) cr_expect((call) == (code), "line %d: %s", __LINE__, #call)
#define IGNORED(call) (call)
#define ASSERTED(answer, call)                                                                                         \
    do {                                                                                                               \
        if (!ASSERTS) {                                                                                                \
            cr_expect((call) == (answer), "line %d: %s", __LINE__, #call);                                             \
        } else if (in_child()) {                                                                                       \
            (void)(call);                                                                                              \
            _exit(0);                                                                                                  \
        } else {                                                                                                       \
            child_aborted(#call, __LINE__);                                                                            \
        }                                                                                                              \
    } while (0)
#define ASSERTED_VOID(call) ASSERTED(0, ((call), 0))

static inline void says_why(const soon_error *error, int code, const char *call, int line)
{
    cr_expect_eq(error->code, code, "line %d: the last error of %s is %s", line, call, soon_errname(error->code));
    if (code == -EINVAL)
        cr_expect(strncmp(error->message, "soon_", 5) == 0 && !strstr(error->message, soon_strerror(code)),
                  "line %d: %s says '%s'", line, call, error->message);
}

static inline void refused(int64_t answer, int code, const char *call, int line)
{
    cr_expect(answer == code, "line %d: %s is %s", line, call, soon_errname((int)answer));
    if (code < 0)
        says_why(soon_last_error(), code, call, line);
}

/* A future that was refused: done, with this code, never started. Takes the reference. */
#define REFUSED_FUTURE(code, call) refused_future((call), (code), #call, __LINE__)
static inline void refused_future(soon_future *future, int code, const char *call, int line)
{
    cr_assert_not_null(future, "line %d: %s", line, call);
    cr_expect(soon_future_done(future), "line %d: %s is not done", line, call);
    says_why(soon_future_error(future), code, call, line);
    cr_expect(!soon_future_error(future)->started, "line %d: %s has started", line, call);
    soon_future_unref(future);
}

/* The child's standard error comes through a pipe. */
static int told_by_child;
static pid_t child;

static inline SOON_UNUSED bool in_child(void)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    child = test_fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
    }
    close(ends[1]);
    told_by_child = ends[0];
    return child == 0;
}

static inline SOON_UNUSED void child_aborted(const char *call, int line)
{
    char told[512] = "";
    ssize_t size, length = 0;
    int status;

    while ((size = read(told_by_child, told + length, sizeof told - 1 - (size_t)length)) > 0)
        length += size;
    close(told_by_child);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "line %d: %s does not abort", line, call);
    cr_expect(strstr(told, "soon_"), "line %d: %s tells '%s'", line, call, told);
}

#endif

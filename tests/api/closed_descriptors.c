/*
 * closed_descriptors.c - a program that closes descriptors which are not its own, as closefrom(3) does: before the first
 * pool it does no harm; with one alive the program ends, and the message says why.
 */
#include "../support/pools.h"

#include <sys/syscall.h>
#include <sys/wait.h>

TestSuite(closed_descriptors);

static void close_from_three(void)
{
    for (long fd = 3; fd < 1024; fd++)
        syscall(SYS_close, fd); /* unseen by ThreadSanitizer: it races, of course */
}

/* Runs `body` in a child of its own, which has a pipe for standard error. Returns its status. */
static int in_child(void (*body)(void), char *ret_text, size_t size)
{
    int ends[2], status;
    char rest[256];
    size_t length = 0;
    ssize_t count;
    pid_t child;

    cr_assert_eq(pipe(ends), 0);
    child = test_fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        body();
        _exit(0);
    }
    close(ends[1]);
    while (length < size - 1 && (count = read(ends[0], ret_text + length, size - 1 - length)) > 0)
        length += (size_t)count;
    ret_text[length] = '\0';
    while (read(ends[0], rest, sizeof rest) > 0)
        continue; /* a child with more to say must not meet a closed pipe */
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

static void use_a_pool(void)
{
    soon_executor *pool;

    if (soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1}) < 0 ||
        outcome_of(soon_submit(pool, nothing)) != 0 || soon_executor_free(pool) != 0)
        _exit(1);
}

static void close_before(void)
{
    close_from_three();
    use_a_pool();
}

Test(closed_descriptors, before_the_first_pool_do_no_harm, .bare = true)
{
    char text[512];

    cr_assert_eq(in_child(close_before, text, sizeof text), 0, "%s", text);
}

static void close_between(void)
{
    use_a_pool();
    close_from_three();
    use_a_pool();
}

Test(closed_descriptors, with_a_pool_alive_end_the_program_with_a_message, .bare = true)
{
    char text[512];
    int status = in_child(close_between, text, sizeof text);

    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x", (unsigned)status);
    cr_assert_not_null(strstr(text, "closefrom()"), "%s", text);
}

/*
 * privileged_host.c - a program that privileged.c gives rights to: it makes a pool and prints with what rights a task of it
 * ran, "USER GROUP CAPABILITIES", or why it did not.
 *
 *     privileged_host serve                 with what it has
 *     privileged_host search                with a program called `true` for its workers
 *     privileged_host give-up               after it has given up its user for good
 *     privileged_host lower ... MARKER      as a worker that becomes a lesser user before it serves
 */
#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "privileged.h"

enum { NOBODY = 65534 };

static int run(bool gives_up, const char *program)
{
    soon_process_pool_options options = {.workers = 1, .max_restarts = 1, .worker_program = program};
    struct rights rights;
    soon_executor *pool;
    soon_future *future;
    int rc = soon_process_pool_new(&pool, &options);

    if (rc < 0) {
        printf("no pool: %s\n", soon_errname(rc));
        return 1;
    }
    if (gives_up && setresuid(getuid(), getuid(), getuid()) < 0)
        return 1;
    future = soon_submit(pool, tell_rights);
    if (soon_result(future, &rights) == 0)
        printf("%u %u %x\n", rights.user, rights.group, rights.capabilities);
    else
        printf("%s\n", soon_future_error(future)->message);
    soon_future_unref(future);
    return soon_executor_free(pool) < 0;
}

int main(int argc, char **argv)
{
    int rc;

    if (argc > 1 && strcmp(argv[1], "lower") == 0 &&
        (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
        return 1;
    soon_init(argc, argv);
    rc = run(argc > 1 && strcmp(argv[1], "give-up") == 0, argc > 1 && strcmp(argv[1], "search") == 0 ? "true" : NULL);
    fflush(stdout);
    _exit(rc); /* a leak checker cannot look into a program with rights */
}

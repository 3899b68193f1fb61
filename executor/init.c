/*
 * init.c - the first call of a program: in a worker process it takes over and never returns.
 */
#include "pool.h"
#include "processes/worker_internal.h"

#include <errno.h>
#include <string.h>

/* Set once, before other threads use the library. */
static bool initialised;

bool soon__is_initialised(void)
{
    return initialised;
}

/* What else is among the arguments may be a file's name, or a stranger's words. */
static bool is_worker(int argc, char **argv)
{
    return argc > 1 && argv[argc - 1] && strcmp(argv[argc - 1], SOON__WORKER_MARKER) == 0;
}

int soon_init(int argc, char **argv)
{
    if (argc < 0 || (argc > 0 && !argv))
        return -EINVAL;
    initialised = true;
    if (is_worker(argc, argv))
        soon__worker_main();
    return 0;
}

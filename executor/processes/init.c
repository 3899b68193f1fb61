/*
 * init.c - the first call of a program: in a worker process it takes over and never returns.
 */
#include "../core/executor_internal.h"
#include "worker/state_internal.h"

#include <errno.h>
#include <string.h>

/* Set once, before other threads use the library. */
static bool initialised, working;

bool soon__is_initialised(void)
{
    return initialised;
}

bool soon__is_worker_process(void)
{
    return working;
}

/* What else is among the arguments may be a file's name, or a stranger's words. */
static bool is_worker(int argc, char **argv)
{
    return argc > 1 && argv[argc - 1] && strcmp(argv[argc - 1], SOON__WORKER_MARKER) == 0;
}

int soon_init(int argc, char **argv)
{
    if (argc < 0)
        return soon__failed(soon__refuse(-EINVAL, "argc = %d is negative", argc), "soon_init");
    if (argc > 0 && !argv)
        return soon__failed(soon__is_null("argv"), "soon_init");
    initialised = true;
    working = is_worker(argc, argv);
    if (working)
        soon__worker_main();
    return 0;
}

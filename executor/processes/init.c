/*
 * init.c - the first call of a program: in a worker process it takes over and never returns.
 */
#include "../core/executor_internal.h"
#include "../core/role_internal.h"
#include "both/wire_internal.h"
#include "worker/main_internal.h"

#include <errno.h>
#include <string.h>

/* The marker counts as the last argument alone: before that it may be the name of a file, or any text of a user's. */
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
    soon__role_set(is_worker(argc, argv) ? SOON__ROLE_WORKER : SOON__ROLE_PROGRAM);
    if (soon__role() == SOON__ROLE_WORKER)
        soon__worker_main();
    return 0;
}

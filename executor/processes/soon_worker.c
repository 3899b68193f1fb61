/*
 * soon_worker.c - a worker process for hosts whose main is not theirs: loads the shared objects that have the tasks.
 *
 *     usage: soon-worker [OBJECT...] --soon-worker-process            started by a pool with the option `load`
 *
 * An object registers its functions when it is loaded; soon_init() then takes over and tells the pool of them.
 */
#include "wire_internal.h"

#include "../pool.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static bool load(const char *object)
{
    if (dlopen(object, RTLD_NOW | RTLD_GLOBAL))
        return true;
    fprintf(stderr, "soon-worker: cannot load %s: %s\n", object, dlerror());
    return false;
}

int main(int argc, char **argv)
{
    bool is_worker = argc > 1 && strcmp(argv[argc - 1], SOON__WORKER_MARKER) == 0;

    for (int i = 1; i < argc - 1 && is_worker; i++) {
        if (!load(argv[i]))
            return SOON__EXIT_LOAD;
    }
    if (soon_init(argc, argv) < 0)
        return SOON__EXIT_NO_DESK;
    fprintf(stderr, "soon-worker: a pool with the option `load` starts it, nobody else\n");
    return SOON__EXIT_NO_DESK;
}

/*
 * soon_worker.c - a worker process for hosts whose main is not theirs: loads the shared objects that have the tasks.
 *
 *     usage: soon-worker [OBJECT...] --soon-worker-process            started by a pool with the option `load`
 *
 * An object registers its functions when it is loaded; soon_init() then takes over and tells the pool of them.
 */
#include "../both/wire_internal.h"

#include "../../pool.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The loader gives no error number, but a text alone. */
static bool is_shortage(const char *why)
{
    static const int shortages[] = {ENOMEM, EMFILE, ENFILE, EAGAIN};
    bool found = false;

    for (size_t i = 0; i < sizeof shortages / sizeof *shortages; i++)
        found |= strstr(why, strerror(shortages[i])) != NULL;
    return found;
}

/* 0, or the status to exit with. */
static int load(const char *object)
{
    const char *why;

    if (dlopen(object, RTLD_NOW | RTLD_GLOBAL))
        return 0;
    why = dlerror();
    fprintf(stderr, "soon-worker: cannot load %s: %s\n", object, why);
    return is_shortage(why) ? SOON__EXIT_NO_MEMORY : SOON__EXIT_LOAD;
}

int main(int argc, char **argv)
{
    bool is_worker = argc > 1 && strcmp(argv[argc - 1], SOON__WORKER_MARKER) == 0;

    for (int i = 1; i < argc - 1 && is_worker; i++) {
        int status = load(argv[i]);

        if (status)
            return status;
    }
    if (soon_init(argc, argv) < 0)
        return SOON__EXIT_NO_CHANNEL;
    fprintf(stderr, "soon-worker: a pool with the option `load` starts it, nobody else\n");
    return SOON__EXIT_NO_CHANNEL;
}

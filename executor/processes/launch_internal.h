/*
 * launch_internal.h - what a pool starts its workers with: program, arguments, environment. Made once, with the pool.
 */
#ifndef SOON_EXECUTOR_PROCESSES_LAUNCH_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_LAUNCH_INTERNAL_H

#include "../pool.h"

struct soon__launch {
    char *path;     /* NULL: `executable` */
    int executable; /* this very program; -1: `path` */
    char **arguments, **environment;
    char *directory; /* NULL: ours */
    int depth;       /* of the workers: 1 in a program that is no worker */
};

/* Options checked already. 0; SOON_ENOINIT: soon_init() was not called, or this is a worker in which it has not taken
 * over; SOON_EDEPTH; -ENOENT ...: no program to start; -ENOMEM. */
int soon__launch_init(struct soon__launch *launch, const soon_process_pool_options *options);
void soon__launch_fini(struct soon__launch *launch);

#endif

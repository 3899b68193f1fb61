/*
 * launch_internal.h - what a pool starts its workers with: program, arguments, environment. It is made once, with the
 * pool.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_LAUNCH_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_LAUNCH_INTERNAL_H

#include "../../pool.h"
#include "../../system/process_internal.h"
#include "../../system/spawn_internal.h"
#include "program_internal.h"

#include <sys/stat.h>
#include <sys/types.h>

struct soon__launch {
    struct soon__program program;
    char **arguments, **environment;
    int directory; /* -1: where this process is when a worker starts */
    bool is_ours;  /* no directory was named */
    struct stat root;
    int null;
    int depth; /* of the workers: 1, if this program is no worker itself */
};

/* The options were checked already. 0; SOON_ENOINIT: soon_init() was not called, or this is a worker in which it has
 * not taken over; SOON_EDEPTH; SOON_ENOPROGRAM, -ENOENT ...: no program to start, or no such directory; -ENOMEM. */
int soon__launch_init(struct soon__launch *launch, const soon_process_pool_options *options);
/* Starts a worker with these descriptors, as soon__process_start(). */
int soon__launch_start(const struct soon__launch *launch, const int *descriptors, int count, pid_t *ret_pid);
/* Says in words why that has failed, and what is missing. */
char *soon__launch_explain(const struct soon__launch *launch, int error, char *to, size_t size);
/* Adds to `text` which object is not there, if a worker could not load one. */
void soon__launch_add_missing(const struct soon__launch *launch, const struct soon__exit *exit, char *text,
                              size_t size);
void soon__launch_fini(struct soon__launch *launch);

#endif

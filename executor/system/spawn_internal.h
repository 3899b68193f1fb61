/*
 * spawn_internal.h - how a process is started.
 */
#ifndef SOON_EXECUTOR_SYSTEM_SPAWN_INTERNAL_H
#define SOON_EXECUTOR_SYSTEM_SPAWN_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

struct soon__process_start {
    const char *path;         /* the program, if there is no `executable`, or if that is still where this leads to */
    int executable;           /* a descriptor of the program; -1: there is `path` */
    char *const *arguments;   /* ends with NULL */
    char *const *environment; /* ends with NULL; all of it */
    int directory;            /* a descriptor; -1: the one of this process */
    int null;                 /* its input, and each output that this process lacks: soon__null_open(); -1: /dev/null */
    const int *descriptors;   /* the child finds them at 3, 4 ...; it has no others but 0 (no input), 1 and 2 */
    int descriptor_count;
};
/*
 * Starts a process, in a session and process group of its own, so without a terminal. No signal is blocked in it, and
 * none is ignored but those that this process ignores. Its descriptors are in place before the program starts; if there
 * is an `executable`, the number behind the last holds the program itself, and the child closes it. Fast, however much
 * memory this process has. 0 or a negative errno.
 */
int soon__process_start(const struct soon__process_start *start, pid_t *ret_pid);

/* A descriptor, above those of input and output, from which nothing is ever read: of /dev/null, or, where there is
 * none, of memory of no bytes, which cannot be written. Close-on-exec. Or a negative errno. */
int soon__null_open(void);
/* Is the file at `path` (NULL: there is none) the one that `fd` is of? */
bool soon__leads_to(const char *path, int fd);

#endif

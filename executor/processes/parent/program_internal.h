/*
 * program_internal.h - which file the workers of a pool execute: found and held when the pool is made, so that it is the same
 * one for as long as the pool lives, wherever the process and its names have moved.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_PROGRAM_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_PROGRAM_INTERNAL_H

struct soon__program {
    char *path; /* whole; NULL: this very program */
    int file;   /* a descriptor of it, whatever is at `path` by now */
    char *
        needs; /* the file by which the system runs it: a dynamic loader, a script's interpreter; NULL: none, or not known */
};

/* `name` from here, or, without a slash in it, from PATH. 0; -ENOENT and the like; -ENOMEM. */
int soon__program_find(struct soon__program *program, const char *name);
/* This very program. 0; SOON_ENOPROGRAM: it cannot be executed again; -ENOMEM. */
int soon__program_own(struct soon__program *program);
/* After a start that failed with -ENOENT: the file that is missing; NULL: not known. */
const char *soon__program_missing(const struct soon__program *program);
void soon__program_fini(struct soon__program *program);
/* A copy of `path` that means the same wherever we are; of a name without a slash, that as it is. NULL: errno. */
char *soon__path_from_here(const char *path);

#endif

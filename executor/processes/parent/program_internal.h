/*
 * program_internal.h - which file the workers of a pool execute. It is found and held when the pool is made, so it is
 * the same as long as the pool lives, even if the file is renamed or this process changes its directory.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_PROGRAM_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_PROGRAM_INTERNAL_H

struct soon__program {
    char *path; /* a whole path; NULL: this very program */
    int file;   /* a descriptor of it, even if another file is at `path` by now */
    /* The file by which the system runs it: a dynamic loader, or the interpreter of a script. NULL: none, or
     * not known. */
    char *needs;
};

/* Finds `name` from here, or, if there is no slash in it, in PATH. 0; -ENOENT and the like; -ENOMEM. */
int soon__program_find(struct soon__program *program, const char *name);
/* Takes this very program. 0; SOON_ENOPROGRAM: it cannot be executed again; -ENOMEM. */
int soon__program_own(struct soon__program *program);
/* After a start that failed with -ENOENT: the file that is missing; NULL: not known. */
const char *soon__program_missing(const struct soon__program *program);
void soon__program_fini(struct soon__program *program);
/* A copy of `path` that means the same in every directory; a name without a slash is copied as it is. NULL: errno says
 * why. */
char *soon__path_from_here(const char *path);

#endif

/*
 * files.h - which files are to be hashed, one after the other, in the order of the output.
 *
 * An argument that is a folder means all its regular files, in the bytewise order of their whole paths. No list of them
 * is made: each folder is read and sorted when the walk comes to it, with "/" behind the names of folders, which gives
 * the order of whole paths ("a-b", "a.c", "a/b"). So memory holds only the folders on the way down to the current one.
 */
#ifndef DIGEST_FILES_H
#define DIGEST_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* One file, or what is said instead of it. */
struct entry {
    const char *name; /* valid until the next call */
    int error;        /* an errno value: this file or folder is to be reported, not hashed */
    bool stream;      /* a pipe, a device, "-" for standard input, or what only this process has: reading may block */
};

struct files {
    char *const *paths; /* the arguments that are left, up to a NULL; lent */
    char *path;         /* of the last entry */
    size_t capacity;
    struct level *top; /* the current folder, and under it those that lead there */
    bool (*stopped)(const void *data);
    const void *data;
    int (*open)(const char *path, int flags); /* how folders are opened; NULL: by open() */
};

/* Begins with the first of `paths`. `stopped` is asked now and then whether to end early. */
void files_init(struct files *files, char *const *paths, bool (*stopped)(const void *data), const void *data);

/* The next one. False: there is none, or it was stopped. Without memory the program ends. */
bool files_next(struct files *files, struct entry *ret);

void files_fini(struct files *files);

#endif

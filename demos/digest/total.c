/*
 * total.c - the files once more, for their sizes alone.
 */
#include "total.h"
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool stopped(const void *task)
{
    return soon_task_cancel_requested(task);
}

/* The pointers to the names, and a NULL. NULL: no memory. */
static char **split(const char *names, size_t size)
{
    size_t count = 0;
    for (size_t at = 0; at < size; at += strlen(names + at) + 1)
        count++;
    char **paths = calloc(count + 1, sizeof *paths);
    for (size_t i = 0; paths && i < count; i++, names += strlen(names) + 1)
        paths[i] = (char *)names;
    return paths;
}

SOON_TASK_BYTES_DEFINE(add_sizes)
{
    struct files files;
    struct entry entry;
    struct stat status;
    uint64_t total = 0;
    char **paths = split(arg.data, arg.size);
    if (!paths)
        return -ENOMEM;

    files_init(&files, paths, stopped, task);
    while (files_next(&files, &entry))
        if (!entry.error && !entry.stream && stat(entry.name, &status) == 0)
            total += (uint64_t)status.st_size;
    files_fini(&files);
    free(paths);
    return soon_task_cancel_requested(task) ? -ECANCELED : soon_task_return_bytes(task, &total, sizeof total);
}

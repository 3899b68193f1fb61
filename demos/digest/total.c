/*
 * total.c - the files once more, for their sizes alone.
 */
#include "total.h"
#include "files.h"

#include <errno.h>
#include <sys/stat.h>

static bool stopped(const void *task)
{
    return soon_task_cancel_requested(task);
}

SOON_TASK_STRING_DEFINE(size_of_path, uint64_t)
{
    char *paths[] = {(char *)arg, NULL};
    struct files files;
    struct entry entry;
    struct stat status;

    files_init(&files, paths, stopped, task);
    while (files_next(&files, &entry))
        if (!entry.error && !entry.stream && stat(entry.name, &status) == 0)
            *result += (uint64_t)status.st_size;
    files_fini(&files);
    return soon_task_cancel_requested(task) ? -ECANCELED : 0;
}

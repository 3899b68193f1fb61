/*
 * thread_names.h - the threads of this process, by their names.
 */
#ifndef SOON_TESTS_THREAD_NAMES_H
#define SOON_TESTS_THREAD_NAMES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* Returns the id of a thread of this name, or 0 if there is none. Counts the threads of this name. */
static inline pid_t thread_called(const char *name, size_t *ret_count)
{
    DIR *folder = opendir("/proc/self/task");
    struct dirent *entry;
    pid_t found = 0;

    *ret_count = 0;
    while ((entry = readdir(folder))) {
        char path[300], comm[32] = "";
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(comm, sizeof comm, file) && strcspn(comm, "\n") == strlen(name) &&
            strncmp(comm, name, strlen(name)) == 0) {
            found = atoi(entry->d_name);
            ++*ret_count;
        }
        fclose(file);
    }
    closedir(folder);
    return found;
}

#endif

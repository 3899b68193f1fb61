/*
 * outside.c - blows from outside: workers are killed and stopped, and descriptors run out.
 */
#include "storm.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

static size_t children(int *ret, size_t room)
{
    DIR *threads = opendir("/proc/self/task");
    struct dirent *entry;
    size_t count = 0;
    char path[64];
    FILE *list;

    while (threads && (entry = readdir(threads))) {
        snprintf(path, sizeof path, "/proc/self/task/%d/children", atoi(entry->d_name));
        list = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
        while (list && count < room && fscanf(list, "%d", &ret[count]) == 1)
            count++;
        if (list)
            fclose(list);
    }
    if (threads)
        closedir(threads);
    return count;
}

/* Forked ones are not to be hit. */
static bool is_worker(int pid)
{
    char path[64], text[4096];
    ssize_t length;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    length = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return length > 20 && memmem(text, (size_t)length, "--soon-worker-process", 21);
}

void *strike(void *data)
{
    struct dice d = {(uint64_t)(uintptr_t)data};
    static const int signals[] = {SIGKILL, SIGKILL, SIGKILL, SIGKILL,
                                  SIGTERM, SIGTERM}; /* others would count as the program's own when it starts */
    int pids[64];
    size_t count;

    while (!r.down) {
        for (unsigned i = 0; i < r.pause && !r.down; i++)
            nap_us(500 + below(&d, 12000));
        if (r.squeezed && one_in(&d, 3)) {
            struct rlimit before, low;
            DIR *dir = opendir("/proc/self/fd");
            unsigned used = 0;

            for (; dir && readdir(dir); used++)
                ;
            if (dir)
                closedir(dir);
            getrlimit(RLIMIT_NOFILE, &before);
            low = (struct rlimit){used ? used + below(&d, 12) : 20, before.rlim_max};
            squeezes++;
            setrlimit(RLIMIT_NOFILE, &low);
            nap_us(200 + below(&d, 4000));
            setrlimit(RLIMIT_NOFILE, &before);
        }
        if (!procs)
            continue;
        count = children(pids, 64);
        if (!count)
            continue;
        count = below(&d, (unsigned)count);
        if (!is_worker(pids[count]))
            continue;
        if (one_in(&d, 3)) {
            stops_all++;
            kill(pids[count], SIGSTOP);
            nap_us(below(&d, 20000));
            kill(pids[count], SIGCONT);
        } else {
            r.blows++;
            blows_all++;
            kill(pids[count], signals[below(&d, 6)]);
        }
    }
    return NULL;
}

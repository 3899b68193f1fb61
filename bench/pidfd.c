/*
 * pidfd.c - pidfds for a process pool under valgrind, which does not know the calls: preloaded, it takes them over.
 *
 * A pidfd here is an eventfd, and a thread that waits for the process's end and then makes it readable. That is good
 * enough to count what a pool does. It is a pidfd only to this process, and it does not notice that a pid is used
 * again.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FDS_MAX = 1024 };

static pid_t pids[FDS_MAX]; /* by descriptor */

struct watch {
    pid_t pid;
    int fd; /* its own, so that the other may be closed */
};

/* Leaves the status for the one that reaps the process. */
static void *await_end(void *data)
{
    struct watch *watch = data;
    siginfo_t info;

    while (waitid(P_PID, (id_t)watch->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        continue;
    eventfd_write(watch->fd, 1);
    close(watch->fd);
    free(watch);
    return NULL;
}

static long open_pidfd(pid_t pid)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    struct watch *watch = malloc(sizeof *watch);
    pthread_t thread;

    if (fd < 0 || fd >= FDS_MAX || !watch)
        abort();
    pids[fd] = pid;
    *watch = (struct watch){.pid = pid, .fd = dup(fd)};
    if (pthread_create(&thread, NULL, await_end, watch) != 0)
        abort();
    pthread_detach(thread);
    return fd;
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    if (type == P_PIDFD)
        return (int)syscall(SYS_waitid, P_PID, pids[id], info, options, NULL);
    return (int)syscall(SYS_waitid, type, id, info, options, NULL);
}

long syscall(long number, ...)
{
    static long (*next)(long number, ...);
    va_list list;
    long words[6];

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        words[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_pidfd_open)
        return open_pidfd((pid_t)words[0]);
    if (number == SYS_pidfd_send_signal)
        return kill(pids[words[0]], (int)words[1]);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    return next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

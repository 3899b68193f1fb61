/*
 * process_linux.c - processes that run, and their death, on Linux: pidfds, and what /proc says. A pidfd because no
 * signal handler and no other waitpid() of the host can keep the news of a death from the library.
 */
#include "process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_SIZE = 128, STAT_SIZE = 1024, STATUS_BEHIND_NAME = 50 };

/* Reads the beginning of a file of /proc. False: it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
    ssize_t length;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    length = read(fd, text, size - 1);
    close(fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    return true;
}

int soon__process_watch(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */

    return fd < 0 ? -errno : (int)fd;
}

/* 0 and `si_pid` is set: its status was taken. 0 and it is not set: it has not ended. */
static int wait_for(int watch, pid_t pid, siginfo_t *ret)
{
    idtype_t type = watch >= 0 ? P_PIDFD : P_PID;
    id_t id = watch >= 0 ? (id_t)watch : (id_t)pid;
    int rc;

    do
        rc = waitid(type, id, ret, WEXITED | WNOHANG);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno == EAGAIN) { /* as Linux says since 5.10 of a pidfd that does not block */
        ret->si_pid = 0;
        return 0;
    }
    return rc;
}

/* Finds the status in the text of /proc/PID/stat. False: it has not died. The name, which is in brackets, may hold any
 * text. */
static bool parse_status(const char *text, int *ret)
{
    const char *at = strrchr(text, ')');

    if (!at || strncmp(at, ") Z ", 4) != 0)
        return false;
    for (int i = 0; at && i < STATUS_BEHIND_NAME; i++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%d", ret) == 1;
}

/* May this process see its status? Else that reads as 0. The owner of the folder is the user of the process, whatever
 * else is hidden. */
static bool is_shown(pid_t pid)
{
    char path[32];
    struct stat folder;

    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return geteuid() == 0 || (stat(path, &folder) == 0 && folder.st_uid == geteuid());
}

/* The status of a process that has died and was not reaped: /proc has it in the last field. */
static void read_status(pid_t pid, struct soon__exit *ret)
{
    char path[32], text[STAT_SIZE];
    int status;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_text(path, text, sizeof text) || !parse_status(text, &status) || (status == 0 && !is_shown(pid)))
        return;
    *ret = (struct soon__exit){.known = true,
                               .killed = WIFSIGNALED(status),
                               .number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)};
}

bool soon__process_reap(int watch, pid_t pid, struct soon__exit *ret)
{
    siginfo_t info = {.si_pid = 0};

    *ret = (struct soon__exit){.known = false};
    if (wait_for(watch, pid, &info) < 0)
        return true; /* ECHILD: another waitpid() has reaped it, or the host ignores SIGCHLD */
    if (info.si_pid == pid)
        *ret = (struct soon__exit){.known = true, .killed = info.si_code != CLD_EXITED, .number = info.si_status};
    else
        read_status(pid, ret);
    return info.si_pid == pid;
}

enum { TO_PROCESS = 0, TO_GROUP = 1 << 2 /* since Linux 6.9 */ };

static int send_by_watch(int watch, int signal, unsigned to)
{
    return syscall(SYS_pidfd_send_signal, watch, signal, NULL, to) < 0 ? -errno : 0;
}

int soon__process_may_signal(int watch)
{
    return send_by_watch(watch, 0, TO_PROCESS);
}

/* The process gets the signal through its group, which it leads, and cannot leave, as the leader of a session. */
int soon__process_signal(int watch, pid_t pid, int signal)
{
    int rc, may = watch >= 0 ? soon__process_may_signal(watch) : 0;

    /* Somebody else may have reaped it although nobody should: then its number may be another process's, but its watch
     * is not. */
    if (may == -ESRCH) {
        (void)send_by_watch(watch, signal, TO_GROUP);
        return -ESRCH;
    }
    rc = kill(-pid, signal) < 0 ? -errno : 0;
    return may < 0 ? may : rc; /* others of its group may have got it */
}

/* The pages that are resident and neither of a file nor of shared memory, which each worker would count. */
uint64_t soon__own_memory(void)
{
    unsigned long long resident, shared;
    char text[TEXT_SIZE];

    if (!read_text("/proc/self/statm", text, sizeof text) || sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 ||
        shared > resident)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

int64_t soon__process_starved_ns(pid_t pid)
{
    char path[64], text[TEXT_SIZE];
    long long starved_ns;

    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    if (!read_text(path, text, sizeof text) || sscanf(text, "%*u %lld", &starved_ns) != 1 || starved_ns < 0)
        return 0;
    return starved_ns;
}

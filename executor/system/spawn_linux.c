/*
 * spawn_linux.c - how a process is started on Linux: by posix_spawn, since a fork would copy the page tables of a large
 * host and run its pthread_atfork handlers.
 */
#include "spawn_internal.h"

#include "../../futures/system_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST = 3, SET_ASIDE = 32, DESCRIPTORS_MAX = 16 };
_Static_assert(FIRST + DESCRIPTORS_MAX < SET_ASIDE, "the child does not write over those that are set aside");

/* What the child is to find at FIRST and behind it. Duplicates that were made here are `ours`, and are closed
 * afterwards. */
struct sources {
    int at[DESCRIPTORS_MAX];
    bool ours[DESCRIPTORS_MAX];
    int count;
};

static void forget_sources(struct sources *sources)
{
    for (int i = 0; i < sources->count; i++) {
        if (sources->ours[i])
            close(sources->at[i]);
    }
}

/* A descriptor below SET_ASIDE could be written over in the child before it is placed: it is duplicated. */
static int add_source(struct sources *sources, int fd)
{
    bool low = fd < SET_ASIDE;

    if (sources->count == DESCRIPTORS_MAX)
        return -EINVAL;
    if (low)
        fd = fcntl(fd, F_DUPFD_CLOEXEC, SET_ASIDE);
    if (fd < 0)
        return errno == EINVAL ? -EMFILE : -errno; /* EINVAL: the limit is below SET_ASIDE */
    sources->at[sources->count] = fd;
    sources->ours[sources->count++] = low;
    return 0;
}

static int add_sources(struct sources *sources, const struct soon__process_start *start)
{
    int rc = 0;

    for (int i = 0; i < start->descriptor_count && rc == 0; i++)
        rc = add_source(sources, start->descriptors[i]);
    if (rc == 0 && start->executable >= 0)
        rc = add_source(sources, start->executable);
    return rc;
}

/* Does this process not have that output, or not pass it on? Then the next file that the child opens would become its
 * output. */
static bool is_missing(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    return flags < 0 || flags & FD_CLOEXEC;
}

/* All of these return an errno value, as posix_spawn does. */
static int place_null(posix_spawn_file_actions_t *actions, int null, int fd)
{
    if (null >= 0)
        return posix_spawn_file_actions_adddup2(actions, null, fd);
    return posix_spawn_file_actions_addopen(actions, fd, "/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
}

static int place_descriptors(posix_spawn_file_actions_t *actions, const struct sources *sources, int null)
{
    int error = place_null(actions, null, STDIN_FILENO);

    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO && !error; fd++) {
        if (is_missing(fd))
            error = place_null(actions, null, fd);
    }
    for (int i = 0; i < sources->count && !error; i++)
        error = posix_spawn_file_actions_adddup2(actions, sources->at[i], FIRST + i);
    return error ? error : posix_spawn_file_actions_addclosefrom_np(actions, FIRST + sources->count);
}

/* All signals but those that this process ignores: a program that does not want to die of a broken pipe means its
 * workers, too. But workers wait for children of their own, so SIGCHLD is among them. */
static void choose_default(sigset_t *ret)
{
    struct sigaction now;

    sigfillset(ret);
    for (int signal = 1; signal <= SIGRTMAX; signal++) {
        if (signal != SIGCHLD && sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
            sigdelset(ret, signal);
    }
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, usual;
    int error;

    sigemptyset(&none);
    choose_default(&usual);
    error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (!error)
        error = posix_spawnattr_setsigdefault(attributes, &usual);
    return error ? error : posix_spawnattr_setsigmask(attributes, &none);
}

static int spawn(const struct soon__process_start *start, const struct sources *sources,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, pid_t *ret_pid)
{
    char program[32];

    if (start->executable < 0)
        return posix_spawn(ret_pid, start->path, actions, attributes, start->arguments, start->environment);
    snprintf(program, sizeof program, "/proc/self/fd/%d", FIRST + sources->count - 1);
    return posix_spawn(ret_pid, program, actions, attributes, start->arguments, start->environment);
}

static int start_with(const struct soon__process_start *start, const struct sources *sources, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid;
    int error;

    error = posix_spawn_file_actions_init(&actions);
    if (error)
        return -error;
    error = posix_spawnattr_init(&attributes);
    if (error)
        goto fail_attributes;
    if (start->directory >= 0) /* before something else is placed at its number */
        error = posix_spawn_file_actions_addfchdir_np(&actions, start->directory);
    if (!error)
        error = place_descriptors(&actions, sources, start->null);
    if (!error)
        error = set_attributes(&attributes);
    if (!error)
        error = spawn(start, sources, &actions, &attributes, &pid);
    if (!error)
        *ret_pid = pid;
    posix_spawnattr_destroy(&attributes);
fail_attributes:
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

int soon__null_open(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC), high;

    if (fd < 0)
        fd = soon__shm_new(0);
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
    if (high < 0)
        high = -errno;
    close(fd);
    return high;
}

bool soon__leads_to(const char *path, int fd)
{
    struct stat there, here;

    return path && stat(path, &there) == 0 && fstat(fd, &here) == 0 && there.st_dev == here.st_dev &&
           there.st_ino == here.st_ino;
}

int soon__process_start(const struct soon__process_start *start, pid_t *ret_pid)
{
    struct sources sources = {.count = 0};
    struct soon__process_start how = *start;
    int rc;

    if (how.executable >= 0 && soon__leads_to(how.path, how.executable))
        how.executable = -1;
    rc = add_sources(&sources, &how);
    if (rc == 0)
        rc = start_with(&how, &sources, ret_pid);
    forget_sources(&sources);
    return rc;
}

/*
 * system_linux.c - worker processes on Linux: posix_spawn, pidfds, eventfds, and descriptors over a Unix socket.
 *
 * posix_spawn because a fork would copy the page tables of a large host and run its pthread_atfork handlers. A pidfd
 * because no signal handler, and no other waitpid() of the host, can take the news of a death away from us.
 */
#include "system_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_SIZE = 128, STAT_SIZE = 1024, STATUS_BEHIND_NAME = 50 };

/* The beginning of a file of /proc. False: it cannot be read. */
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

/*
 * Starting.
 */

enum { FIRST = 3, SET_ASIDE = 32, DESCRIPTORS_MAX = 16 };
_Static_assert(FIRST + DESCRIPTORS_MAX < SET_ASIDE, "those set aside are in nobody's way");

/* What the child is to find at FIRST and behind it; duplicates of ours are closed afterwards. */
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

/* One below SET_ASIDE might be overwritten in the child before its turn comes. */
static int add_source(struct sources *sources, int fd)
{
    bool low = fd < SET_ASIDE;

    if (sources->count == DESCRIPTORS_MAX)
        return -EINVAL;
    if (low)
        fd = fcntl(fd, F_DUPFD_CLOEXEC, SET_ASIDE);
    if (fd < 0)
        return errno == EINVAL ? -EMFILE : -errno; /* the limit is below that */
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

/* Output that this process does not have, or would not pass on: else the child's next file became its output. */
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

/* All but those that this process ignores: who has said that a broken pipe is no death means its workers too. But they wait
 * for children of their own. */
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
    if (start->directory >= 0) /* before its number may be another's */
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

/*
 * The end.
 */

int soon__process_watch(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */

    return fd < 0 ? -errno : (int)fd;
}

/* 0 and `si_pid` set: its status is taken. 0 and not set: not yet. */
static int wait_for(int watch, pid_t pid, siginfo_t *ret)
{
    idtype_t type = watch >= 0 ? P_PIDFD : P_PID;
    id_t id = watch >= 0 ? (id_t)watch : (id_t)pid;
    int rc;

    do
        rc = waitid(type, id, ret, WEXITED | WNOHANG);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno == EAGAIN) { /* since Linux 5.10 a watch that does not block says so */
        ret->si_pid = 0;
        return 0;
    }
    return rc;
}

/* From the text of /proc/PID/stat. False: it has not died. The name, in brackets, may hold anything. */
static bool parse_status(const char *text, int *ret)
{
    const char *at = strrchr(text, ')');

    if (!at || strncmp(at, ") Z ", 4) != 0)
        return false;
    for (int i = 0; at && i < STATUS_BEHIND_NAME; i++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%d", ret) == 1;
}

/* We are shown its status; else it reads as 0. The folder's owner is the process's user, whatever else is hidden. */
static bool is_shown(pid_t pid)
{
    char path[32];
    struct stat folder;

    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return geteuid() == 0 || (stat(path, &folder) == 0 && folder.st_uid == geteuid());
}

/* The status of one that has died and that nobody has reaped: as /proc has it, in the last field. */
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
        return true; /* ECHILD: another waitpid() was faster, or the host ignores SIGCHLD */
    if (info.si_pid == pid)
        *ret = (struct soon__exit){.known = true, .killed = info.si_code != CLD_EXITED, .number = info.si_status};
    else
        read_status(pid, ret);
    return info.si_pid == pid;
}

enum { TO_PROCESS = 0, TO_GROUP = 1 << 2 /* of the number that it has: since Linux 6.9 */ };

static int send_by_watch(int watch, int signal, unsigned to)
{
    return syscall(SYS_pidfd_send_signal, watch, signal, NULL, to) < 0 ? -errno : 0;
}

/* The process gets it by its group, which it leads, and as the leader of a session cannot leave. */
int soon__process_signal(int watch, pid_t pid, int signal)
{
    int rc, may = watch >= 0 ? send_by_watch(watch, 0, TO_PROCESS) : 0;

    /* Somebody else may have reaped it in spite of what was promised: then its number is anybody's, but not its watch. */
    if (may == -ESRCH) {
        (void)send_by_watch(watch, signal, TO_GROUP);
        return -ESRCH;
    }
    rc = kill(-pid, signal) < 0 ? -errno : 0;
    return may < 0 ? may : rc; /* that others of its group got it says nothing about it */
}

/*
 * Bells.
 */

int soon__bell_new(void)
{
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return bell < 0 ? -errno : bell;
}

int soon__bell_ring(int bell)
{
    const uint64_t one = 1;
    int saved = errno, rc;

    while ((rc = (int)write(bell, &one, sizeof one)) < 0 && errno == EINTR)
        ; /* EAGAIN: it was rung so often that it can count no further */
    rc = rc < 0 && errno == EBADF ? -EBADF : 0;
    errno = saved;
    return rc;
}

/*
 * RWF_NOWAIT because whoever else holds the bell can take its O_NONBLOCK away, and ring less often than we look. Linux
 * before 5.8 does not know it for bells, nor does gVisor, and a filter may refuse the call: then the counter goes on, which
 * is as good: who listens is told of each ring (executor/loops/watch.c), and it cannot run full by ringing.
 */
void soon__bell_quiet(int bell)
{
    uint64_t count;
    struct iovec into = {&count, sizeof count};
    int saved = errno;

    while (preadv2(bell, &into, 1, -1, RWF_NOWAIT) < 0 && errno == EINTR)
        ;
    errno = saved;
}

void soon__bell_reset(int bell)
{
    uint64_t count;
    int saved = errno;

    while (read(bell, &count, sizeof count) < 0 && errno == EINTR)
        ;
    errno = saved;
}

/*
 * Sockets.
 */

int soon__socket_pair(int ret[2])
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        int error = errno;

        close(ends[0]);
        close(ends[1]);
        return -error;
    }
    ret[0] = ends[0];
    ret[1] = ends[1];
    return 0;
}

void soon__socket_hang_up(int socket)
{
    (void)shutdown(socket, SHUT_WR);
}

/* Room for the descriptors beside one message. */
union control {
    struct cmsghdr header; /* for its alignment */
    char room[CMSG_SPACE(SOON__SOCKET_DESCRIPTORS_MAX * sizeof(int))];
};

int soon__socket_send(int socket, const void *data, size_t size, const int *descriptors, int count)
{
    struct iovec from = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &from, .msg_iovlen = 1};
    union control control;
    ssize_t sent;

    if (count < 0 || count > SOON__SOCKET_DESCRIPTORS_MAX)
        return -EINVAL;
    if (count > 0) {
        size_t length = (size_t)count * sizeof(int);

        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(length);
        control.header =
            (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(length)};
        memcpy(CMSG_DATA(&control.header), descriptors, length);
    }
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    return 0;
}

static void close_all(const int *descriptors, int count)
{
    for (int i = 0; i < count; i++)
        close(descriptors[i]);
}

static int take_descriptors(struct msghdr *message, int *to)
{
    int count = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        size_t length = header->cmsg_len - CMSG_LEN(0);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        /* There is no room for more than SOON__SOCKET_DESCRIPTORS_MAX in all. */
        memcpy(to + count, CMSG_DATA(header), length);
        count += (int)(length / sizeof(int));
    }
    return count;
}

/* ECONNRESET is told once, when the other end was closed with messages unread; what it has sent comes after that. */
static ssize_t receive(int socket, struct msghdr *message)
{
    ssize_t got;

    do
        got = recvmsg(socket, message, MSG_CMSG_CLOEXEC);
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    return got;
}

int soon__socket_receive(int socket, void *data, size_t size, int *ret_descriptors, int *ret_count)
{
    struct iovec into = {data, size};
    union control control;
    struct msghdr message = {
        .msg_iov = &into, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = receive(socket, &message);

    *ret_count = 0;
    if (got < 0)
        return -errno;
    *ret_count = take_descriptors(&message, ret_descriptors);
    if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return (int)got;
    close_all(ret_descriptors, *ret_count);
    *ret_count = 0;
    return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EMFILE;
}

int soon__socket_peer(int socket, struct soon__peer *ret)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    *ret = (struct soon__peer){.pid = peer.pid, .user = peer.uid, .group = peer.gid};
    return 0;
}

/*
 * This process.
 */

bool soon__is_privileged(void)
{
    return getauxval(AT_SECURE) != 0;
}

int soon__drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int soon__own_program(void)
{
    int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* What is resident and not of a file or of shared memory, which every worker would count. */
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

int soon__signal_at_end_of_parent(int signal)
{
    return prctl(PR_SET_PDEATHSIG, signal) < 0 ? -errno : 0;
}

static int try_all(void)
{
    int rc, fd;

    fd = soon__process_watch(getpid());
    if (fd < 0)
        return fd;
    rc = send_by_watch(fd, 0, TO_PROCESS);
    close(fd);
    if (rc < 0)
        return rc;
    fd = soon__shm_new(1);
    if (fd < 0)
        return fd;
    rc = soon__shm_close_to_writers(fd);
    close(fd);
    if (rc < 0)
        return rc;
    fd = soon__bell_new();
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int soon__processes_supported(void)
{
    static _Atomic bool known;
    int rc;

    /* Relaxed, both: threads that meet here find out the same. Want of something passes, so it is not noted. */
    if (atomic_load_explicit(&known, memory_order_relaxed))
        return 0;
    rc = try_all();
    if (rc == 0)
        atomic_store_explicit(&known, true, memory_order_relaxed);
    return rc;
}

/*
 * workerd.h - a soon-workerd of the test's own, with the tasks of cluster_tasks.h. It dies with the test. What it writes
 * to stderr is kept.
 *
 * The test program has SOON_WORKERD, SOON_WORKER and OBJECT in its environment: the programs, and what they load.
 */
#ifndef SOON_TESTS_SUPPORT_WORKERD_H
#define SOON_TESTS_SUPPORT_WORKERD_H

#include "../harness/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERD_ARGUMENTS = 24, WORKERD_SAID = 16384 };

struct workerd {
    pid_t pid;
    int said;   /* a file with its stderr */
    int notify; /* where it tells systemd, in the place of that */
};

/* Starts it with these arguments, up to a NULL, whatever it does then. Its stderr is `said`, which it closes. */
static inline void workerd_spawn_to(struct workerd *self, int said, const char *const *more)
{
    const char *arguments[WORKERD_ARGUMENTS + 5] = {"setpriv", "--pdeathsig", "KILL", getenv("SOON_WORKERD")};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    posix_spawn_file_actions_t files;
    char variable[64];

    *self = (struct workerd){.said = said, .notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    for (size_t i = 0; more[i]; i++)
        arguments[4 + i] = more[i];
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "soon-test-%d-%d", (int)getpid(), self->notify);
    cr_assert_eq(bind(self->notify, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1))),
                 0);
    snprintf(variable, sizeof variable, "@%s", address.sun_path + 1);
    setenv("NOTIFY_SOCKET", variable, true);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, self->said, STDERR_FILENO);
    cr_assert_eq(posix_spawnp(&self->pid, arguments[0], &files, NULL, (char *const *)arguments, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    unsetenv("NOTIFY_SOCKET");
}

/* The same, and what it says can be read. */
static inline void workerd_spawn(struct workerd *self, const char *const *more)
{
    workerd_spawn_to(self, memfd_create("said", MFD_CLOEXEC), more);
}

static inline const char *workerd_said_from(const struct workerd *self, off_t at)
{
    static char text[WORKERD_SAID];
    ssize_t size = pread(self->said, text, sizeof text - 1, at);

    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* What it has written so far, or the end of it. Lent until the next call of either. */
static inline const char *workerd_said(const struct workerd *self)
{
    return workerd_said_from(self, 0);
}

static inline const char *workerd_said_last(const struct workerd *self)
{
    struct stat file;

    cr_assert_eq(fstat(self->said, &file), 0);
    return workerd_said_from(self, file.st_size < WORKERD_SAID ? 0 : file.st_size - WORKERD_SAID + 1);
}

/* It stays to be waited for. */
static inline bool workerd_has_ended(const struct workerd *self)
{
    siginfo_t info = {.si_pid = 0};

    cr_assert_eq(waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid != 0;
}

/* Waits until it has told systemd what begins so. One that ends without a word fails the test. */
static inline void workerd_await(const struct workerd *self, const char *word)
{
    struct pollfd told = {.fd = self->notify, .events = POLLIN};
    char text[512] = "";

    while (strncmp(text, word, strlen(word)) != 0) {
        bool has_ended = workerd_has_ended(self);
        ssize_t size = poll(&told, 1, has_ended ? 0 : 100) == 1 ? recv(self->notify, text, sizeof text - 1, 0) : -1;

        cr_assert(size >= 0 || !has_ended, "soon-workerd has ended, and has not told %s: %s", word, workerd_said(self));
        text[size > 0 ? size : 0] = '\0';
    }
}

/* With its tasks, `slots` processes, and more arguments, up to a NULL. Returns when its processes are ready. */
static inline void workerd_start_with(struct workerd *self, const char *servers, int slots, const char *const *more)
{
    char count[16];
    const char *arguments[WORKERD_ARGUMENTS] = {"--servers", servers, "--load",      getenv("OBJECT"),
                                                "--slots",   count,   "--log-level", "debug"};
    size_t at = 8;

    snprintf(count, sizeof count, "%d", slots);
    for (; more && *more; more++)
        arguments[at++] = *more;
    workerd_spawn(self, arguments);
    workerd_await(self, "READY=1");
}

static inline void workerd_start(struct workerd *self, const char *servers, int slots)
{
    workerd_start_with(self, servers, slots, NULL);
}

/* Waits for its end. Returns what waitpid() says. */
static inline int workerd_end(struct workerd *self)
{
    int status = 0;

    if (self->pid)
        cr_assert_eq(waitpid(self->pid, &status, 0), self->pid);
    close(self->said);
    close(self->notify);
    self->pid = 0;
    return status;
}

/* Tells it to end, and waits until that is done. */
static inline void workerd_stop(struct workerd *self)
{
    int status;

    kill(self->pid, SIGTERM);
    status = workerd_end(self);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
}

static inline void workerd_kill(struct workerd *self)
{
    kill(self->pid, SIGKILL);
    (void)workerd_end(self);
}

#endif

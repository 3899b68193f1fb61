/*
 * gearmand.h - a Gearman server of the test's own, on a loopback port that is free. It can be killed, started again on
 * the same port, stopped and let go on. It dies with the test. Where there is none, the test says that it is skipped.
 *
 * Debian's package starts a server of its own, on port 4730, which no test may use.
 */
#ifndef SOON_TESTS_SUPPORT_GEARMAND_H
#define SOON_TESTS_SUPPORT_GEARMAND_H

#include "../harness/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GEARMAND_ARGUMENTS = 8 };

struct gearmand {
    int port;
    pid_t pid;          /* 0: it does not run */
    char address[32];   /* "127.0.0.1:20123" */
    const char *listen; /* to connections that come to this address */
    const char *more[GEARMAND_ARGUMENTS + 1];
};

static inline void gearmand_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Where it is; NULL: nowhere. */
static inline const char *gearmand_program(void)
{
    static const char *const places[] = {"/usr/sbin/gearmand", "/usr/local/sbin/gearmand", "/usr/bin/gearmand"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (access(places[i], X_OK) == 0)
            return places[i];
    }
    return NULL;
}

/* In a test that needs one, first. */
#define gearmand_or_skip()                                                                                             \
    do {                                                                                                               \
        if (!gearmand_program()) {                                                                                     \
            fprintf(stderr, "skipped: there is no gearmand here (Debian's gearman-job-server)\n");                     \
            cr_skip_test("there is no gearmand");                                                                      \
        }                                                                                                              \
    } while (0)

/* A connection to the port; -1: nobody takes it. */
static inline int gearmand_connect(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A port that nobody has, and that the system gives to no connection: those begin at 32768. */
static inline int gearmand_free_port(void)
{
    for (;;) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct timespec now;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port, rc;

        clock_gettime(CLOCK_MONOTONIC, &now);
        port = 10000 + (int)((now.tv_nsec / 1000 + getpid() * 37L) % 20000);
        address.sin_port = htons((uint16_t)port);
        rc = bind(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (rc == 0)
            return port;
    }
}

/* Of connections that come fast one after the other gearmand forgets one now and then. Who asks looks again then. */
static inline void gearmand_do_not_wait_for_ever(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 1}, sizeof(struct timeval));
}

/* One line for one line; false: it does not answer, or is another than `expected` begins. */
static inline bool gearmand_answers(int port, const char *question, const char *expected)
{
    int fd = gearmand_connect(port);
    char answer[256] = "";
    ssize_t size = 0;

    if (fd < 0)
        return false;
    gearmand_do_not_wait_for_ever(fd);
    if (send(fd, question, strlen(question), MSG_NOSIGNAL) == (ssize_t)strlen(question))
        size = recv(fd, answer, sizeof answer - 1, 0);
    close(fd);
    return size > 0 && strncmp(answer, expected, strlen(expected)) == 0;
}

static inline bool gearmand_try(struct gearmand *self)
{
    char port[16];
    const char *arguments[32] = {"setpriv",
                                 "--pdeathsig",
                                 "KILL",
                                 gearmand_program(),
                                 "-L",
                                 self->listen,
                                 "-p",
                                 port,
                                 "-t",
                                 "1",
                                 "--round-robin",
                                 "--job-retries=3",
                                 "--log-file=none",
                                 "--keepalive"};
    static const char *const usual[] = {"--keepalive-idle=10", "--keepalive-interval=3", "--keepalive-count=3", NULL};
    bool has_own = self->more[0] && strncmp(self->more[0], "--keepalive-", 12) == 0;
    posix_spawn_file_actions_t files;
    char expected[32];
    size_t count = 14;

    snprintf(port, sizeof port, "%d", self->port);
    for (const char *const *more = usual; *more && !has_own; more++)
        arguments[count++] = *more;
    for (const char **more = self->more; *more; more++)
        arguments[count++] = *more;
    posix_spawn_file_actions_init(&files);
    for (int fd = 0; fd <= 2; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    cr_assert_eq(posix_spawnp(&self->pid, arguments[0], &files, NULL, (char *const *)arguments, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    snprintf(expected, sizeof expected, "OK %d\n", (int)self->pid); /* another test's may have the same port */
    while (!gearmand_answers(self->port, "getpid\n", expected)) {
        if (waitpid(self->pid, NULL, WNOHANG) == self->pid) {
            self->pid = 0;
            return false;
        }
        gearmand_nap();
    }
    return true;
}

/* On a port of its own, with more arguments, up to a NULL, or NULL. If the first is about keeping connections alive,
 * all about that are the test's. Returns when it answers. */
static inline void gearmand_start_at(struct gearmand *self, const char *listen, const char *const *more)
{
    *self = (struct gearmand){.listen = listen};
    for (size_t i = 0; more && more[i] && i < GEARMAND_ARGUMENTS; i++)
        self->more[i] = more[i];
    do
        self->port = gearmand_free_port();
    while (!gearmand_try(self));
    snprintf(self->address, sizeof self->address, "127.0.0.1:%d", self->port);
}

static inline void gearmand_start(struct gearmand *self, const char *const *more)
{
    gearmand_start_at(self, "127.0.0.1", more);
}

/* With SIGKILL. It did not run: nothing. */
static inline void gearmand_kill(struct gearmand *self)
{
    if (!self->pid)
        return;
    kill(self->pid, SIGKILL);
    cr_assert_eq(waitpid(self->pid, NULL, 0), self->pid);
    self->pid = 0;
}

/* On the same port, which may be taken for a moment by a connection that has met itself. */
static inline void gearmand_restart(struct gearmand *self)
{
    gearmand_kill(self);
    while (!gearmand_try(self))
        gearmand_nap();
}

/* It stops where it is: the system still takes connections for it. */
static inline void gearmand_stop(const struct gearmand *self)
{
    int status;

    kill(self->pid, SIGSTOP);
    cr_assert_eq(waitpid(self->pid, &status, WUNTRACED), self->pid);
    cr_assert(WIFSTOPPED(status));
}

static inline void gearmand_continue(const struct gearmand *self)
{
    kill(self->pid, SIGCONT);
}

#endif

/*
 * scripted_server.h - a server that does what the test says: a thread with a listening socket, and a script that has
 * each connection in turn.
 */
#ifndef SOON_TESTS_SUPPORT_SCRIPTED_SERVER_H
#define SOON_TESTS_SUPPORT_SCRIPTED_SERVER_H

#include "../harness/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct scripted_server;
typedef void (*script_fn)(struct scripted_server *server, int fd); /* its connection is closed when it returns */

struct scripted_server {
    script_fn script;
    int buffer;          /* the size of what the system keeps of what comes; 0: as usual */
    const char *address; /* NULL: "127.0.0.1" */
    int port, listening;
    char text[64];             /* "127.0.0.1:20123" */
    atomic_int accepted, step; /* how many connections it has had; a number of the script's */
    atomic_bool ends;          /* a script that waits ends then */
    pthread_t thread;
};

static inline void *scripted_server_run(void *data)
{
    struct scripted_server *self = data;
    int fd;

    while (!self->ends) {
        fd = accept(self->listening, NULL, NULL);
        if (fd < 0) { /* it ends, or the test has taken all descriptors */
            usleep(1000);
            continue;
        }
        self->accepted++;
        self->script(self, fd);
        close(fd);
    }
    return NULL;
}

static inline void scripted_server_bind(struct scripted_server *self)
{
    bool is_v6 = self->address && strchr(self->address, ':');
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    socklen_t size = is_v6 ? sizeof v6 : sizeof v4;
    struct sockaddr *address = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;

    if (!is_v6)
        inet_pton(AF_INET, self->address ? self->address : "127.0.0.1", &v4.sin_addr);
    self->listening = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->buffer)
        setsockopt(self->listening, SOL_SOCKET, SO_RCVBUF, &self->buffer, sizeof self->buffer);
    cr_assert_eq(bind(self->listening, address, size), 0);
    cr_assert_eq(listen(self->listening, 16), 0);
    cr_assert_eq(getsockname(self->listening, address, &size), 0);
    self->port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
    snprintf(self->text, sizeof self->text, is_v6 ? "[%s]:%d" : "%s:%d", self->address ? self->address : "127.0.0.1",
             self->port);
}

/* `script` is set before, and what else is to be another. */
static inline void scripted_server_start(struct scripted_server *self)
{
    scripted_server_bind(self);
    cr_assert_eq(pthread_create(&self->thread, NULL, scripted_server_run, self), 0);
}

static inline void scripted_server_end(struct scripted_server *self)
{
    self->ends = true;
    shutdown(self->listening, SHUT_RDWR);
    pthread_join(self->thread, NULL);
    close(self->listening);
}

/*
 * Parts of scripts
 */

static inline void script_say(int fd, const void *data, size_t size)
{
    while (size > 0) {
        ssize_t rc = send(fd, data, size, MSG_NOSIGNAL);

        if (rc <= 0)
            return;
        data = (const char *)data + rc;
        size -= (size_t)rc;
    }
}

/* Reads so many bytes; false: the connection has ended before. */
static inline bool script_hear(int fd, void *ret, size_t size)
{
    return size == 0 || recv(fd, ret, size, MSG_WAITALL) == (ssize_t)size;
}

/* Waits until the other side has closed it, or the test ends the server; takes nothing. */
static inline void script_wait(struct scripted_server *self, int fd)
{
    char byte;

    while (!self->ends && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        usleep(1000);
}

/* Answers the first question, ECHO_REQ without data. */
static inline bool script_greet(int fd)
{
    char question[12];

    if (!script_hear(fd, question, sizeof question) ||
        memcmp(question, "\0REQ\0\0\0\x10\0\0\0\0", sizeof question) != 0)
        return false;
    script_say(fd, "\0RES\0\0\0\x11\0\0\0\0", 12);
    return true;
}

#endif

/*
 * ipc_linux.c - bells and sockets on Linux: eventfds, and descriptors over a Unix socket.
 */
#include "ipc_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

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
        ; /* EAGAIN: the counter is full, so the bell is readable */
    rc = rc < 0 && errno == EBADF ? -EBADF : 0;
    errno = saved;
    return rc;
}

/*
 * RWF_NOWAIT because another process that has the bell could take its O_NONBLOCK away, and not ring. Linux before 5.8
 * does not have it for bells, nor does gVisor, and a filter may refuse the call. Then the counter goes on, which is as
 * good: the listener is told of each ring (executor/loops/watch.c), and ringing never fills it.
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
        /* The kernel had room for SOON__SOCKET_DESCRIPTORS_MAX in all. */
        memcpy(to + count, CMSG_DATA(header), length);
        count += (int)(length / sizeof(int));
    }
    return count;
}

/* ECONNRESET comes once, if the other end was closed with messages unread; what that had sent comes after it. */
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

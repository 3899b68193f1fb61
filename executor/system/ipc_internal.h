/*
 * ipc_internal.h - bells and sockets between processes. All descriptors are close-on-exec. What returns an int returns
 * 0, or a descriptor, or a negative errno.
 */
#ifndef SOON_EXECUTOR_SYSTEM_IPC_INTERNAL_H
#define SOON_EXECUTOR_SYSTEM_IPC_INTERNAL_H

#include <stddef.h>
#include <sys/types.h>

/* A counter with a descriptor, which is readable once the bell was rung. */
int soon__bell_new(void);
/* Never blocks. 0; -EBADF: there is no bell. */
int soon__bell_ring(int bell);
/* Makes room in the counter, where it can. For a listener that is told of each ring. */
void soon__bell_quiet(int bell);
/* Until it is rung again it is not readable. For a bell that no other process has: that could make this block. */
void soon__bell_reset(int bell);

/* Two ends of a connection that keeps messages apart. The first end does not block, the second one does. */
int soon__socket_pair(int ret[2]);
/* This end sends nothing more: the other end reads that, behind what was sent before. */
void soon__socket_hang_up(int socket);
enum { SOON__SOCKET_DESCRIPTORS_MAX = 16 };
/* Sends one message, with descriptors beside it, which stay the caller's. -EAGAIN: not now; -EPIPE: the other end is
 * closed. */
int soon__socket_send(int socket, const void *data, size_t size, const int *descriptors, int count);
/*
 * Receives one message of up to `size` bytes, and returns its size. 0: the other end is closed; -EAGAIN: there is none;
 * -EMSGSIZE: it was longer; -EMFILE: its descriptors did not all arrive. Sets `ret_descriptors`, which has room for
 * SOON__SOCKET_DESCRIPTORS_MAX, and `*ret_count`: these are the caller's, whatever is returned.
 */
int soon__socket_receive(int socket, void *data, size_t size, int *ret_descriptors, int *ret_count);

/* The process that has made a pair of sockets, as the kernel noted it then. */
struct soon__peer {
    pid_t pid;  /* 0: it cannot be seen from here */
    uid_t user; /* the effective one, as the group */
    gid_t group;
};
int soon__socket_peer(int socket, struct soon__peer *ret);

#endif

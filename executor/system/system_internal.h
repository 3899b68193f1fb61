/*
 * system_internal.h - what this layer asks of the system for worker processes: their start, their death, signals, bells,
 * and descriptors that travel. One file implements it per system: system_linux.c. Memory that is shared, and words to
 * sleep on in it, are in ../futures/system_internal.h.
 *
 * Every descriptor made here is close-on-exec. Functions return 0 (or a descriptor) or a negative errno.
 */
#ifndef SOON_EXECUTOR_SYSTEM_SYSTEM_INTERNAL_H
#define SOON_EXECUTOR_SYSTEM_SYSTEM_INTERNAL_H

#include "../../futures/system_internal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Processes.
 */

struct soon__process_start {
    const char *path;         /* to execute, if `executable` is -1 or still is what it leads to; NULL: `executable` */
    int executable;           /* a descriptor of the program; -1: there is `path` */
    char *const *arguments;   /* NULL-ended */
    char *const *environment; /* NULL-ended, all of it */
    int directory;            /* a descriptor; -1: ours */
    int null;                 /* as soon__null_open(): its input, and the output that we do not have; -1: /dev/null */
    const int *descriptors;   /* the child finds them at 3, 4 ...; it has no other but 0 (no input), 1 and 2 */
    int descriptor_count;
};
/* Something that is always at its end when it is read: /dev/null; where there is none, memory of no bytes, that cannot be
 * written. A descriptor above those of input and output. */
int soon__null_open(void);
/* The file at `path` (NULL: none) is the one that `fd` is of. */
bool soon__leads_to(const char *path, int fd);
/*
 * Starts a process in a session and process group of its own, so without a terminal, with no signal blocked, and none
 * ignored but those that this one ignores. Its descriptors are in
 * place before the program starts; the number behind the last holds the program itself if there is `executable`: the child
 * closes it. Fast, however much memory this process has.
 */
int soon__process_start(const struct soon__process_start *start, pid_t *ret_pid);
/* A descriptor that becomes readable when it has died. -ESRCH: it is gone already and somebody else has reaped it. */
int soon__process_watch(pid_t pid);

/* How a process ended. */
struct soon__exit {
    bool known;  /* false: somebody else in this program has reaped it, or nobody may; or it is not over */
    bool killed; /* by a signal: `number`; else it has exited with status `number` */
    int number;
    int denied; /* it is not over: it could not be ended, for this negative errno; 0: it is */
};
/*
 * Takes the status of one that has died off the system. Never blocks. `watch` may be -1. False: it has not died; or
 * somebody traces it (a debugger, a crash handler) and has not seen its end: then it is to be tried again, and `ret` is
 * what can be known until then.
 */
bool soon__process_reap(int watch, pid_t pid, struct soon__exit *ret);
/* To the process, and to the rest of its group, also when it has died; it was not reaped yet. -ESRCH: it is gone, and reaped by
 * somebody else: the rest of its group has got it where the system knows how; -EPERM: it has other rights, or we have others
 * than when we started it. `watch` may be -1. */
int soon__process_signal(int watch, pid_t pid, int signal);

/*
 * Bells and sockets.
 */

/* A counter with a descriptor: readable once it was rung. */
int soon__bell_new(void);
int soon__bell_ring(int bell);   /* never blocks. 0; -EBADF: it is not there */
void soon__bell_quiet(int bell); /* makes room in the counter, where it can; for who is told of each ring */
/* Until it is rung again it is not readable. For one that nobody else has: who has it can make this block. */
void soon__bell_reset(int bell);

/* Two ends that keep the bounds of messages. The first does not block, the second does. */
int soon__socket_pair(int ret[2]);
/* Nothing more is sent: the other end is told, behind what was sent before. */
void soon__socket_hang_up(int socket);
enum { SOON__SOCKET_DESCRIPTORS_MAX = 16 };
/* One message, with descriptors beside it, which stay the caller's. -EAGAIN: not now; -EPIPE: nobody is there. */
int soon__socket_send(int socket, const void *data, size_t size, const int *descriptors, int count);
/*
 * One message of up to `size` bytes: how many there were; 0: the other end is closed; -EAGAIN; -EMSGSIZE: it was longer;
 * -EMFILE: its descriptors did not all arrive. Sets `ret_descriptors` (room for SOON__SOCKET_DESCRIPTORS_MAX) and
 * `*ret_count`: they are the caller's, whatever is returned.
 */
int soon__socket_receive(int socket, void *data, size_t size, int *ret_descriptors, int *ret_count);

/* Who made a pair of sockets, as the kernel has noted it then. `user` and `group` are the effective ones. */
struct soon__peer {
    pid_t pid; /* 0: it cannot be seen from here */
    uid_t user;
    gid_t group;
};
int soon__socket_peer(int socket, struct soon__peer *ret);
/* Whether this program was started with rights that who started it may not have: set-user-ID, set-group-ID, with
 * capabilities of its file. Stays so, whatever it gives up. */
bool soon__is_privileged(void);
/* Gives up all capabilities of the calling thread. */
int soon__drop_capabilities(void);

/* This process's own program: a descriptor for soon__process_start.executable. */
int soon__own_program(void);
/* Bytes of memory that this process alone uses: what a memory limit is about. 0: not known. */
uint64_t soon__own_memory(void);
/* Nanoseconds that a child which was not reaped has waited for a CPU; its first thread. 0: not known. */
int64_t soon__process_starved_ns(pid_t pid);
/* The calling process is to get this signal when the thread that started it has ended; each of its threads may ask for one. A
 * belt: see processes/worker/control.c. */
int soon__signal_at_end_of_parent(int signal);
/* -ENOSYS and the like if the kernel lacks, or a container forbids, any of the above. */
int soon__processes_supported(void);

#endif

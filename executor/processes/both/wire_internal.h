/*
 * wire_internal.h - what travels between parent and worker beside the channel: descriptors at fixed numbers, messages
 * on the control socket, and the worker's table of functions.
 *
 *     worker starts --> HELLO (its table lies at the start of the reply area) --> it serves its channel
 *     parent        --> END, if it may not signal the worker; or it hangs up
 *     either side   --> DESCRIPTORS for a slot, before that is posted, or before the reply is published
 *
 * A message with descriptors names all that they belong to: the request by its slot and number, the item of a chunk,
 * and the parts that are sent. With less the bytes of one item could pass for those of another, since the items of a
 * chunk share a request.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_WIRE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_WIRE_INTERNAL_H

#include "../../function.h"
#include "../../system/ipc_internal.h"
#include "channel_internal.h"

/* The numbers at which a worker finds the descriptors that it was given. The one behind the last may be its program
 * (spawn_internal.h). */
enum {
    SOON__FD_CONTROL = 3,
    SOON__FD_REPLIES = 4,
    SOON__FD_PARENT = SOON__FD_REPLIES, /* once the replies are mapped: a pidfd of the parent, to hear of its end */
    SOON__FD_REQUESTS = 5,
    SOON__FD_REPLY_AREA = 6,
    SOON__FD_BELL = 7,
    SOON__FD_SHARED = 8,
    SOON__FD_END = 9, /* a worker without shared memory has 8, too: a copy of SOON__FD_REPLIES */
};

/* The last argument of a worker's command line. */
#define SOON__WORKER_MARKER "--soon-worker-process"
/* Is in the environment of a worker until soon_init() has taken over, so that no pool is made before that. */
#define SOON__WORKER_VARIABLE "SOON_WORKER_PROCESS"
/* In how many pools this process is nested: 1 in a worker of a program that is no worker itself. */
#define SOON__DEPTH_VARIABLE "SOON_DEPTH"
/* The programs to execute instead of the program itself, and instead of the installed soon-worker. A program that has
 * rights which its user may not have ignores both, and hands neither on. */
#define SOON__PROGRAM_VARIABLE "SOON_PROGRAM"
#define SOON__LOADER_VARIABLE "SOON_WORKER"
enum { SOON__DEPTH_MAX = 10 };

/* The exit status of a worker that could not begin. */
enum {
    SOON__EXIT_NO_CHANNEL = 81, /* its descriptors are not what they should be */
    SOON__EXIT_VERSION = 82,    /* parent and worker are of different versions of the library */
    SOON__EXIT_NO_MEMORY = 83,  /* there was no memory, or nothing of something else that may be there again soon */
    SOON__EXIT_LOAD = 84,       /* soon-worker could not load an object */
    SOON__EXIT_NO_CHILD = 85,   /* the process that has the pool has not started it */
    SOON__EXIT_RIGHTS = 86,     /* it has rights that the process that has the pool lacks */
    SOON__EXIT_NO_THREAD = 87,  /* like NO_MEMORY: it could start no thread */
};

enum soon__message_kind {
    SOON__MESSAGE_HELLO = 1,
    SOON__MESSAGE_DESCRIPTORS = 2,
    SOON__MESSAGE_END = 3, /* the worker is to kill itself with its group, since the parent may not */
};

/* A set of parts that have a descriptor each, in this order. */
enum soon__part {
    SOON__PART_BYTES = 1, /* the argument, or the result */
    SOON__PART_PAYLOAD = 2,
    SOON__PART_BESIDE = 4, /* the first one beside these; the next ones have the next bits: beside_internal.h */
    SOON__PARTS = (1 << SOON__SOCKET_DESCRIPTORS_MAX) - 1,
};
enum { SOON__BESIDE_DESCRIPTORS_MAX = SOON__SOCKET_DESCRIPTORS_MAX - 2 };
/* The first `count` parts beside argument and payload. */
static inline uint32_t soon__parts_beside(unsigned count)
{
    return ((1U << count) - 1) * SOON__PART_BESIDE;
}

struct soon__message {
    uint64_t magic; /* SOON__CHANNEL_MAGIC */
    uint32_t kind;  /* enum soon__message_kind */
    uint32_t version;
    /* HELLO */
    int32_t pid;
    uint32_t function_count;
    uint64_t table_size;
    /* DESCRIPTORS */
    uint32_t slot;
    uint32_t parts; /* enum soon__part */
    uint64_t sequence;
    uint64_t item; /* of a chunk: the `first` of the reply; else 0 */
};
_Static_assert(sizeof(struct soon__message) == 56, "the same in every build");

/*
 * The table: per function its sizes, then its name and its types' names, each with its NUL.
 */
struct soon__table_entry {
    uint64_t arg_size, result_size;
    const char *name, *arg_type, *result_type; /* they lie in the table, or are the function's own */
};
/* Writes an entry for each function that can be found by its name and is not LOCAL, as far as they fit into `size`
 * bytes. `*ret_size` is how many bytes that takes; `*ret_functions` are these functions in the order of their entries,
 * malloc'ed, the caller's. 0 or -ENOMEM. */
int soon__table_write(unsigned char *to, uint64_t size, uint64_t *ret_size, const soon_function ***ret_functions,
                      uint32_t *ret_count);
/* Reads the entry at `*offset`, which moves on: 1; 0: there are no more; -EPROTO: it is nonsense. */
int soon__table_next(const unsigned char *table, uint64_t size, uint64_t *offset, struct soon__table_entry *ret);

#endif

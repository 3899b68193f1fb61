/*
 * wire_internal.h - what travels between parent and worker beside the channel: descriptors at fixed numbers, messages on
 * the control socket, and the worker's table of functions.
 *
 *     worker starts --> HELLO (its table lies at the start of the reply area) --> it serves its channel
 *     parent        --> END, if it may not signal the worker; or it hangs up
 *     either side   --> DESCRIPTORS for a slot, before that is posted, or the reply is published
 *
 * A message with descriptors says all that it belongs to: the request by slot and sequence, the item of a chunk, and which
 * parts of it travel there. Items of a chunk share their request; so by less the bytes of one could pass for another's.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_WIRE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_WIRE_INTERNAL_H

#include "../../function.h"
#include "../../system/ipc_internal.h"
#include "channel_internal.h"

/* Where a worker finds what it was given; the number behind the last may hold its program (see system_internal.h). */
enum {
    SOON__FD_CONTROL = 3,
    SOON__FD_REPLIES = 4,
    SOON__FD_PARENT = SOON__FD_REPLIES, /* once that is mapped: the parent itself, to hear of its end */
    SOON__FD_REQUESTS = 5,
    SOON__FD_REPLY_AREA = 6,
    SOON__FD_BELL = 7,
    SOON__FD_SHARED = 8,
    SOON__FD_END = 9, /* without shared memory, 8 is there too but a copy of the channel's */
};

/* The last argument of the worker's command line, exactly. */
#define SOON__WORKER_MARKER "--soon-worker-process"
/* Set in the environment of a worker until soon_init() has taken over, so that no pool is made before that. */
#define SOON__WORKER_VARIABLE "SOON_WORKER_PROCESS"
/* How many pools are nested around this process: 1 in a worker of a program that is none. */
#define SOON__DEPTH_VARIABLE "SOON_DEPTH"
/* What to execute instead of this process's own program; and instead of the installed soon-worker. A program with rights
 * that its user may not have heeds neither, and hands neither on. */
#define SOON__PROGRAM_VARIABLE "SOON_PROGRAM"
#define SOON__LOADER_VARIABLE "SOON_WORKER"
enum { SOON__DEPTH_MAX = 10 };

/* With what a worker exits that could not begin. */
enum {
    SOON__EXIT_NO_CHANNEL = 81, /* its descriptors are not what they should be */
    SOON__EXIT_VERSION = 82,    /* parent and worker are of different versions of the library */
    SOON__EXIT_NO_MEMORY = 83,  /* or none of what else may be there again soon */
    SOON__EXIT_LOAD = 84,       /* soon-worker could not load an object */
    SOON__EXIT_NO_CHILD = 85,   /* another process than the pool's has started it */
    SOON__EXIT_RIGHTS = 86,     /* it has rights that the pool's process does not have */
    SOON__EXIT_NO_THREAD = 87,  /* as NO_MEMORY: it could make no thread */
};

enum soon__message_kind {
    SOON__MESSAGE_HELLO = 1,
    SOON__MESSAGE_DESCRIPTORS = 2,
    SOON__MESSAGE_END = 3, /* to the worker: it is to kill itself, with its group, since we may not */
};

/* What has a descriptor of its own: a set, a descriptor for each, in this order. */
enum soon__part {
    SOON__PART_BYTES = 1, /* the argument, or the result */
    SOON__PART_PAYLOAD = 2,
    SOON__PART_BESIDE = 4, /* the first of what lies beside them, and the next ones: both/beside_internal.h */
    SOON__PARTS = (1 << SOON__SOCKET_DESCRIPTORS_MAX) - 1,
};
enum { SOON__BESIDE_DESCRIPTORS_MAX = SOON__SOCKET_DESCRIPTORS_MAX - 2 };
/* The first `count` of what lies beside. */
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
    uint64_t item; /* of a chunk, what the reply has as `first`; else 0 */
};
_Static_assert(sizeof(struct soon__message) == 56, "the same in every build");

/*
 * The table: per function its sizes, then its name and its types' names, each with its NUL.
 */
struct soon__table_entry {
    uint64_t arg_size, result_size;
    const char *name, *arg_type, *result_type; /* into the table, or the function's own */
};
/* Of every function that can be found by its name and is not LOCAL, in a fixed order: `functions` are malloc'ed, the
 * caller's. How many bytes the table takes; writes those that fit into `size`. */
int soon__table_write(unsigned char *to, uint64_t size, uint64_t *ret_size, const soon_function ***ret_functions,
                      uint32_t *ret_count);
/* The entry at `*offset`, which moves on: 1; 0: the end; -EPROTO: nonsense. */
int soon__table_next(const unsigned char *table, uint64_t size, uint64_t *offset, struct soon__table_entry *ret);

#endif

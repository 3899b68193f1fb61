/*
 * message_internal.h - what client and daemon say to each other inside of Gearman's packets.
 *
 * M1  A job is ours if its unique begins with "soon1-"; then, and only then, workload, data, result and exception are
 *     messages. Everything else is somebody else's: the workload is the argument, the result is the bytes.
 * M2  Numbers are little-endian and of fixed size, lengths are 64 bits, and each message begins with its magic, its
 *     version and its kind. A reader knows the whole length beforehand, believes no length in it, and never reads what
 *     is not there: -EBADMSG.
 * M3  What a struct's bytes mean is not translated. The digest of a function says whether both sides mean the same:
 *     digest_internal.h.
 *
 * A message is read in place: what a reader returns points into it.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_MESSAGE_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_MESSAGE_INTERNAL_H

#include "../../../futures/value.h"

#include <stdbool.h>
#include <stdint.h>

enum soon__message_kind {
    SOON__MESSAGE_CALL = 1, /* client to daemon: the workload of a job */
    SOON__MESSAGE_START,    /* WORK_DATA: it runs from now on, there */
    SOON__MESSAGE_ALIVE,    /* WORK_DATA: it still runs. Each lease has three */
    SOON__MESSAGE_RESULT,   /* WORK_COMPLETE */
    SOON__MESSAGE_ERROR,    /* WORK_EXCEPTION, before WORK_FAIL */
    SOON__MESSAGE_ORDER,    /* client to daemon: the workload of a job of the daemon's control function */
};

/* Writes into a buffer of its own that grows; the first that fails is remembered, and nothing more is written. */
struct soon__message_writer {
    char *data;
    size_t size, capacity;
    bool failed; /* no memory */
};
/* Reads; the first that is not there is remembered, and all that is read from then on is zero. */
struct soon__message_reader {
    const char *at, *end;
    bool failed;
};

/* One task, or the items of a chunk of a map. */
struct soon__call_message {
    uint64_t digest;         /* of the function */
    uint32_t attempt;        /* from 1 on */
    int64_t time_limit_ms;   /* 0: none */
    int64_t alive_every_ms;  /* the heart beats so often */
    int32_t priority;
    const char *label;       /* "": none */
    soon_bytes argument;     /* of one task; of items of one size all of them */
    soon_bytes extra;
    uint64_t items;          /* 0: one task */
    bool items_vary;         /* each item is in the rest, as soon__item_message */
    uint64_t payloads, inputs; /* so many of each follow in the rest: bytes; an input: bytes, and its payload */
    struct soon__message_reader rest;
};
struct soon__item_message {
    soon_bytes argument;
    const char *label;
    bool has_payload;
    soon_bytes payload;
};
struct soon__input_message {
    soon_bytes result;
    bool has_payload;
    soon_bytes payload;
};

struct soon__start_message {
    const char *host, *worker; /* of the daemon: "cancel@" WORKER is its control function */
};

struct soon__error_message {
    int32_t code, raised;
    bool started;
    int32_t pid, signal, status; /* of the worker process */
    uint32_t attempt;
    const char *host, *worker, *message;
    soon_bytes data;
};

/* Of one task: bytes and payloads. Of a chunk: for each item a result or an error. */
struct soon__result_message {
    uint64_t items; /* 0: one task */
    struct soon__message_reader rest;
};
struct soon__item_result_message {
    bool is_error;
    struct soon__error_message error;
    soon_bytes result;
    uint64_t payloads; /* so many follow: soon__read_bytes() */
};

enum soon__order { SOON__ORDER_CANCEL = 1, SOON__ORDER_KILL };
struct soon__order_message {
    uint32_t order;
    const char *unique; /* of the job */
};

/* The rest is with message.c: what writes and reads each of them. */

#endif

/*
 * message_internal.h - what client and daemon say to each other inside of Gearman's packets.
 *
 * M1  A job is ours if its unique begins with "soon1-"; then, and only then, workload, data, result and exception are
 *     messages. Everything else is somebody else's: the workload is the argument, the result is the bytes.
 * M2  Numbers are little-endian and of fixed size, lengths are 64 bits, and each message begins with its magic, its
 *     version and its kind. A reader knows the whole length beforehand, believes no length in it, and never reads what
 *     is not there: -EBADMSG. So is a message with something behind its end.
 * M3  What a struct's bytes mean is not translated. The digest of a function says whether both sides mean the same:
 *     digest_internal.h.
 * M4  To read a message is to check all of it, with its items, payloads and inputs: these are there when they are read
 *     later.
 *
 * A message is read in place: what a reader returns points into it, not aligned. A string has its NUL there.
 * Its head is "soon", the version in 2 bytes, the kind in 2 bytes.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_MESSAGE_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_MESSAGE_INTERNAL_H

#include "message_bytes_internal.h"

enum { SOON__MESSAGE_VERSION = 1, SOON__MESSAGE_HEAD = 8 };

enum soon__message_kind {
    SOON__MESSAGE_CALL = 1, /* client to daemon: the workload of a job */
    SOON__MESSAGE_START,    /* WORK_DATA: it runs from now on, there */
    SOON__MESSAGE_ALIVE,    /* WORK_DATA: it still runs. Each lease has three */
    SOON__MESSAGE_RESULT,   /* WORK_COMPLETE */
    SOON__MESSAGE_ERROR,    /* WORK_EXCEPTION, which ends the job */
    SOON__MESSAGE_ORDER,    /* client to daemon: the workload of a job of the daemon's control function */
};

/* Which kind of message this is, by its head. 0: none of this version. */
enum soon__message_kind soon__message_kind_of(soon_bytes message);

/*
 * Below: what writes and reads each message. A write_ function puts the head and the fields; `rest` does not count
 * there, and what belongs into the rest is put after it, in the order that stands at the struct. A read_ function
 * returns 0, or -EBADMSG, and leaves `*ret` alone then.
 */

/* One task, or the items of a chunk of a map. */
struct soon__call_message {
    uint64_t digest;        /* of the function */
    uint32_t attempt;       /* from 1 on */
    int64_t time_limit_ms;  /* 0: none */
    int64_t alive_every_ms; /* the heart beats so often; above 0 */
    int32_t priority;
    uint32_t retries;    /* of each item of a chunk, if its worker process dies: the daemon sees to them. Else 0 */
    const char *label;   /* "": none */
    soon_bytes argument; /* of one task; of items of one size all of them, each with at least one byte */
    soon_bytes extra;
    uint64_t items;                   /* 0: one task */
    bool items_vary;                  /* each item is in the rest, as soon__item_message, and `argument` is empty */
    uint64_t payloads, inputs;        /* so many of each follow in the rest: bytes; soon__input_message */
    struct soon__message_reader rest; /* items, then payloads, then inputs: soon__next_*() */
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
void soon__write_call(struct soon__message_writer *writer, const struct soon__call_message *call);
void soon__put_item(struct soon__message_writer *writer, const struct soon__item_message *item);
void soon__put_input(struct soon__message_writer *writer, const struct soon__input_message *input);
int soon__read_call(struct soon__call_message *ret, soon_bytes message);
struct soon__item_message soon__get_item(struct soon__message_reader *rest);
struct soon__input_message soon__get_input(struct soon__message_reader *rest);

struct soon__start_message {
    const char *host, *worker; /* of the daemon: "cancel@" WORKER is its control function */
};
void soon__write_start(struct soon__message_writer *writer, const struct soon__start_message *start);
int soon__read_start(struct soon__start_message *ret, soon_bytes message);

/* It has no field. */
void soon__write_alive(struct soon__message_writer *writer);
int soon__read_alive(soon_bytes message);

struct soon__error_message {
    int32_t code, raised; /* `code` is below 0 */
    bool started;
    int32_t pid, signal, status; /* of the worker process */
    uint32_t attempt;
    const char *host, *worker, *message;
    soon_bytes data;
};
void soon__write_error(struct soon__message_writer *writer, const struct soon__error_message *error);
int soon__read_error(struct soon__error_message *ret, soon_bytes message);

/* Of one task, or of a chunk: a result of one task has exactly one soon__item_result_message in the rest, which is no
 * error; of a chunk, there is one for each item, in their order. */
struct soon__result_message {
    uint64_t items; /* 0: one task */
    struct soon__message_reader rest;
};
struct soon__item_result_message {
    bool is_error;
    struct soon__error_message error; /* if it is; then nothing below */
    soon_bytes result;
    uint64_t payloads; /* so many follow: soon__put_bytes(), soon__get_bytes() */
};
void soon__write_result(struct soon__message_writer *writer, uint64_t items);
void soon__put_item_result(struct soon__message_writer *writer, const struct soon__item_result_message *item);
int soon__read_result(struct soon__result_message *ret, soon_bytes message);
struct soon__item_result_message soon__get_item_result(struct soon__message_reader *rest);

enum soon__order { SOON__ORDER_CANCEL = 1, SOON__ORDER_KILL };
struct soon__order_message {
    enum soon__order order;
    const char *unique; /* of the job */
};
void soon__write_order(struct soon__message_writer *writer, const struct soon__order_message *order);
int soon__read_order(struct soon__order_message *ret, soon_bytes message);

#endif

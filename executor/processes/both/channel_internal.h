/*
 * channel_internal.h - the memory that the parent and one worker process share: slots for requests, a ring of replies,
 * words to sleep on, and two areas for bytes. Each process that is started has a channel of its own.
 *
 * A request has a sequence number, which is higher than that of each request before it. The word of its slot says which
 * request was the last one there to be settled, and how:
 *
 *     the word has the number     parent: fills the       the request has a      worker: claims
 *     of an older request    -->  slot, and posts    -->  higher number      --> the word is CLAIMED, with that number
 *                                                              |
 *                                                              +-- parent: takes back --> TAKEN, with that number
 *
 * A reply has its own number in it, too. So for most tasks each side reads one line of memory that the other has
 * written, beside the bell: the first line of the request, or of the reply. Counts are read now and then.
 *
 * D1  Both sides write the word, each by a compare-exchange from what it was before the request was posted: so the
 *     request is either claimed or taken back. The parent has noted what the word was, and the worker what it has
 *     claimed, each in its own memory: a task that writes over the replies brings nothing of that back.
 * D2  Everything else has one writer: the parent writes `struct soon__requests`, which the worker cannot write; the
 *     worker writes the rest of `struct soon__replies`.
 * D3  No wake-up is lost. A side that is about to sleep says so, executes a full fence, and looks once more. A side
 *     that has news publishes it, executes a full fence, and looks whether the other sleeps. So `asleep` pairs with
 *     `post_bell`, `starved` with `room_bell`, and `bell_wanted` with the bell.
 * D4  The worker may be corrupt. The parent reads each word once, into a local, checks it, and looks up what it means
 *     in tables of its own. It follows no pointer, index or length from here before it has checked it, and keeps
 *     nothing here that it needs: the originals are in its private memory.
 * D5  Replies of items leave room for a final reply of each slot. A reply occupies its place in the ring until it is
 *     acked: soon__channel_ack(). A worker that finds the ring full waits for that, and the parent always acks.
 * D6  The worker claims the requests that it has found one after the other, without a new search, as long as the bell
 *     for posts is the same. A request that comes before one of these, or is posted in place of one that was taken
 *     back, changes it. A search ends with a scan that finds nothing new: so when the worker finds a request, it finds
 *     all that were posted before it, though the bell has not changed yet. The parent posts in order, and takes back
 *     from the end; so what is found is claimed in order, or cannot be claimed.
 * D7  A task that blocks is woken when it is asked to end, and a task that does not listen costs nothing. This is a
 *     case of D3: the worker says that its task `listens`, executes a full fence, and looks whether it was asked; the
 *     parent asks, executes a full fence, and rings `cancel_bell` if the task listens.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_INTERNAL_H

#include "../../../futures/system_internal.h"

#include <stddef.h>
#include <string.h>

enum {
    SOON__SLOTS = 64,    /* a set of them is a word of 64 bits */
    SOON__REPLIES = 256, /* a power of two */
    SOON__REQUEST_INLINE = 168,
    SOON__REPLY_INLINE = 48,
    SOON__LABEL_MAX = 256,      /* with its NUL; longer ones are cut in transit */
    SOON__BODY_MAX = (4 << 20), /* an argument, a payload or a result above this has a descriptor of its own */
    SOON__REQUEST_AREA = 16 << 20,
    SOON__REPLY_AREA = 16 << 20,
    SOON__CHANNEL_VERSION = 12,
};
#define SOON__CHANNEL_MAGIC UINT64_C(0x31304b5345444e53) /* the same in all versions */

/* Bits 0 and 1 of a slot's word; the rest is the number. */
enum { SOON__SLOT_CLAIMED = 2, SOON__SLOT_TAKEN = 3, SOON__SLOT_STATE = 3 };

enum soon__request_flags {
    SOON__REQUEST_IS_INITIALIZER = 1, /* what it leaves as its local value stays for the worker's life */
    SOON__REQUEST_HAS_PAYLOAD = 2,
    SOON__REQUEST_ARG_SENT = 4,     /* the argument is the first descriptor that was sent for it */
    SOON__REQUEST_PAYLOAD_SENT = 8, /* the payload is the next one */
    SOON__REQUEST_IN_AREA = 16,     /* its body lies in the request area at `offset`; else in `bytes` */
    SOON__REQUEST_HAS_LIMITS = 32,  /* of time; else it has none, and their fields are not read */
    SOON__REQUEST_IS_PLAIN = 64,    /* its items have no limit of their own, and nobody waits for a single one */
    SOON__REQUEST_HAS_BESIDE = 128, /* there are further parts behind the label: beside_internal.h */
    SOON__REQUEST_VARIES = 256,     /* it has several items of any size: struct soon__item_head */
    SOON__REQUEST_IS_SAMPLED = 512, /* the worker tells when it begins and ends: see the status */
    SOON__REQUEST_IS_TRACED = 1024, /* of a chunk: each item has a reply of its own, with its times beside it */
};

/*
 * What the parent asks for. Its body is [argument][payload][label][beside]: each part begins where the one before it
 * ends, rounded up to 16 bytes, and a part that was sent as a descriptor is left out. The argument of a chunk is the
 * arguments of its items, one behind the other; an item by itself is laid out as a task, whatever its size.
 */
struct soon__request {
    _Atomic uint64_t sequence; /* its number: stored when all else is there */
    _Atomic uint64_t order;    /* the lowest is claimed first. The worker may read it at any time, as the number */
    uint64_t arg_size;
    uint64_t items;    /* how many items a chunk has; 0: this is a single task */
    uint32_t function; /* its index in the table that the worker has sent */
    uint32_t flags;
    uint32_t label_size; /* with its NUL; 0: none */
    uint32_t reserved;
    unsigned char bytes[SOON__REQUEST_INLINE];
    /* These are written only if a flag says so. */
    uint64_t payload_size;
    uint64_t offset;
    int64_t time_limit_ns;  /* from its start (an item's: from the start of that); 0: none */
    int64_t queue_deadline; /* of soon__clock_ns(): it does not start after that; INT64_MAX: none */
    int64_t items_deadline; /* no item is to start after it; INT64_MAX: none */
};
_Static_assert(sizeof(struct soon__request) == 256, "four cache lines");
_Static_assert(offsetof(struct soon__request, bytes) == 48, "aligned, and 16 of them in the first line");

/* VARIES: for each item the argument has this, then the item's argument, payload and label, each rounded up to 16. */
struct soon__item_head {
    uint64_t arg_size, payload_size;
    uint32_t label_size; /* with its NUL; 0: it has none, or the argument is its label */
    uint32_t flags;      /* enum soon__item_flags */
    uint64_t reserved;
};
_Static_assert(sizeof(struct soon__item_head) == 32, "what follows is aligned");
enum soon__item_flags { SOON__ITEM_HAS_PAYLOAD = 1, SOON__ITEM_IS_LABEL = 2 };

/* These stand in the place of a cancel request. HOLD: the time of the item under way is over. No other item is to
 * start, and the worker gives the rest back (-EAGAIN). STOP: the parent is about to end the worker, so the task is to
 * end, and no other item is to start. */
enum { SOON__HOLD = 2, SOON__STOP = 3 };

/* What the worker tells of a claimed request while that runs. */
struct soon__status {
    /* Of soon__clock_ns(): when a task with limits has started, or the item under way. INT64_MAX: it has not started,
     * or the task has no limits. */
    _Atomic int64_t started_ns;
    /* Of a sampled request: the lower half of its number, stored when `began_ns` is that of this request. */
    _Atomic uint32_t sampled;
    /* Counts how often progress was told. The lowest bit says which pair has the last. The next goes into the other
     * pair, so a worker that dies while it writes that leaves the last one whole. */
    _Atomic uint32_t progress_sequence;
    /* Of a chunk: the results of the items from `items_first` up to, but not with, `items_finished` lie one behind the
     * other in the reply area, from `items_offset` on, and no reply has told of them yet. */
    _Atomic uint64_t items_first, items_finished, items_offset;
    _Atomic uint64_t item; /* the item that has started last, or is about to start */
    /* Of soon__clock_ns(), of a sampled request: when it was taken up, and when its last body had returned; 0: that has
     * not happened yet. For numbers alone: the parent believes them within bounds. */
    _Atomic int64_t began_ns, ended_ns;
    _Alignas(64) struct {
        _Atomic uint64_t done, total;
    } progress[2];
};
_Static_assert(sizeof(struct soon__status) == 128, "two cache lines");

enum soon__reply_kind {
    SOON__REPLY_DONE = 1,  /* the last reply to its request: the slot is free after it */
    SOON__REPLY_ITEMS = 2, /* `count` items from `first` on have succeeded; their results lie one behind the other */
    SOON__REPLY_ITEM = 3,  /* the item `first` has ended: with `code`, or with a result that goes by itself */
    SOON__REPLY_KINDS = 4,
};

/* ITEMS of a function whose result has no fixed size: this stands before each result, which is rounded up to
 * 16 bytes. */
struct soon__varied_head {
    uint64_t size, reserved;
};

enum soon__reply_flags {
    SOON__REPLY_NOT_STARTED = 1, /* with `code`: the task did not start; it had waited too long, for instance */
    SOON__REPLY_CANCELLED = 2,   /* with `code`: the task gave in to a cancel request */
    SOON__REPLY_HAS_PAYLOAD = 4,
    SOON__REPLY_RESULT_SENT = 8,       /* the result is the first descriptor that was sent for it */
    SOON__REPLY_PAYLOAD_SENT = 16,     /* the payload is the next one */
    SOON__REPLY_IN_AREA = 32,          /* its body lies in the reply area at `offset`; else in `bytes` */
    SOON__REPLY_HAS_PROGRESS = 64,     /* the task has told of progress: see the status */
    SOON__REPLY_IS_SHORT = 128,        /* in the ring alone: its first line is all of it, and the rest counts as 0 */
    SOON__REPLY_HAS_BESIDE = 256,      /* with HAS_PAYLOAD: there are more payloads, in `count` bytes of the body */
    SOON__REPLY_BESIDE_SENT = 0xf0000, /* how many descriptors were sent for these, behind the others */
    SOON__REPLY_BESIDE_SENT_AT = 16,
    SOON__REPLY_FLAGS = 127 | SOON__REPLY_HAS_BESIDE | SOON__REPLY_BESIDE_SENT,
    SOON__REPLY_DESCRIPTORS = SOON__REPLY_RESULT_SENT | SOON__REPLY_PAYLOAD_SENT | SOON__REPLY_BESIDE_SENT,
};
static inline unsigned soon__reply_beside_sent(uint32_t flags)
{
    return (flags & SOON__REPLY_BESIDE_SENT) >> SOON__REPLY_BESIDE_SENT_AT;
}

/*
 * What the worker answers. Its body is [result][payload][message][beside], laid out as that of a request. With a `code`
 * there is no result and no payload, but perhaps a message; `raised` is as in soon_error. In the DONE of a chunk
 * `first` is how many of its items have ended in all; if these are fewer than were asked for, `code` and flags say why
 * the rest did not start.
 */
struct soon__reply {
    _Atomic uint64_t number; /* counts all replies, from 1: stored when all else is there. In the ring alone */
    uint64_t sequence;       /* of the request */
    uint64_t result_size;
    uint64_t first;
    uint32_t slot;
    uint32_t kind; /* enum soon__reply_kind */
    uint32_t flags;
    int32_t code;
    unsigned char bytes[SOON__REPLY_INLINE];
    uint64_t offset, payload_size, count;
    int32_t raised;
    uint32_t message_size; /* with its NUL; 0: none */
};
_Static_assert(sizeof(struct soon__reply) == 128, "two cache lines");
_Static_assert(offsetof(struct soon__reply, bytes) == 48, "aligned, and 16 of them in the first line");
enum { SOON__REPLY_SHORT_MAX = 16 };

/* Of soon__clock_ns(): when an item of a traced request began and ended. For numbers alone, as in the status. */
struct soon__item_times {
    _Atomic int64_t began_ns, ended_ns;
};

/* The parent alone writes this. The worker has it mapped read-only: so a task that writes where it should not changes
 * neither what is asked of the next one, nor whether the parent hears of the answer. */
struct soon__requests {
    _Alignas(64) _Atomic uint32_t post_bell; /* changes with every post; the worker sleeps on it */
    _Atomic uint32_t retire;                 /* the worker is to end when there is nothing left to claim */
    _Atomic uint32_t spin_ns;                /* how long the worker may spin before it sleeps */
    _Atomic uint64_t filled;                 /* the set of slots in which something may be posted */
    /* About replies. It is in a line of its own, since it changes while the worker looks for requests. */
    _Alignas(64) _Atomic uint64_t acked; /* how many replies the parent is through with */
    _Atomic uint32_t room_bell;          /* changes with each ack; a starved worker sleeps on it */
    _Atomic uint32_t bell_wanted;        /* 0: no; else the worker rings at its next reply, once for each number */
    _Alignas(64) _Atomic uint32_t cancel_requested[SOON__SLOTS]; /* 0, 1, SOON__HOLD or SOON__STOP */
    /* Changes when a task that listens is asked to end; a thread of the worker sleeps on it. */
    _Atomic uint32_t cancel_bell;
    _Alignas(64) struct soon__request request[SOON__SLOTS];
    _Alignas(64) unsigned char area[SOON__REQUEST_AREA];
};

/* The worker writes this, but for the claims, which both write (D1), and what the parent has set up. */
struct soon__replies {
    /* Written by the parent before the worker starts. */
    uint64_t magic;
    uint32_t version, size;
    uint64_t requests_size, reply_area_size; /* the sizes of the other two memories */
    uint64_t shared_size;                    /* the size of what soon_task_shared() shows; 0: there is none */
    uint64_t memory_limit;                   /* bytes; 0: none */
    int32_t depth;
    uint32_t tell_claims; /* the worker rings the bell at each claim, since that makes room in a bounded queue */
    char name[16];        /* for the process and its threads */
    /* The worker's. */
    _Alignas(64) _Atomic uint32_t asleep; /* each post reads it, and it seldom changes: so it is in a line of its own */
    _Atomic uint32_t starved;             /* it waits for an ack */
    _Atomic uint32_t over_limit;          /* it uses more than `memory_limit`, and would like to retire */
    _Atomic uint32_t listens;             /* its task wants to be woken when it is asked to end (D7) */
    _Alignas(64) _Atomic uint64_t claims[SOON__SLOTS];
    _Alignas(64) struct soon__status status[SOON__SLOTS];
    _Alignas(64) struct soon__reply reply[SOON__REPLIES];
    struct soon__item_times times[SOON__REPLIES]; /* beside each of these, if it is of an item that is traced */
};

/* A posted request that the worker has found. It is still there as long as the word of its slot is this one. */
struct soon__found {
    uint64_t order, sequence, word;
    uint32_t slot;
};

/* What the parent keeps to itself: a worker that writes over the channel does not change it. */
struct soon__parent_notes {
    uint64_t before[SOON__SLOTS]; /* D1: what each slot's word is until the request there is claimed */
    uint32_t bell_wanted;         /* the last number that was wanted */
};

/* What the worker keeps to itself: a task that writes over the channel does not change it. */
struct soon__worker_notes {
    uint64_t seen[SOON__SLOTS]; /* the number that was found last in each slot */
    /* D6. The requests that were found and not claimed yet, sorted by their order, from `first` on: at most one of a
     * slot. */
    struct soon__found found[2 * SOON__SLOTS];
    uint32_t first, count;
    uint64_t found_slots; /* the set of their slots */
    uint64_t published;   /* how many replies */
    uint64_t acked;       /* how many were acked when this was read last */
    uint32_t rung;        /* the number for which the bell was rung last */
    uint32_t post_bell;   /* what the bell for posts was when the last search began */
};

/* One side's channel. */
struct soon__channel {
    struct soon__replies *replies;
    struct soon__requests *requests;         /* the parent writes, the worker reads */
    unsigned char *reply_area;               /* the worker writes, the parent reads */
    int bell;                                /* the worker rings, the parent's loop listens */
    struct soon__parent_notes *parent_notes; /* NULL on the worker's side */
    struct soon__worker_notes *worker_notes; /* NULL on the parent's side */
};

/* The points at which a death is most delicate. Tests define a soon__process_point() of their own, which stops a
 * process there; that of the library does nothing. */
enum soon__point {
    SOON__POINT_BEFORE_HELLO,
    SOON__POINT_AFTER_HELLO,
    SOON__POINT_BEFORE_CLAIM,
    SOON__POINT_AFTER_CLAIM,
    SOON__POINT_RESULT_SENT, /* descriptors were sent, and the reply was not published yet */
    SOON__POINT_BEFORE_REPLY,
    SOON__POINT_REPLY_PUBLISHED, /* and the bell was not rung yet */
    SOON__POINT_ARGUMENT_SENT,   /* in the parent: descriptors were sent, and the request was not posted yet */
};
void soon__process_point(enum soon__point point);

static inline uint64_t soon__body_round(uint64_t size)
{
    return (size + 15) & ~UINT64_C(15);
}

/* Finds the next one of several results of any size. They lie in `*size` bytes from `*at` on, which may change while
 * they are read; both move behind the result that was found. Returns its bytes, and their number; NULL: there are no
 * more. */
static inline const unsigned char *soon__varied_next(const unsigned char **at, uint64_t *size, uint64_t *ret_size)
{
    const unsigned char *bytes = *at + sizeof(struct soon__varied_head);
    struct soon__varied_head head;
    uint64_t left, room;

    if (*size < sizeof head)
        return NULL;
    memcpy(&head, *at, sizeof head);
    left = *size - sizeof head;
    room = soon__body_round(head.size);
    if (head.size > left || room > left)
        return NULL;
    *at = bytes + room;
    *size = left - room;
    *ret_size = head.size;
    return bytes;
}

/* The word of a slot whose request with this number is in `state`. */
static inline uint64_t soon__slot_word(uint64_t sequence, uint64_t state)
{
    return sequence << 2 | state;
}

#endif

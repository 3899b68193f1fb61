/*
 * channel_internal.h - what the parent and one worker process share: slots for requests, a ring of replies, words to sleep
 * on, and two areas for bytes. One channel per incarnation of a worker; it is never used again after a death.
 *
 * A request is posted with its sequence number, which goes up from one to the next. The slot's word in the channel tells the
 * number of the last one there that is not to be had any more, and what became of that:
 *
 *     the word has the last number --parent: fill, post--> the request has a higher one --worker: claim--> CLAIMED, with it
 *                                                            |
 *                                                            +--parent: take back--> TAKEN, with it
 *
 * A reply has its number in it, too. So most tasks cost each side one line of memory that the other has written, beside the
 * bell: the first of the request, the first of the reply. What is only counted is looked at now and then.
 *
 * D1  The word has two writers, and both change it by compare-exchange from what it was before the request was posted: so
 *     that is either claimed or taken back. The parent knows from its own notes what it was, and the worker from its own
 *     what it has claimed already: none of that comes back when a task writes over the replies.
 * D2  Everything else has one writer: the parent writes `struct soon__requests`, which the worker cannot; the worker writes
 *     the rest of `struct soon__replies`.
 * D3  No wake-up is lost: who may sleep says so, then a full fence, then looks again; who has news publishes it, then a
 *     full fence, then looks whether somebody sleeps. `asleep` pairs with `post_bell`, `starved` with `room_bell`,
 *     `bell_wanted` with the bell.
 * D4  The worker may be mad. The parent reads every word once into a local, checks it, and looks up in tables of its
 *     own what it means. It never follows a pointer, an index or a length from here unchecked, and holds nothing here
 *     that it needs: originals stay in its private memory.
 * D5  Replies of items leave room for a final one per slot. What was read but not given back yet by
 *     soon__channel_ack() takes room too: who finds the ring full waits for that, which is under way then.
 * D6  What the worker has found it claims one after the other without looking again, as long as the bell for posts is the same:
 *     who comes before that, or was posted where one was taken back, has changed it.
 * D7  A task that blocks is woken when it is asked to end, and who does not block costs nothing: it is a case of D3. The worker
 *     says that its task `listens`, then a full fence, then looks whether it was asked; who asks says so, then a full fence,
 *     then rings `cancel_bell` if somebody listens.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_INTERNAL_H

#include "../../system/system_internal.h"

#include <stddef.h>
#include <string.h>

enum {
    SOON__SLOTS = 64,    /* the parent has sets of them in one word */
    SOON__REPLIES = 256, /* a power of two */
    SOON__REQUEST_INLINE = 168,
    SOON__REPLY_INLINE = 48,
    SOON__LABEL_MAX = 256,      /* with its NUL; longer ones are cut in transit */
    SOON__BODY_MAX = (4 << 20), /* an argument, a payload or a result above this has a descriptor of its own */
    SOON__REQUEST_AREA = 16 << 20,
    SOON__REPLY_AREA = 16 << 20,
    SOON__CHANNEL_VERSION = 11,
};
#define SOON__CHANNEL_MAGIC UINT64_C(0x31304b5345444e53) /* "SNDESK01" */

/* Bits 0 and 1 of a slot's word. */
enum { SOON__SLOT_CLAIMED = 2, SOON__SLOT_TAKEN = 3, SOON__SLOT_STATE = 3 };

enum soon__request_flags {
    SOON__REQUEST_IS_INITIALIZER = 1, /* what it leaves as its local value stays for the worker's life */
    SOON__REQUEST_HAS_PAYLOAD = 2,
    SOON__REQUEST_ARG_SENT = 4,     /* the argument is the first descriptor that was sent for it */
    SOON__REQUEST_PAYLOAD_SENT = 8, /* the payload is the next one */
    SOON__REQUEST_IN_AREA = 16,     /* its body lies in the request area at `offset`; else in `bytes` */
    SOON__REQUEST_HAS_LIMITS = 32,  /* of time; else there are none, whatever the fields say */
    SOON__REQUEST_IS_PLAIN = 64,    /* items without a limit of their own, and nobody waits for one of them */
    SOON__REQUEST_HAS_BESIDE = 128, /* more, behind the label: both/beside_internal.h */
    SOON__REQUEST_VARIES = 256,     /* several items of any size: see struct soon__item_head */
};

/*
 * What the parent asks. Body: [argument][payload][label][beside], each where the one before it ends, rounded up to 16; without
 * what was sent as a descriptor. Items: the arguments of `items` of them lie one behind the other. One item by itself is
 * laid out as a task, whatever its size.
 */
struct soon__request {
    _Atomic uint64_t sequence; /* its number: stored when all else is there */
    _Atomic uint64_t order;    /* whose turn it is: the lowest first. Read at any time, as the number */
    uint64_t arg_size;
    uint64_t items;    /* a chunk of a map: how many; 0: a single task */
    uint32_t function; /* its index in the table that the worker has sent */
    uint32_t flags;
    uint32_t label_size; /* with its NUL; 0: none */
    uint32_t reserved;
    unsigned char bytes[SOON__REQUEST_INLINE];
    /* What a flag tells of; else not written. */
    uint64_t payload_size;
    uint64_t offset;
    int64_t time_limit_ns;  /* from its start (an item's: from the start of that); 0: none */
    int64_t queue_deadline; /* of soon__clock_ns(): not to be started after it; INT64_MAX: none */
    int64_t items_deadline; /* no item is to start after it; INT64_MAX: none */
};
_Static_assert(sizeof(struct soon__request) == 256, "four cache lines");
_Static_assert(offsetof(struct soon__request, bytes) == 48, "aligned, and 16 of them in the first line");

/* VARIES: the argument is of each item this, then its argument, payload and label, each rounded up to 16. */
struct soon__item_head {
    uint64_t arg_size, payload_size;
    uint32_t label_size; /* with its NUL; 0: none, or it is the argument */
    uint32_t flags;      /* enum soon__item_flags */
    uint64_t reserved;
};
_Static_assert(sizeof(struct soon__item_head) == 32, "what follows is aligned");
enum soon__item_flags { SOON__ITEM_HAS_PAYLOAD = 1, SOON__ITEM_IS_LABEL = 2 };

/* As a cancel request: this item's time is over, and no other is to start; the rest is given back (-EAGAIN). The same, and the
 * worker is about to be ended: the parent knows why. */
enum { SOON__HOLD = 2, SOON__STOP = 3 };

/* What the worker tells of a claimed request while it runs. */
struct soon__status {
    /* Of soon__clock_ns(): the start of a task with limits, or of the item under way. INT64_MAX: it has not started, or it is a
     * task without. */
    _Atomic int64_t started_ns;
    uint32_t reserved;
    /* Counts what was told of progress: the last is in the pair of this number's last bit. The next goes to the other one, so
     * that whoever dies while he writes it leaves the last. */
    _Atomic uint32_t progress_sequence;
    /* Of a chunk. Results of the items [items_first, items_finished) lie one behind the other in the reply area from
     * `items_offset` on and were not replied yet. */
    _Atomic uint64_t items_first, items_finished, items_offset;
    _Atomic uint64_t item; /* the one that started last, or is about to */
    _Alignas(64) struct {
        _Atomic uint64_t done, total;
    } progress[2];
};
_Static_assert(sizeof(struct soon__status) == 128, "two cache lines");

enum soon__reply_kind {
    SOON__REPLY_DONE = 1,  /* the last one of its request: frees the slot */
    SOON__REPLY_ITEMS = 2, /* `count` items from `first` on have succeeded: their results, one behind the other */
    SOON__REPLY_ITEM = 3,  /* item `first` has ended by itself: `code`, or a result that needs a descriptor */
    SOON__REPLY_KINDS = 4,
};

/* ITEMS of a function whose result has no fixed size: this before each, whose bytes are rounded up to 16. */
struct soon__varied_head {
    uint64_t size, reserved;
};

enum soon__reply_flags {
    SOON__REPLY_NOT_STARTED = 1, /* with `code`: it did not begin, for instance because it had waited too long */
    SOON__REPLY_CANCELLED = 2,   /* it gave in to a cancel request; with `code` */
    SOON__REPLY_HAS_PAYLOAD = 4,
    SOON__REPLY_RESULT_SENT = 8,       /* the result is the first descriptor that was sent for it */
    SOON__REPLY_PAYLOAD_SENT = 16,     /* the payload is the next one */
    SOON__REPLY_IN_AREA = 32,          /* its body lies in the reply area at `offset`; else in `bytes` */
    SOON__REPLY_HAS_PROGRESS = 64,     /* the status tells it */
    SOON__REPLY_IS_SHORT = 128,        /* in the ring: its first line is all of it, and the rest is 0 */
    SOON__REPLY_HAS_BESIDE = 256,      /* with HAS_PAYLOAD: further ones; `count` bytes of the body */
    SOON__REPLY_BESIDE_SENT = 0xf0000, /* so many descriptors for these, behind the others */
    SOON__REPLY_BESIDE_SENT_AT = 16,
    SOON__REPLY_FLAGS = 127 | SOON__REPLY_HAS_BESIDE | SOON__REPLY_BESIDE_SENT,
    SOON__REPLY_DESCRIPTORS = SOON__REPLY_RESULT_SENT | SOON__REPLY_PAYLOAD_SENT | SOON__REPLY_BESIDE_SENT,
};
static inline unsigned soon__reply_beside_sent(uint32_t flags)
{
    return (flags & SOON__REPLY_BESIDE_SENT) >> SOON__REPLY_BESIDE_SENT_AT;
}

/*
 * What the worker answers. Body: [result][payload][message][beside], laid out as a request's. With a `code` there is no result
 * and no payload, but perhaps a message; `raised` as in soon_error. A chunk's DONE says by `first` how many of its items
 * have ended in all; fewer than were asked: `code` and flags say why the rest did not start.
 */
struct soon__reply {
    _Atomic uint64_t number; /* of all replies, from 1: stored when all else is there. In the ring only */
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

/* What the parent alone writes: the worker has it read-only, so that a task that writes where it should not cannot
 * change what is asked of the next one, or who hears of its answers. */
struct soon__requests {
    _Alignas(64) _Atomic uint32_t post_bell; /* changes with every post; the worker sleeps on it */
    _Atomic uint32_t retire;                 /* end when there is nothing left to claim */
    _Atomic uint32_t spin_ns;                /* how long it may look for work before it sleeps */
    _Atomic uint64_t filled;                 /* a set: in no other slot is something posted */
    /* About replies, in a line of its own: it changes while the worker looks for requests. */
    _Alignas(64) _Atomic uint64_t acked; /* so many were consumed */
    _Atomic uint32_t room_bell;          /* changes when replies were consumed; a starved worker sleeps on it */
    _Atomic uint32_t bell_wanted;        /* 0: no; else who publishes a reply rings the bell, once for each number */
    _Alignas(64) _Atomic uint32_t cancel_requested[SOON__SLOTS]; /* 0, 1, SOON__HOLD or SOON__STOP */
    _Atomic uint32_t
        cancel_bell; /* changes when a task that listens was asked to end; a thread of the worker sleeps on it */
    _Alignas(64) struct soon__request request[SOON__SLOTS];
    _Alignas(64) unsigned char area[SOON__REQUEST_AREA];
};

/* What both write, or the worker alone. */
struct soon__replies {
    /* Written by the parent before the worker starts. */
    uint64_t magic;
    uint32_t version, size;
    uint64_t requests_size, reply_area_size; /* of the other two memories */
    uint64_t shared_size;                    /* of what soon_task_shared() shows; 0: none */
    uint64_t memory_limit;                   /* bytes; 0: none */
    int32_t depth;
    uint32_t tell_claims; /* ring the bell at each claim: somebody waits for a place in the queue */
    char name[16];        /* for the process and its threads */
    /* The worker's. */
    _Alignas(64) _Atomic uint32_t asleep; /* looked at with each post, seldom written: in a line of its own */
    _Atomic uint32_t starved;
    _Atomic uint32_t over_limit; /* it uses more than `memory_limit`, and would like to retire */
    _Atomic uint32_t listens;    /* its task wants to be woken when it is asked to end */
    _Alignas(64) _Atomic uint64_t claims[SOON__SLOTS];
    _Alignas(64) struct soon__status status[SOON__SLOTS];
    _Alignas(64) struct soon__reply reply[SOON__REPLIES];
};

/* A posted request that was found: it is there as long as its slot's word is this one. */
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
    uint64_t seen[SOON__SLOTS]; /* the last number of each slot that was found */
    /* D6. Those that were found and not claimed yet, by their requests, from `first` on: one of a slot. */
    struct soon__found found[2 * SOON__SLOTS];
    uint32_t first, count;
    uint64_t found_slots; /* a set */
    uint64_t published;   /* replies */
    uint64_t acked;       /* what the parent had acked when that was looked at last */
    uint32_t rung;        /* for which number the bell was rung last */
    uint32_t post_bell;   /* what it was when a claim began to look */
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

/* Moments at which a death is most delicate. Tests stop a process there: they have a soon__process_point() of their own,
 * which otherwise does nothing. */
enum soon__point {
    SOON__POINT_BEFORE_HELLO,
    SOON__POINT_AFTER_HELLO,
    SOON__POINT_BEFORE_CLAIM,
    SOON__POINT_AFTER_CLAIM,
    SOON__POINT_RESULT_SENT, /* its descriptors; the reply comes after them */
    SOON__POINT_BEFORE_REPLY,
    SOON__POINT_REPLY_PUBLISHED, /* and the bell not rung yet */
    SOON__POINT_ARGUMENT_SENT,   /* in the parent: the descriptors; the post comes after them */
};
void soon__process_point(enum soon__point point);

static inline uint64_t soon__body_round(uint64_t size)
{
    return (size + 15) & ~UINT64_C(15);
}

/* Of results of any size in `*size` bytes from `*at` on, which may change while they are read: the bytes of the next, and how many
 * they are; moves behind it. NULL: there is none. */
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

/* A slot's word: `state` of the request with this number. */
static inline uint64_t soon__slot_word(uint64_t sequence, uint64_t state)
{
    return sequence << 2 | state;
}

#endif

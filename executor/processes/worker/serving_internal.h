/*
 * serving_internal.h - a request while the worker serves it: the parts that came with it, the space for its result, and
 * its replies.
 *
 * S1  A request is read in place: its slot is the worker's until the last reply, so nobody changes it.
 * S2  A child that a task forks never gets further than the body: it ends there. So nothing here runs twice.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_SERVING_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_SERVING_INTERNAL_H

#include "arrived_internal.h"
#include "reply_internal.h"
#include "state_internal.h"

/* The task comes first: this is found by the address of that. */
struct soon__serving {
    soon_task task;
    struct soon__worker *worker;
    const struct soon__request *request;
    struct soon__status *status;
    _Atomic uint32_t *cancel_requested;
    uint32_t slot;
    bool is_sampled, is_traced;
    int64_t began_ns;         /* the item under way, if it is traced */
    uint32_t progress_before; /* the status's `progress_sequence` when it was claimed */
    uint64_t sequence;
    int64_t time_limit_ns, queue_deadline, items_deadline;
    const unsigned char *arg;      /* of all items */
    size_t mapped_size;            /* `arg` is a mapping of so many bytes; 0: it is none */
    const char *label;             /* NULL: none */
    soon_buffer *payload;          /* NULL: none */
    struct soon__arrived *arrived; /* the parts beside these, if the request's flags say that it has some; NULL: they
                                      have not arrived */
    struct soon__place result;
    /* Of a chunk whose items are of any size. */
    const unsigned char *at;                              /* the head of the next item */
    const char *label_of_all;                             /* of the items that have none of their own */
    _Alignas(16) unsigned char small[SOON__REPLY_INLINE]; /* a result that goes into the reply itself */
};

/* Of a sampled request: it is taken up; its last body has returned. */
void soon__serving_tell_begin(struct soon__serving *serving, int64_t now);
void soon__serving_tell_end(const struct soon__serving *serving);
/* Finds the argument, payload and label, and takes what was sent as descriptors. 0, or why the task cannot start. */
int soon__serving_arrive(struct soon__serving *serving);
/* Gives the parts back. The last reply is out by then, so the slot may have another request already. */
void soon__serving_let_go(struct soon__serving *serving);
/* Makes zeroed space for a result of fixed size. 0, or -ENOMEM and the like. */
int soon__serving_make_space(struct soon__serving *serving);
struct soon__reply soon__serving_reply(const struct soon__serving *serving, enum soon__reply_kind kind);
/* Publishes the last reply of a request that did not start, or that ends after `ended` items. */
void soon__serving_refuse(struct soon__serving *serving, uint64_t ended, int code, uint32_t flags);

/* The deadline of a task that starts now. */
static inline int64_t soon__serving_deadline(int64_t limit, int64_t now)
{
    return limit == 0 || limit > SOON__NEVER - now ? SOON__NEVER : now + limit;
}

#endif

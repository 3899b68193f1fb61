/*
 * queue_internal.h - the calls that wait for a worker: those of higher priority first, then in the order in which they
 * came. Not thread-safe.
 */
#ifndef SOON_EXECUTOR_POOLS_QUEUE_INTERNAL_H
#define SOON_EXECUTOR_POOLS_QUEUE_INTERNAL_H

#include "../core/call_internal.h"

struct soon__queue {
    soon_call *head, *tail;         /* calls of priority 0 */
    struct soon__heap prioritised;  /* all others, by extra->by_priority */
    struct soon__heap queue_limits; /* those with a queue limit, by extra->by_deadline */
    uint64_t sequence;              /* the number of the latest call */
    size_t count;
};

/* Moves the call to QUEUED, and gives it a number above 0. */
void soon__queue_push(struct soon__queue *queue, soon_call *call);
/* For a call that need not wait: it has its number all the same, since it may come back. */
static inline void soon__queue_pass(struct soon__queue *queue, soon_call *call)
{
    call->number = ++queue->sequence;
}
/* Pushes a list by `next`, the latest first. Returns how many. */
size_t soon__queue_push_list(struct soon__queue *queue, soon_call *latest);
/* Takes the next calls that have neither a priority nor a queue limit, up to `most`, as a list by `next` and
 * `previous`. Returns how many. */
size_t soon__queue_take_plain(struct soon__queue *queue, size_t most, soon_call **ret_first, soon_call **ret_last);
/* Puts back a call that was popped but not started, at its old position. */
void soon__queue_return(struct soon__queue *queue, soon_call *call);
soon_call *soon__queue_first(const struct soon__queue *queue); /* NULL: empty */
soon_call *soon__queue_pop(struct soon__queue *queue);         /* takes that out */
void soon__queue_remove(struct soon__queue *queue, soon_call *call);
soon_call *soon__queue_take_all(struct soon__queue *queue); /* a list by `next`, in order */
/* Takes out a call whose queue limit is over at `now`; NULL: there is none. */
soon_call *soon__queue_pop_expired(struct soon__queue *queue, int64_t now);
int64_t soon__queue_next_limit(const struct soon__queue *queue); /* SOON__NEVER: none */

#endif

/*
 * queue_internal.h - the calls that wait for a worker: higher priority first, then in order. Not thread-safe.
 */
#ifndef SOON_EXECUTOR_POOLS_QUEUE_INTERNAL_H
#define SOON_EXECUTOR_POOLS_QUEUE_INTERNAL_H

#include "../core/call_internal.h"

struct soon__queue {
    soon_call *head, *tail;         /* of priority 0: a list */
    struct soon__heap prioritised;  /* all others, by extra->by_priority */
    struct soon__heap queue_limits; /* those with a queue limit, by extra->by_deadline */
    uint64_t sequence;              /* of pushes */
    size_t count;
};

/* Moves it to QUEUED, and sets a number above 0. */
void soon__queue_push(struct soon__queue *queue, soon_call *call);
/* One that need not wait has its number all the same: it may come back. */
static inline void soon__queue_pass(struct soon__queue *queue, soon_call *call)
{
    call->number = ++queue->sequence;
}
/* A list by `next`, the latest first; how many. */
size_t soon__queue_push_list(struct soon__queue *queue, soon_call *latest);
/* The next, up to `most`, as long as they have no options: a list by `next` and `previous`; how many. */
size_t soon__queue_take_plain(struct soon__queue *queue, size_t most, soon_call **ret_first, soon_call **ret_last);
/* One that was popped, and is not begun: it has its place again among those that came before and after it. */
void soon__queue_return(struct soon__queue *queue, soon_call *call);
soon_call *soon__queue_first(const struct soon__queue *queue); /* NULL: empty */
soon_call *soon__queue_pop(struct soon__queue *queue);         /* takes that out */
void soon__queue_remove(struct soon__queue *queue, soon_call *call);
soon_call *soon__queue_take_all(struct soon__queue *queue); /* a list by `next`, in order */
/* One whose queue limit is over at `now`, or NULL. */
soon_call *soon__queue_pop_expired(struct soon__queue *queue, int64_t now);
int64_t soon__queue_next_limit(const struct soon__queue *queue); /* SOON__NEVER: none */

#endif

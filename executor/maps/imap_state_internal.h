/*
 * imap_state_internal.h - an imap: what the thread that iterates has, what is under the mutex, what is in flight.
 *
 * One thread at a time iterates: it holds the lock `iterator` while it is in soon_imap_next(). The state says whether
 * the source is asked for more. soon__imap_move() alone changes it, always forward; it may leave out what is in
 * between:
 *
 *     FILLING --> OPEN --> CLOSED --> STOPPED --> ENDED
 *
 * FILLING  The source is asked for as much as there is room for: the bound has not been reached yet.
 * OPEN     It is asked when there is room for a whole chunk.
 * CLOSED   It is not asked any more. What is in flight is still handed out, and then `end_code`.
 * STOPPED  The same after the first failure with `stop_at_error`: what is in flight was cancelled.
 * ENDED    `end_code` was handed out, or the timeout of the whole. What comes from now on is SOON_EEND.
 */
#ifndef SOON_EXECUTOR_MAPS_IMAP_STATE_INTERNAL_H
#define SOON_EXECUTOR_MAPS_IMAP_STATE_INTERNAL_H

#include "../../futures/future_internal.h"
#include "../items.h"
#include "timed_lock_internal.h"

#include <pthread.h>

struct soon__imap_chunk;

enum soon__imap_state {
    SOON__IMAP_FILLING,
    SOON__IMAP_OPEN,
    SOON__IMAP_CLOSED,
    SOON__IMAP_STOPPED,
    SOON__IMAP_ENDED,
};

/* One item that is in flight: taken from the source, submitted, and not handed out. */
struct soon__imap_item {
    struct soon__waiter waiter; /* first; with `unordered`: makes it ready */
    soon_imap *imap;
    struct soon__imap_item *next, *previous; /* in flight, in the order of the input */
    struct soon__imap_item *next_ready;
    soon_future *future; /* the reference that is handed out */
    uint64_t index;
    struct soon__imap_chunk *chunk; /* it lies in this one; NULL: it has a call and a block of its own */
};

/* Where arguments come from. */
struct soon__imap_source {
    bool varied; /* from `next_item` or `strings`, where each has a size of its own; else from `next` */
    soon_source_fn next;
    soon_item_source_fn next_item;
    void *data; /* for both */
    const char *const *strings;
    size_t string_count;
};

/* What was taken and could not be submitted yet: the queue was full, or there was no memory. It counts as in flight. */
struct soon__imap_staged {
    struct soon__imap_chunk *chunk; /* NULL: none */
    bool has_item;
    soon_item item; /* lent by the source; or it lies in: */
    void *arg;      /* room for an argument of fixed size */
};

struct soon_imap {
    soon_executor *executor;
    const soon_function *function;
    struct soon__imap_source source;
    size_t chunk, in_flight_max;
    int64_t deadline;
    bool stop_at_error, unordered;
    bool has_each;
    soon_submit_options each;

    struct soon__timed_lock iterator;
    /* Of the thread that holds `iterator`. */
    struct {
        enum soon__imap_state state;
        int end_code;                /* from CLOSED on: what comes when all was handed out */
        struct soon__error *refused; /* why the executor takes no more, a reference; or NULL */
        int64_t until;               /* how long that thread has time */
        uint64_t taken;              /* so many items have come from the source and are in flight, or were */
        size_t next_string;
        size_t in_flight;
        struct soon__imap_item *first, *last; /* in flight */
        struct soon__imap_staged staged;
    } iterating;

    _Atomic uint32_t bell; /* rung when something becomes ready */
    pthread_mutex_t mutex;
    struct {
        struct soon__imap_item *ready, **ready_end;
    } locked;
    char copies[]; /* of the label and the extra bytes of `each` */
};

/* NULL: all defaults. */
static inline const soon_submit_options *soon__imap_each(const soon_imap *imap)
{
    return imap->has_each ? &imap->each : NULL;
}

/* All of these are for the thread that iterates. */

void soon__imap_move(soon_imap *imap, enum soon__imap_state to);
/* Asks the source for nothing more; `code` comes at the end. Does nothing if it is closed already. */
void soon__imap_close(soon_imap *imap, int code);

/* Puts an item that was submitted behind those in flight. With `unordered` it becomes ready when its future is done. */
void soon__imap_enter_flight(soon_imap *imap, struct soon__imap_item *item);
/* Takes one out of flight, which was popped from the ready ones, or whose waiter was removed. Returns the reference of
 * its future. */
soon_future *soon__imap_leave_flight(soon_imap *imap, struct soon__imap_item *item);
/* Returns the item that has been ready for longest; NULL: none is. */
struct soon__imap_item *soon__imap_pop_ready(soon_imap *imap);
/* Forgets those that are ready. Without the mutex: the waiters of all that is in flight have been removed. */
void soon__imap_forget_ready(soon_imap *imap);

#endif

/*
 * imap_internal.h - an imap; one item of it that is in flight; a chunk, several of them that travel as one call.
 *
 * The items of a chunk have futures of their own in the chunk's block, which lives as long as any of them. The run
 * resolves each as it finishes; what has not run when the call's future is done gets that future's error.
 */
#ifndef SOON_EXECUTOR_MAPS_IMAP_INTERNAL_H
#define SOON_EXECUTOR_MAPS_IMAP_INTERNAL_H

#include "../core/executor_internal.h"
#include "../items.h"
#include "../loops/library_loop_internal.h"
#include "batch_internal.h"
#include "timed_lock_internal.h"

struct soon__imap_chunk;

struct soon__imap_item {
    struct soon__waiter waiter; /* first; unordered: makes it ready */
    soon_imap *imap;
    struct soon__imap_item *next, *previous; /* in flight, in the order of the input */
    struct soon__imap_item *next_ready;
    soon_future *future; /* the reference that is handed out */
    uint64_t index;
    struct soon__imap_chunk *chunk; /* NULL: a call of its own */
};

struct soon__imap_entry {
    soon_future future; /* first */
    struct soon__imap_chunk *chunk;
    struct soon__imap_item item;
};

struct soon__imap_chunk {
    struct soon__items items; /* first: what the run sees */
    const soon_function *function;
    size_t size;         /* of the block */
    _Atomic size_t refs; /* its entries' futures; and one until its call has ended */
    soon_future *call;   /* a reader's reference; NULL: not submitted */
    struct soon__callback ended;
    struct soon__job job;
    struct soon__store store; /* of items of any size: items.each */
    size_t ran;               /* the first so many items were run */
    struct soon__imap_entry entries[];
};

/* Where arguments come from: one of these three. */
struct soon__imap_source {
    bool varied; /* not `next`: items have a size each, and more of their own */
    soon_source_fn next;
    soon_item_source_fn next_item;
    void *data; /* for both */
    const char *const *strings;
    size_t string_count, string_next;
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
    struct soon__timed_lock turn;

    /* Of who has the turn */
    int64_t until;               /* how long he has time */
    uint64_t taken;              /* from the source */
    bool filled;                 /* up to the bound, for the first time */
    int end_code;                /* 0: the source is open */
    struct soon__error *refused; /* NULL, or why the executor takes no more: a reference */
    bool stopped;                /* by an error; what is in flight is cancelled */
    size_t in_flight;
    struct soon__imap_item *first, *last; /* in flight */
    struct soon__imap_chunk *staged;      /* taken, but the queue was full; with `chunk` above 1 */
    bool has_staged;                      /* the same of one item; or there was no memory to copy it */
    soon_item item;                       /* it, lent by the source, or by: */
    void *staged_arg;                     /* room for an argument of fixed size */

    _Atomic uint32_t bell; /* rung when something becomes ready */
    pthread_mutex_t mutex;
    struct {
        struct soon__imap_item *ready, **ready_end;
    } locked;
    char label[];
};

static inline const soon_submit_options *soon__imap_each(const soon_imap *imap)
{
    return imap->has_each ? &imap->each : NULL;
}

/* imap_source.c, for who has the turn */

/* Takes from the source what there is room for. 0, with something in flight, or the source closed and nothing left;
 * -ENOMEM, if that kept it from taking anything; -ETIMEDOUT or SOON_EDEADLK: the queue is full of others' tasks. */
int soon__imap_fill(soon_imap *imap);
/* Nothing more is taken; `code` is what comes at the end. The first one stays. */
void soon__imap_close(soon_imap *imap, int code);
/* The same, since the executor takes nothing any more; what was taken and not submitted is dropped. */
void soon__imap_refused(soon_imap *imap, int code);
/* Drops what was taken and not submitted. */
void soon__imap_drop_staged(soon_imap *imap);

/* imap_chunk.c */

/* Whether there can be a block of memory for so many. */
bool soon__imap_chunk_fits(const soon_function *function, size_t room, bool varied);
/* Room for `room` items, none in it. One reference. NULL: no memory. */
struct soon__imap_chunk *soon__imap_chunk_new(const soon_function *function, size_t room, bool varied);
/* Where the argument of the next item goes, zeroed; and: there is one now, which chunk->entries[] has at the end. */
void *soon__imap_chunk_next_arg(struct soon__imap_chunk *chunk);
void soon__imap_chunk_add(struct soon__imap_chunk *chunk);
/* The same of a copy of an item of any size, whose payload it takes. False: no memory, nothing was taken. */
bool soon__imap_chunk_add_item(struct soon__imap_chunk *chunk, const soon_item *item);
/* Submits it, and gives up the caller's reference. Else a refusal, and nothing was done. `try`: as
 * soon_try_submit_bytes(). */
int soon__imap_chunk_submit(struct soon__imap_chunk *chunk, soon_executor *executor, const soon_submit_options *each,
                            bool try);
/* Instead of submitting: each of its futures has that error. Gives up the caller's reference. */
void soon__imap_chunk_fail(struct soon__imap_chunk *chunk, int code, const char *label);
/* Instead of submitting. Gives up the caller's reference, and those of its futures. */
void soon__imap_chunk_drop(struct soon__imap_chunk *chunk);

#endif

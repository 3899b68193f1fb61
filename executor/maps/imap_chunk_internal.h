/*
 * imap_chunk_internal.h - several items of an imap that travel as one call.
 *
 * The items of a chunk have futures of their own in the chunk's block, which lives as long as any of them. The run
 * resolves each as it ends. What has not run when the call's future is done gets the error of that.
 */
#ifndef SOON_EXECUTOR_MAPS_IMAP_CHUNK_INTERNAL_H
#define SOON_EXECUTOR_MAPS_IMAP_CHUNK_INTERNAL_H

#include "batch_internal.h"
#include "imap_state_internal.h"
#include "item_internal.h"

struct soon__imap_entry {
    soon_future future; /* first */
    struct soon__imap_chunk *chunk;
    struct soon__imap_item item;
};

struct soon__imap_chunk {
    struct soon__batch batch; /* first */
    size_t size;              /* of the block, in bytes */
    _Atomic size_t refs;      /* one for each future of an item, and one until the call has ended */
    struct soon__store store; /* where copies of items lie: see items.each */
    size_t ran;               /* the first so many items were run */
    struct soon__imap_entry entries[];
};

/* Returns whether there can be a block of memory for `room` items. `varied`: each has a size of its own. */
bool soon__imap_chunk_fits(const soon_function *function, size_t room, bool varied);
/* Returns a chunk with room for `room` items and none in it, and one reference of it. NULL: no memory. */
struct soon__imap_chunk *soon__imap_chunk_new(const soon_function *function, size_t room, bool varied);
/* Returns where the argument of the next item goes, zeroed. */
void *soon__imap_chunk_next_arg(struct soon__imap_chunk *chunk);
/* Adds the item whose argument is there now. Its future is that of chunk->entries[] with the highest index. */
void soon__imap_chunk_add(struct soon__imap_chunk *chunk);
/* Adds a copy of an item of any size, and takes its payload. Returns false without memory; then nothing was taken. */
bool soon__imap_chunk_add_item(struct soon__imap_chunk *chunk, const soon_item *item);
/* Submits it and gives up the caller's reference. Else returns why it was refused, and has done nothing. `try`: does
 * not block, as soon_try_submit_bytes(). */
int soon__imap_chunk_submit(struct soon__imap_chunk *chunk, soon_executor *executor, const soon_submit_options *each,
                            bool try);
/* Instead of submitting: fails each of its futures with `code`. Gives up the caller's reference. */
void soon__imap_chunk_fail(struct soon__imap_chunk *chunk, int code, const char *label);
/* Instead of submitting: gives up the caller's reference, and those of its futures, which end CANCELLED. */
void soon__imap_chunk_drop(struct soon__imap_chunk *chunk);
/* Returns the future of its call, lent; NULL: it was not submitted. */
soon_future *soon__imap_chunk_call(const struct soon__imap_chunk *chunk);

#endif

/*
 * batch_internal.h - several items that travel as one call. A chunk of a map is one, and a chunk of an imap.
 *
 * A batch submits its call, hears of that call's end, and releases what was given with the items: what a LOCAL argument
 * points to, and its payload. That happens once for each item: after its body, or with the rest, when the call has
 * ended. Either release may run user code, which must not run on the library's loop. There a payload stays with its
 * item until the rest is released, and the rest is released on the callback thread. LOCAL arguments never meet the loop
 * before that: workers of another process get none.
 */
#ifndef SOON_EXECUTOR_MAPS_BATCH_INTERNAL_H
#define SOON_EXECUTOR_MAPS_BATCH_INTERNAL_H

#include "../core/call_internal.h"
#include "../loops/library_loop_internal.h"

struct soon__batch {
    struct soon__items items; /* first: all that the run of the call sees */
    const soon_function *function;
    /* The owner's. It is called once, when the call has ended; `call` and `rc` are for soon__batch_failure(). */
    void (*end)(struct soon__batch *batch, soon_future *call, int rc);
    _Atomic(soon_future *) call; /* a reader's reference; NULL: it was not submitted, or not yet */
    struct soon__callback ended;

    /* A release of the rest that was left to the callback thread. */
    struct {
        struct soon__job job;
        size_t from;
        void (*released)(struct soon__batch *batch);
    } later;
};

void soon__batch_init(struct soon__batch *batch, const soon_function *function, const struct soon__items *items,
                      void (*end)(struct soon__batch *batch, soon_future *call, int rc));
/* Takes a reference of the future of its call. `end` runs when that is done: here, if it is already. */
void soon__batch_submitted(struct soon__batch *batch, soon_future *call);
/* Returns, lent, why the call ended before all of its items; NULL: it succeeded, as it does if a cancel cuts it
 * short. */
struct soon__error *soon__batch_failure(soon_future *call, int rc);
/* Gives up the reference of the call. */
void soon__batch_fini(struct soon__batch *batch);

/* Releases what was given with one item; on the library's loop the payload stays. */
void soon__batch_release(const struct soon__batch *batch, size_t index);
/* Releases what was given with the items from `from` on, and all payloads that have stayed. Runs user code. */
void soon__batch_release_rest(const struct soon__batch *batch, size_t from);
/* The same, unless that would run user code on the library's loop. Then it does nothing and returns false. */
bool soon__batch_try_release_rest(const struct soon__batch *batch, size_t from);
/* The same on the callback thread, which then calls `released`. The caller keeps batch and arguments until that. */
void soon__batch_release_rest_later(struct soon__batch *batch, size_t from,
                                    void (*released)(struct soon__batch *batch));

#endif

/*
 * delivery_internal.h - callbacks of futures on a program's loop.
 */
#ifndef SOON_EXECUTOR_LOOPS_DELIVERY_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_DELIVERY_INTERNAL_H

#include "../../futures/future_internal.h"
#include "library_loop_internal.h"
#include "loop_entry_internal.h"

/*
 * One registration of a callback with a loop: a callback of kind POSTED. Its loop counts it from init until it ran, was
 * removed or was dropped. Embedded in a call (the option on_done), or made by soon_future_add_done_callback_on().
 */
struct soon__delivery {
    struct soon__callback callback; /* first */
    union {
        struct soon__loop_entry entry;
        struct soon__job job; /* it was dropped, and its data is let go of on the callback thread */
    };
    soon_loop *loop;
    soon_future *future; /* set when it is delivered; a reference of the library's own */
    bool embedded;       /* not freed by the loop; set after init, where it lies in another block */
    bool unlisted;       /* the future does not know it: nobody can remove it */
};

/* Fills it and counts it with the loop. `let_go` as in struct soon__callback. 0; -EINVAL; SOON_ESHUTDOWN (detached);
 * SOON_EFORKED; with `let_go`: what soon__library_start() says. */
int soon__delivery_init(struct soon__delivery *delivery, soon_loop *loop, soon_done_fn fn, void *data,
                        soon_free_fn let_go);
/* For one that was never registered with a future. Frees nothing. */
void soon__delivery_drop(struct soon__delivery *delivery);

/* Around a callback: those of futures that it completes come after it. */
struct soon__calling {
    struct soon__frame frame;
    struct soon__thread_saved saved;
    bool held;
};
void soon__calling_begin(struct soon__calling *calling);
void soon__calling_end(struct soon__calling *calling);

#endif

/*
 * run_callbacks_internal.h - running the callbacks of done futures on this thread, in order.
 */
#ifndef SOON_FUTURES_RUN_CALLBACKS_INTERNAL_H
#define SOON_FUTURES_RUN_CALLBACKS_INTERNAL_H

#include "future_internal.h"

/* Runs the callbacks of a future that is done, on this thread or where its sink sends them; on return they may wait for their turn
 * on this thread. Gives up a reference. */
void soon__future_run_callbacks(soon_future *future);
/* Takes a future from soon__thread.sink: runs its users' callbacks on this thread, or destroys it if it has no references. */
void soon__future_run_sunk(soon_future *future);

/* Between hold and release, users' callbacks of what this thread completes wait, since they might wait for what it has. Nests. */
bool soon__callbacks_defer(void);
void soon__callbacks_resume(bool held);

/* Whether a done future that matches has callbacks that wait for their turn on this thread. */
bool soon__thread_has_queued(bool (*matches)(const soon_future *done, const void *what), const void *what);

/* Around a pin: user code that runs in between (a release, a hook, an executor of the user's own) is told when it would wait
 * for the end of what is pinned, and users' callbacks wait until the pin is back. The frame is on top all the time. */
struct soon__pinned {
    struct soon__frame frame;
    bool callbacks_deferred;
};
void soon__pinned_begin(struct soon__pinned *pinned, const void *owner); /* has been pinned */
void soon__pinned_end(struct soon__pinned *pinned);                      /* after the unpin */

#endif

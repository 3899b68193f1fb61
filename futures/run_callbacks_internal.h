/*
 * run_callbacks_internal.h - running the callbacks of done futures on this thread, in order.
 */
#ifndef SOON_FUTURES_RUN_CALLBACKS_INTERNAL_H
#define SOON_FUTURES_RUN_CALLBACKS_INTERNAL_H

#include "future_internal.h"

/* Runs the callbacks of a future that is done, on this thread or where its sink sends them; on return they may wait for
 * their turn on this thread. Gives up a reference. */
void soon__future_run_callbacks(soon_future *future);
/* Takes a future from soon__thread.sink: runs its users' callbacks on this thread, or destroys it if it has no
 * references. */
void soon__future_run_sunk(soon_future *future);

/* Between defer and resume, users' callbacks of what this thread completes wait: they might wait for something that it
 * has locked or pinned. Nests: resume gets what defer has returned. */
bool soon__callbacks_defer(void);
void soon__callbacks_resume(bool held);

/* Returns whether a done future that matches has users' callbacks that wait for their turn on this thread. */
bool soon__thread_has_queued(bool (*matches)(const soon_future *done, const void *what), const void *what);

/* Around the time in which this thread has an owner pinned. User code that runs meanwhile (a release, a hook, an
 * executor of the program's own) gets SOON_EDEADLK when it waits for the end of that owner, and users' callbacks wait
 * until it is unpinned. */
struct soon__pinned {
    struct soon__frame frame;
    bool callbacks_deferred;
};
void soon__pinned_begin(struct soon__pinned *pinned, const void *owner); /* after pinning it */
void soon__pinned_end(struct soon__pinned *pinned);                      /* after unpinning it */

#endif

/*
 * callback_internal.h - the callbacks of a future: registering, taking off, removing.
 */
#ifndef SOON_FUTURES_CALLBACK_INTERNAL_H
#define SOON_FUTURES_CALLBACK_INTERNAL_H

#include "future_internal.h"

/* Returns 1: registered; 0: the future is done, and nothing was registered; SOON_EFORKED. */
int soon__future_add_callback(soon_future *future, struct soon__callback *callback);
/* Registers an internal callback. The caller has LOCK, and the future is unfinished. */
void soon__future_add_internal_locked(soon_future *future, struct soon__callback *callback);
/* Registers the first callback of a future that nobody else knows yet. */
void soon__future_begin_with(soon_future *future, struct soon__callback *callback);
/* As soon_future_add_done_callback(). `let_go` gets `data` after that, unless this fails; NULL: nobody does. */
int soon__future_tell(soon_future *future, soon_done_fn fn, void *data, soon_free_fn let_go);
/* Takes the callback off the future, in constant time. Returns false if it has run, is running, or was taken off
 * before. The thread of a loop asks before it runs a delivered callback. */
bool soon__future_take_callback(soon_future *future, struct soon__callback *callback);

/* Internal callbacks are pushed in front: brings them into the order of registration, when the future is completed. */
void soon__callbacks_order_locked(soon_future *future);
/* Takes the next callback off that has not begun to run. Returns NULL if there is none, or if it is of no kind that
 * `kinds` has the bit of. A posted one stays in the ring, delivered. */
struct soon__callback *soon__callback_next(soon_future *future, unsigned kinds);
/* Runs a callback that was taken off; a posted one is taken to its loop. */
void soon__callback_run(soon_future *future, struct soon__callback *callback);

#endif

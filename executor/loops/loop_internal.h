/*
 * loop_internal.h - a program's loop, for callbacks that are registered with it and entries that are pushed to it.
 */
#ifndef SOON_EXECUTOR_LOOPS_LOOP_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LOOP_INTERNAL_H

#include "loop_entry_internal.h"

/* Comes before a push, also one that may not come, so that the loop does not close meanwhile. 0, SOON_ESHUTDOWN,
 * SOON_EFORKED. */
int soon__loop_count_in(soon_loop *loop);
/* Once more by a caller that is counted already; also when the loop is closing. */
void soon__loop_count_again(soon_loop *loop);
/* There will be no push. */
void soon__loop_count_out(soon_loop *loop);
/* In order. Once per count; it is counted out when it has run. */
void soon__loop_push(soon_loop *loop, struct soon__loop_entry *entry);
/* In an entry that had nothing to call: it was taken back meanwhile. */
void soon__loop_ran_nothing(soon_loop *loop);
/* Calls `fn` in an entry, as a function that was posted: it may join and free executors. */
void soon__loop_call(soon_loop *loop, soon_loop_fn fn, void *data);

#endif

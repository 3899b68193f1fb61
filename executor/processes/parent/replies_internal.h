/*
 * replies_internal.h - what workers have answered. The loop's thread, or one in a guest (library_loop_internal.h).
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_REPLIES_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_REPLIES_INTERNAL_H

#include "state_internal.h"

/* What a drain has seen: there are more replies already; the initializer has ended, for good or not. */
enum { SOON__DRAINED_MORE = 1, SOON__DRAINED_INITIALISED = 2 };
/* Takes in what the process has answered, and asks for its bell. A set of these; or -EPROTO: it has written nonsense, and is to be
 * killed. `last`: it is dead. */
int soon__process_drain(struct soon__process *process, bool last);
/* The same for who spins, on any thread. True: it goes on, since `awaited` is still there; else it has ended, with the bell on or
 * not needed (P10), and process and pool may be gone. `awaited` NULL: it is to end. */
bool soon__process_take_in_spinning(struct soon__process *process, const soon_call *awaited);
/* The same, and the bell stays as it is, as may what the worker knows of it: how many there were. A drain is to follow. */
uint64_t soon__process_take_in(struct soon__process *process);

#endif

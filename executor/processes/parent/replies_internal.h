/*
 * replies_internal.h - takes in the replies of workers. By the loop's thread, or by a guest of it
 * (library_loop_internal.h).
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_REPLIES_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_REPLIES_INTERNAL_H

#include "state_internal.h"

/* What a drain has seen: there are further replies already; the initializer has ended, and may have failed. */
enum { SOON__DRAINED_MORE = 1, SOON__DRAINED_INITIALISED = 2 };
/* Takes in replies, and enables the doorbell. A set of these; or -EPROTO: the process is corrupt, and is to be killed.
 * `last`: it is dead. */
int soon__process_drain(struct soon__process *process, bool last);
/* The same for a thread that spins, any thread. True: it is to go on, since `awaited` is still in a slot there. False:
 * it has ended, with the doorbell on or not needed (P10), and process and pool may be gone. `awaited` NULL: it ends in
 * any case. */
bool soon__process_take_in_spinning(struct soon__process *process, const soon_call *awaited);
/* Takes in replies without touching the doorbell. Returns how many. The caller calls
 * soon__process_drain() afterwards. */
uint64_t soon__process_take_in(struct soon__process *process);

#endif

/*
 * receive_internal.h - messages of workers, and the descriptors that came with them. By who reads (P7).
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_RECEIVE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_RECEIVE_INTERNAL_H

#include "state_internal.h"

/* What has come: nothing more, since the worker has closed its end; descriptors, or nothing; its HELLO, which comes once. */
enum { SOON__RECEIVED_END, SOON__RECEIVED_SOME, SOON__RECEIVED_HELLO };
/* Takes in all messages that there are, up to a HELLO. As above; or -EPROTO: nonsense; or -ENOMEM: a HELLO, and there was no memory
 * for its table. Loop thread only. */
int soon__process_receive(struct soon__process *process);
/* What the reply says to have a descriptor has one here, and nothing else of it has. False: no worker in its right mind
 * has sent this. */
bool soon__process_has_descriptors(struct soon__process *process, const struct soon__reply *reply);
/* After that: the descriptor of one part, the caller's; or -EMFILE: there was no room for it. */
int soon__process_take_descriptor(struct soon__process *process, enum soon__part part);
/* Those that came and were not taken are closed. */
void soon__process_drop_descriptors(struct soon__process *process);

#endif

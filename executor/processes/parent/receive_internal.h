/*
 * receive_internal.h - messages of workers, and the descriptors that came with them. By the thread that takes in
 * replies (P7).
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_RECEIVE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_RECEIVE_INTERNAL_H

#include "state_internal.h"

/* END: the worker has closed its end. SOME: descriptors have come, or nothing. HELLO: its first message, which comes
 * once. */
enum { SOON__RECEIVED_END, SOON__RECEIVED_SOME, SOON__RECEIVED_HELLO };
/* Takes in all messages that there are, up to a HELLO. Returns one of these; -EPROTO: no worker sends this; or -ENOMEM:
 * a HELLO has come, and there was no memory for its table. Loop thread only. */
int soon__process_receive(struct soon__process *process);
/* Has each part of the reply that is to have a descriptor got one, and no other part? False: no worker sends this. */
bool soon__process_has_descriptors(struct soon__process *process, const struct soon__reply *reply);
/* After that: the descriptor of one part, which the caller owns; or -EMFILE: this process had no room for it. */
int soon__process_take_descriptor(struct soon__process *process, enum soon__part part);
/* Closes those that came and were not taken. */
void soon__process_drop_descriptors(struct soon__process *process);

#endif

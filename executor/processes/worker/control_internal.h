/*
 * control_internal.h - a worker's end of the control socket: descriptors come and go there, and it tells of the
 * parent's end.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_CONTROL_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_CONTROL_INTERNAL_H

#include "../both/channel_internal.h"

#include <sys/types.h>

/* Starts the thread that listens. 0 or a negative errno. */
int soon__control_start(pid_t parent);
/* Waits for the descriptors that were sent for a claimed request, of these parts (enum soon__part). They are the
 * caller's. 0; a negative errno: they have not all arrived, and there are none. */
int soon__control_take(uint32_t slot, uint64_t sequence, uint32_t parts, int *ret_descriptors);
/* The worker has claimed a request that has no descriptors: those of an older one, which was taken back, are closed. */
void soon__control_forget(uint32_t slot, uint64_t sequence);
/* Sends descriptors for a reply, one for each of these parts. 0 or a negative errno. */
int soon__control_send(const struct soon__reply *reply, uint32_t parts, const int *descriptors);
int soon__control_send_hello(uint32_t function_count, uint64_t table_size);

#endif

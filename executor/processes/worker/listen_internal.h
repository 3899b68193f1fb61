/*
 * listen_internal.h - how a worker process hears that its task is to end, while that blocks.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_LISTEN_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_LISTEN_INTERNAL_H

#include "state_internal.h"

/* The claimed request in this slot listens from here on: soon__notices_tell_request() is called when it is asked to
 * end. The caller looks itself whether it was asked before. One request at a time. 0; -EAGAIN, -ENOMEM: there is no
 * thread; SOON_EFORKED: this is a forked child of the task. */
int soon__listen_begin(const struct soon__worker *worker, uint32_t slot, uint64_t sequence);
void soon__listen_end(void);
/* Is the worker to be ended, and does its task know that? For a signal handler. */
bool soon__listen_holds_off(void);

#endif

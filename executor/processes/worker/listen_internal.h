/*
 * listen_internal.h - how a worker process hears that its task is to end, while that blocks.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_LISTEN_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_LISTEN_INTERNAL_H

#include "state_internal.h"

/* The claimed request in this slot listens from here on: soon__notices_tell_request() is called for it when it is asked
 * to end. What it was asked before is to be looked at after this. One at a time. 0; -EAGAIN, -ENOMEM: no thread;
 * SOON_EFORKED: this is a forked child of the task. */
int soon__listen_begin(const struct soon__worker *worker, uint32_t slot, uint64_t sequence);
void soon__listen_end(void);
/* In a signal's handler: the worker is to be ended, and its task knows that. */
bool soon__listen_holds_off(void);

#endif

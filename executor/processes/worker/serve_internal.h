/*
 * serve_internal.h - one claimed request, up to its last reply.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_SERVE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_SERVE_INTERNAL_H

#include "state_internal.h"

void soon__worker_serve(struct soon__worker *worker, uint32_t slot, uint64_t sequence);

#endif

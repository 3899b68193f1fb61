/*
 * items_internal.h - the items of a chunk, which came as one request.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_ITEMS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_ITEMS_INTERNAL_H

#include "serving_internal.h"

/* Runs the items, and replies to each. `now` of soon__clock_ns(). */
void soon__serve_items(struct soon__serving *serving, int64_t now);

#endif

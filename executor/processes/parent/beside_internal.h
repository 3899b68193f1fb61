/*
 * beside_internal.h - what a worker has sent beside a result and its first payload (both/beside_internal.h), taken in by
 * somebody who does not believe it.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_BESIDE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_BESIDE_INTERNAL_H

#include "../both/beside_internal.h"
#include "state_internal.h"

/* Further payloads to the outcome; `at`: where its `count` bytes of the body begin. 0; -EPROTO: nonsense; or another negative errno:
 * there is no room for them here. What is in the outcome by then is the caller's. */
int soon__process_take_beside(struct soon__process *process, const struct soon__reply *reply, const unsigned char *at,
                              struct soon__outcome *outcome);

#endif

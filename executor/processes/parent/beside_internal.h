/*
 * beside_internal.h - what a worker has sent beside a result and its first payload (both/beside_internal.h), taken in
 * by the parent, which trusts none of it.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_BESIDE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_BESIDE_INTERNAL_H

#include "../both/beside_internal.h"
#include "state_internal.h"

/* Adds the further payloads to the outcome. Their `count` bytes of the body begin at `at`. 0; -EPROTO: no worker sends
 * this; or another negative errno: there is no room for them here. The caller owns what is in the outcome, also after a
 * failure. */
int soon__process_take_beside(struct soon__process *process, const struct soon__reply *reply, const unsigned char *at,
                              struct soon__outcome *outcome);

#endif

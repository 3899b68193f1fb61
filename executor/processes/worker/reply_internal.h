/*
 * reply_internal.h - replies of a worker, and the room for their bodies.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_REPLY_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_REPLY_INTERNAL_H

#include "../../core/task_internal.h"
#include "../both/channel_internal.h"

#define SOON__NO_REGION UINT32_MAX

/* Bytes in the reply area. */
struct soon__place {
    unsigned char *data;
    uint64_t offset;
    uint32_t region; /* SOON__NO_REGION: there are none */
};

/* 0; a negative errno: the bell is not there. */
int soon__replies_init(const struct soon__channel *channel);
/* `size` bytes, above 0 and up to SOON__BODY_MAX. Waits until the parent has made room. */
struct soon__place soon__replies_take(uint64_t size);
/* Gives back a place that no published reply uses. */
void soon__replies_give(struct soon__place *place);
/*
 * Writes what became of a task into `reply`: its code and flags, and its result, payload and message, wherever these
 * go. Sends descriptors where they are needed. `result` is the place of the result if that lies in the reply area
 * already; it is used or given back. Drops what is in `outcome`. Returns the place that the reply needs until it is
 * acked.
 */
struct soon__place soon__reply_fill(struct soon__reply *reply, struct soon__outcome *outcome,
                                    struct soon__place *result);
/* Publishes the reply; waits for room in the ring if it is not the last one of its slot. `place` (may be NULL) is given
 * back when the reply is acked. */
void soon__reply_publish(const struct soon__reply *reply, const struct soon__place *place);
/* Notes what is to stand beside the next reply, of an item that is traced. Waits for room in the ring. */
void soon__reply_set_times(int64_t began_ns, int64_t ended_ns);
/* Publishes the only reply of a task that has succeeded with a result of `size` bytes, or none, and nothing
 * beside it. */
void soon__reply_publish_short(uint32_t slot, uint64_t sequence, const unsigned char bytes[SOON__REPLY_SHORT_MAX],
                               size_t size);

#endif

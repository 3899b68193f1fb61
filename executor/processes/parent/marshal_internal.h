/*
 * marshal_internal.h - a call, or the part of a chunk that is sent at once, as it lies in a slot and the worker is to
 * see it.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_MARSHAL_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_MARSHAL_INTERNAL_H

#include "../both/beside_internal.h"
#include "state_internal.h"

struct soon__marshalled {
    soon_call *call;
    bool is_initializer;
    uint32_t function;
    const void *arg;
    uint64_t arg_size;
    uint64_t items;        /* 0: a single task */
    const soon_item *each; /* the items, if their sizes differ; NULL: the argument is one piece */
    soon_buffer *payload;
    bool arg_sent, payload_sent; /* as descriptors */
    const char *label;
    uint32_t label_size;
    struct soon__beside beside;
    uint32_t sampled; /* enum soon__request_flags: whether it is. The call may end while its slot is filled */
    uint64_t body_size;
    uint64_t offset; /* in the request area; `in_area` */
    bool in_area;
};

void soon__marshal(struct soon__marshalled *marshalled, soon_call *call, uint32_t function);
/* How many bytes travel, by whatever way. */
uint64_t soon__marshal_bytes(const struct soon__marshalled *marshalled);
/* Does it take so long to copy that the mutex is better left meanwhile? */
bool soon__marshal_is_long(const struct soon__marshalled *marshalled);
/* Writes the request to the slot, and sends what travels as descriptors. 0 or a negative errno. */
int soon__marshal_fill(const struct soon__marshalled *marshalled, struct soon__process *process, uint32_t slot,
                       uint64_t sequence, uint64_t order);

/* A plain call has no options, and its argument fits into the slot. */
static inline bool soon__marshal_is_plain(const soon_call *call)
{
    return !soon__call_extra(call) && soon__call_arg(call).size <= SOON__REQUEST_INLINE;
}
void soon__marshal_fill_plain(struct soon__request *request, const soon_call *call, uint32_t function, uint64_t order);

#endif

/*
 * flight_internal.h - a call in flight: its state, its lists, its handle. Loop thread only.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_FLIGHT_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_FLIGHT_INTERNAL_H

#include "state_internal.h"

/* UNSENT. NULL: no memory, or no random bytes. `call` NULL: it is an order. */
struct soon__flight *soon__flight_new(struct soon__cluster *cluster, soon_call *call);
/* Moves it to another state, and its list: F2. In GONE it may be freed at once. */
void soon__flight_enter(struct soon__flight *flight, enum soon__flight_state to);
/* When its time in this state is over; SOON__NEVER: it has no end. */
int64_t soon__flight_due(const struct soon__flight *flight);
/* Something was heard of it: its time counts from now on. */
void soon__flight_heard(struct soon__flight *flight);
/* Its call has ended: GHOST, GONE, or SENT as before. */
void soon__flight_let_go(struct soon__flight *flight);
/* For the loop, which has taken it out of `asked`. False: it was GONE, and is freed. */
bool soon__flight_answer(struct soon__flight *flight);

/* 0; -ENOMEM; -EPROTO: it is too long. */
int soon__flight_set_handle(struct soon__flight *flight, soon_bytes handle);
void soon__flight_forget_handle(struct soon__flight *flight);
struct soon__flight *soon__flight_find(const struct soon__cluster *cluster, soon_bytes handle); /* NULL: unknown */

/* Its unique; of a foreign one without our prefix. Returns the length. */
size_t soon__flight_unique(const struct soon__flight *flight, char to[SOON__UNIQUE_MAX]);
/* A queue limit, while it waits. */
void soon__flight_set_limit(struct soon__flight *flight);
void soon__flight_limit_at(struct soon__flight *flight, int64_t when);
void soon__flight_drop_limit(struct soon__flight *flight);

static inline struct soon__flight *soon__flights_first(const struct soon__cluster *cluster, enum soon__flight_state in)
{
    return cluster->loop.in[in].first;
}

#endif

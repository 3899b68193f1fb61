/*
 * send_internal.h - from a call to the packet that submits it; and what a worker or the server is told about it. Loop
 * thread only.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_SEND_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_SEND_INTERNAL_H

#include "../both/message_internal.h"
#include "state_internal.h"

/* Sends those that are UNSENT, in their order, as long as the connection is up and not crowded. */
void soon__cluster_send(struct soon__cluster *cluster);
/* 0 or -ENOTSUP: what has to come with this call cannot travel to a foreign worker. */
int soon__foreign_check(const soon_call *call);
/* Tells the daemon that runs it. Does nothing if that is not known. */
void soon__flight_order(struct soon__flight *flight, enum soon__order order);
/* Asks the server whether a worker has it: STATUS_RES. */
void soon__flight_ask_status(struct soon__flight *flight);

#endif

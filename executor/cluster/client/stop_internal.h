/*
 * stop_internal.h - ending a call in flight before it has ended by itself. Loop thread only.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_STOP_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_STOP_INTERNAL_H

#include "state_internal.h"

/* It is to end for this reason. Its call may have ended on return, and the flight be gone. */
void soon__flight_stop(struct soon__flight *flight, enum soon__stop why);
/* It has come to where that can be done, or done further: it has a handle now, has begun, or another worker has it. */
void soon__flight_go_on_stopping(struct soon__flight *flight);
/* The server has taken it back, its worker has ended it, or it was not sent: ends the call as it was asked for, or lets
 * it go on elsewhere. */
void soon__flight_stopped(struct soon__flight *flight);
/* Nothing was heard of one that runs, for a whole lease. */
void soon__flight_is_lost(struct soon__flight *flight);
/* The time for its end is over. */
void soon__flight_overdue(struct soon__flight *flight);
/* Of a call that is with the loop, what its future's bits ask for. */
enum soon__stop soon__stop_wanted(const soon_call *call);

#endif

/*
 * result_internal.h - from what a worker has said of its end to the outcome of a call. Loop thread only.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_RESULT_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_RESULT_INTERNAL_H

#include "state_internal.h"

/* WORK_COMPLETE of one of ours: a RESULT. Its call ends, with -EBADMSG if it is none. */
void soon__flight_take_result(struct soon__flight *flight, soon_bytes message);
/* WORK_EXCEPTION of one of ours: an ERROR. Its call ends, or has another try. */
void soon__flight_take_error(struct soon__flight *flight, soon_bytes message);

/* Of a foreign worker: bytes. What comes as data is gathered, and comes before the rest. */
void soon__foreign_gather(struct soon__flight *flight, soon_bytes data);
void soon__foreign_take_result(struct soon__flight *flight, soon_bytes rest);
void soon__foreign_take_error(struct soon__flight *flight, soon_bytes text);

#endif

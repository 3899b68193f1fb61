/*
 * channel_running_internal.h - what is told of a claimed request while it runs.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_RUNNING_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_RUNNING_INTERNAL_H

#include "channel_internal.h"

/*
 * The parent's side.
 */

/* Of a chunk: after it no item starts but `*ret_item`, which has started at `*ret_started`. */
void soon__channel_hold(const struct soon__channel *channel, uint32_t slot, uint64_t *ret_item, int64_t *ret_started);
void soon__channel_let_go(const struct soon__channel *channel, uint32_t slot);
void soon__channel_request_cancel(const struct soon__channel *channel, uint32_t slot);
/* Instead of that, before its worker is ended. */
void soon__channel_request_stop(const struct soon__channel *channel, uint32_t slot);
/* No worker is ended: what was asked to stop has ended by itself. */
void soon__channel_stop_none(const struct soon__channel *channel);
/* What was told last, whole, also by one that died while it told more. False: more is told all the time. */
bool soon__channel_progress(const struct soon__channel *channel, uint32_t slot, uint64_t *ret_done,
                            uint64_t *ret_total);

/*
 * The worker's side.
 */

void soon__channel_set_progress(const struct soon__channel *channel, uint32_t slot, uint64_t done, uint64_t total);
/* What a task is asked: 0: nothing; 1: a reader cancels it; SOON__HOLD, SOON__STOP. */
uint32_t soon__channel_asked(const struct soon__channel *channel, uint32_t slot);
/* Is the request with this number there still, and was it asked to stop? */
bool soon__channel_is_stopped(const struct soon__channel *channel, uint64_t sequence);
/* D7. Look at what it is asked after it listens; and, to sleep until it is asked anything, after the bell was read. */
void soon__channel_listen(const struct soon__channel *channel, bool listens);
uint32_t soon__channel_cancel_bell(const struct soon__channel *channel);
void soon__channel_await_cancel(const struct soon__channel *channel, uint32_t bell);

#endif

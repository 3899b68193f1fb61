/*
 * channel_running_internal.h - what is told of a claimed request while it runs.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_RUNNING_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_CHANNEL_RUNNING_INTERNAL_H

#include "channel_internal.h"

/*
 * The parent's side.
 */

/* After this no further item of the chunk starts. `*ret_item` is the last that has, at `*ret_started`. */
void soon__channel_hold(const struct soon__channel *channel, uint32_t slot, uint64_t *ret_item, int64_t *ret_started);
/* Lets further items start again. */
void soon__channel_let_go(const struct soon__channel *channel, uint32_t slot);
/* Asks the task to end, since its future is to be cancelled. */
void soon__channel_request_cancel(const struct soon__channel *channel, uint32_t slot);
/* Asks the task to end, since its worker is about to be ended. */
void soon__channel_request_stop(const struct soon__channel *channel, uint32_t slot);
/* Takes all of these back: the worker goes on after all. */
void soon__channel_stop_none(const struct soon__channel *channel);
/* The progress that was told last, also by a worker that has died while it told more. False: the worker tells more all
 * the time. */
bool soon__channel_progress(const struct soon__channel *channel, uint32_t slot, uint64_t *ret_done,
                            uint64_t *ret_total);

/*
 * The worker's side.
 */

void soon__channel_set_progress(const struct soon__channel *channel, uint32_t slot, uint64_t done, uint64_t total);
/* What the task is asked. 0: nothing; 1: its future is to be cancelled; SOON__HOLD; SOON__STOP. */
uint32_t soon__channel_asked(const struct soon__channel *channel, uint32_t slot);
/* Is the request with this number still in a slot, and was its task asked to stop? */
bool soon__channel_is_stopped(const struct soon__channel *channel, uint64_t sequence);
/* D7. A task that begins to listen looks at what it is asked after this. */
void soon__channel_listen(const struct soon__channel *channel, bool listens);
uint32_t soon__channel_cancel_bell(const struct soon__channel *channel);
/* Sleeps until the bell has changed since it was `bell`. To miss nothing, read the bell, then what the task is asked,
 * then sleep. */
void soon__channel_await_cancel(const struct soon__channel *channel, uint32_t bell);

#endif

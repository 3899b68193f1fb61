/*
 * library_timer_internal.h - timers of the library's loop, by the library's clock.
 */
#ifndef SOON_EXECUTOR_LOOPS_LIBRARY_TIMER_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LIBRARY_TIMER_INTERNAL_H

#include <stdint.h>
#include <uv.h>

/* Of soon__clock_ns(): `span` nanoseconds behind `now`, SOON__NEVER at most. */
int64_t soon__later(int64_t now, int64_t span);
/* Sets a timer of the library's loop to a reading of that clock; SOON__NEVER stops it. On the loop, or as its guest. */
void soon__loop_timer(uv_timer_t *timer, uv_timer_cb fn, int64_t when);

#endif

/*
 * library_timer.c - timers of the library's loop, by the library's clock.
 */
#include "library_timer_internal.h"

#include "library_loop_internal.h"

int64_t soon__later(int64_t now, int64_t span)
{
    return span > INT64_MAX - now ? SOON__NEVER : now + span;
}

void soon__loop_timer(uv_timer_t *timer, uv_timer_cb fn, int64_t when)
{
    int64_t now = soon__clock_ns();
    uint64_t wait_ms = when > now ? (uint64_t)(when - now + 999999) / 1000000 : 0;

    if (when == SOON__NEVER) {
        uv_timer_stop(timer);
        return;
    }
    uv_update_time(soon__library_uv());
    uv_timer_start(timer, fn, wait_ms, 0);
}

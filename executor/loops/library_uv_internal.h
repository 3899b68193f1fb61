/*
 * library_uv_internal.h - libuv's part of the library's loop: made, and closed in a forked child.
 */
#ifndef SOON_EXECUTOR_LOOPS_LIBRARY_UV_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LIBRARY_UV_INTERNAL_H

#include "watch_internal.h"

#include <uv.h>

/* A loop that has polled once. `set` is there, and is asked whether it has room. 0, or a negative errno. */
int soon__uv_open(uv_loop_t *uv, struct soon__watches *set);
/* In a forked child: closes the loop of the parent, whose descriptors it shares. Nothing may be done to the loop as
 * it is: its epoll set is the parent's, too. */
void soon__uv_close_inherited(uv_loop_t *uv, struct soon__watches *set);

#endif

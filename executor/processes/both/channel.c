/*
 * channel.c - the points at which tests stop a process.
 */
#include "channel_internal.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "locks of libatomic do not cross processes");

__attribute__((weak)) void soon__process_point(enum soon__point point)
{
    (void)point;
}

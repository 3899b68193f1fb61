/*
 * gather_internal.h - the members of a group.
 */
#ifndef SOON_FUTURES_GATHER_INTERNAL_H
#define SOON_FUTURES_GATHER_INTERNAL_H

#include "future_internal.h"

/* Returns a member of a soon_gather() or soon_any(), which keeps it; NULL behind the last, or if it is no group. */
soon_future *soon__group_member(const soon_future *group, size_t index);
size_t soon__group_count(const soon_future *group);

#endif

/*
 * imap_source_internal.h - the way of an argument from the source into flight. For the thread that iterates.
 */
#ifndef SOON_EXECUTOR_MAPS_IMAP_SOURCE_INTERNAL_H
#define SOON_EXECUTOR_MAPS_IMAP_SOURCE_INTERNAL_H

#include "imap_state_internal.h"

/* Takes from the source what there is room for, and submits it. Returns 0: something is in flight, or the source is
 * closed and nothing is left; -ENOMEM: that kept it from taking anything; -ETIMEDOUT or SOON_EDEADLK: the queue is full
 * of others' tasks. */
int soon__imap_fill(soon_imap *imap);
/* Drops what is staged. */
void soon__imap_drop_staged(soon_imap *imap);

#endif

/*
 * shared_internal.h - shared memory as pools see it, which keep it and send its descriptor to their workers.
 */
#ifndef SOON_EXECUTOR_CORE_SHARED_INTERNAL_H
#define SOON_EXECUTOR_CORE_SHARED_INTERNAL_H

#include "../shared.h"

/* NULL allowed: then NULL. */
soon_shared *soon__shared_ref(soon_shared *shared);
/* Lent: it can be mapped from there as often as one likes. */
int soon__shared_descriptor(const soon_shared *shared);
size_t soon__shared_size(const soon_shared *shared);

#endif

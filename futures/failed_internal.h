/*
 * failed_internal.h - futures that are done with an error from the start.
 */
#ifndef SOON_FUTURES_FAILED_INTERNAL_H
#define SOON_FUTURES_FAILED_INTERNAL_H

#include "future_internal.h"

/* Returns a future that has failed with what `caller` has refused, and one reference of a reader. If there is no memory
 * it is soon__future_nomem(). */
soon_future *soon__future_new_failed(int code, const char *caller, const char *function, const char *label, void *data);
/* Returns the one future that has failed with -ENOMEM. It has no references and is never freed. */
soon_future *soon__future_nomem(void);

#endif

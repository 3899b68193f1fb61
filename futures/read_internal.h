/*
 * read_internal.h - the reader's half.
 */
#ifndef SOON_FUTURES_READ_INTERNAL_H
#define SOON_FUTURES_READ_INTERNAL_H

#include "future_internal.h"

/* Returns the function whose result it is; see soon__class.function. */
const void *soon__future_function(const soon_future *future);

#endif

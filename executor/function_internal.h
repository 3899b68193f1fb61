/*
 * function_internal.h - finding a function by its name.
 */
#ifndef SOON_EXECUTOR_FUNCTION_INTERNAL_H
#define SOON_EXECUTOR_FUNCTION_INTERNAL_H

#include "function.h"

/* NULL: there is none of this name, or there are several. Lent until it is unregistered. Any thread. */
const soon_function *soon__function_find(const char *name);
/*
 * All that can be found by their names and run in other processes (not LOCAL), in the order of their names: an array that
 * is the caller's, of functions that are lent. 0 or -ENOMEM. Any thread.
 */
int soon__function_list(const soon_function ***ret, size_t *ret_count);

#endif
